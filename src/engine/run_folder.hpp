/// The folder of a run: <state_dir>/runs/<id>/ with events.ndjson, facts.json, plan.json,
/// applied.json, fabric.json, checks.json, handoff.json, report.html.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/json_fwd.hpp"
#include "base/result.hpp"

namespace podwright {

class RunFolder {
 public:
  /// Makes <state_dir>/runs/<time>-<verb>, mode 0700. Ids sort by creation.
  static Result<RunFolder> create(const std::filesystem::path& state_dir, std::string_view verb);
  /// An earlier run by id, by a unique beginning of it, or "latest".
  static Result<RunFolder> open(const std::filesystem::path& state_dir, std::string_view id);
  /// Ids, oldest first.
  static std::vector<std::string> list(const std::filesystem::path& state_dir);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path file(std::string_view name) const { return path_ / name; }

  void remove(std::string_view name) const;
  /// Names of its documents that begin so, sorted.
  [[nodiscard]] std::vector<std::string> documents(std::string_view prefix) const;
  Status save(std::string_view name, const Json& document, OnDisk when = OnDisk::now) const;
  /// The document, or nothing when the run has none of that name.
  [[nodiscard]] Result<std::optional<Json>> load(std::string_view name) const;

 private:
  RunFolder(std::string id, std::filesystem::path path) : id_(std::move(id)), path_(std::move(path)) {}
  std::string id_;
  std::filesystem::path path_;
};

}  // namespace podwright
