/// Facts for people and for the run's folder.
#pragma once

#include "base/json.hpp"
#include "cli/style.hpp"
#include "engine/gather.hpp"

namespace podwright::cli {

/// {"nodes":{name: facts},"failed":{name: error}}
Json facts_document(const Gathered& gathered);

/// A table for each hardware class, what differs inside it spelled out, and the probes that failed.
std::string facts_text(const std::map<NodeId, Facts>& facts, const Style& style, std::size_t width);

}  // namespace podwright::cli
