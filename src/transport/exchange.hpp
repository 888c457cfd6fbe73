/// The two sides of one command: what it is sent, what it answers. Pure bookkeeping, shared by SSH
/// and the local machine.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "transport/sudo.hpp"
#include "transport/transport.hpp"

namespace podwright {

class Exchange {
 public:
  /// `request` must outlive the exchange. `on_output` hears every piece of stdout.
  Exchange(const Request& request, std::optional<SudoSettings> sudo,
           std::function<void(std::string_view)> on_output);

  /// What the login shell is to run.
  [[nodiscard]] const std::string& command_line() const { return command_line_; }

  /// Bytes for the command's stdin that may be sent now; empty while sudo has not answered.
  [[nodiscard]] std::string_view to_send() const;
  void sent(std::size_t bytes);
  /// Everything was sent: time for the end of file.
  [[nodiscard]] bool input_complete() const;

  void on_stdout(std::string_view bytes);
  void on_stderr(std::string_view bytes);

  /// False while sudo still decides.
  [[nodiscard]] bool started() const { return !sudo_ || sudo_->ready(); }
  /// sudo refused: the command is not going to run.
  [[nodiscard]] std::optional<Error> refusal() const;

  /// The command's answer once it ended.
  Result<Reply> finish(int exit_status, Millis elapsed);
  /// The error of a command that ran out of time after `deadline`.
  [[nodiscard]] Error timed_out(Millis deadline) const;

 private:
  void keep(std::string& where, std::string_view bytes);

  const Request& request_;
  std::function<void(std::string_view)> on_output_;
  std::optional<SudoDialogue> sudo_;
  std::string command_line_;
  Secret password_;
  std::size_t password_sent_ = 0;
  std::size_t input_sent_ = 0;
  Reply reply_;
};

}  // namespace podwright
