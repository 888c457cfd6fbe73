#include "engine/validate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "engine/fan_out.hpp"
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

fabric::Options fabric_options(const Profile& profile, const ValidateOptions& options) {
  fabric::Options result;
  result.full = options.full;
  result.seed = options.seed;
  result.floor_fraction = profile.fabric.floor_fraction;
  return result;
}

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
  CatalogMeasurer(Site& site, const Measurement& tool, double seconds, std::vector<Endpoint> endpoints)
      : site_(site), tool_(tool), seconds_(seconds), endpoints_(std::move(endpoints)) {}

  std::vector<PairResult> operator()(const Round& round, int number) {
    std::vector<FramedJob> jobs;
    // Deadlines: both directions, the client's patience with a server that starts late, and air.
    const std::chrono::seconds deadline(static_cast<int>(seconds_ * 2) + 20);
    for (std::size_t i = 0; i < round.size(); ++i) {
      const int port = first_port + (number * 37 + static_cast<int>(i)) % ports;
      const auto& a = endpoint(round[i].a, round[i].rail);
      const auto& b = endpoint(round[i].b, round[i].rail);
      add(jobs, b.node, "server", tool_.server(b, port, seconds_), deadline);
      add(jobs, a.node, "client", tool_.client(a, b, port, seconds_), deadline);
    }
    auto results = run_framed(site_, std::move(jobs), fmt::format("validate round {}", number));

    std::vector<PairResult> measured;
    for (const auto& pair : round) {
      PairResult result;
      result.round = number;
      result.pair = pair;
      const auto rates = rates_of(results.at(pair.a));
      if (rates) {
        result.gbps_ab = rates->gbps_forward;
        result.gbps_ba = rates->gbps_backward;
      } else {
        result.error = rates.error().what;
        // The server's own complaint says more than the client's "connection refused".
        if (const auto complaint = complaint_of(results.at(pair.b)); !complaint.empty()) {
          result.error += fmt::format("; {} on {}: {}", tool_.tool, pair.b, complaint);
        }
      }
      measured.push_back(std::move(result));
    }
    return measured;
  }

 private:
  const Endpoint& endpoint(const NodeId& node, int rail) const {
    const auto found = std::ranges::find_if(
        endpoints_, [&](const Endpoint& one) { return one.node == node && one.rail == rail; });
    if (found == endpoints_.end()) throw std::logic_error("no end point of " + node);
    return *found;
  }

  void add(std::vector<FramedJob>& jobs, const NodeId& node, std::string_view part, std::string script,
           std::chrono::seconds deadline) const {
    FramedScript framed(fmt::format("{} {} on {}", tool_.tool, part, node));
    framed.add({.comment = std::string(part), .script = std::move(script), .deadline = deadline});
    jobs.push_back({node, std::move(framed)});
  }

  [[nodiscard]] Result<Measurement::Rates> rates_of(const FramedResult& client) const {
    if (client.error) return fail(*client.error);
    const auto frame = client.frames.find(0);
    if (frame == client.frames.end()) {
      return fail(Fault::remote, fmt::format("{} ended without an answer", tool_.tool));
    }
    return tool_.parse(frame->second);
  }

  [[nodiscard]] static std::string complaint_of(const FramedResult& server) {
    if (server.error) return server.error->what;
    const auto frame = server.frames.find(0);
    if (frame == server.frames.end() || frame->second.exit_status == 0) return {};
    const auto said = lines(trim(frame->second.err.empty() ? frame->second.out : frame->second.err));
    return said.empty() ? std::string{} : std::string(said.front().substr(0, 200));
  }

  Site& site_;
  const Measurement& tool_;
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
                                       const std::map<NodeId, Facts>& facts) {
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
    const auto known = facts.find(name);
    const auto rate = [&](const std::string& address) {
      return known == facts.end() ? 0.0 : interface_rate(known->second, address);
    };
    for (const auto& port : node->fabric) {
      endpoints.push_back({.node = name,
                           .rail = port.rail,
                           .leaf = leaf,
                           .rate_gbps = port.rate_gbps > 0 ? port.rate_gbps : rate(port.address),
                           .address = port.address,
                           .device = port.name});
    }
    if (node->fabric.empty()) {
      endpoints.push_back({.node = name,
                           .rail = 0,
                           .leaf = leaf,
                           .rate_gbps = rate(node->address),
                           .address = node->address,
                           .device = {}});
    }
  }
  return endpoints;
}

Result<MeasureRound> measure_with_catalog(Site& site, const Profile& profile,
                                          std::vector<Endpoint> endpoints,
                                          const ValidateOptions& options) {
  const auto tool = pairwise_tool(profile);
  if (!tool) return fail(tool.error());
  return CatalogMeasurer(site, *tool->second, options.seconds.value_or(tool->first.seconds),
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
  return fabric::judge(endpoints, results, fabric);
}

}  // namespace podwright
