#include "base/assets.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// Folders that may hold profiles/ and templates/, best first.
std::vector<fs::path> asset_roots() {
  std::vector<fs::path> roots;
  if (const char* given = std::getenv("PODWRIGHT_DATA"); given != nullptr && *given != '\0') {
    roots.emplace_back(given);
  }
  const auto folder = executable_path().parent_path();
  for (const auto& root : {folder, folder.parent_path(), folder.parent_path() / "share/podwright"}) {
    if (fs::is_directory(root / "profiles")) roots.push_back(root);
  }
  return roots;
}

}  // namespace

Result<AssetText> load_asset(std::string_view path) {
  for (const auto& root : asset_roots()) {
    const auto file = root / path;
    if (!fs::is_regular_file(file)) continue;
    auto content = read_file(file);
    if (!content) return fail(content.error());
    return AssetText{file.string(), std::move(*content)};
  }
  for (const auto& asset : embedded_assets()) {
    if (asset.path == path) {
      return AssetText{fmt::format("(built in) {}", path), std::string(asset.content)};
    }
  }
  const auto folder = path.substr(0, path.find('/'));
  return fail(Fault::usage, fmt::format("there is no {}{}", path,
                                        did_you_mean(path, list_assets(folder))));
}

std::vector<std::string> list_assets(std::string_view folder) {
  std::set<std::string> all;
  for (const auto& root : asset_roots()) {
    std::error_code problem;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder, problem)) {
      if (entry.is_regular_file()) all.insert(fs::relative(entry.path(), root).string());
    }
  }
  for (const auto& asset : embedded_assets()) {
    if (asset.path.starts_with(folder) && asset.path.substr(folder.size()).starts_with('/')) {
      all.emplace(asset.path);
    }
  }
  return {all.begin(), all.end()};
}

}  // namespace podwright
