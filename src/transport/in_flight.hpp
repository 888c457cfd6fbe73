/// How much an upload has under way on one SSH channel.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace podwright {

/// OpenSSH's sshd keeps what its command has not read yet in one buffer, and moves all of it whenever some of it was
/// read: with the whole window of 2 MB in there, that takes three times as long as anything else of an upload (20 MB
/// to one node: 1.1 s, and 0.36 s with 256 KB under way; tests/bench/upload). So no more of the window is used than
/// the way there and back needs.
class InFlight {
 public:
  /// `round_trip`: the shortest to this node; nothing where it is not known: all of the window is used.
  explicit InFlight(std::optional<std::chrono::microseconds> round_trip) : most_(round_trip ? most_for(*round_trip) : all) {}

  /// How many bytes may be sent now, of a window that has room for so many.
  std::uint32_t room(std::uint32_t window, std::chrono::steady_clock::time_point now) {
    widest_ = std::max(widest_, window);
    if (window != window_) {
      window_ = window;
      moved_ = now;
    }
    const auto used = widest_ - window;
    // A server may say that it has read something only once it was more than this.
    if (used >= most_ && now - moved_ >= patience) {
      most_ = most_ > all / 2 ? all : 2 * most_;
      moved_ = now;
    }
    return used >= most_ ? 0 : std::min(window, most_ - used);
  }

 private:
  static constexpr std::uint32_t all = UINT32_MAX;
  /// sshd tells what it has read once that is more than 96 KB, three packets.
  static constexpr std::uint32_t least = std::uint32_t{256} << 10U;
  /// What a core on either side enciphers and moves at most, in bytes a microsecond.
  static constexpr std::uint32_t fastest = 500;
  static constexpr std::chrono::milliseconds patience{250};

  static std::uint32_t most_for(std::chrono::microseconds round_trip) {
    const auto on_its_way = std::clamp<std::int64_t>(round_trip.count(), 0, 1'000'000) * fastest;
    return static_cast<std::uint32_t>(least + on_its_way);
  }

  std::uint32_t most_;
  std::uint32_t widest_ = 0;
  std::uint32_t window_ = 0;
  std::chrono::steady_clock::time_point moved_;
};

/// The shortest round trip on a TCP connection that the kernel has seen; nothing on what is none.
std::optional<std::chrono::microseconds> shortest_round_trip(int socket);

}  // namespace podwright
