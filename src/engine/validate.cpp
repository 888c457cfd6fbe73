#include "engine/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "catalog/measurements/port_counters.hpp"
#include "catalog/registry.hpp"
#include "config/expectations.hpp"
#include "engine/collectives.hpp"
#include "engine/fan_out.hpp"
#include "engine/parallel_parts.hpp"
#include "engine/topology.hpp"
#include "fabric/adaptive.hpp"
#include "fabric/judge.hpp"

namespace podwright {

namespace {

/// Where servers of the measuring tools listen: below the ports that Linux hands out to clients
/// (32768 and up), above the registered ones in common use. The number moves with the round, so that
/// a port still in TIME_WAIT is not asked for again.
constexpr int first_port = 21000;
constexpr int ports = 1000;

double interface_rate(const Facts& facts, const std::string& address) {
  for (const auto& nic : facts.nics) {
    for (const auto& cidr : nic.addresses) {
      if (cidr.substr(0, cidr.find('/')) == address) return nic.speed_gbps;
    }
  }
  return 0;
}

/// The HCA of that name, or of the interface of that name; null: none.
const Hca* hca_of_port(const Facts& facts, const std::string& name) {
  if (name.empty()) return nullptr;
  const auto found = std::ranges::find_if(
      facts.hcas, [&](const Hca& hca) { return hca.name == name || hca.netdev == name; });
  return found == facts.hcas.end() ? nullptr : &*found;
}

/// HCAs with an active port, of the highest rate among them.
std::vector<const Hca*> fabric_hcas(const Facts& facts) {
  double highest = 0;
  for (const auto& hca : facts.hcas) {
    if (hca.state.find("ACTIVE") != std::string::npos) highest = std::max(highest, hca.rate_gbps);
  }
  std::vector<const Hca*> all;
  for (const auto& hca : facts.hcas) {
    if (hca.state.find("ACTIVE") != std::string::npos && hca.rate_gbps >= highest) all.push_back(&hca);
  }
  return all;
}

/// The first IPv4 address of an interface; empty: none.
std::string interface_address(const Facts& facts, const std::string& interface) {
  for (const auto& nic : facts.nics) {
    if (interface.empty() || nic.name != interface) continue;
    for (const auto& cidr : nic.addresses) {
      if (cidr.find(':') == std::string::npos) return cidr.substr(0, cidr.find('/'));
    }
  }
  return {};
}

/// The GPU that shares an HCA: the first HCA of a NUMA node has the first GPU of it, and so on. -1: none.
int gpu_near(const Facts& facts, const Hca& hca) {
  std::size_t place = 0;
  for (const auto& other : facts.hcas) {
    if (other.name == hca.name) break;
    if (other.numa == hca.numa) ++place;
  }
  for (std::size_t gpu = 0; gpu < facts.gpus.size(); ++gpu) {
    if (facts.gpus[gpu].numa != hca.numa) continue;
    if (place-- == 0) return static_cast<int>(gpu);
  }
  return -1;
}

}  // namespace

fabric::Options fabric_options(const Profile& profile, const ValidateOptions& options) {
  fabric::Options result;
  result.full = options.full;
  result.seed = options.seed;
  result.floor_fraction = profile.fabric.floor_fraction;
  result.oversubscription = profile.fabric.oversubscription;
  result.floors = options.floors;
  result.rails_together = options.rails_together.value_or(profile.fabric.rails_together);
  return result;
}

namespace {

/// The spec of the pairwise measurement, and the catalog's entry for its tool.
Result<std::pair<MeasurementSpec, const Measurement*>> pairwise_tool(const Profile& profile) {
  for (const auto& spec : profile.measurements) {
    if (spec.kind != "pairwise") continue;
    if (const auto* tool = find_in_catalog<Measurement>(spec.tool)) return std::pair{spec, tool};
    return fail(Fault::usage, fmt::format("{}: there is no measurement \"{}\"{}", spec.pos.str(),
                                          spec.tool,
                                          did_you_mean(spec.tool, names_in_catalog<Measurement>())));
  }
  return fail(Fault::usage, fmt::format("profile {} has no pairwise measurement", profile.name),
              "add [[measurement]] kind = \"pairwise\", tool = \"iperf3\"");
}

class CatalogMeasurer {
 public:
  CatalogMeasurer(Site& site, const Measurement& tool, const MeasurementSpec& spec, double seconds,
                  std::vector<Endpoint> endpoints)
      : site_(site), tool_(tool), options_(spec.options), seconds_(seconds), endpoints_(std::move(endpoints)) {}

  std::vector<PairResult> operator()(const Round& round, int number) {
    std::map<NodeId, std::vector<Part>> parts;
    std::vector<std::pair<Place, Place>> places;  // of each pair: client, server
    for (std::size_t i = 0; i < round.size(); ++i) {
      const auto& a = endpoint(round[i].a, round[i].rail);
      const auto& b = endpoint(round[i].b, round[i].rail);
      const PairJob job{.from = a,
                        .to = b,
                        .port = first_port + (number * 37 + static_cast<int>(i)) % ports,
                        .seconds = seconds_,
                        .options = options_};
      const auto server = add(parts, b, "server", tool_.server(job));
      const auto client = add(parts, a, "client", tool_.client(job));
      places.emplace_back(client, server);
    }
    std::vector<FramedJob> jobs;
    for (const auto& [node, all] : parts) {
      jobs.push_back({node, in_parallel(fmt::format("{} on {}", tool_.tool, node), all)});
    }
    const auto results = run_framed(site_, jobs, fmt::format("validate round {}", number));

    std::vector<PairResult> measured;
    for (std::size_t i = 0; i < round.size(); ++i) {
      PairResult result;
      result.round = number;
      result.pair = round[i];
      const auto rates = rates_of(results, places[i].first);
      if (rates) {
        result.gbps_ab = rates->gbps_forward;
        result.gbps_ba = rates->gbps_backward;
        result.latency_us = rates->latency_us;
      } else {
        result.error = rates.error().what;
        // The server's own complaint says more than the client's "connection refused".
        if (const auto complaint = complaint_of(results, places[i].second); !complaint.empty()) {
          result.error += fmt::format("; {} on {}: {}", tool_.tool, round[i].b, complaint);
        }
      }
      measured.push_back(std::move(result));
    }
    return measured;
  }

 private:
  /// Where a part of the round runs.
  struct Place {
    NodeId node;
    std::size_t part = 0;
  };

  const Endpoint& endpoint(const NodeId& node, int rail) const {
    const auto found = std::ranges::find_if(
        endpoints_, [&](const Endpoint& one) { return one.node == node && one.rail == rail; });
    if (found == endpoints_.end()) throw std::logic_error("no end point of " + node);
    return *found;
  }

  Place add(std::map<NodeId, std::vector<Part>>& parts, const Endpoint& at, std::string_view role,
            std::string script) const {
    auto& all = parts[at.node];
    all.push_back({.comment = fmt::format("{} on rail {}", role, at.rail),
                   .script = std::move(script),
                   .deadline = deadline()});
    return {at.node, all.size() - 1};
  }

  [[nodiscard]] Result<Measurement::Rates> rates_of(const std::map<NodeId, FramedResult>& results,
                                                    const Place& client) const {
    const auto& answer = results.at(client.node);
    const auto frame = answer.frames.find(client.part);
    if (frame != answer.frames.end()) return tool_.parse(frame->second);
    if (answer.error) return fail(*answer.error);
    return fail(Fault::remote, fmt::format("{} ended without an answer", tool_.tool));
  }

  [[nodiscard]] static std::string complaint_of(const std::map<NodeId, FramedResult>& results,
                                                const Place& server) {
    const auto& answer = results.at(server.node);
    const auto frame = answer.frames.find(server.part);
    if (frame == answer.frames.end()) return answer.error ? answer.error->what : std::string{};
    if (frame->second.exit_status == 0) return {};
    const auto said = lines(trim(frame->second.err.empty() ? frame->second.out : frame->second.err));
    return said.empty() ? std::string{} : std::string(said.front().substr(0, 200));
  }

  Site& site_;
  const Measurement& tool_;
  Value::Table options_;
  /// Of a pair: both directions one after the other, each with its start, and the wait for the first.
  [[nodiscard]] std::chrono::seconds deadline() const {
    const auto* startup = find_value(options_, "startup_seconds");
    const auto extra = startup == nullptr || startup->integer() == nullptr ? 0 : std::clamp<std::int64_t>(*startup->integer(), 0, 600);
    return std::chrono::seconds(static_cast<int>(seconds_ * 2) + 40 + 3 * extra);
  }

  double seconds_;
  std::vector<Endpoint> endpoints_;
};

// --- a site's own tool -----------------------------------------------------------------------------

Json round_document(const Round& round, int number) {
  Json pairs = Json::array();
  for (const auto& pair : round) pairs.push_back({{"a", pair.a}, {"b", pair.b}, {"rail", pair.rail}});
  return {{"round", number}, {"pairs", std::move(pairs)}};
}

/// Gbit/s of a key, or nothing where it is absent or no sensible number.
std::optional<double> rate_of(const Json& result, const char* key) {
  const auto found = result.find(key);
  if (found == result.end() || !found->is_number()) return std::nullopt;
  const auto rate = found->get<double>();
  return rate >= 0 && rate < 1e9 ? std::optional(rate) : std::nullopt;
}

Result<std::vector<PairResult>> read_results(const std::string& text, const Round& round, int number) {
  const auto wrong = [](std::string what) {
    return fail(Fault::validation, "the probe command's output " + std::move(what),
                "it must print {\"results\":[{\"a\",\"b\",\"rail\",\"gbps_ab\",\"gbps_ba\"}]}");
  };
  const auto document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return wrong("is not JSON");
  if (!document.is_object() || !document.contains("results") || !document["results"].is_array()) {
    return wrong("has no \"results\"");
  }
  std::vector<PairResult> all;
  for (const auto& pair : round) {
    PairResult result;
    result.round = number;
    result.pair = pair;
    result.error = "the probe command gave no result for this pair";
    for (const auto& one : document["results"]) {
      if (!one.is_object()) return wrong("has a result that is no object");
      const auto is = [&](const char* key, const std::string& name) {
        return one.contains(key) && one[key].is_string() && one[key].get<std::string>() == name;
      };
      const bool same_rail = !one.contains("rail") || one["rail"] == pair.rail;
      const bool forward = is("a", pair.a) && is("b", pair.b);
      const bool turned = is("a", pair.b) && is("b", pair.a);
      if (!same_rail || (!forward && !turned)) continue;
      if (one.contains("error") && one["error"].is_string()) {
        result.error = clean_output(one["error"].get<std::string>());
        if (result.error.empty()) result.error = "could not be measured";
        break;
      }
      const auto ab = rate_of(one, forward ? "gbps_ab" : "gbps_ba");
      const auto ba = rate_of(one, forward ? "gbps_ba" : "gbps_ab");
      if (!ab || !ba) {
        return wrong(fmt::format("has no number gbps_ab or gbps_ba for {} and {}", pair.a, pair.b));
      }
      result.gbps_ab = *ab;
      result.gbps_ba = *ba;
      result.error.clear();
      break;
    }
    all.push_back(std::move(result));
  }
  return all;
}

}  // namespace

std::vector<Endpoint> fabric_endpoints(const Inventory& inventory, const std::vector<NodeId>& nodes,
                                       const std::map<NodeId, Facts>& facts, const std::string& transport) {
  const auto is_compute = [&](const NodeId& name) {
    const auto* node = inventory.find(name);
    return node != nullptr && node->has_role("compute");
  };
  const bool any_compute = std::ranges::any_of(nodes, is_compute);
  std::vector<Endpoint> endpoints;
  for (const auto& name : nodes) {
    const auto* node = inventory.find(name);
    if (node == nullptr || (any_compute && !is_compute(name))) continue;
    const auto label = node->labels.find("leaf");
    const auto leaf = label == node->labels.end() ? std::string{} : label->second;
    const auto found = facts.find(name);
    const auto* known = found == facts.end() ? nullptr : &found->second;
    for (const auto& port : node->fabric) {
      const auto* hca = known == nullptr ? nullptr : hca_of_port(*known, port.name);
      double rate = port.rate_gbps;
      if (rate <= 0 && known != nullptr) rate = interface_rate(*known, port.address);
      if (rate <= 0 && hca != nullptr) rate = hca->rate_gbps;
      endpoints.push_back({.node = name,
                           .rail = port.rail,
                           .leaf = leaf,
                           .rate_gbps = rate,
                           // Without IP the tools of RDMA meet over the management network.
                           .address = port.address.empty() ? node->address : port.address,
                           .device = port.name,
                           .gpu = hca == nullptr ? -1 : gpu_near(*known, *hca)});
    }
    if (!node->fabric.empty()) continue;
    const auto hcas = transport == "tcp" || known == nullptr ? std::vector<const Hca*>{} : fabric_hcas(*known);
    for (std::size_t rail = 0; rail < hcas.size(); ++rail) {
      const auto address = interface_address(*known, hcas[rail]->netdev);
      endpoints.push_back({.node = name,
                           .rail = static_cast<int>(rail),
                           .leaf = leaf,
                           .rate_gbps = hcas[rail]->rate_gbps,
                           .address = address.empty() ? node->address : address,
                           .device = hcas[rail]->name,
                           .gpu = gpu_near(*known, *hcas[rail])});
    }
    if (!hcas.empty()) continue;
    endpoints.push_back({.node = name,
                         .rail = 0,
                         .leaf = leaf,
                         .rate_gbps = known == nullptr ? 0.0 : interface_rate(*known, node->address),
                         .address = node->address,
                         .device = {}});
  }
  return endpoints;
}

Result<MeasureRound> measure_with_catalog(Site& site, const Profile& profile,
                                          std::vector<Endpoint> endpoints,
                                          const ValidateOptions& options) {
  const auto tool = pairwise_tool(profile);
  if (!tool) return fail(tool.error());
  return CatalogMeasurer(site, *tool->second, tool->first, options.seconds.value_or(tool->first.seconds),
                         std::move(endpoints));
}

MeasureRound measure_with_command(std::string command, Millis deadline, std::stop_token stop) {
  return [=](const Round& round, int number) -> Result<std::vector<PairResult>> {
    const auto output = run_process({"/bin/sh", "-c", command}, round_document(round, number).dump(),
                                    deadline, stop);
    if (!output) return fail(output.error());
    if (output->exit_status != 0) {
      const auto said = lines(trim(output->err));
      return fail(Fault::validation,
                  fmt::format("the probe command ended with exit status {} in round {}{}",
                              output->exit_status, number,
                              said.empty() ? "" : ": " + clean_output(said.back())),
                  "run it by hand with a round on its stdin");
    }
    return read_results(output->out, round, number);
  };
}

Result<FabricReport> validate(events::Bus& events, std::stop_token stop, const Profile& profile,
                              std::span<const Endpoint> endpoints, const MeasureRound& measure,
                              const ValidateOptions& options) {
  if (endpoints.size() < 2) {
    return fail(Fault::usage, "two nodes at least are needed to measure between",
                "select more nodes, or give compute nodes the role \"compute\"");
  }
  const auto fabric = fabric_options(profile, options);
  std::vector<PairResult> results;
  int number = 0;
  const auto run_rounds = [&](const std::vector<Round>& rounds) -> Status {
    for (const auto& round : rounds) {
      if (stop.stop_requested()) {
        return fail(Fault::cancelled, fmt::format("interrupted after round {}", number));
      }
      auto measured = measure(round, ++number);
      if (!measured) return fail(measured.error());
      results.insert(results.end(), std::make_move_iterator(measured->begin()),
                     std::make_move_iterator(measured->end()));
    }
    return {};
  };
  const auto planned = fabric::plan_rounds(endpoints, fabric);
  events.debug(fmt::format("{} between {} end points", count_of(planned.size(), "round"),
                           endpoints.size()));
  if (auto done = run_rounds(planned); !done) return fail(done.error());
  for (auto more = fabric::next_rounds(endpoints, results, fabric); !more.empty();
       more = fabric::next_rounds(endpoints, results, fabric)) {
    events.info(fmt::format("{} more, where {} can change the verdict", count_of(more.size(), "round"),
                            more.size() == 1 ? "it" : "they"));
    if (auto done = run_rounds(more); !done) return fail(done.error());
  }
  if (stop.stop_requested()) return fail(Fault::cancelled, "interrupted");
  auto report = fabric::judge(endpoints, results, fabric);
  for (const auto& endpoint : endpoints) {
    if (!endpoint.leaf.empty()) report.leaves.push_back({.node = endpoint.node, .rail = endpoint.rail, .leaf = endpoint.leaf});
  }
  return report;
}

namespace {

/// Counters of the ports that are measured, of each node that answers.
std::map<NodeId, PortCounters> read_counters(Site& site, const std::set<NodeId>& nodes, const std::string& phase) {
  std::vector<FramedJob> jobs;
  for (const auto& node : nodes) {
    FramedScript script("port counters of " + node);
    script.add({.comment = "port counters", .script = std::string(port_counters_script()), .deadline = std::chrono::seconds(20)});
    jobs.push_back({node, std::move(script)});
  }
  std::map<NodeId, PortCounters> all;
  for (const auto& [node, answer] : run_framed(site, jobs, phase)) {
    const auto frame = answer.frames.find(0);
    if (frame == answer.frames.end()) {
      site.events.warn(fmt::format("{}: its port counters could not be read", node));
      continue;
    }
    auto counters = read_port_counters(frame->second.out);
    if (counters) all.emplace(node, *std::move(counters));
    else site.events.warn(fmt::format("{}: {}", node, counters.error().what));
  }
  return all;
}

/// The network interface and the HCA of each end point of a node.
std::vector<std::string> ports_of(const NodeId& node, std::span<const Endpoint> endpoints, const Facts* facts) {
  std::vector<std::string> names;
  for (const auto& endpoint : endpoints) {
    if (endpoint.node != node) continue;
    if (!endpoint.device.empty()) names.push_back(endpoint.device);
    if (facts == nullptr) continue;
    if (const auto* hca = hca_of_port(*facts, endpoint.device)) {
      names.push_back(hca->name);
      if (!hca->netdev.empty()) names.push_back(hca->netdev);
    }
    for (const auto& nic : facts->nics) {
      if (std::ranges::any_of(nic.addresses, [&](const std::string& cidr) {
            return cidr.substr(0, cidr.find('/')) == endpoint.address;
          })) {
        names.push_back(nic.name);
      }
    }
  }
  return names;
}

/// Small writes that take too long with every partner: the node's own adapter, its PCIe settings, its power
/// management. `limit` in microseconds; 0: nothing is wanted.
void judge_latency(FabricReport& report, double limit) {
  if (limit <= 0) return;
  std::map<std::pair<NodeId, int>, std::pair<double, int>> best;
  for (const auto& pair : report.pairs) {
    if (!pair.result.latency_us) continue;
    for (const auto& node : {pair.result.pair.a, pair.result.pair.b}) {
      auto& [least, count] = best[{node, pair.result.pair.rail}];
      least = count == 0 ? *pair.result.latency_us : std::min(least, *pair.result.latency_us);
      ++count;
    }
  }
  for (const auto& [port, known] : best) {
    const auto& [least, count] = known;
    if (least <= limit) continue;
    report.verdict.pass = false;
    report.verdict.nodes.push_back(
        {.name = port.first,
         .rail = port.second,
         .direction = "both",
         .cause = "slow",
         .gbps = 0,
         .confidence = count > 1 ? 0.95 : 0.5,
         .evidence = fmt::format("the 99th percentile of small writes is at best {:.1f} us with {}; at most {:.1f} us are allowed",
                                 least, count_of(static_cast<std::size_t>(count), "partner"), limit)});
    report.verdict.summary += fmt::format(" {}: the latency is too high.", port.first);
  }
}

double latency_limit(const Profile& profile) {
  for (const auto& spec : profile.measurements) {
    if (spec.kind != "pairwise") continue;
    const auto* limit = find_value(spec.options, "max_latency_us");
    return limit == nullptr ? 0 : limit->number().value_or(0);
  }
  return 0;
}

}  // namespace

Result<FabricReport> measure_fabric(Site& site, const Profile& profile, const std::map<NodeId, Facts>& facts,
                                    std::vector<Endpoint> endpoints, ValidateOptions options) {
  const auto table = load_expectations();
  if (!table) return fail(table.error());
  const auto tool = pairwise_tool(profile);
  if (!tool) return fail(tool.error());
  if (!profile.fabric.floor_given) {
    for (const auto& endpoint : endpoints) {
      const auto* row = expected_rate(*table, {.hardware = hardware_of(profile, facts),
                                               .operation = tool->second->tool,
                                               .line_rate_gbps = endpoint.rate_gbps});
      if (row != nullptr) options.floors[endpoint.rate_gbps] = row->rate;
    }
  }
  discover_leaves(site, endpoints, facts);
  const auto measure = measure_with_catalog(site, profile, endpoints, options);
  if (!measure) return fail(measure.error());

  std::set<NodeId> nodes;
  for (const auto& endpoint : endpoints) nodes.insert(endpoint.node);
  const auto before = read_counters(site, nodes, "port counters before");
  auto report = validate(site.events, site.stop, profile, endpoints, *measure, options);
  if (!report) return report;
  judge_latency(*report, latency_limit(profile));
  const auto after = read_counters(site, nodes, "port counters after");
  for (const auto& [node, counters] : after) {
    const auto earlier = before.find(node);
    if (earlier == before.end()) continue;
    const auto known = facts.find(node);
    const auto* node_facts = known == facts.end() ? nullptr : &known->second;
    std::ranges::move(counters_that_rose(node, earlier->second, counters, ports_of(node, endpoints, node_facts)),
                      std::back_inserter(report->counters));
  }
  std::vector<NodeId> sound;
  for (const auto& node : site.nodes) {
    const auto at_fault = [&](const NodeFault& fault) { return fault.name == node; };
    if (nodes.contains(node) && std::ranges::none_of(report->verdict.nodes, at_fault)) sound.push_back(node);
  }
  report->collectives = measure_collectives(site, profile, sound, facts, *table);
  if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted");
  return report;
}

}  // namespace podwright
