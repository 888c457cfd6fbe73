#include "cli/transfer.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/fold.hpp"

namespace podwright::cli {

namespace {

/// "50M" bytes a second, decimal as links are.
Result<std::uint64_t> parse_rate(std::string_view text) {
  auto number = text;
  double unit = 1;
  constexpr std::string_view units = "KMG";
  if (const auto found = text.empty() ? std::string_view::npos : units.find(text.back()); found != std::string_view::npos) {
    number.remove_suffix(1);
    for (std::size_t i = 0; i <= found; ++i) unit *= 1000;
  }
  const auto value = to_double(number);
  if (!value || *value * unit < 1) return fail(Fault::usage, fmt::format("\"{}\" is no rate", text), "bytes a second, as 500K, 50M or 2G");
  return static_cast<std::uint64_t>(*value * unit);
}

std::string_view status_of(const Error& error) {
  switch (error.fault) {
    case Fault::unreachable:
    case Fault::auth:
    case Fault::timeout: return "unreachable";
    default: return "failed";
  }
}

}  // namespace

std::vector<Option> transfer_options(TransferWords& into) {
  return {flag("--direct", "from this machine to every node, over SSH alone", into.direct),
          text_option("--rate-limit", "RATE", "bytes a second that a node, or this machine, sends at most: 50M", into.rate),
          text_option("--chains", "N", "chains of nodes side by side (default: as many as are best)", into.chains)};
}

Result<TransferOptions> read_options(const TransferWords& words) {
  TransferOptions options{.direct = words.direct};
  if (!words.rate.empty()) {
    const auto rate = parse_rate(words.rate);
    if (!rate) return fail(rate.error());
    options.rate = *rate;
  }
  if (!words.chains.empty()) {
    const auto count = to_int(words.chains);
    if (!count || *count < 1) return fail(Fault::usage, fmt::format("--chains {}: a whole number from 1 on is wanted", words.chains));
    options.chains = static_cast<std::size_t>(*count);
  }
  return options;
}

Outcome transfer_outcome(App& app, const std::vector<NodeId>& nodes, const Distributed& result, std::uint64_t bytes,
                         std::chrono::steady_clock::time_point begun, const std::string& document) {
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  Outcome outcome;
  outcome.document = {{"nodes", Json::object()}, {"bytes", bytes}, {"seconds", seconds}, {"sent_by_this_machine", result.sent_by_head}};
  std::vector<NodeId> failed;
  for (const auto& node : nodes) {
    const auto received = result.received.find(node);
    Json json = {{"status", "ok"}, {"received", received == result.received.end() ? 0 : received->second}};
    if (const auto found = result.failed.find(node); found != result.failed.end()) {
      failed.push_back(node);
      json["status"] = status_of(found->second);
      json["error"] = clean_output(found->second.what);
      json["hint"] = clean_output(found->second.hint);
    }
    outcome.document["nodes"][node] = std::move(json);
  }
  // The disk may be busy with what the nodes received, where this machine is one of them.
  app.save(document, outcome.document, OnDisk::later);
  std::uint64_t sent = 0;
  for (const auto& [node, received] : result.received) sent += received;
  const auto good = nodes.size() - failed.size();
  if (good > 0) {
    outcome.text = sent == 0 ? fmt::format("{} had everything already\n", count_of(good, "node"))
                             : fmt::format("{} arrived on {}, in {:.1f} s; {} left this machine\n", human_bytes(sent), count_of(good, "node"),
                                           seconds, human_bytes(result.sent_by_head));
  }
  outcome.text += folded_errors(result.failed, app.width());
  if (!failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} of {} failed: {}", failed.size(), count_of(nodes.size(), "node"), who(failed)));
    outcome.next = next_command(app, "doctor -n " + failed.front());
  }
  return outcome;
}

}  // namespace podwright::cli
