/// Scripts that run on a node at the same time: the servers and clients of a round, one for each rail.
#pragma once

#include <string>
#include <vector>

#include "engine/framed_script.hpp"

namespace podwright {

struct Part {
  std::string comment;
  std::string script;  ///< POSIX sh; its stdin is closed
  std::chrono::seconds deadline{10};
};

/// One frame a part, with the part's output, errors and exit status. All parts begin at once. Each is in a
/// process group of its own, which ends with its deadline, and with the connection: a head that was killed
/// leaves nothing running for more than a few seconds.
FramedScript in_parallel(const std::string& title, const std::vector<Part>& parts, std::string marker = {});

}  // namespace podwright
