#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/schema.hpp"
#include "config/config.hpp"
#include "config/json.hpp"
#include "engine/capture.hpp"
#include "engine/planner.hpp"

namespace podwright::cli {

namespace {

struct Options {
  std::vector<std::string> names;
  std::string out;
  bool force = false;
};

/// The profile that is meant: the one named, else --profile, else cluster.toml's. A cluster.toml that
/// is there brings its variables; none is needed for a name.
Result<Profile> load(App& app, const Options& options) {
  std::filesystem::path directory = ".";
  Value::Table vars;
  std::string name = options.names.empty() ? app.globals().profile : options.names.front();
  if (app.globals().cluster_given || name.empty() || std::filesystem::exists(app.globals().cluster)) {
    const auto inventory = app.inventory();
    if (!inventory) return fail(inventory.error());
    directory = (*inventory)->directory;
    if (name.empty()) name = (*inventory)->profile;
    // Another profile than the cluster's need not know the cluster's variables.
    if (name == (*inventory)->profile) vars = (*inventory)->vars;
  }
  auto loaded = load_profile(name, directory, vars, app.globals().set, catalog_schema());
  if (!loaded) {
    loaded.error().fault = Fault::usage;
    return fail(loaded.error());
  }
  return loaded;
}

Result<Outcome> list(App& app) {
  Table table({"profile", "summary"});
  Json all = Json::array();
  for (const auto& name : list_profiles()) {
    const auto profile = load_profile(name, ".", {}, {}, catalog_schema());
    const auto summary = profile ? profile->summary : "cannot be loaded: " + profile.error().what;
    table.add({name, summary});
    all.push_back({{"name", name}, {"summary", summary}, {"valid", profile.has_value()}});
  }
  return Outcome{.document = {{"profiles", all}}, .text = table.text(app.width(), 0, app.style())};
}

/// "[templates/x.conf]" of a value that is a text of many lines would drown the rest.
std::string shown(const Value& value) {
  const auto* text = value.text();
  if (text != nullptr) {
    if (text->find('\n') != std::string::npos) return fmt::format("({} lines)", lines(*text).size());
    return Json(*text).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return to_json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Shipped files are named by their path alone; the list of files says where each is.
std::string place(const SourcePos& pos) {
  constexpr std::string_view kBuiltIn = "(built in) ";
  auto text = pos.str();
  return text.starts_with(kBuiltIn) ? text.substr(kBuiltIn.size()) : text;
}

Json with_places(const Value::Table& table) {
  Json json = Json::object();
  for (const auto& [key, value] : table) json[key] = {{"value", to_json(value)}, {"from", value.pos.str()}};
  return json;
}

Result<Outcome> show(App& app, const Options& options) {
  const auto profile = load(app, options);
  if (!profile) return fail(profile.error());
  const auto style = app.style();
  Outcome outcome;
  outcome.text = style.bold(profile->name) + "  " + profile->summary + "\n";
  if (!profile->requires_os.empty()) outcome.text += "for " + human_list(profile->requires_os) + "\n";
  outcome.text += "made of\n";
  for (const auto& file : profile->files) outcome.text += "  " + file + "\n";
  if (!profile->vars.empty()) {
    Table table({"variable", "value", "from"});
    for (const auto& [key, value] : profile->vars) table.add({key, shown(value), place(value.pos)});
    outcome.text += "\n" + table.text(app.width(), 0, style);
  }
  Json unset = Json::array();
  for (const auto& one : profile->unset) {
    if (unset.empty()) outcome.text += "\nto be set in cluster.toml [vars]\n";
    outcome.text += paragraph(fmt::format("{}: {} ({})", one.name, one.what, place(one.pos)), app.width(), 2);
    unset.push_back({{"name", one.name}, {"what", one.what}, {"from", one.pos.str()}});
  }
  Json resources = Json::array();
  for (const auto& resource : profile->resources) {
    outcome.text += fmt::format("\n{}  {}{}\n", style.bold(resource.id()), join(resource.roles, ","),
                                resource.when.empty() ? "" : "  when " + resource.when);
    Table table({"", "", ""});
    for (const auto& [key, value] : resource.fields) table.add({key, shown(value), place(value.pos)});
    outcome.text += table.text(app.width(), 2);
    resources.push_back({{"id", resource.id()}, {"component", resource.component}, {"roles", resource.roles},
                         {"when", resource.when}, {"fields", with_places(resource.fields)}});
  }
  Json measurements = Json::array();
  for (const auto& one : profile->measurements) {
    measurements.push_back({{"kind", one.kind}, {"tool", one.tool}, {"seconds", one.seconds}, {"from", one.pos.str()}});
  }
  outcome.text += fmt::format("\nhand-off: {}\n", profile->handoff_targets.empty() ? "none" : human_list(profile->handoff_targets, 20));
  outcome.document = {{"name", profile->name}, {"summary", profile->summary}, {"files", profile->files},
                      {"requires", {{"os", profile->requires_os}, {"arch", profile->requires_arch}}},
                      {"vars", with_places(profile->vars)}, {"unset", unset}, {"resources", resources},
                      {"measurements", measurements}, {"handoff", profile->handoff_targets}};
  return outcome;
}

Result<Outcome> validate(App& app, const Options& options) {
  const auto profile = load(app, options);
  if (!profile) return fail(profile.error());
  if (auto complete = require_variables(*profile); !complete) return fail(complete.error());
  if (auto compatible = check_compatibility(*profile); !compatible) return fail(compatible.error());
  return Outcome{.document = {{"name", profile->name}, {"valid", true}, {"resources", profile->resources.size()}},
                 .text = fmt::format("{} is valid: {} from {}\n", profile->name, count_of(profile->resources.size(), "resource"),
                                     count_of(profile->files.size(), "file"))};
}

/// The node that is captured: its name is an argument, so that --nodes is for other verbs.
Result<Outcome> capture(App& app, const Options& options) {
  const auto& node = options.names.front();
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  if ((*inventory)->find(node) == nullptr) {
    return fail(Fault::usage,
                fmt::format("there is no node \"{}\"{}", node, did_you_mean(node, (*inventory)->names())),
                "name one of cluster.toml's nodes");
  }
  const std::filesystem::path file = options.out.empty() ? node + ".toml" : options.out;
  const auto folder = file.parent_path();
  const auto name = file.stem().string();
  if (std::filesystem::exists(file) && !options.force) {
    return fail(Fault::usage, file.string() + " exists already", "choose another with --out, or overwrite it with --force");
  }
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  app.keep_only({node});
  const auto captured = capture_profile(**opened, node, name);
  if (!captured) return fail(captured.error());
  std::filesystem::remove_all(folder / (name + ".files"));
  for (const auto& [path, content] : captured->files) {
    if (auto made = make_directories((folder / path).parent_path()); !made) return fail(made.error());
    if (auto written = write_file(folder / path, content); !written) return fail(written.error());
  }
  if (auto written = write_file(file, captured->toml); !written) return fail(written.error());

  Outcome outcome{.document = {{"file", file.string()}, {"files", captured->files.size()}, {"left_out", captured->left_out}}};
  outcome.text = fmt::format("wrote {} with {}\n", file.string(), count_of(captured->files.size(), "file"));
  if (!captured->left_out.empty()) outcome.text += "left out\n";
  for (const auto& one : captured->left_out) outcome.text += paragraph(one, app.width(), 2);
  outcome.text += fmt::format("next: read it, then `{}` must find nothing to do\n",
                              next_command(app, fmt::format("plan -n {} --profile {}", node, file.string())));
  return outcome;
}

}  // namespace

Command profile_command() {
  auto options = std::make_shared<Options>();
  const Positionals one{.usage = "[NAME|FILE]", .help = "a profile; by default the one of cluster.toml", .least = 0,
                        .most = 1, .into = &options->names, .completes = Completes::profile};
  return {.name = "profile",
          .group = "Decide and install",
          .summary = "the profiles: what nodes should be",
          .details = "Profiles are TOML files made of components. A NAME is looked for beside cluster.toml, in its "
                     "profiles folder and among those that come with podwright. Only capture contacts a node.",
          .commands = {
              {.name = "list", .summary = "the profiles that come with podwright",
               .details = "Names and summaries of the shipped profiles.",
               .examples = {{"podwright profile list", "what there is to choose from"}}, .run = list},
              {.name = "show", .summary = "a profile's resources, and which file set each value",
               .details = "Every variable and every field of every resource after includes, overrides and --set, with "
                          "the file and line that set it.",
               .positionals = one,
               .examples = {{"podwright profile show debian12-slurm-cpu --set slurm_partition=train",
                             "with a variable changed"}},
               .run = [options](App& app) { return show(app, *options); }},
              {.name = "validate", .summary = "check a profile without contacting any node",
               .details = "Loads the profile strictly: unknown keys, wrong types, cycles and missing files are told "
                          "with file, line and column.",
               .positionals = one,
               .examples = {{"podwright profile validate ./mine.toml", "before it is used"}},
               .run = [options](App& app) { return validate(app, *options); }},
              {.name = "capture", .summary = "write a profile from a golden node",
               .details = "Reads what was installed, configured, enabled and created on a node beyond its "
                          "distribution, and writes a profile that plans to nothing on it and makes an empty node "
                          "like it: packages with their versions, configuration files that no package brought or "
                          "not like this, units, services, accounts, kernel settings, remote mounts. Files lie "
                          "beside the profile. What may be a secret is left out and named.",
               .options = {text_option("-o,--out", "FILE", "the profile (default: NODE.toml)", options->out, Completes::file),
                           flag("--force", "overwrite a file that exists", options->force)},
               .positionals = {.usage = "NODE", .help = "the golden node", .least = 1, .most = 1, .into = &options->names},
               .examples = {{"podwright profile capture cu01 -o gold.toml", "a profile like cu01"}},
               .exits = {kNodesFailed},
               .run = [options](App& app) { return capture(app, *options); }}}};
}

}  // namespace podwright::cli
