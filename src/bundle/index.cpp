#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/bundle.hpp"

namespace podwright {

namespace {

constexpr int format_version = 1;

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string system_folder(const SystemId& id) { return "systems/" + id.os + "-" + id.version + "-" + id.arch; }

std::map<SystemId, std::map<std::string, std::string>> package_paths(const Lock& lock) {
  std::map<SystemId, std::map<std::string, std::string>> all;
  std::map<std::string, std::string> taken;  // path -> digest
  for (const auto& system : lock.systems) {
    for (const auto& package : system.packages) {
      const auto repo = std::ranges::find(system.repos, package.repo, &LockedRepo::name);
      const bool apt = repo != system.repos.end() && repo->packager == "apt";
      // apt's paths begin at the bundle's root, so that systems share what they have in common; yum's
      // begin at their own repository.
      const auto folder = apt ? "pool/" + package.repo : system_folder(system.id) + "/Packages";
      auto path = folder + "/" + base_name(package.path);
      // Repositories of one name may have, for two systems, different packages of one name.
      const auto place = taken.find(path);
      if (place != taken.end() && place->second != package.sha256) path = fmt::format("{}/{}/{}", folder, package.sha256.substr(0, 16), base_name(package.path));
      taken.emplace(path, package.sha256);
      all[system.id].emplace(package.sha256, path);
    }
  }
  return all;
}

std::string index_text(const BundleIndex& index) {
  Json files = Json::object();
  for (const auto& [path, file] : index.files) {
    files[path] = {{"size", file.size}, {"sha256", file.sha256}};
    if (!file.packed) files[path]["packed"] = false;
  }
  Json document = {{"format", format_version}, {"profile", index.profile}, {"files", files}};
  if (!index.since.empty()) document["since"] = index.since;
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<BundleIndex> parse_index(std::string_view text, const std::string& name) {
  const auto broken = [&](std::string_view why) {
    return fail(Fault::validation, fmt::format("{}: {} {}", name, index_member, why), "it was not written by podwright bundle create, or was tampered with");
  };
  const auto document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return broken("is no JSON");
  if (document.value("format", Json(0)) != Json(format_version)) return broken("has a format that this podwright does not know");
  BundleIndex index;
  const auto profile = document.find("profile");
  const auto since = document.find("since");
  const auto files = document.find("files");
  if (profile == document.end() || !profile->is_string() || files == document.end() || !files->is_object()) return broken("lacks what it has to hold");
  index.profile = profile->get<std::string>();
  if (since != document.end()) {
    if (!since->is_string()) return broken("names what it adds to in a way that cannot be read");
    index.since = since->get<std::string>();
  }
  for (const auto& [path, one] : files->items()) {
    const bool fine = one.is_object() && one.contains("size") && one["size"].is_number_unsigned() && one.contains("sha256") &&
                      one["sha256"].is_string() && is_digest(one["sha256"].get<std::string>()) &&
                      (!one.contains("packed") || one["packed"].is_boolean());
    if (!fine) return broken(fmt::format("does not say size and SHA-256 of \"{}\"", clean_output(path)));
    if (!is_plain_member(path)) return broken(fmt::format("names \"{}\", which would lie outside of the bundle", clean_output(path)));
    index.files[path] = {.size = one["size"].get<std::uint64_t>(), .sha256 = one["sha256"].get<std::string>(),
                         .packed = !one.contains("packed") || one["packed"].get<bool>()};
  }
  return index;
}

}  // namespace podwright
