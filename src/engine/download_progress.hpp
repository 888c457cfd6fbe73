/// What downloads tell the event stream.
#pragma once

#include <functional>
#include <string>

#include "events/events.hpp"
#include "repo/download.hpp"

namespace podwright {

/// For DownloadOptions::progress: moves the bar of `phase` for each of `files` that is whole, and tells of every
/// tenth of one that is large: the bar of many files would not move for it. Where nobody knows how many there
/// will be (0), the bar stands, and only files worth waiting for are told. The bus has to outlive it.
std::function<void(const Download&, std::uint64_t, std::uint64_t)> download_progress(events::Bus& bus, std::string phase, std::size_t files);

}  // namespace podwright
