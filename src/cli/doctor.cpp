#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "base/text.hpp"
#include "base/json.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "config/json.hpp"
#include "engine/gather.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright::cli {

namespace {

/// Beyond this, certificates, munge and logs of different nodes stop agreeing (munge allows 300 s,
/// Kerberos as well; logs are hard to read from a second on).
constexpr double kSkewSeconds = 1;
constexpr double kFullPercent = 90;

struct Finding {
  bool ok = true;
  std::string what;
  std::string hint{};
};

double used_percent(const Mount& mount) {
  return mount.bytes == 0 ? 0 : 100.0 * static_cast<double>(mount.used_bytes) / static_cast<double>(mount.bytes);
}

std::vector<Finding> findings_of(const Facts& facts) {
  std::vector<Finding> all;
  const auto skew = facts.time_offset_seconds;
  all.push_back({.ok = std::abs(skew) < kSkewSeconds,
                 .what = fmt::format("clock {:+.2f} s from this machine's, {}", skew,
                                     facts.time_synchronized ? "synchronised" : "not synchronised"),
                 .hint = "start a time service: the shipped profiles install chrony"});
  for (const auto& mount : facts.mounts) {
    const bool counts = mount.path == "/" || mount.path == "/var" || mount.path == "/tmp" || mount.path == "/boot";
    if (!counts || mount.bytes == 0) continue;
    all.push_back({.ok = used_percent(mount) < kFullPercent,
                   .what = fmt::format("{} is {:.0f} % full, {} free", mount.path, used_percent(mount),
                                       human_bytes(mount.bytes - mount.used_bytes)),
                   .hint = "make room: packages, logs and images are written there"});
  }
  for (const auto& [probe, reason] : facts.missing) {
    all.push_back({.ok = false, .what = fmt::format("facts of {}: {}", probe, reason), .hint = {}});
  }
  return all;
}

std::string line(const Style& style, bool ok, std::string_view what, std::string_view detail) {
  return fmt::format("  {}  {:<13} {}\n", ok ? style.good("ok  ") : style.bad("FAIL"), what, clean_output(detail));
}

Result<Outcome> run_doctor(App& app) {
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto style = app.style();
  Outcome outcome{.document = {{"nodes", Json::object()}}};
  std::vector<NodeId> sick;

  std::map<NodeId, Diagnosis> diagnoses;
  std::vector<NodeId> reached;
  app.events().emit(events::PhaseStarted{"doctor", site.nodes.size(), site.nodes});
  const auto begun = std::chrono::steady_clock::now();
  std::size_t done = 0;
  for (const auto& node : site.nodes) {
    const auto diagnosis = app.ssh().diagnose(node, site.stop);
    if (!diagnosis) return fail(diagnosis.error());
    if (!diagnosis->error) reached.push_back(node);
    diagnoses.emplace(node, *diagnosis);
    app.events().emit(events::Progress{"doctor", ++done, site.nodes.size(), node});
  }
  app.events().emit(events::PhaseFinished{
      "doctor", reached.size() == site.nodes.size(),
      std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun)});

  const auto all = site.nodes;
  app.keep_only(reached);
  auto facts = reached.empty() ? std::map<NodeId, Result<Facts>>{} : gather_facts(site);
  for (const auto& node : all) {
    const auto& diagnosis = diagnoses.at(node);
    auto& json = outcome.document["nodes"][node];
    json = {{"ok", true}, {"steps", Json::array()}, {"findings", Json::array()}};
    bool well = !diagnosis.error;
    outcome.text += style.bold(node) + "\n";
    for (const auto& step : diagnosis.steps) {
      // A method that did not work is no failure while a later one did.
      outcome.text += step.ok || diagnosis.error ? line(style, step.ok, step.method, step.detail)
                                                 : fmt::format("  {}  {:<13} {}\n", style.dim("no  "), step.method,
                                                               clean_output(step.detail));
      json["steps"].push_back({{"method", step.method}, {"detail", clean_output(step.detail)}, {"ok", step.ok}});
    }
    if (diagnosis.error) {
      const bool told = !diagnosis.steps.empty() && diagnosis.steps.back().detail == diagnosis.error->what;
      if (!told) outcome.text += paragraph(clean_output(diagnosis.error->what), app.width(), 8);
      if (!diagnosis.error->hint.empty()) outcome.text += paragraph("hint: " + diagnosis.error->hint, app.width(), 8);
      json["error"] = to_json(*diagnosis.error);
    } else if (const auto found = facts.find(node); found != facts.end() && found->second) {
      for (const auto& finding : findings_of(*found->second)) {
        well = well && finding.ok;
        outcome.text += line(style, finding.ok, "", finding.what);
        if (!finding.ok && !finding.hint.empty()) outcome.text += paragraph("hint: " + finding.hint, app.width(), 8);
        json["findings"].push_back({{"ok", finding.ok}, {"what", finding.what}, {"hint", finding.ok ? "" : finding.hint}});
      }
    } else if (found != facts.end()) {
      well = false;
      outcome.text += line(style, false, "facts", found->second.error().what);
      json["error"] = to_json(found->second.error());
    }
    json["ok"] = well;
    if (!well) sick.push_back(node);
  }
  if (!sick.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} not well: {}", count_of(sick.size(), "node"), human_list(sick)));
  }
  return outcome;
}

}  // namespace

Command doctor_command() {
  return {.name = "doctor",
          .group = "Look",
          .summary = "why a node cannot be reached, step by step",
          .details =
              "Connects to each selected node anew and shows every step on the way: the address, the "
              "connection, the host key, each login method that was tried and why it did not work, sudo; "
              "then the clock's distance from this machine's and the free space where installing needs it.",
          .examples = {{"podwright doctor -n cu07", "one node that makes trouble"}},
          .exits = {kNodesFailed},
          .run = run_doctor};
}

}  // namespace podwright::cli
