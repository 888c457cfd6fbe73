/// Which files were read and found right, as they are now: what nobody has touched since need not be read twice.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.hpp"

namespace podwright {

/// A record in the cache, as make and git keep one: a file is known again by its place, its size and its times.
/// The time of its last change (ctime) moves with every write, and nobody can set it back.
class ProvenFiles {
 public:
  /// One that is damaged or not there is an empty one.
  explicit ProvenFiles(std::filesystem::path record);

  /// Whether the file was proven to have this digest, and is as it was then.
  [[nodiscard]] bool knows(const std::filesystem::path& file, const std::string& sha256) const;
  /// How the file is now: to be asked before it is read.
  [[nodiscard]] static std::string state_of(const std::filesystem::path& file);
  /// It had this digest in that state.
  void note(const std::string& sha256, const std::string& state);
  /// Writes the record for the next time.
  Status save();

 private:
  std::filesystem::path record_;
  std::map<std::string, std::string> states_;  ///< by SHA-256
};

}  // namespace podwright
