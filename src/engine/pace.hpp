/// A rate limit: how many bytes may go now.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace podwright {

class Pace {
 public:
  /// Bytes a second; 0: no limit.
  explicit Pace(std::uint64_t rate) : rate_(static_cast<double>(rate)) {}

  /// How many of so many. What is not used up within 100 ms is lost.
  std::uint64_t allow(std::uint64_t bytes) {
    if (rate_ == 0) return bytes;
    const auto now = std::chrono::steady_clock::now();
    allowance_ += std::chrono::duration<double>(now - std::exchange(filled_, now)).count() * rate_;
    allowance_ = std::min(allowance_, rate_ * 0.1);
    return allowance_ < 1 ? 0 : std::min(bytes, static_cast<std::uint64_t>(allowance_));
  }
  void spent(std::uint64_t bytes) { allowance_ -= static_cast<double>(bytes); }

 private:
  double rate_;
  double allowance_ = 0;
  std::chrono::steady_clock::time_point filled_ = std::chrono::steady_clock::now();
};

}  // namespace podwright
