#include "engine/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/archive.hpp"
#include "catalog/registry.hpp"
#include "config/json.hpp"
#include "engine/fan_out.hpp"
#include "engine/gather.hpp"
#include "engine/recorded_facts.hpp"
#include "engine/redact.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

constexpr int format = 1;
constexpr const char* document_name = "snapshot.json";
constexpr const char* remedy = "podwright snapshot -o FILE writes one; give that file, or the folder that it was unpacked to";

/// Of a resource, what checks compare with; nothing that may hold a secret.
constexpr std::string_view shared_fields[] = {"name", "path", "state", "enabled", "version", "source", "fstype", "options"};

Value value_of(const Json& json, int depth = 0) {
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_integer()) return Value(json.get<std::int64_t>());
  if (json.is_number()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get<std::string>());
  if (depth > 16) return {};
  if (json.is_array()) {
    Value::Array all;
    for (const auto& one : json) all.push_back(value_of(one, depth + 1));
    return Value(std::move(all));
  }
  if (!json.is_object()) return {};
  Value::Table table;
  for (const auto& [key, one] : json.items()) table.emplace_back(key, value_of(one, depth + 1));
  return Value(std::move(table));
}

Value::Table table_of(const Json& object) {
  auto value = value_of(object);
  auto* table = value.table();
  return table == nullptr ? Value::Table{} : std::move(*table);
}

std::vector<std::string> texts_of(const Json& object, const char* key) {
  std::vector<std::string> all;
  if (!object.contains(key) || !object[key].is_array()) return all;
  for (const auto& one : object[key]) {
    if (one.is_string()) all.push_back(one.get<std::string>());
  }
  return all;
}

Wanted wanted_of(const Json& object) {
  Wanted wanted;
  wanted.kind = object.value("kind", "");
  wanted.name = object.value("name", "");
  wanted.roles = texts_of(object, "roles");
  if (wanted.roles.empty()) wanted.roles = {"all"};
  if (object.contains("fields")) wanted.fields = table_of(object["fields"]);
  return wanted;
}

Error unreadable(const std::string& why) {
  return {.fault = Fault::usage, .what = fmt::format("{} of the snapshot {}", document_name, why), .hint = remedy};
}

Status read_document(const std::string& text, ReadSnapshot& snapshot, std::map<NodeId, Error>& unfit) {
  const auto document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(unreadable("is not JSON"));
  if (document.value("format", 0) != format) return fail(unreadable(fmt::format("has a format that this release does not know (it knows {})", format)));
  // Named, because items() does not keep what it goes over.
  const auto part = [&](const char* key) { return document.contains(key) && document[key].is_object() ? document[key] : Json::object(); };
  const auto resources = part("resources");
  const auto failed = part("failed");
  const auto unfit_nodes = part("unfit");
  try {
    snapshot.inventory.name = document.value("cluster", "snapshot");
    snapshot.profile.name = document.value("profile", "");
    snapshot.profile.fabric.transport = document.value("transport", "tcp");
    for (const auto& one : document.value("nodes", Json::array())) {
      auto node = node_from_json(one);
      if (!node) return fail(unreadable(": " + node.error().what));
      snapshot.inventory.nodes.push_back(std::move(*node));
    }
    for (const auto& one : document.value("checks", Json::array())) {
      snapshot.profile.checks.push_back({.id = one.value("id", ""), .options = table_of(one.value("options", Json::object())), .enabled = one.value("enabled", true), .pos = {}});
    }
    for (const auto& [node, own] : resources.items()) {
      for (const auto& one : own) snapshot.wanted[node].resources.push_back(wanted_of(one));
    }
    for (const auto& [node, error] : failed.items()) {
      snapshot.failed.emplace(node, Error{.fault = Fault::unreachable, .what = "when the snapshot was taken: " + error.get<std::string>(), .node = node});
    }
    for (const auto& [node, said] : unfit_nodes.items()) {
      auto error = error_from_json(said);
      if (!error) return fail(unreadable(": " + error.error().what));
      unfit.emplace(node, std::move(*error));
    }
  } catch (const Json::exception& wrong) {
    return fail(unreadable(fmt::format("has another shape than expected: {}", wrong.what())));
  }
  return {};
}

/// nodes/cu01/nv.ecc.out -> cu01, nv.ecc, .out
struct Place {
  std::string node, probe, suffix;
};
std::optional<Place> place_of(const std::string& path) {
  const auto parts = split(path, '/');
  if (parts.size() < 3 || parts[parts.size() - 3] != "nodes") return {};
  const auto file = parts.back();
  const auto dot = file.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  return Place{.node = std::string(parts[parts.size() - 2]), .probe = std::string(file.substr(0, dot)), .suffix = std::string(file.substr(dot))};
}

}  // namespace

Snapshot take_snapshot(Site& site) {
  std::vector<std::string> names;
  FramedScript script("snapshot");
  const auto add = [&](std::string_view id, std::string_view text, std::chrono::seconds deadline) {
    if (text.empty()) return;
    names.emplace_back(id);
    script.add({.comment = std::string(id), .script = std::string(text), .deadline = deadline});
  };
  for (const auto& probe : catalog<Probe>()) add(probe.id, probe.script, probe.deadline);
  std::vector<const Check*> checks;
  for (const auto& check : catalog<Check>()) checks.push_back(&check);
  for (const auto* check : distinct_probes(checks)) {
    // A diagnosis at its shortest: nobody waits an hour for a support bundle.
    if (!check->probe.empty()) add(probe_name(*check), probe_text(*check, {}), check->deadline);
  }

  std::vector<FramedJob> jobs;
  for (const auto& node : site.nodes) jobs.push_back({node, script});
  Snapshot snapshot;
  for (const auto& [node, result] : run_framed(site, jobs, "snapshot")) {
    if (result.error) snapshot.failed.emplace(node, *result.error);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto path = "nodes/" + node + "/" + names[i];
      const auto frame = result.frames.find(i);
      if (frame == result.frames.end()) {
        if (!result.frames.empty()) snapshot.files[path + ".err"] = "its output never arrived\n";
        continue;
      }
      snapshot.files[path + ".out"] = redact(frame->second.out);
      snapshot.files[path + ".err"] = redact(frame->second.err);
      snapshot.files[path + ".exit"] = std::to_string(frame->second.exit_status) + "\n";
    }
  }
  return snapshot;
}

void add_expectations(Snapshot& snapshot, const Inventory& inventory, const Profile& profile, const std::map<NodeId, NodeWanted>& wanted,
                      const std::map<NodeId, Error>& unfit) {
  Json document = {{"format", format}, {"cluster", inventory.name}, {"profile", profile.name}, {"transport", profile.fabric.transport},
                   {"nodes", Json::array()}, {"checks", Json::array()}, {"resources", Json::object()}, {"failed", Json::object()}, {"unfit", Json::object()}};
  for (const auto& node : inventory.nodes) {
    Node bare = node;  // how one logs in is nobody else's business
    bare.ssh = {};
    bare.address.clear();
    document["nodes"].push_back(to_json(bare));
  }
  for (const auto& check : profile.checks) {
    Json options = Json::object();
    for (const auto& [key, value] : check.options) options[key] = to_json(value);
    document["checks"].push_back({{"id", check.id}, {"enabled", check.enabled}, {"options", options}});
  }
  for (const auto& [node, own] : wanted) {
    Json all = Json::array();
    for (const auto& one : own.resources) {
      if (one.kind == "secret") continue;
      Json fields = Json::object();
      for (const auto& [key, value] : one.fields) {
        if (std::ranges::find(shared_fields, key) == std::end(shared_fields)) continue;
        fields[key] = value.text() == nullptr ? to_json(value) : Json(redact(*value.text()));
      }
      all.push_back({{"kind", one.kind}, {"name", one.name}, {"roles", one.roles}, {"fields", fields}});
    }
    document["resources"][node] = std::move(all);
  }
  for (const auto& [node, error] : snapshot.failed) document["failed"][node] = redact(error.what);
  for (const auto& [node, error] : unfit) document["unfit"][node] = to_json(error);
  snapshot.files[document_name] = document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::map<std::string, std::string>> read_snapshot_files(const fs::path& path) {
  std::error_code problem;
  if (!fs::is_directory(path, problem)) {
    if (!fs::exists(path, problem)) return fail(Fault::usage, fmt::format("there is no {}", path.string()), remedy);
    auto files = read_archive(path);
    if (!files) return fail(Fault::usage, fmt::format("{} is not a snapshot: {}", path.string(), files.error().what), remedy);
    return files;
  }
  std::map<std::string, std::string> files;
  std::size_t bytes = 0;
  for (fs::recursive_directory_iterator entry(path, problem), end; !problem && entry != end; entry.increment(problem)) {
    if (!entry->is_regular_file() || entry->is_symlink()) continue;
    const auto name = fs::relative(entry->path(), path).generic_string();
    if (name != document_name && !place_of(name)) continue;
    auto text = read_file(entry->path());
    if (!text) return fail(Fault::usage, text.error().what, remedy);
    bytes += text->size();
    if (bytes > std::size_t{1} << 30U) return fail(Fault::usage, fmt::format("{} holds more than a snapshot: over {}", path.string(), human_bytes(std::size_t{1} << 30U)), remedy);
    files.emplace(name, std::move(*text));
  }
  if (problem) return fail(Fault::usage, fmt::format("{} cannot be read: {}", path.string(), problem.message()), remedy);
  return files;
}

Result<ReadSnapshot> read_snapshot(const std::map<std::string, std::string>& files) {
  ReadSnapshot snapshot;
  std::map<NodeId, std::map<std::string, Observed>> all;
  std::map<NodeId, Error> unfit;
  const std::string* document = nullptr;
  for (const auto& [path, content] : files) {
    if (path == document_name || path.ends_with(std::string("/") + document_name)) document = &content;
    const auto place = place_of(path);
    if (!place) continue;
    auto& observed = all[place->node].try_emplace(place->probe, Observed{.exit_status = 255, .out = {}}).first->second;
    // Somebody may have edited what is here: it is no safer than what a node prints.
    if (place->suffix == ".out") observed.out = clean_output(content);
    else if (place->suffix == ".err") observed.err = clean_output(content);
    else if (place->suffix == ".exit") {
      const auto status = to_int(trim(content));
      observed.exit_status = status && *status >= 0 && *status <= 255 ? static_cast<int>(*status) : 255;
      observed.timed_out = observed.exit_status == 124 || observed.exit_status == 137;
    }
  }
  if (all.empty()) return fail(Fault::usage, "there is nothing of any node in it: no nodes/NAME/PROBE.out", remedy);
  if (document != nullptr) {
    if (auto read = read_document(*document, snapshot, unfit); !read) return fail(read.error());
  }
  for (auto& [node, outputs] : all) {
    std::map<std::string_view, Observed> observed;
    for (const auto& probe : catalog<Probe>()) {
      if (const auto found = outputs.find(std::string(probe.id)); found != outputs.end()) observed[probe.id] = found->second;
    }
    snapshot.facts.emplace(node, facts_from_probes(node, observed));
  }
  snapshot.readings.observed = std::move(all);
  const auto seen = inventory_of({.facts = snapshot.facts, .failed = {}});
  if (document == nullptr) snapshot.inventory = seen;
  for (const auto& node : seen.nodes) {
    if (snapshot.inventory.find(node.name) == nullptr) snapshot.inventory.nodes.push_back(node);
  }
  // A node that did answer is judged by what it said.
  std::erase_if(snapshot.failed, [&](const auto& one) { return snapshot.facts.contains(one.first); });
  for (auto& [node, error] : unfit) {
    snapshot.facts.erase(node);  // as in a live run, it has no say in what its class is
    snapshot.failed.insert_or_assign(node, std::move(error));
  }
  return snapshot;
}

}  // namespace podwright
