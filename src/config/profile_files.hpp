/// Where profiles, components and templates are found: beside what includes them, beside
/// cluster.toml, shipped.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace podwright {

/// A text that was found.
struct FoundText {
  std::string where;           ///< for messages, and what makes it the same file again
  std::filesystem::path root;  ///< the folder that its name was looked up in; empty: shipped
  std::string content;
};

class ProfileFiles {
 public:
  /// `directory` is the folder of cluster.toml.
  explicit ProfileFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// The profile that the operator named: a file, or a name below `directory`, its profiles/ or
  /// shipped.
  [[nodiscard]] Result<FoundText> profile(const std::string& name) const;
  /// What a file found in `root` includes. A site's own file of that name goes before the shipped
  /// one.
  [[nodiscard]] Result<FoundText> component(const std::string& name,
                                            const std::filesystem::path& root) const;
  /// A template or a source, named by the file `where` that was found in `root`.
  [[nodiscard]] Result<FoundText> text(const std::string& name, const std::filesystem::path& root,
                                       const std::string& where) const;

 private:
  [[nodiscard]] std::vector<std::string> known_names() const;

  std::filesystem::path directory_;
};

}  // namespace podwright
