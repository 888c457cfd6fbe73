/// Files that must be refused: each says in its first comments how, "# expect: words of the
/// message".
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace podwright {

struct BadFile {
  std::filesystem::path file;
  std::vector<std::string> expected;
};

inline std::vector<BadFile> bad_files(const std::filesystem::path& folder) {
  std::vector<BadFile> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    BadFile one{.file = entry.path(), .expected = {}};
    std::ifstream in(entry.path());
    const std::string mark = "# expect: ";
    for (std::string line; std::getline(in, line) && line.starts_with(mark);) {
      one.expected.push_back(line.substr(mark.size()));
    }
    all.push_back(one);
  }
  return all;
}

}  // namespace podwright
