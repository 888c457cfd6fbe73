/// A rate limit: how many bytes may go now.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace podwright::relay {

class Pace {
 public:
  /// Bytes a second; 0: no limit.
  explicit Pace(std::uint64_t rate) : rate_(static_cast<double>(rate)), crumb_(std::min(rate_ * 0.01, 16384.0)) {}

  /// How many of so many. What is not used up within 100 ms is lost. No crumbs: whoever asks again as soon as it has
  /// sent some bytes would go on in packets of some bytes.
  std::uint64_t allow(std::uint64_t bytes) {
    if (rate_ == 0) return bytes;
    const auto now = std::chrono::steady_clock::now();
    allowance_ += std::chrono::duration<double>(now - std::exchange(filled_, now)).count() * rate_;
    allowance_ = std::min(allowance_, std::max(rate_ * 0.1, 1.0));
    const auto least = std::max(std::min(crumb_, static_cast<double>(bytes)), 1.0);
    return allowance_ < least ? 0 : std::min(bytes, static_cast<std::uint64_t>(allowance_));
  }
  void spent(std::uint64_t bytes) { allowance_ -= rate_ == 0 ? 0 : static_cast<double>(bytes); }

 private:
  double rate_;
  double crumb_;
  double allowance_ = 0;
  std::chrono::steady_clock::time_point filled_ = std::chrono::steady_clock::now();
};

}  // namespace podwright::relay
