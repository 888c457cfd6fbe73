/// What verbs that send files to nodes have in common: their options, and what they print.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/app.hpp"
#include "cli/command.hpp"
#include "engine/distribute.hpp"

namespace podwright::cli {

/// The words of a command line.
struct TransferWords {
  std::string rate;
  std::string chains;
  bool direct = false;
};

std::vector<Option> transfer_options(TransferWords& into);
Result<TransferOptions> read_options(const TransferWords& words);

/// `bytes`: of what each node was to have; `document`: the run's, such as copied.json.
Outcome transfer_outcome(App& app, const std::vector<NodeId>& nodes, const Distributed& result, std::uint64_t bytes,
                         std::chrono::steady_clock::time_point begun, const std::string& document);

}  // namespace podwright::cli
