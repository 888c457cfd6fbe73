#include "engine/undo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/fan_out.hpp"

namespace podwright {

namespace {

constexpr std::chrono::minutes restore_deadline{10};
constexpr std::chrono::minutes finish_deadline{30};  // a transaction of the packager

/// How a path differs from what the step left, in words.
std::string difference(const LedgerEntry::Path& path, const std::string& now) {
  const auto was = words(path.after);
  const auto is = words(now);
  if (now == "absent") return path.path + " was removed since";
  if (was.empty() || is.empty() || was[0] != is[0] || was[0] == "link") {
    return path.path + " was replaced since";
  }
  std::vector<std::string> what;
  if (was.size() > 3 && is.size() > 3 && was[3] != is[3]) what.emplace_back("content");
  if (was.size() > 1 && is.size() > 1 && was[1] != is[1]) what.emplace_back("owner");
  if (was.size() > 2 && is.size() > 2 && was[2] != is[2]) what.emplace_back("mode");
  return fmt::format("{} was changed since ({})", path.path, join(what, ", "));
}

/// What entries change, as it is while the undo goes from the last to the first.
class Course {
 public:
  [[nodiscard]] std::string now(const std::string& thing, const std::string& otherwise) const {
    const auto place = now_.find(thing);
    return place == now_.end() ? otherwise : place->second;
  }
  void put_back(const std::string& thing, const std::string& before) { now_[thing] = before; }
  void stays(const std::string& thing, const LedgerEntry& entry) { stays_.emplace(thing, &entry); }
  [[nodiscard]] const LedgerEntry* stays(const std::string& thing) const {
    const auto place = stays_.find(thing);
    return place == stays_.end() ? nullptr : place->second;
  }

 private:
  std::map<std::string, std::string> now_;
  std::map<std::string, const LedgerEntry*> stays_;
};

std::string state_thing(const LedgerEntry& entry) { return "state " + entry.state_key; }

std::string of_component(const LedgerEntry& entry) {
  return entry.component.empty() ? entry.id : fmt::format("{} of {}", entry.id, entry.component);
}

/// Why the entry is left; nothing when it can be taken back.
std::optional<LeftAlone> reason_to_leave(const LedgerEntry& entry, const Course& course, bool force) {
  const auto leave = [&](std::string why, std::string hint) {
    return LeftAlone{.id = entry.id, .why = std::move(why), .hint = std::move(hint)};
  };
  const auto later = [&](const LedgerEntry& other, const std::string& what) {
    return leave(fmt::format("{}, which stays, changed {} later", of_component(other), what),
                 "take that back too");
  };
  const auto by_hand = [&](std::string why) {
    return leave(std::move(why), "look at it on the node; `undo --force` takes it back all the same");
  };
  for (const auto& path : entry.paths) {
    if (const auto* other = course.stays(path.path)) return later(*other, path.path);
  }
  if (!entry.state_key.empty()) {
    if (const auto* other = course.stays(state_thing(entry))) return later(*other, "the same");
  }
  if (!entry.sealed || force) return std::nullopt;
  for (const auto& path : entry.paths) {
    const auto now = course.now(path.path, path.now);
    if (now != path.before && now != path.after) return by_hand(difference(path, now));
  }
  if (entry.state_key.empty()) return std::nullopt;
  const auto now = course.now(state_thing(entry), entry.state_now);
  if (now == entry.state_before || now == entry.state_after) return std::nullopt;
  return by_hand(now == "unreadable" ? "its state cannot be read" : "its state was changed since");
}

bool has_folders(const LedgerEntry& entry) {
  return entry.has_made || entry.restored ||
         std::ranges::any_of(entry.paths, [](const LedgerEntry::Path& path) {
           return path.before == "absent" && (path.now.starts_with("folder") || path.path.ends_with('/'));
         });
}

std::string put_back_script(const NodeUndo::Take& take) {
  const auto& entry = take.entry;
  std::string script = fmt::format("pw_e=$pw_ledger/{}\n[ -d \"$pw_e\" ] || exit 0\n", sh::quote(entry.name));
  if (take.forget) return script + "rm -rf \"$pw_e\"\n";
  std::string put;
  for (std::size_t i = 0; i < entry.paths.size(); ++i) {
    const auto path = sh::quote(entry.paths[i].path);
    if (take.expected[i] == entry.paths[i].before) continue;
    script += fmt::format("pw_expect {} {}\n", path, sh::quote(take.expected[i]));
    put += fmt::format("pw_put {} {}\n", i, path);
  }
  if (!take.expected_state.empty() && take.expected_state != entry.state_before) {
    script += fmt::format("pw_expect_state {}\n", sh::quote(take.expected_state));
  }
  return script + put + "pw_restored\n";
}

constexpr std::string_view functions = "eval \"$PODWRIGHT_LEDGER\"; unset PODWRIGHT_LEDGER\n";

}  // namespace

std::vector<std::string> NodeUndo::ids() const {
  std::vector<std::string> all;
  for (const auto& one : take) {
    if (std::ranges::find(all, one.entry.id) == all.end()) all.push_back(one.entry.id);
  }
  return all;
}

NodeUndo plan_undo(const std::vector<LedgerEntry>& entries, const UndoOptions& options) {
  NodeUndo work;
  Course course;
  const auto leave = [&](LeftAlone left) {
    if (std::ranges::find(work.left, left) == work.left.end()) work.left.push_back(std::move(left));
  };
  for (const auto& entry : std::views::reverse(entries)) {
    const bool selected = options.components.empty() ||
                          std::ranges::find(options.components, entry.component) != options.components.end();
    const auto keep = [&] {
      for (const auto& path : entry.paths) course.stays(path.path, entry);
      if (!entry.state_key.empty()) course.stays(state_thing(entry), entry);
    };
    if (!selected) {
      if (entry.begun && !entry.restored) keep();
      continue;
    }
    NodeUndo::Take take{.entry = entry, .expected = {}};
    const bool possible =
        !entry.paths.empty() || entry.has_restore || entry.has_finish || entry.restored;
    if (!entry.begun || !possible) {
      // What never ran has nothing to tell; what has no way back stays on record until it is forced.
      if (entry.begun) {
        leave({.id = entry.id, .why = entry.why_not.empty() ? "nothing is known that takes it back" : entry.why_not,
               .hint = options.force ? "" : "take it back by hand; `undo --force` then forgets it"});
        if (!options.force) continue;
      }
      take.forget = true;
      work.take.push_back(std::move(take));
      continue;
    }
    if (!entry.restored) {
      if (auto left = reason_to_leave(entry, course, options.force)) {
        leave(std::move(*left));
        // What lies below it would come out in the middle.
        keep();
        continue;
      }
      for (const auto& path : entry.paths) {
        take.expected.push_back(course.now(path.path, path.now));
        course.put_back(path.path, path.before);
      }
      if (!entry.state_key.empty()) {
        take.expected_state = course.now(state_thing(entry), entry.state_now);
        course.put_back(state_thing(entry), entry.state_before);
      }
    }
    work.take.push_back(std::move(take));
  }
  return work;
}

UndoScript undo_script(const NodeId& node, const NodeUndo& work, std::string_view folder,
                       std::string marker) {
  UndoScript result{.script = FramedScript("undo on " + node, std::move(marker)), .parts = {}};
  result.script.setup(ledger_setup(folder));
  const auto add = [&](std::string comment, const std::string& script, std::chrono::seconds deadline,
                       UndoScript::Part part) {
    result.script.add({.comment = std::move(comment),
                       .script = std::string(functions) + script,
                       .deadline = deadline,
                       .merge_stderr = true});
    result.parts.push_back(std::move(part));
  };
  for (std::size_t i = 0; i < work.take.size(); ++i) {
    const auto& entry = work.take[i].entry;
    if (entry.restored) continue;
    add(fmt::format("{} of {}", entry.action, entry.id), put_back_script(work.take[i]), restore_deadline,
        {.takes = {i}});
  }
  // The common ends, those of the oldest steps first.
  std::set<std::string> done;
  for (std::size_t i = work.take.size(); i-- > 0;) {
    const auto& first = work.take[i].entry;
    if (!first.has_finish || !done.insert(first.finish_key).second) continue;
    UndoScript::Part part;
    std::string script = "pw_finished";
    std::vector<std::string> ids;
    for (std::size_t k = i + 1; k-- > 0;) {
      const auto& entry = work.take[k].entry;
      if (entry.finish_key != first.finish_key || !entry.has_finish) continue;
      part.takes.push_back(k);
      script += " " + sh::quote(entry.name);
      ids.push_back(entry.id);
    }
    add("the end of " + join(ids, ", "), script + "\n", finish_deadline, std::move(part));
  }
  for (std::size_t i = 0; i < work.take.size(); ++i) {
    if (!has_folders(work.take[i].entry)) continue;
    add("folders of " + work.take[i].entry.id, "pw_folders " + sh::quote(work.take[i].entry.name) + "\n",
        restore_deadline, {.takes = {i}});
  }
  // And the folder that it shares with the runners, where their last one has been swept.
  add("an empty ledger goes",
      "if rmdir \"$pw_ledger\" 2>/dev/null; then\n"
      "  pw_ours=${pw_ledger%/*}\n"
      "  [ -n \"$(ls \"$pw_ours/run\" 2>/dev/null)\" ] || rm -f \"$pw_ours/run/.lock\"\n"
      "  rmdir \"$pw_ours/run\" 2>/dev/null\n"
      "  rmdir \"$pw_ours\" 2>/dev/null\n"
      "fi\nexit 0\n",
      restore_deadline, {});
  return result;
}

NodeUndone undone(const NodeUndo& work, const UndoScript& script,
                  const std::map<std::size_t, Observed>& frames) {
  NodeUndone node{.restored = {}, .left = work.left};
  std::set<std::string> not_done;
  std::set<std::size_t> without_frame;
  std::vector<std::string> problems;
  for (std::size_t frame = 0; frame < script.parts.size(); ++frame) {
    const auto& takes = script.parts[frame].takes;
    const auto id_of = [&](std::size_t take) { return work.take[take].entry.id; };
    const auto seen = frames.find(frame);
    if (seen == frames.end()) {
      for (const auto take : takes) not_done.insert(id_of(take));
      continue;
    }
    const auto& observed = seen->second;
    for (const auto line : lines(observed.out)) {
      const auto parts = split(line, '\t');
      if (parts.size() < 3 || parts[0] != "left" || takes.empty()) continue;
      const auto id = parts[1].empty() ? id_of(takes.front()) : std::string(parts[1]);
      not_done.insert(id);
      node.left.push_back({.id = id, .why = std::string(parts[2]),
                           .hint = "look at it on the node, then `podwright undo` again"});
    }
    if (observed.exit_status == 0 || takes.empty()) continue;
    for (const auto take : takes) not_done.insert(id_of(take));
    const auto said = lines(trim(observed.out));
    problems.push_back(fmt::format(
        "{}: {}", id_of(takes.front()),
        observed.timed_out ? "did not end in time"
        : said.empty()     ? fmt::format("ended with exit status {}", observed.exit_status)
                           : std::string(said.back())));
  }
  for (const auto& one : work.take) {
    const auto& id = one.entry.id;
    const bool named = std::ranges::find(node.left, id, &LeftAlone::id) != node.left.end();
    if (one.forget || named || not_done.contains(id)) continue;
    if (std::ranges::find(node.restored, id) == node.restored.end()) node.restored.push_back(id);
  }
  if (!problems.empty()) {
    node.error = Error{.fault = Fault::remote,
                       .what = join(problems, "\n"),
                       .hint = "mend the cause on the node, then `podwright undo` again"};
  }
  return node;
}

UndoPlan plan_undo(Site& site, const UndoOptions& options) {
  std::vector<FramedJob> jobs;
  for (const auto& node : site.nodes) {
    FramedScript script("the ledger of " + node);
    script.setup(ledger_setup());
    script.add({.comment = "what podwright changed here", .script = ledger_listing(),
                .deadline = std::chrono::seconds(120)});
    jobs.push_back({node, std::move(script)});
  }
  UndoPlan plan;
  for (auto& [node, result] : run_framed(site, jobs, "read the ledgers")) {
    const auto fail_with = [&, name = node](Error error) {
      error.node = name;
      plan.failed.emplace(name, std::move(error));
    };
    const auto frame = result.frames.find(0);
    if (frame == result.frames.end()) {
      fail_with(result.error.value_or(Error{.fault = Fault::remote, .what = "the script was cut off"}));
      continue;
    }
    auto entries = parse_ledger(frame->second.out);
    if (!entries) {
      const auto said = trim(frame->second.err);
      if (!said.empty()) entries.error().what += fmt::format(": {}", said.substr(0, 300));
      fail_with(entries.error());
      continue;
    }
    plan.nodes.emplace(node, plan_undo(*entries, options));
  }
  return plan;
}

std::map<NodeId, NodeUndone> undo(Site& site, const UndoPlan& plan) {
  std::map<NodeId, NodeUndone> all;
  std::map<NodeId, UndoScript> scripts;
  std::vector<FramedJob> jobs;
  for (const auto& [node, error] : plan.failed) all[node].error = error;
  for (const auto& [node, work] : plan.nodes) {
    all[node].left = work.left;
    if (work.take.empty()) continue;
    auto script = undo_script(node, work);
    jobs.push_back({node, script.script});
    scripts.emplace(node, std::move(script));
  }
  const auto label = [&](const NodeId& node, std::size_t frame) -> std::string {
    const auto& takes = scripts.at(node).parts.at(frame).takes;
    return takes.empty() ? std::string{} : plan.nodes.at(node).take[takes.front()].entry.id;
  };
  const auto begin = [&](const NodeId& node, std::size_t frame) {
    if (auto id = label(node, frame); !id.empty()) {
      site.events.emit(events::StepStarted{node, std::move(id), "undo"});
    }
  };
  const auto end = [&](const NodeId& node, std::size_t frame, const Observed& seen) {
    if (auto id = label(node, frame); !id.empty()) {
      site.events.emit(events::StepFinished{node, std::move(id), seen.exit_status == 0,
                                            seen.exit_status, seen.out, {}});
    }
  };
  for (auto& [node, result] : run_framed(site, jobs, "undo", begin, end)) {
    auto done = undone(plan.nodes.at(node), scripts.at(node), result.frames);
    if (result.error) {
      done.error = result.error;
    } else if (!done.error && result.frames.size() < scripts.at(node).parts.size()) {
      done.error = Error{.fault = Fault::remote, .what = "the script was cut off on the node",
                         .hint = "`podwright undo` again goes on where it stopped"};
    }
    if (done.error) done.error->node = node;
    all[node] = std::move(done);
  }
  return all;
}

}  // namespace podwright
