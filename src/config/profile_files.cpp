#include "config/profile_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/assets.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

bool is_file(const fs::path& path) {
  std::error_code problem;
  return fs::is_regular_file(path, problem);
}

Result<FoundText> read(const fs::path& file, const fs::path& root) {
  auto content = read_file(file);
  if (!content) {
    auto error = content.error();
    error.fault = Fault::usage;
    return fail(std::move(error));
  }
  return FoundText{
      .where = file.lexically_normal().string(), .root = root, .content = std::move(*content)};
}

bool is_asset(const std::string& path) {
  const auto folder = path.substr(0, path.find('/'));
  const auto all = list_assets(folder);
  return std::ranges::find(all, path) != all.end();
}

Result<FoundText> read_asset(const std::string& path) {
  auto asset = load_asset(path);
  if (!asset) return fail(asset.error());
  return FoundText{
      .where = std::move(asset->where), .root = {}, .content = std::move(asset->content)};
}

/// "profiles/base/hpc-node.toml" -> "base/hpc-node"
std::string bare(std::string_view path) {
  if (path.starts_with("profiles/")) path.remove_prefix(9);
  if (path.ends_with(".toml")) path.remove_suffix(5);
  return std::string(path);
}

}  // namespace

std::vector<std::string> ProfileFiles::known_names() const {
  std::set<std::string> names;
  for (const auto& path : list_assets("profiles")) {
    if (path.ends_with(".toml")) names.insert(bare(path));
  }
  std::error_code problem;
  const auto own = directory_ / "profiles";
  for (auto entry = fs::recursive_directory_iterator(own, problem);
       !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    if (entry->path().extension() == ".toml")
      names.insert(bare(entry->path().lexically_relative(own).string()));
  }
  return {names.begin(), names.end()};
}

Result<FoundText> ProfileFiles::profile(const std::string& name) const {
  const auto given = expand_home(name);
  if (name.ends_with(".toml") || given.is_absolute()) {
    for (const auto& file : {directory_ / given, given}) {
      if (is_file(file)) return read(file, file.parent_path());
    }
    return fail(Fault::usage, fmt::format("there is no profile file {}", name));
  }
  return component(name, {});
}

Result<FoundText> ProfileFiles::component(const std::string& name, const fs::path& root) const {
  const auto file_name = name.ends_with(".toml") ? name : name + ".toml";
  std::vector<fs::path> roots;
  if (!root.empty()) roots.push_back(root);
  roots.push_back(directory_);
  roots.push_back(directory_ / "profiles");
  for (const auto& folder : roots) {
    if (is_file(folder / file_name)) return read(folder / file_name, folder);
  }
  if (is_asset("profiles/" + file_name)) return read_asset("profiles/" + file_name);
  return fail(Fault::usage,
              fmt::format("there is no profile or component \"{}\"{}", name,
                          did_you_mean(name, known_names())),
              "`podwright profile list` shows what there is");
}

Result<FoundText> ProfileFiles::text(const std::string& name, const fs::path& root,
                                     const std::string& where) const {
  const auto given = expand_home(name);
  std::vector<fs::path> candidates;
  if (given.is_absolute()) {
    candidates.push_back(given);
  } else {
    if (!root.empty()) {
      candidates.push_back(fs::path(where).parent_path() / name);
      candidates.push_back(root / name);
      candidates.push_back(root / "templates" / name);
      candidates.push_back(root.parent_path() / "templates" / name);
    }
    candidates.push_back(directory_ / "templates" / name);
    candidates.push_back(directory_ / name);
  }
  for (const auto& file : candidates) {
    if (is_file(file)) return read(file, file.parent_path());
  }
  if (!given.is_absolute() && is_asset("templates/" + name)) return read_asset("templates/" + name);
  std::vector<std::string> known;
  for (const auto& path : list_assets("templates")) known.push_back(path.substr(10));
  return fail(Fault::usage,
              fmt::format("there is no file \"{}\"{}", name, did_you_mean(name, known)));
}

}  // namespace podwright
