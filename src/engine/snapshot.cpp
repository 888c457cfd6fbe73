#include "engine/snapshot.hpp"

#include "catalog/registry.hpp"
#include "engine/check.hpp"
#include "engine/fan_out.hpp"

namespace podwright {

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
  for (const auto* check : distinct_probes(checks)) add(probe_name(*check), check->probe, check->deadline);

  std::vector<FramedJob> jobs;
  for (const auto& node : site.nodes) jobs.push_back({node, script});
  Snapshot snapshot;
  for (const auto& [node, result] : run_framed(site, std::move(jobs), "snapshot")) {
    if (result.error) snapshot.failed.emplace(node, *result.error);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto path = "nodes/" + node + "/" + names[i];
      const auto frame = result.frames.find(i);
      if (frame == result.frames.end()) {
        if (!result.frames.empty()) snapshot.files[path + ".err"] = "its output never arrived\n";
        continue;
      }
      snapshot.files[path + ".out"] = frame->second.out;
      snapshot.files[path + ".err"] = frame->second.err;
      snapshot.files[path + ".exit"] = std::to_string(frame->second.exit_status) + "\n";
    }
  }
  return snapshot;
}

}  // namespace podwright
