#include "config/lock_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/reader.hpp"

namespace podwright {

namespace {

constexpr std::int64_t format_version = 1;

/// JSON's escapes are TOML's.
std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  std::ranges::transform(texts, std::back_inserter(all), [](const std::string& text) { return quoted(text); });
  return "[" + join(all, ", ") + "]";
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// What becomes part of paths and URLs may not lead out of them.
bool is_plain_path(const std::string& path) {
  return !path.empty() && path.front() != '/' && std::ranges::none_of(split(path, '/'), [](auto part) { return part == ".."; });
}

std::string required(TableReader& table, std::string_view key) {
  auto text = table.text(key);
  if (!text) table.complain(key, fmt::format("{} is missing in {}", key, table.where()));
  return text.value_or("");
}

LockedPackage read_package(const Value& value, Complaints& complaints) {
  TableReader table(value, "a package", complaints);
  LockedPackage package{.name = required(table, "name"),
                        .version = required(table, "version"),
                        .arch = required(table, "arch"),
                        .repo = required(table, "repo"),
                        .path = required(table, "path"),
                        .size = 0,
                        .sha256 = required(table, "sha256")};
  const auto size = table.integer("size").value_or(-1);
  if (size < 0) table.complain("size", "size has to be the number of bytes");
  else package.size = static_cast<std::uint64_t>(size);
  if (!is_digest(package.sha256)) table.complain("sha256", "sha256 has to be 64 hex digits");
  if (!is_plain_path(package.path)) table.complain("path", "path has to stay inside of its repository");
  table.refuse_the_rest();
  return package;
}

LockedSystem read_system(const Value& value, Complaints& complaints) {
  TableReader table(value, "[[system]]", complaints);
  LockedSystem system;
  const auto id = required(table, "id");
  const auto parts = split(id, ':');
  if (parts.size() != 3) table.complain("id", "id has to be ID:VERSION:ARCH");
  else system.id = {std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
  system.base = required(table, "base");
  for (const auto* one : table.tables("repos")) {
    TableReader repo(*one, "a repository", complaints);
    system.repos.push_back({.name = required(repo, "name"),
                            .packager = required(repo, "packager"),
                            .uris = repo.texts("uris").value_or(std::vector<std::string>{}),
                            .suites = repo.texts("suites").value_or(std::vector<std::string>{}),
                            .components = repo.texts("components").value_or(std::vector<std::string>{}),
                            .signed_by = repo.texts("signed_by").value_or(std::vector<std::string>{})});
    repo.refuse_the_rest();
  }
  for (const auto* one : table.tables("sets")) {
    TableReader set(*one, "a set", complaints);
    system.sets.push_back({.name = required(set, "name"), .packages = set.texts("packages").value_or(std::vector<std::string>{})});
    set.refuse_the_rest();
  }
  for (const auto* one : table.tables("takes")) {
    TableReader taken(*one, "a package of the base", complaints);
    system.takes.push_back({.name = required(taken, "name"), .version = required(taken, "version"), .provides = taken.text("provides").value_or("")});
    taken.refuse_the_rest();
  }
  for (const auto* one : table.tables("packages")) {
    system.packages.push_back(read_package(*one, complaints));
    const auto& package = system.packages.back();
    if (std::ranges::find(system.repos, package.repo, &LockedRepo::name) == system.repos.end()) {
      complaints.add(one->pos, fmt::format("{} comes from \"{}\", which is none of the repos", package.name, package.repo));
    }
  }
  table.refuse_the_rest();
  return system;
}

}  // namespace

std::string lock_text(const Lock& lock) {
  std::string text =
      "# Written by `podwright lock`: the exact packages and files that the profile comes to.\n"
      "# Read it as a diff; make it anew rather than change it by hand.\n";
  text += fmt::format("format = {}\nprofile = {}\n", format_version, quoted(lock.profile));
  for (const auto& system : lock.systems) {
    text += fmt::format("\n[[system]]\nid = {}\nbase = {}\n", quoted(system.id.str()), quoted(system.base));
    text += "repos = [\n";
    for (const auto& repo : system.repos) {
      text += fmt::format("  {{ name = {}, packager = {}, uris = {}", quoted(repo.name), quoted(repo.packager), quoted(repo.uris));
      if (!repo.suites.empty()) text += ", suites = " + quoted(repo.suites);
      if (!repo.components.empty()) text += ", components = " + quoted(repo.components);
      text += fmt::format(", signed_by = {} }},\n", quoted(repo.signed_by));
    }
    text += "]\n# What each kind of node installs.\nsets = [\n";
    for (const auto& set : system.sets) text += fmt::format("  {{ name = {}, packages = {} }},\n", quoted(set.name), quoted(set.packages));
    text += "]\n";
    if (!system.takes.empty()) {
      text += "# What the packages need of the nodes, which have it.\ntakes = [\n";
      for (const auto& one : system.takes) {
        text += fmt::format("  {{ name = {}, version = {}", quoted(one.name), quoted(one.version));
        if (!one.provides.empty()) text += ", provides = " + quoted(one.provides);
        text += " },\n";
      }
      text += "]\n";
    }
    text += "packages = [\n";
    for (const auto& one : system.packages) {
      text += fmt::format("  {{ name = {}, version = {}, arch = {}, repo = {}, size = {}, sha256 = {}, path = {} }},\n",
                          quoted(one.name), quoted(one.version), quoted(one.arch), quoted(one.repo), one.size,
                          quoted(one.sha256), quoted(one.path));
    }
    text += "]\n";
  }
  for (const auto& file : lock.files) {
    text += fmt::format("\n[[file]]\nsource = {}\nsha256 = {}\nneeded_by = {}\n", quoted(file.source), quoted(file.sha256), quoted(file.needed_by));
  }
  return text;
}

Result<Lock> parse_lock(std::string_view text, const std::string& name) {
  const auto root = parse_toml(text, name);
  if (!root) return fail(root.error());
  Complaints complaints;
  TableReader table(*root, "the lock", complaints);
  Lock lock;
  if (const auto format = table.integer("format"); format != format_version) {
    return fail(Fault::usage, fmt::format("{} is no lock that this podwright can read (format {})", name, format.value_or(0)),
                "make it anew: podwright lock");
  }
  lock.profile = required(table, "profile");
  for (const auto* one : table.tables("system")) lock.systems.push_back(read_system(*one, complaints));
  for (const auto* one : table.tables("file")) {
    TableReader file(*one, "[[file]]", complaints);
    lock.files.push_back({.source = required(file, "source"), .sha256 = required(file, "sha256"),
                          .needed_by = file.texts("needed_by").value_or(std::vector<std::string>{})});
    if (!is_digest(lock.files.back().sha256)) file.complain("sha256", "sha256 has to be 64 hex digits");
    file.refuse_the_rest();
  }
  table.refuse_the_rest();
  if (auto fine = complaints.status(); !fine) return fail(fine.error());
  return lock;
}

}  // namespace podwright
