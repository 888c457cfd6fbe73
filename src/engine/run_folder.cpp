#include "engine/run_folder.hpp"
#include "base/json.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// "20260131-120000.123" of "20260131-120000.123-apply".
std::string_view stamp_of(std::string_view id) { return id.substr(0, id.find('-', id.find('-') + 1)); }

/// The time to the millisecond; where the newest id is not older than that (another run began in the same
/// millisecond, or the clock was put back), the newest one's and a digit: ids sort by creation.
std::string stamp_behind(const std::vector<std::string>& ids) {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  auto stamp = fmt::format("{}.{:03}", utc_compact(now), ms);
  if (ids.empty() || stamp_of(ids.back()) < stamp) return stamp;
  return std::string(stamp_of(ids.back())) + "1";
}

}  // namespace

Result<RunFolder> RunFolder::create(const fs::path& state_dir, std::string_view verb) {
  const auto runs = state_dir / "runs";
  if (auto made = make_directories(runs, 0700); !made) return fail(made.error());
  for (int attempt = 1; attempt < 1000; ++attempt) {
    const auto id = fmt::format("{}-{}", stamp_behind(list(state_dir)), verb);
    if (::mkdir((runs / id).c_str(), 0700) == 0) return RunFolder(id, runs / id);
    if (errno != EEXIST) break;
  }
  return fail(Fault::internal, fmt::format("cannot make a folder for this run in {}", runs.string()),
              "check the permissions of state_dir");
}

std::vector<std::string> RunFolder::list(const fs::path& state_dir) {
  std::vector<std::string> ids;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(state_dir / "runs", problem)) {
    if (entry.is_directory()) ids.push_back(entry.path().filename().string());
  }
  std::ranges::sort(ids);
  return ids;
}

Result<RunFolder> RunFolder::open(const fs::path& state_dir, std::string_view id) {
  const auto ids = list(state_dir);
  if (ids.empty()) {
    return fail(Fault::usage, fmt::format("no run is recorded in {}", state_dir.string()),
                "run `podwright up` first");
  }
  if (id == "latest") return RunFolder(ids.back(), state_dir / "runs" / ids.back());
  std::vector<std::string> matching;
  for (const auto& one : ids) {
    if (one == id) return RunFolder(one, state_dir / "runs" / one);
    if (one.starts_with(id)) matching.push_back(one);
  }
  if (matching.size() == 1) return RunFolder(matching[0], state_dir / "runs" / matching[0]);
  return fail(Fault::usage,
              matching.empty() ? fmt::format("there is no run \"{}\"{}", id, did_you_mean(id, ids))
                               : fmt::format("\"{}\" may mean {}", id, human_list(matching)),
              "`podwright report --list` shows the runs");
}

void RunFolder::remove(std::string_view name) const {
  std::error_code ignored;
  fs::remove(path_ / name, ignored);
}

std::vector<std::string> RunFolder::documents(std::string_view prefix) const {
  std::vector<std::string> names;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(path_, problem)) {
    auto name = entry.path().filename().string();
    if (name.starts_with(prefix)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

Status RunFolder::save(std::string_view name, const Json& document, OnDisk when) const {
  return write_file(path_ / name, document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n",
                    0600, when);
}

Result<std::optional<Json>> RunFolder::load(std::string_view name) const {
  if (!fs::exists(path_ / name)) return std::nullopt;
  const auto text = read_file(path_ / name);
  if (!text) return fail(text.error());
  auto document = Json::parse(*text, nullptr, false);
  if (document.is_discarded()) {
    return fail(Fault::internal, fmt::format("{} is not JSON", (path_ / name).string()),
                "the file was cut short or edited");
  }
  return document;
}

}  // namespace podwright
