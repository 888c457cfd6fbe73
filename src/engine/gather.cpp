#include "engine/gather.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "config/json.hpp"
#include "engine/fan_out.hpp"

namespace podwright {

namespace {

double epoch_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The first line of what a probe complained about.
std::string reason_of(const Probe& probe, const Observed& observed) {
  if (observed.timed_out) {
    return fmt::format("no answer within its deadline of {} s", probe.deadline.count());
  }
  const auto complaint = lines(trim(observed.err));
  return fmt::format("exit status {}{}", observed.exit_status,
                     complaint.empty() ? "" : ": " + std::string(complaint.front().substr(0, 200)));
}

std::filesystem::path memory_of(const Inventory& inventory) {
  return std::filesystem::path(inventory.state_dir) / "facts.json";
}

}  // namespace

Facts facts_from_probes(const NodeId& node, const std::map<std::string_view, Observed>& observed) {
  Facts facts;
  facts.node = node;
  for (const auto& probe : catalog<Probe>()) {
    const auto output = observed.find(probe.id);
    const std::string id(probe.id);
    if (output == observed.end()) {
      facts.missing[id] = "its output never arrived";
    } else if (output->second.timed_out || output->second.exit_status != 0) {
      facts.missing[id] = reason_of(probe, output->second);
    } else if (const auto parsed = probe.parse(output->second, facts); !parsed) {
      facts.missing[id] = parsed.error().what;
    }
  }
  return facts;
}

std::map<NodeId, Result<Facts>> gather_facts(Site& site) {
  const auto& probes = catalog<Probe>();
  std::vector<FramedJob> jobs;
  for (const auto& node : site.nodes) {
    FramedScript script("facts of " + node);
    for (const auto& probe : probes) {
      script.add({.comment = fmt::format("{}: {}", probe.id, probe.summary),
                  .script = std::string(probe.script),
                  .deadline = probe.deadline});
    }
    jobs.push_back({node, std::move(script)});
  }

  // The node's clock is compared with ours at the moment when its reading arrived: wrong by no more
  // than the way of one packet.
  std::map<NodeId, double> clock_read;
  const auto on_frame = [&](const NodeId& node, std::size_t frame, const Observed&) {
    if (probes[frame].id == "time") clock_read[node] = epoch_now();
  };
  auto results = run_framed(site, jobs, "facts", {}, on_frame);

  std::map<NodeId, Result<Facts>> all;
  for (auto& [node, result] : results) {
    if (result.error) {
      all.emplace(node, tl::unexpected(*result.error));
      continue;
    }
    std::map<std::string_view, Observed> observed;
    for (std::size_t i = 0; i < probes.size(); ++i) {
      const auto frame = result.frames.find(i);
      if (frame != result.frames.end()) observed[probes[i].id] = frame->second;
    }
    auto facts = facts_from_probes(node, observed);
    if (facts.clock_epoch > 0) facts.time_offset_seconds = facts.clock_epoch - clock_read[node];
    all.emplace(node, std::move(facts));
  }
  return all;
}

Gathered sort_out(std::map<NodeId, Result<Facts>> results) {
  Gathered gathered;
  for (auto& [node, facts] : results) {
    if (facts) {
      gathered.facts.emplace(node, std::move(*facts));
    } else {
      gathered.failed.emplace(node, std::move(facts.error()));
    }
  }
  return gathered;
}

Status remember_facts(const Inventory& inventory, const std::map<NodeId, Facts>& facts) {
  auto known = remembered_facts(inventory);
  for (const auto& [node, fresh] : facts) known[node] = fresh;
  Json document = Json::object();
  for (const auto& [node, one] : known) {
    if (inventory.find(node) != nullptr) document[node] = to_json(one);
  }
  return write_file(memory_of(inventory),
                    document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n", 0600);
}

std::map<NodeId, Facts> remembered_facts(const Inventory& inventory) {
  // A memory, not a source of truth: one that cannot be read is as good as none.
  std::map<NodeId, Facts> known;
  const auto text = read_file(memory_of(inventory));
  if (!text) return known;
  const auto document = Json::parse(*text, nullptr, false);
  if (!document.is_object()) return known;
  for (const auto& [node, one] : document.items()) {
    if (auto facts = facts_from_json(one)) known[node] = std::move(*facts);
  }
  return known;
}

namespace {

/// What makes two machines alike, as (name, text) pairs. Memory is rounded to a gigabyte, because
/// firmware reserves a little more here and there.
std::vector<std::pair<std::string, std::string>> hardware(const Facts& facts) {
  std::vector<std::pair<std::string, std::string>> parts;
  parts.emplace_back("arch", facts.arch);
  parts.emplace_back("product", facts.product);
  parts.emplace_back("cpu", fmt::format("{} sockets x {} cores x {} threads {}", facts.cpu.sockets,
                                        facts.cpu.cores_per_socket, facts.cpu.threads_per_core,
                                        facts.cpu.model));
  constexpr double gib = 1024.0 * 1024 * 1024;
  parts.emplace_back("memory",
                     fmt::format("{:.0f} GiB", static_cast<double>(facts.memory_bytes) / gib));
  parts.emplace_back("numa nodes", std::to_string(facts.numa.size()));
  const auto counted = [](auto names) {
    std::map<std::string, int> counts;
    for (auto& name : names) ++counts[name];
    std::vector<std::string> texts;
    for (const auto& [name, count] : counts) texts.push_back(fmt::format("{} x {}", count, name));
    return texts.empty() ? std::string("none") : join(texts, ", ");
  };
  std::vector<std::string> gpus, hcas, disks, nics;
  for (const auto& gpu : facts.gpus) gpus.push_back(gpu.vendor + " " + gpu.model);
  for (const auto& hca : facts.hcas) hcas.push_back(fmt::format("{} {:g} Gb/s", hca.board, hca.rate_gbps));
  for (const auto& disk : facts.disks) disks.push_back(fmt::format("{:.0f} GB", static_cast<double>(disk.bytes) / 1e9));
  for (const auto& nic : facts.nics) {
    if (!nic.driver.empty()) nics.push_back(fmt::format("{} {:g} Gb/s", nic.driver, nic.speed_gbps));
  }
  parts.emplace_back("gpus", counted(gpus));
  parts.emplace_back("hcas", counted(hcas));
  parts.emplace_back("disks", counted(disks));
  parts.emplace_back("nics", counted(nics));
  return parts;
}

}  // namespace

std::vector<HardwareClass> classify(const std::map<NodeId, Facts>& facts) {
  std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, std::vector<NodeId>>> groups;
  for (const auto& [node, one] : facts) {
    const auto parts = hardware(one);
    const auto found = std::ranges::find(groups, parts, [](const auto& g) { return g.first; });
    if (found == groups.end()) {
      groups.push_back({parts, {node}});
    } else {
      found->second.push_back(node);
    }
  }
  std::ranges::stable_sort(groups, std::greater{}, [](const auto& g) { return g.second.size(); });
  std::vector<HardwareClass> classes;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    HardwareClass one{.id = i < 26 ? std::string(1, static_cast<char>('A' + i)) : fmt::format("A{}", i),
                      .nodes = groups[i].second, .differs = {}};
    for (std::size_t k = 0; i > 0 && k < groups[i].first.size(); ++k) {
      const auto& [name, here] = groups[i].first[k];
      const auto& most = groups[0].first[k].second;
      if (here != most) {
        one.differs.push_back(fmt::format("{}: {} (A: {})", name, here.empty() ? "unknown" : here,
                                          most.empty() ? "unknown" : most));
      }
    }
    classes.push_back(std::move(one));
  }
  return classes;
}

}  // namespace podwright
