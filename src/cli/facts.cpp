#include <fmt/format.h>

#include "base/text.hpp"
#include "base/json.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/fold.hpp"
#include "cli/facts_text.hpp"
#include "config/json.hpp"
#include "engine/gather.hpp"

namespace podwright::cli {

Json facts_document(const Gathered& gathered) {
  Json document = {{"nodes", Json::object()}, {"failed", Json::object()}};
  for (const auto& [node, facts] : gathered.facts) document["nodes"][node] = to_json(facts);
  for (const auto& [node, error] : gathered.failed) document["failed"][node] = to_json(error);
  return document;
}

namespace {

std::string counted(std::map<std::string, int> counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

std::string accelerators(const Facts& facts) {
  std::map<std::string, int> models;
  for (const auto& gpu : facts.gpus) ++models[gpu.vendor + " " + gpu.model];
  return models.empty() ? "none" : counted(std::move(models));
}

std::string fabric(const Facts& facts) {
  std::map<std::string, int> kinds;
  for (const auto& hca : facts.hcas) {
    ++kinds[fmt::format("{} {:g} Gbit/s", hca.link_layer.empty() ? "HCA" : hca.link_layer, hca.rate_gbps)];
  }
  return kinds.empty() ? "none" : counted(std::move(kinds));
}

std::string disks(const Facts& facts) {
  std::map<std::string, int> sizes;
  for (const auto& disk : facts.disks) ++sizes[human_bytes(disk.bytes)];
  return sizes.empty() ? "none" : counted(std::move(sizes));
}

std::string ports(const Facts& facts) {
  std::string text;
  for (const auto& nic : facts.nics) {
    if (nic.name == "lo" || nic.state != "up") continue;
    text += (text.empty() ? "" : ", ") + nic.name;
    if (nic.speed_gbps > 0) text += fmt::format(" {:g} Gbit/s", nic.speed_gbps);
  }
  return text.empty() ? "none is up" : text;
}

std::string cpu(const CpuFacts& cpu) {
  return fmt::format("{} x {} ({} cores, {} processors)", cpu.sockets, cpu.model.empty() ? "CPU" : cpu.model,
                     cpu.sockets * cpu.cores_per_socket, cpu.logical);
}

/// What is not the same on all nodes of a class: value -> its nodes.
std::string varying(const std::vector<NodeId>& nodes, const std::map<NodeId, Facts>& facts,
                    std::string (*value)(const Facts&)) {
  std::map<NodeId, std::string> values;
  for (const auto& node : nodes) values[node] = value(facts.at(node));
  const auto groups = fold(values);
  if (groups.size() == 1) return groups.front().text;
  std::string text;
  for (const auto& group : groups) {
    text += fmt::format("{}{} on {}", text.empty() ? "" : ", ", group.text, who(group.nodes));
  }
  return text;
}

}  // namespace

std::string facts_text(const std::map<NodeId, Facts>& facts, const Style& style, std::size_t width) {
  std::string text;
  for (const auto& group : classify(facts)) {
    const auto& first = facts.at(group.nodes.front());
    text += style.bold(fmt::format("class {}: {}", group.id, who(group.nodes))) + "\n";
    for (const auto& difference : group.differs) text += paragraph("differs: " + difference, width, 2);
    Table table({"", ""});
    table.add({"os", varying(group.nodes, facts, [](const Facts& f) {
                 return f.os.name.empty() ? f.os.id + " " + f.os.version : f.os.name;
               })});
    table.add({"kernel", varying(group.nodes, facts, [](const Facts& f) { return f.kernel + " " + f.arch; })});
    table.add({"machine", varying(group.nodes, facts, [](const Facts& f) {
                 return (f.product.empty() ? std::string("unknown") : f.product) +
                        (f.virtualization.empty() || f.virtualization == "none" ? "" : " (" + f.virtualization + ")");
               })});
    table.add({"cpu", cpu(first.cpu)});
    table.add({"memory", varying(group.nodes, facts, [](const Facts& f) { return human_bytes(f.memory_bytes); })});
    table.add({"numa", count_of(first.numa.size(), "node")});
    table.add({"gpu, npu", accelerators(first)});
    table.add({"fabric", fabric(first)});
    table.add({"network", varying(group.nodes, facts, ports)});
    table.add({"disks", disks(first)});
    text += table.text(width, 2);
  }
  std::map<NodeId, std::string> missing;
  for (const auto& [node, one] : facts) {
    for (const auto& [probe, reason] : one.missing) missing[node] += probe + ": " + reason + "\n";
  }
  if (!missing.empty()) text += style.warn("could not be read") + "\n" + indented(folded_text(missing, width - 2), 2);
  return text;
}

namespace {

Result<Outcome> run_facts(App& app) {
  const auto opened = app.open(App::Access::reads, App::Sessions::closed);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto gathered = sort_out(gather_facts(site));
  if (const auto kept = remember_facts(site.inventory, gathered.facts); !kept) {
    app.events().warn(kept.error().message());
  }
  Outcome outcome{.document = facts_document(gathered)};
  app.save("facts.json", outcome.document);
  outcome.text = facts_text(gathered.facts, app.style(), app.width()) +
                 folded_errors(gathered.failed, app.width());
  if (!gathered.failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("no facts of {} of {}", gathered.failed.size(),
                                           count_of(site.nodes.size(), "node")));
    outcome.next = next_command(app, "doctor -n " + gathered.failed.begin()->first);
  }
  return outcome;
}

}  // namespace

Command facts_command() {
  return {.name = "facts",
          .group = "Look",
          .summary = "what the nodes are, now: grouped by identical hardware",
          .details = "Reads hardware and system of each node in one read-only script. The text groups the "
                     "nodes by identical hardware and names what sets a group apart; --output json has "
                     "every value of every node, installed packages included.",
          .examples = {{"podwright facts", "the hardware classes"},
                       {"podwright facts -n cu07 --output json", "all about one node"}},
          .exits = {kNodesFailed},
          .run = run_facts};
}

}  // namespace podwright::cli
