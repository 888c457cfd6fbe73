#include "config/os_release.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/assets.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/reader.hpp"
#include "render/render.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

constexpr const char* folder = "distributions";

/// A file of the folder: the site's, else the shipped one.
Result<AssetText> find_text(const std::string& name, const fs::path& directory) {
  const auto own = directory / folder / name;
  std::error_code ignored;
  if (fs::exists(own, ignored)) {
    auto content = read_file(own);
    if (!content) return fail(content.error());
    return AssetText{.where = own.string(), .content = std::move(*content)};
  }
  return load_asset(std::string(folder) + "/" + name);
}

std::vector<std::string> known_systems(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& path : list_assets(folder)) {
    const fs::path file(path);
    if (file.extension() == ".toml") names.push_back(file.stem().string());
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory / folder, ignored)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::map<std::string, std::string> text_map(TableReader& table, std::string_view key) {
  std::map<std::string, std::string> all;
  const auto* entries = table.table(key);
  if (entries == nullptr) return all;
  for (const auto& [name, value] : *entries) {
    if (value.text() == nullptr) table.complain(key, fmt::format("{} has to be a text", name));
    else all[name] = *value.text();
  }
  return all;
}

struct Reader {
  const AssetText& file;
  const fs::path& directory;
  const Json& context;
  Complaints& complaints;

  std::vector<std::string> rendered(TableReader& table, std::string_view key) {
    auto all = table.texts(key).value_or(std::vector<std::string>{});
    for (auto& one : all) {
      auto text = render::text(one, context, file.where);
      if (text) one = std::move(*text);
      else table.complain(key, text.error().what);
    }
    return all;
  }

  RepoSpec repo(const Value& value, const std::string& packager) {
    TableReader table(value, "[[repo]]", complaints);
    RepoSpec spec{.name = table.text("name").value_or(""), .packager = packager, .uris = rendered(table, "uris")};
    spec.suites = rendered(table, "suites");
    spec.components = rendered(table, "components");
    spec.check_signature = !table.flag("trusted").value_or(false);
    spec.check_valid_until = table.flag("check_valid_until").value_or(true);
    spec.priority = static_cast<int>(table.integer("priority").value_or(500));
    if (const auto keys = table.text("keys")) {
      if (keys->find("-----BEGIN") != std::string::npos) {
        spec.keys = *keys;
      } else {
        auto text = find_text(*keys, directory);
        if (text) spec.keys = std::move(text->content);
        else table.complain("keys", text.error().what);
      }
    }
    if (spec.name.empty()) table.complain("name", "[[repo]] has no name");
    if (spec.uris.empty()) table.complain("uris", "[[repo]] has no uris");
    if (packager == "apt" && spec.suites.empty()) table.complain("suites", "[[repo]] has no suites");
    if (packager == "apt" && spec.components.empty() && !std::ranges::all_of(spec.suites, [](const auto& s) { return s.ends_with('/'); })) {
      spec.components = {"main"};
    }
    if (spec.keys.empty() && spec.check_signature) {
      table.complain("keys", "[[repo]] has no keys to check its signature with; trusted = true takes it unchecked");
    }
    table.refuse_the_rest();
    return spec;
  }
};

}  // namespace

Result<OsRelease> load_os_release(const SystemId& wanted, const fs::path& directory) {
  const auto known = known_systems(directory);
  const auto file = find_text(wanted.os + ".toml", directory);
  if (!file || wanted.os.find('/') != std::string::npos) {
    return fail(Fault::usage, fmt::format("where the packages of \"{}\" come from is not known{}", wanted.os, did_you_mean(wanted.os, known)),
                fmt::format("known are {}; write {}/{}.toml beside cluster.toml for another", human_list(known), folder, wanted.os));
  }
  const auto root = parse_toml(file->content, file->where);
  if (!root) return fail(root.error());
  Complaints complaints;
  TableReader top(*root, "the file", complaints);
  const auto* head = top.any("distribution");
  if (head == nullptr) return fail(Fault::usage, file->where + " has no [distribution]", "see distributions/debian.toml");
  TableReader table(*head, "[distribution]", complaints);
  OsRelease found{.id = wanted, .codename = {}, .packager = table.text("packager").value_or("apt"), .arch = {}, .minimal = {}, .repos = {}};
  (void)table.text("os");
  if (found.packager != "apt" && found.packager != "rpm") table.complain("packager", "packager is apt or rpm");
  const auto arches = text_map(table, "architectures");
  const auto versions = text_map(table, "versions");
  found.minimal = table.texts("minimal").value_or(std::vector<std::string>{});
  table.refuse_the_rest();

  // x86_64 or amd64: people know either.
  for (const auto& [kernel, own] : arches) {
    if (wanted.arch != kernel && wanted.arch != own) continue;
    found.id.arch = kernel;
    found.arch = own;
  }
  if (found.arch.empty()) {
    std::vector<std::string> names;
    for (const auto& [kernel, own] : arches) names.push_back(own);
    return fail(Fault::usage, fmt::format("{} has no architecture \"{}\"{}", wanted.os, wanted.arch, did_you_mean(wanted.arch, names)),
                "there are " + human_list(names));
  }
  // 9.4 is a 9.
  auto release = versions.find(wanted.version);
  if (release == versions.end()) release = versions.find(wanted.version.substr(0, wanted.version.find('.')));
  if (release == versions.end()) {
    std::vector<std::string> names;
    for (const auto& [version, codename] : versions) names.push_back(version);
    return fail(Fault::usage, fmt::format("{} knows no version \"{}\"", file->where, wanted.version),
                fmt::format("there are {}; add it to `versions`", human_list(names)));
  }
  found.codename = release->second;

  const Json context = {{"codename", found.codename}, {"version", release->first}, {"arch", found.arch}, {"kernel_arch", found.id.arch}};
  Reader reader{*file, directory, context, complaints};
  for (const auto* one : top.tables("repo")) found.repos.push_back(reader.repo(*one, found.packager));
  top.refuse_the_rest();
  if (auto fine = complaints.status(); !fine) return fail(fine.error());
  return found;
}

Result<OsRelease> load_os_release(const std::string& id, const fs::path& directory) {
  const auto parts = split(id, ':');
  if (parts.size() != 3 || parts[0].empty() || parts[1].empty() || parts[2].empty()) {
    return fail(Fault::usage, fmt::format("\"{}\" is not ID:VERSION:ARCH", id), "for example debian:12:amd64");
  }
  return load_os_release(SystemId{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])}, directory);
}

}  // namespace podwright
