/// A talk with a command: each of our words waits for its answer to the one before.
#pragma once

#include <string>
#include <string_view>

#include "transport/transport.hpp"

namespace podwright::testing {

class Conversation : public Feed, public TransportObserver {
 public:
  explicit Conversation(int words) : words_(words) { say(); }

  std::string_view next() override { return out_; }
  void taken(std::size_t bytes) override { out_.erase(0, bytes); }
  bool ended() override { return said_ == words_ && out_.empty() && heard_ >= words_; }
  std::optional<Error> given_up() override {
    if (!enough_of_it) return std::nullopt;
    return Error{.fault = Fault::timeout, .what = "enough of it"};
  }

  void on_output(const NodeId& /*node*/, std::string_view bytes) override {
    for (const char byte : bytes) {
      if (byte != '\n') continue;
      ++heard_;
      if (said_ < words_) say();
    }
  }
  void on_tick() override { ++ticks; }

  int ticks = 0;
  bool enough_of_it = false;

 private:
  void say() { out_ += "word " + std::to_string(++said_) + "\n"; }

  int words_;
  int said_ = 0;
  int heard_ = 0;
  std::string out_;
};

}  // namespace podwright::testing
