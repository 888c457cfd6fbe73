/// Configuration in, model out: cluster.toml and profiles, strict, with file:line:column in every
/// complaint. Nothing here contacts a node.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/node.hpp"
#include "model/profile.hpp"
#include "model/value.hpp"

namespace podwright {

/// A TOML file as a tree of values with positions. `name` stands in messages.
Result<Value> parse_toml(std::string_view text, const std::string& name);

/// cluster.toml: ranges expanded, [ssh] merged into each node, paths resolved against its folder.
/// Refuses unknown keys (with the nearest known one), two nodes of one name, two of one address.
Result<Inventory> load_inventory(const std::filesystem::path& file);

/// The same from a text: `file` need not exist, it names the place and the folder.
Result<Inventory> parse_inventory(std::string_view text, const std::filesystem::path& file);

/// The fields of a resource kind, as the loader needs to check them. The catalog knows the kinds;
/// config may not know the catalog, so the caller passes what it needs.
struct KindSchema {
  std::string kind;
  std::string key;
  struct Field {
    std::string name;
    std::string type;  ///< text | flag | integer | number | list | mode | any
    bool required = false;
    std::vector<std::string> choices;
  };
  std::vector<Field> fields;
};

/// What a profile may refer to.
struct Schema {
  std::vector<KindSchema> kinds;
  std::vector<std::string> measurements;
  /// tool -> the keys of its [[measurement]] besides the common ones; one that is absent takes any
  std::map<std::string, std::vector<KindSchema::Field>> measurement_options;
  std::vector<std::string> checks;
  /// check id -> the keys of its [[check]] besides id and enabled; one that is absent takes any
  std::map<std::string, std::vector<KindSchema::Field>> check_options;
  /// name -> the component that the hand-off target brings ("handoff/slurm"); empty: none
  std::map<std::string, std::string> handoffs;
};

/// A profile with its includes, overrides and variables merged. `name` is a file, or a name looked
/// for below `directory`, `directory`/profiles and the shipped profiles. `vars` are cluster.toml's,
/// `set` the command line's "key=value". Cycles of includes and of `after`, missing includes,
/// unknown keys and wrong types are errors with their place.
///
/// - A component is a profile without [profile]; [component] with a summary is optional.
/// - Includes come first, each once. The components of the hand-off's targets come last, but give way
///   to what the profile itself says.
/// - `names = ["a", "b"]` in place of the key `name` declares a resource for each (`paths`, …).
/// - `template` of a kind with `content` is read into it; `source`, too, with `verbatim` = true: it is
///   not to be rendered.
/// - Names and `after` whose templates need variables only are rendered: ids are what they say.
/// - Everything in `restart_on` counts as `after`, too.
/// - A variable `x = { required = "what it is" }` has no default; until it is set it is in
///   Profile::unset, and texts that need it stay templates.
Result<Profile> load_profile(const std::string& name, const std::filesystem::path& directory,
                             const Value::Table& vars, const std::vector<std::string>& set,
                             const Schema& schema);

/// Whether a profile may be used: an error that names every variable that has to be set first.
Status require_variables(const Profile& profile);

/// Names of the shipped profiles (those with a [profile] table), sorted.
std::vector<std::string> list_profiles();

}  // namespace podwright
