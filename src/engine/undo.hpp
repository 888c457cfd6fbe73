/// Taking back what the ledger of a node says is ours: decided here from what the node lists, carried
/// out there entry by entry, from the last to the first. An undo that was cut off is simply run again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/framed_script.hpp"
#include "engine/ledger.hpp"
#include "engine/site.hpp"

namespace podwright {

struct UndoOptions {
  std::vector<std::string> components;  ///< only what these brought; empty: everything
  /// Puts originals back over what somebody changed since, and forgets what can't be taken back.
  bool force = false;
};

/// What stays as it is, and why.
struct LeftAlone {
  std::string id;  ///< of the step
  std::string why;
  std::string hint{};
  bool operator==(const LeftAlone&) const = default;
};

/// What is to be done on one node.
struct NodeUndo {
  struct Take {
    LedgerEntry entry;
    /// What each path is when its turn comes, and the state: another one is left.
    std::vector<std::string> expected;
    std::string expected_state{};
    bool forget = false;  ///< nothing to put back: the entry just goes
  };
  std::vector<Take> take;  ///< the last step first
  std::vector<LeftAlone> left;

  /// Ids of the steps that are taken back, each once, the last first.
  [[nodiscard]] std::vector<std::string> ids() const;
};

/// Pure. An entry is left when a path or the state is another than its step left it, or when a later
/// step that stays changed the same.
NodeUndo plan_undo(const std::vector<LedgerEntry>& entries, const UndoOptions& options);

/// What became of one node.
struct NodeUndone {
  std::vector<std::string> restored;  ///< ids of steps
  std::vector<LeftAlone> left;
  std::optional<Error> error{};  ///< it was not reached, or something could not be put back
};

struct UndoPlan {
  std::map<NodeId, NodeUndo> nodes;
  std::map<NodeId, Error> failed;  ///< whose ledger could not be read
};

/// Reads the ledgers of the site's nodes and decides; one round trip, which changes nothing.
UndoPlan plan_undo(Site& site, const UndoOptions& options);

/// Does it; one more.
std::map<NodeId, NodeUndone> undo(Site& site, const UndoPlan& plan);

/// What one node runs, and what its frames are about.
struct UndoScript {
  FramedScript script;
  struct Part {
    std::vector<std::size_t> takes;  ///< indices into NodeUndo::take; none: the clearing up
    bool last_of_all = false;        ///< nothing more follows for these
  };
  std::vector<Part> parts;
};
UndoScript undo_script(const NodeId& node, const NodeUndo& work,
                       std::string_view folder = ledger_folder, std::string marker = {});
/// What the frames of an undo_script printed, by frame.
NodeUndone undone(const NodeUndo& work, const UndoScript& script,
                  const std::map<std::size_t, Observed>& frames);

}  // namespace podwright
