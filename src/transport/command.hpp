/// One command on one connection: a channel, its input and output, its end.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "transport/connection.hpp"
#include "transport/exchange.hpp"
#include "transport/in_flight.hpp"

namespace podwright {

class Command : public ChannelUser {
 public:
  /// `connection` must be ready. `setup_timeout` is what sudo may take, and the channel. `finished`
  /// is called once, never from within a libssh callback.
  Command(Connection& connection, DeadlineClock& clock, const Request& request,
          std::optional<SudoSettings> sudo, Millis setup_timeout,
          std::function<void(std::string_view)> on_output, std::function<void()> finished);
  ~Command() override;

  void start();
  void tick(SteadyTime now);
  /// Ends it on the node as far as SSH can (SIGTERM, then the end of its channel).
  void abandon(Error error);

  [[nodiscard]] const std::optional<Result<Reply>>& result() const { return result_; }
  Result<Reply> take_result() { return std::move(*result_); }
  /// The node may have begun to run it: it must not be sent again.
  [[nodiscard]] bool may_have_run() const { return may_have_run_; }

  void on_progress() override;
  void on_lost(const Error& error) override;

 private:
  enum class Stage { opening, requesting, running, done };
  struct Callbacks;

  void open();
  void request();
  void send_input();
  void finish(Result<Reply> result);
  void finish_with_status();
  [[nodiscard]] Millis elapsed() const;

  Connection& connection_;
  DeadlineClock& clock_;
  const Request& request_;
  Millis setup_timeout_;
  Exchange exchange_;
  InFlight in_flight_;
  std::function<void()> finished_;
  std::unique_ptr<Callbacks> callbacks_;
  ssh_channel_struct* channel_ = nullptr;
  Stage stage_ = Stage::opening;
  bool may_have_run_ = false;
  bool eof_sent_ = false;
  bool input_refused_ = false;  ///< the command ended without reading it all
  bool closed_ = false;
  std::optional<int> exit_status_;
  SteadyTime begun_;    ///< of this object's life
  SteadyTime started_;  ///< of the command itself, sudo's part excluded
  bool started_noted_ = false;
  SteadyTime last_words_;  ///< when it exited, or its output last moved after that
  std::optional<Result<Reply>> result_;
};

}  // namespace podwright
