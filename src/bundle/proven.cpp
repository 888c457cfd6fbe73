#include "bundle/proven.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <ctime>

#include "base/files.hpp"
#include "base/json.hpp"

namespace podwright {

namespace {

/// A file that changed so shortly ago may change again without its times showing it: some kernels count them
/// in hundredths of a second, some file systems in seconds.
constexpr std::time_t settled = 3;

}  // namespace

ProvenFiles::ProvenFiles(std::filesystem::path record) : record_(std::move(record)) {
  const auto text = read_file(record_);
  const auto json = text ? Json::parse(*text, nullptr, false) : Json();
  if (!json.is_object()) return;
  for (const auto& [sha256, state] : json.items()) {
    if (state.is_string()) states_[sha256] = state.get<std::string>();
  }
}

std::string ProvenFiles::state_of(const std::filesystem::path& file) {
  struct stat now {};
  if (::stat(file.c_str(), &now) != 0 || !S_ISREG(now.st_mode)) return "";
  if (std::time(nullptr) - now.st_ctim.tv_sec < settled) return "";
  return fmt::format("{}:{} {} {}.{:09} {}.{:09}", now.st_dev, now.st_ino, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec,
                     now.st_ctim.tv_sec, now.st_ctim.tv_nsec);
}

bool ProvenFiles::knows(const std::filesystem::path& file, const std::string& sha256) const {
  const auto found = states_.find(sha256);
  return found != states_.end() && found->second == state_of(file);
}

void ProvenFiles::note(const std::string& sha256, const std::string& state) {
  if (!state.empty()) states_[sha256] = state;
}

Status ProvenFiles::save() { return write_file(record_, Json(states_).dump(1) + "\n"); }

}  // namespace podwright
