#include "engine/reboot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/files.hpp"
#include "base/text.hpp"
#include "catalog/boot_identity.hpp"

namespace podwright {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Millis question_deadline{20000};

/// Prints the boot that runs, and whether it is still under way.
std::string ask_script() {
  return "{\n" + std::string(boot_identity_function) + R"sh(
state=up
if [ -d /run/systemd/system ]; then
  case $(systemctl is-system-running 2>/dev/null) in initializing | starting) state=booting ;; esac
fi
printf 'podwright-boot %s %s\n' "$(boot_identity)" "$state"
}
)sh";
}

/// The answer comes before the reboot begins; and a session of its own does not end with this one.
constexpr std::string_view reboot_script = R"sh({
setsid=$(command -v setsid) || setsid=
$setsid sh -c 'sleep 1; systemctl reboot || reboot || shutdown -r now' >/dev/null 2>&1 </dev/null &
echo 'podwright-reboots'
}
)sh";

struct Boot {
  std::string identity;
  bool over = false;  ///< all that starts at boot has started
};
std::optional<Boot> boot_of(const Result<Reply>& reply) {
  if (!reply || reply->exit_status != 0) return std::nullopt;
  for (const auto line : lines(reply->out)) {
    const auto parts = words(line);
    if (parts.size() == 3 && parts[0] == "podwright-boot") return Boot{std::string(parts[1]), parts[2] == "up"};
  }
  return std::nullopt;
}

struct Away {
  std::string before;
  Clock::time_point until;
  bool booted = false;  ///< it is another boot, which is still under way
  std::string last_answer = "it did not answer";
};

std::map<NodeId, Result<Reply>> ask(Site& site, const std::vector<NodeId>& nodes, const std::string& script) {
  std::vector<Request> requests;
  for (const auto& node : nodes) requests.push_back({.node = node, .input = script, .deadline = question_deadline});
  return site.transport.run(requests, nullptr, site.stop);
}

}  // namespace

std::size_t Batch::of(std::size_t nodes) const {
  if (count > 0) return count;
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(nodes))));
}

Result<Batch> parse_batch(std::string_view text) {
  const auto wrong = [&] {
    return fail(Fault::usage, fmt::format("--batch {} is neither a number of nodes nor a share of them", text),
                "give 4, or 10%");
  };
  if (text.ends_with('%')) {
    const auto percent = to_double(text.substr(0, text.size() - 1));
    if (!percent || !(*percent > 0) || *percent > 100) return wrong();
    return Batch{.count = 0, .percent = *percent};
  }
  const auto count = to_int(text);
  if (!count || *count < 1) return wrong();
  return Batch{.count = static_cast<std::size_t>(*count)};
}

std::map<NodeId, Status> reboot_nodes(Site& site, const std::vector<RebootOrder>& orders) {
  std::map<NodeId, Status> results;
  std::vector<NodeId> nodes;
  for (const auto& order : orders) nodes.push_back(order.node);
  const auto failed = [&](const NodeId& node, Error error) {
    error.node = node;
    site.events.emit(events::NodeFailed{node, error});
    results[node] = fail(std::move(error));
  };

  std::map<NodeId, Away> away;
  for (const auto& [node, reply] : ask(site, nodes, ask_script())) {
    if (const auto boot = boot_of(reply)) {
      away[node].before = boot->identity;
    } else {
      failed(node, reply ? Error{.fault = Fault::remote, .what = "it does not tell which boot of it runs"} : reply.error());
    }
  }
  nodes.clear();
  for (const auto& [node, one] : away) nodes.push_back(node);
  if (site.stop.stop_requested()) return results;
  for (const auto& [node, reply] : ask(site, nodes, std::string(reboot_script))) {
    // A connection that ends here is what one expects of a node that reboots.
    if (!reply) away[node].last_answer = reply.error().what;
  }
  for (const auto& order : orders) {
    if (const auto one = away.find(order.node); one != away.end()) one->second.until = Clock::now() + order.deadline;
  }

  Millis pause{1000};
  while (!away.empty() && !site.stop.stop_requested()) {
    for (Millis waited{0}; waited < pause && !site.stop.stop_requested(); waited += Millis(100)) {
      std::this_thread::sleep_for(Millis(100));
    }
    pause = std::min(pause + pause / 4, Millis(5000));
    nodes.clear();
    for (const auto& [node, one] : away) nodes.push_back(node);
    for (const auto& [node, reply] : ask(site, nodes, ask_script())) {
      auto& one = away.at(node);
      const auto boot = boot_of(reply);
      if (boot && boot->identity != one.before) {
        one.booted = true;
        one.last_answer = "its boot does not come to an end (`systemctl list-jobs` tells what it waits for)";
        if (boot->over) results[node] = {};
      } else {
        one.last_answer = boot      ? "it still runs as before"
                          : !reply  ? reply.error().what
                                    : "it does not tell which boot of it runs";
      }
      if (results.contains(node)) {
        site.events.info(fmt::format("{} has rebooted", node));
        away.erase(node);
      } else if (Clock::now() > one.until) {
        // A service that hangs is for the probes and checks to judge: the node itself is back.
        if (one.booted) {
          site.events.warn(fmt::format("{}: {}", node, one.last_answer));
          results[node] = {};
        } else {
          failed(node, {.fault = Fault::timeout,
                        .what = "it did not come back from its reboot in time: " + one.last_answer,
                        .hint = "look at its console; `podwright apply --retry-failed` goes on with it"});
        }
        away.erase(node);
      }
    }
  }
  for (const auto& [node, one] : away) {
    failed(node, {.fault = Fault::cancelled,
                  .what = "interrupted while it rebooted",
                  .hint = "`podwright apply --resume` looks whether it is back, and goes on"});
  }
  return results;
}

bool is_this_machine(const Facts& facts) {
  // Machines made from one image may share their machine-id, and containers the boot of their host.
  const auto own = [](const char* file) { return std::string(trim(read_file(file).value_or(""))); };
  return !facts.machine_id.empty() && facts.machine_id == own("/etc/machine-id") &&
         facts.boot_id == own("/proc/sys/kernel/random/boot_id");
}

}  // namespace podwright
