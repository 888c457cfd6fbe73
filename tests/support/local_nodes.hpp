/// A transport whose nodes are all this machine, each request in a real shell: for testing the engine
/// without a network. Nodes can be made to fail.
#pragma once

#include <filesystem>

#include <map>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "base/text.hpp"
#include "transport/transport.hpp"

namespace podwright::testing {

class LocalNodes : public Transport {
 public:
  /// Nodes that answer every request with this error.
  std::map<NodeId, Error> broken;
  /// Executions a node has had: round trips are counted in tests.
  std::map<NodeId, int> executions;
  /// Where the runners of a node keep their output, a folder a node.
  std::filesystem::path runners = std::filesystem::temp_directory_path() / ("podwright-nodes-" + random_hex(6));

  ~LocalNodes() override {
    std::error_code ignored;
    std::filesystem::remove_all(runners, ignored);
  }

  std::map<NodeId, Result<Reply>> run(const std::vector<Request>& requests,
                                      TransportObserver* observer, std::stop_token stop) override {
    std::map<NodeId, Result<Reply>> replies;
    for (const auto& request : requests) {
      ++executions[request.node];
      // One after the other: a feed that waits for an answer would wait for ever.
      std::string fed;
      while (request.feed != nullptr && !request.feed->ended() && !request.feed->given_up()) {
        const auto more = request.feed->next();
        fed += more;
        request.feed->taken(more.size());
      }
      const auto given_up = request.feed != nullptr ? request.feed->given_up() : std::nullopt;
      Result<Reply> reply = Reply{};
      if (given_up) {
        reply = tl::unexpected(*given_up);
      } else if (const auto found = broken.find(request.node); found != broken.end()) {
        reply = tl::unexpected(found->second);
      } else if (auto output = run_process({"env", "PODWRIGHT_RUNNERS=" + (runners / request.node).string(),
                                            "PODWRIGHT_LEDGER_FOLDER=" + (runners / "ledgers" / request.node).string(),
                                            "sh", "-c",
                                            request.command},
                                           request.input + fed,
                                           request.deadline, stop)) {
        if (observer != nullptr) observer->on_output(request.node, output->out);
        reply->exit_status = output->exit_status;
        reply->out = std::move(output->out);
        reply->err = std::move(output->err);
      } else {
        reply = tl::unexpected(output.error());
      }
      if (observer != nullptr) observer->on_done(request.node, reply);
      replies.emplace(request.node, std::move(reply));
    }
    return replies;
  }
};

}  // namespace podwright::testing
