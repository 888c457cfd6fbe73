#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/assets.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/dependencies.hpp"
#include "config/json.hpp"
#include "config/profile_file.hpp"
#include "config/profile_files.hpp"
#include "config/reader.hpp"
#include "render/render.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

// --- which files ---------------------------------------------------------------------------------

/// Reads a profile and all it includes, each once.
class Collector {
 public:
  Collector(const ProfileFiles& files, const Schema& schema, Complaints& complaints)
      : files_(files), schema_(schema), complaints_(complaints) {}

  /// Appends the files that `name` includes, then itself, to `out`. `by` is empty for the profile
  /// itself.
  Status collect(const std::string& name, const SourcePos& by, const fs::path& root,
                 std::vector<ProfileFile>& out) {
    const auto found =
        by.file.empty() && root.empty() ? files_.profile(name) : files_.component(name, root);
    if (!found) {
      if (by.file.empty()) return fail(found.error());
      complaints_.add(by, found.error().what);
      return {};
    }
    if (const auto open = std::ranges::find(path_, found->where, &Open::where);
        open != path_.end()) {
      std::vector<std::string> names;
      for (auto place = open; place != path_.end(); ++place) names.push_back(place->name);
      names.push_back(name);
      complaints_.add(
          by, fmt::format("profiles include each other in a circle: {}", join(names, " -> ")));
      return {};
    }
    if (std::ranges::find(seen_, found->where) != seen_.end()) return {};
    seen_.push_back(found->where);
    path_.push_back({found->where, name});
    auto file = read_profile_file(*found, name, schema_, files_, complaints_);
    for (const auto& include : file.includes) {
      if (auto done = collect(include.name, include.pos, found->root, out); !done) return done;
    }
    path_.pop_back();
    out.push_back(std::move(file));
    return {};
  }

 private:
  struct Open {
    std::string where;
    std::string name;
  };

  const ProfileFiles& files_;
  const Schema& schema_;
  Complaints& complaints_;
  std::vector<Open> path_;
  std::vector<std::string> seen_;
};

// --- variables -----------------------------------------------------------------------------------

bool same_type(const Value& a, const Value& b) {
  return a.data.index() == b.data.index() || (a.number() && b.number());
}

/// What a variable without a default is, of { required = "…" }; null: it is another value.
const std::string* required_text(const Value& value) {
  const auto* table = value.table();
  if (table == nullptr || table->size() != 1 || table->front().first != "required") return nullptr;
  return table->front().second.text();
}

/// Overrides a variable that is declared; a new value has the type of the old one.
void override_variable(Value::Table& vars, const std::string& name, const Value& value,
                       Complaints& complaints) {
  const auto* declared = find_value(vars, name);
  if (declared == nullptr) {
    std::vector<std::string> known;
    for (const auto& [key, ignored] : vars) known.push_back(key);
    complaints.add(value.pos, fmt::format("the profile has no variable \"{}\"{}", name,
                                          did_you_mean(name, known)));
    return;
  }
  const bool fits = required_text(*declared) == nullptr ? same_type(*declared, value)
                                                       : value.table() == nullptr && value.array() == nullptr;
  if (!fits) {
    complaints.add(value.pos,
                   fmt::format("variable {} {}, as declared at {}", name,
                               wrong_type(required_text(*declared) == nullptr ? declared->type_name() : "a text",
                                          value),
                               declared->pos.str()));
    return;
  }
  set_value(vars, name, value);
}

/// "key=value" of --set: a TOML value, or a bare word as a text.
void set_from_command_line(Value::Table& vars, const std::string& given, Complaints& complaints) {
  const SourcePos pos{.file = "--set " + given};
  const auto equals = given.find('=');
  const auto name = std::string(trim(std::string_view(given).substr(0, equals)));
  if (equals == std::string::npos || name.empty()) {
    complaints.add(pos, "a variable is set as key=value");
    return;
  }
  const auto text = given.substr(equals + 1);
  Value value(text, pos);
  const auto* declared = find_value(vars, name);
  // A declared text stays one, also when it looks like a number.
  const bool quoted = text.starts_with('"') || text.starts_with('\'');
  const bool stays_text =
      declared != nullptr && (declared->text() != nullptr || required_text(*declared) != nullptr);
  if (quoted || !stays_text) {
    const auto parsed = parse_toml("value = " + text, pos.file);
    if (parsed && parsed->table()->size() == 1) value = parsed->table()->front().second;
  }
  value.pos = pos;
  override_variable(vars, name, value, complaints);
}

Value::Table merge_variables(const std::vector<const ProfileFile*>& files,
                             const Value::Table& cluster, const std::vector<std::string>& set,
                             Complaints& complaints) {
  Value::Table vars;
  for (const auto* file : files) {
    for (const auto& [name, value] : file->vars) {
      if (find_value(vars, name) != nullptr) override_variable(vars, name, value, complaints);
      else set_value(vars, name, value);
    }
  }
  for (const auto& [name, value] : cluster) override_variable(vars, name, value, complaints);
  for (const auto& given : set) set_from_command_line(vars, given, complaints);
  return vars;
}

/// Takes the variables that nobody has given a value out of `vars`.
std::vector<UnsetVariable> take_unset(Value::Table& vars) {
  std::vector<UnsetVariable> unset;
  for (const auto& [name, value] : vars) {
    if (const auto* what = required_text(value)) unset.push_back({name, *what, value.pos});
  }
  std::erase_if(vars, [](const auto& one) { return required_text(one.second) != nullptr; });
  return unset;
}

// --- resources -----------------------------------------------------------------------------------

/// `text` rendered when it needs variables only; else, as it needs facts, as it is.
std::string render_early(const std::string& text, const Json& vars) {
  if (text.find("{{") == std::string::npos) return text;
  return render::text(text, vars, "").value_or(text);
}

void override_resource(Wanted& wanted, const Declared& later) {
  const auto& fields = later.wanted.fields;
  const std::vector<std::string> texts = {"content", "template", "source", "verbatim"};
  const auto says_text =
      std::ranges::any_of(texts, [&](const auto& key) { return later.wanted.has(key); });
  if (says_text) {  // one way to say what is in a file replaces the other
    std::erase_if(wanted.fields, [&](const auto& field) {
      return std::ranges::find(texts, field.first) != texts.end();
    });
  }
  for (const auto& [key, value] : fields) set_value(wanted.fields, key, value);
  if (later.says_roles) {
    wanted.roles = later.wanted.roles;
    wanted.roles_pos = later.wanted.roles_pos;
  }
  if (later.says_when) {
    wanted.when = later.wanted.when;
    wanted.when_pos = later.wanted.when_pos;
  }
  if (later.says_after) wanted.after = later.wanted.after;
}

/// What is restarted for something comes after it.
void wait_for_restarts(Wanted& wanted, const Json& vars, Complaints& complaints) {
  const auto* restart_on = find_value(wanted.fields, "restart_on");
  if (restart_on == nullptr || restart_on->array() == nullptr) return;
  for (const auto& item : *restart_on->array()) {
    if (item.text() != nullptr)
      add_dependency(wanted, render_early(*item.text(), vars), item.pos, complaints);
  }
}

struct Placed {
  std::size_t rank;  ///< of the file that declared it first
  Wanted wanted;
};

/// Renders the name and `after`, so that an override finds its resource whichever way it is
/// written.
void settle_names(Wanted& wanted, const Schema& schema, const Json& vars) {
  const auto name = render_early(wanted.name, vars);
  if (name != wanted.name) {
    const auto& key = std::ranges::find(schema.kinds, wanted.kind, &KindSchema::kind)->key;
    set_value(wanted.fields, key, Value(name, find_value(wanted.fields, key)->pos));
    wanted.name = name;
  }
  for (auto& dependency : wanted.after)
    dependency.resource = render_early(dependency.resource, vars);
}

/// `merge_order` says who overrides whom, `rank` where a file's resources stand.
std::vector<Wanted> merge_resources(const std::vector<const ProfileFile*>& merge_order,
                                    const std::map<const ProfileFile*, std::size_t>& rank,
                                    const Schema& schema, const Json& vars,
                                    Complaints& complaints) {
  std::vector<Placed> placed;
  std::map<std::string, std::size_t> index;
  for (const auto* file : merge_order) {
    for (auto declared : file->resources) {
      settle_names(declared.wanted, schema, vars);
      const auto [place, fresh] = index.try_emplace(declared.wanted.id(), placed.size());
      if (fresh) placed.push_back({rank.at(file), std::move(declared.wanted)});
      else override_resource(placed[place->second].wanted, declared);
    }
  }
  std::ranges::stable_sort(placed, {}, &Placed::rank);
  std::vector<Wanted> resources;
  for (auto& [unused, wanted] : placed) {
    wait_for_restarts(wanted, vars, complaints);
    resources.push_back(std::move(wanted));
  }
  return resources;
}

void check_required(const std::vector<Wanted>& resources, const Schema& schema,
                    Complaints& complaints) {
  for (const auto& wanted : resources) {
    const auto kind = std::ranges::find(schema.kinds, wanted.kind, &KindSchema::kind);
    for (const auto& field : kind->fields) {
      if (!field.required || wanted.has(field.name)) continue;
      complaints.add(wanted.pos, fmt::format("{} needs {}", wanted.id(), field.name));
    }
  }
}

// --- the rest ------------------------------------------------------------------------------------

void merge_measurement(std::vector<MeasurementSpec>& all, const DeclaredMeasurement& later) {
  const auto same = std::ranges::find_if(all, [&](const MeasurementSpec& one) {
    return one.kind == later.spec.kind && one.tool == later.spec.tool;
  });
  if (same == all.end()) {
    all.push_back(later.spec);
    return;
  }
  if (later.says_seconds) same->seconds = later.spec.seconds;
  if (later.says_floor) same->min_busbw_gbytes_per_s = later.spec.min_busbw_gbytes_per_s;
  for (const auto& [key, value] : later.spec.options) set_value(same->options, key, value);
}

void merge_check(std::vector<CheckSpec>& all, const DeclaredCheck& later) {
  const auto same = std::ranges::find(all, later.spec.id, &CheckSpec::id);
  if (same == all.end()) {
    all.push_back(later.spec);
    return;
  }
  if (later.says_enabled) same->enabled = later.spec.enabled;
  for (const auto& [key, value] : later.spec.options) set_value(same->options, key, value);
}

void merge_rest(Profile& profile, const ProfileFile& file) {
  if (file.requires_os) profile.requires_os = *file.requires_os;
  if (file.requires_arch) profile.requires_arch = *file.requires_arch;
  if (file.transport) profile.fabric.transport = *file.transport;
  if (file.floor_fraction) {
    profile.fabric.floor_fraction = *file.floor_fraction;
    profile.fabric.floor_given = true;
  }
  if (file.rails_together) profile.fabric.rails_together = *file.rails_together;
  if (file.oversubscription) profile.fabric.oversubscription = *file.oversubscription;
  if (file.hardware) profile.fabric.hardware = *file.hardware;
  for (const auto& measurement : file.measurements)
    merge_measurement(profile.measurements, measurement);
  for (const auto& check : file.checks) merge_check(profile.checks, check);
}

/// The targets of the last file that names any.
std::vector<Mention> targets_of(const std::vector<ProfileFile>& files) {
  std::vector<Mention> targets;
  for (const auto& file : files) {
    if (file.handoff_targets) targets = *file.handoff_targets;
  }
  return targets;
}

}  // namespace

Result<Profile> load_profile(const std::string& name, const fs::path& directory,
                             const Value::Table& vars, const std::vector<std::string>& set,
                             const Schema& schema) {
  const ProfileFiles lookup(directory);
  Complaints complaints;
  Collector collector(lookup, schema, complaints);
  std::vector<ProfileFile> own;  // the includes, then the profile
  if (const auto done = collector.collect(name, {}, {}, own); !done) return fail(done.error());
  if (!own.back().is_profile && complaints.empty()) {
    return fail(
        Fault::usage,
        fmt::format("{} is a component, not a profile: it has no [profile]", own.back().where),
        "`podwright profile list` shows the profiles");
  }

  Profile profile;
  profile.name = own.back().name;
  profile.summary = own.back().summary;
  std::vector<ProfileFile> handed_off;  // the components of the hand-off's targets
  for (const auto& target : targets_of(own)) {
    profile.handoff_targets.push_back(target.name);
    const auto component = schema.handoffs.find(target.name);
    if (component == schema.handoffs.end() || component->second.empty()) continue;
    if (const auto done =
            collector.collect(component->second, target.pos, own.back().root, handed_off);
        !done) {
      return fail(done.error());
    }
  }

  // Their resources come last, but what the profile itself says about them counts.
  std::vector<const ProfileFile*> merge_order;
  std::map<const ProfileFile*, std::size_t> rank;
  for (const auto* files : {&own, &handed_off}) {
    for (const auto& file : *files) {
      rank.emplace(&file, rank.size());
      if (&file != &own.back()) merge_order.push_back(&file);
      profile.files.push_back(file.where);
      profile.files.insert(profile.files.end(), file.texts.begin(), file.texts.end());
    }
  }
  merge_order.push_back(&own.back());

  profile.vars = merge_variables(merge_order, vars, set, complaints);
  profile.unset = take_unset(profile.vars);
  profile.resources =
      merge_resources(merge_order, rank, schema, to_json(Value(profile.vars)), complaints);
  for (const auto* file : merge_order) merge_rest(profile, *file);
  check_required(profile.resources, schema, complaints);
  check_dependencies(profile.resources, complaints);
  if (const auto status = complaints.status(); !status) return fail(status.error());
  return profile;
}

Status require_variables(const Profile& profile) {
  if (profile.unset.empty()) return {};
  std::string missing;
  for (const auto& one : profile.unset) {
    missing += fmt::format("\n  {}: {} ({})", one.name, one.what, one.pos.str());
  }
  return fail(Fault::usage,
              fmt::format("profile {} needs {} that only the site can give:{}", profile.name,
                          count_of(profile.unset.size(), "variable"), missing),
              "set them in [vars] of cluster.toml, or with --set NAME=VALUE");
}

std::vector<std::string> list_profiles() {
  std::vector<std::string> names;
  for (const auto& path : list_assets("profiles")) {
    if (!path.ends_with(".toml")) continue;
    const auto asset = load_asset(path);
    if (!asset) continue;
    const auto document = parse_toml(asset->content, asset->where);
    // One that cannot be read is listed: using it says why.
    if (document && document->find("profile") == nullptr) continue;
    names.push_back(path.substr(9, path.size() - 9 - 5));
  }
  return names;
}

}  // namespace podwright
