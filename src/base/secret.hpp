/// Passwords and keys: a type that cannot be printed by accident.
#pragma once

#include <ostream>
#include <string>

namespace podwright {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  ~Secret() { wipe(); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    text_ = std::move(other.text_);
    other.wipe();
    return *this;
  }

  /// The one way to the text; whoever calls it answers for where the text goes.
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
  void wipe();
  std::string text_;
};

/// For fmt, as for streams.
inline std::string format_as(const Secret&) { return "***"; }

}  // namespace podwright
