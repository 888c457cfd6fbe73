/// What discover found, for people and for programs.
#pragma once

#include "base/json.hpp"
#include "cli/style.hpp"
#include "engine/discover.hpp"

namespace podwright::cli {

Json discovery_document(const Discovery& discovery);
/// `targets` as on the command line; empty: all nodes of cluster.toml. Addresses of a scanned network
/// where nobody answers are counted, not listed.
std::string discovery_text(const Discovery& discovery, const std::vector<std::string>& targets,
                           const Style& style, std::size_t width);

/// Machines that were meant and cannot be used.
std::vector<std::string> discovery_failures(const Discovery& discovery, const std::vector<std::string>& targets);

}  // namespace podwright::cli
