/// Many nodes, few different things to say: those that say the same are named together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace podwright::cli {

struct Folded {
  std::vector<NodeId> nodes;
  std::string text;
};

/// Nodes with the same text together: the most frequent text first, so that the odd ones stand at the
/// end, right above the prompt; of equal frequency, by their first node.
std::vector<Folded> fold(const std::map<NodeId, std::string>& texts);

/// The same for texts that name the node or an address ("10.0.0.7 refuses the connection"): those that
/// differ in nothing else are together, with NODE and ADDRESS in their place.
std::vector<Folded> fold_alike(const std::map<NodeId, std::string>& texts);

/// "cu[01-62] (62)"; a single node is only named.
std::string who(const std::vector<NodeId>& nodes);

/// A block for each text: on one line behind its nodes where it is one line and fits ("cu[01-03] (3):
/// 6.1.0"), else indented beneath them.
std::string folded_text(const std::map<NodeId, std::string>& texts, std::size_t width = 80);

/// Failures by reason: "cu[07,09] (2): connection refused", its hint beneath.
std::string folded_errors(const std::map<NodeId, Error>& errors, std::size_t width = 80);

}  // namespace podwright::cli
