/// Files from the net: side by side, resumed, retried, and never taken for good before their SHA-256
/// is what was asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace podwright {

struct Download {
  std::string url;             ///< http, https or file
  std::filesystem::path path;  ///< where it is put; its parents are made
  std::string sha256;          ///< 64 hex digits; empty: whatever comes
  /// The file at `path`, when there is one, is kept unless the server has a newer one.
  bool if_newer = false;
  /// A server that sends more is cut off; 0: however much it is.
  std::uint64_t most_bytes = 0;
};

struct DownloadOptions {
  std::size_t side_by_side = 4;
  int attempts = 4;           ///< of each file; what cannot get better (404, refused TLS) is tried once
  Millis first_wait{500};     ///< before the second attempt; doubles from one to the next
  Millis connect_timeout{15000};
  Millis stall_timeout{30000};  ///< nothing has arrived for so long
  std::stop_token stop{};
  /// Hears how far each file is; `total` is 0 where the server does not say.
  std::function<void(const Download&, std::uint64_t done, std::uint64_t total)> progress{};
};

/// Fetches all of them; the answer holds those that failed, by URL, and why. A file that is there
/// already with its digest is not fetched again. A transfer that was cut off leaves `path`.part, from
/// where the next attempt, or the next run, goes on; proxies are those of the environment
/// (https_proxy, no_proxy).
std::map<std::string, Error> download(const std::vector<Download>& files,
                                      const DownloadOptions& options = {});

}  // namespace podwright
