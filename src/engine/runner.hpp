/// A stage's script as a process of its own on its node: it outlives the connection that started it and
/// the head that waits for it, and what it prints is found again.
///
/// The script is fed to a shell in a session of its own, and stands in no file. What it prints goes to a
/// folder of its own, /var/lib/podwright/run/ID/ (root only; /run/podwright/run/ where that cannot be
/// written), which whoever wants to know follows: the SSH command that started it, another one after a
/// lost connection, another head after the first one was killed. One runner at a time is let at a node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/fan_out.hpp"
#include "engine/site.hpp"

namespace podwright {

/// sh that starts the runner ID unless it is there already, and follows its output from byte `from` for
/// at most `slice`. Its marker tells the runner from another one that has the same ID.
std::string launch_script(const std::string& id, const FramedScript& stage, std::size_t from,
                          std::chrono::seconds slice);
/// sh that follows the runner as launch_script does. `halt`: the runner is to end at its next checkpoint.
std::string follow_script(const std::string& id, const std::string& marker, std::size_t from,
                          std::chrono::seconds slice, bool halt = false);

/// How launch_script and follow_script end.
enum class RunnerExit { ended = 0, goes_on = 75, busy = 76, none = 77 };

/// Runs each job as a runner ID on its node and follows it to its end. A connection that is lost is made
/// again, and the output goes on where it stopped; the error of a node that stays lost says that its
/// runner goes on. On a stop each runner ends at its next checkpoint, and what it did until then is
/// reported.
std::map<NodeId, FramedResult> run_detached(Site& site, const std::string& id, std::vector<FramedJob> jobs,
                                            const std::string& phase, OnFrameBegin begin = {},
                                            OnFrameEnd end = {});

/// A runner that an earlier run started, and whose end nobody has seen.
struct LostRunner {
  NodeId node;
  std::string marker;  ///< of its script
};
/// Follows these runners from their beginning to their end. A node without one has no frames, and no
/// error.
std::map<NodeId, FramedResult> take_up_runners(Site& site, const std::string& id,
                                               const std::vector<LostRunner>& runners,
                                               const std::string& phase, OnFrameBegin begin = {},
                                               OnFrameEnd end = {});

/// Removes what runners that have ended left on these nodes. Best effort: the next runner does it as well.
void sweep_runners(Site& site, const std::vector<NodeId>& nodes);

}  // namespace podwright
