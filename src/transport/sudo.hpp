/// Becoming root through sudo. Pure: bytes in, decisions out.
///
/// sudo reads the password from the same stdin that the command reads its input from. So the
/// password is sent only after sudo has shown a prompt that no one else can know, and the input
/// only after sudo has started the command, which says so itself: a password never reaches a shell,
/// a script never reaches sudo.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace podwright {

struct SudoSettings {
  std::string user;  ///< who logs in
  std::optional<Secret> password{};
  std::string password_env{};  ///< where the password came from, for messages
};

class SudoDialogue {
 public:
  explicit SudoDialogue(SudoSettings settings);

  /// The command line that runs `command` as root.
  [[nodiscard]] std::string wrap(std::string_view command) const;

  /// Hears what the command line writes to stderr, in pieces of any size. Once ready() the rest of
  /// stderr is the command's own, and comes out of take_rest().
  void on_stderr(std::string_view bytes);
  [[nodiscard]] bool ready() const { return ready_; }
  std::string take_rest();

  /// sudo waits for the password; answered by one take_password().
  [[nodiscard]] bool wants_password() const { return wants_password_; }
  /// The password and a newline.
  Secret take_password();

  /// Why sudo will never get there; asked after every on_stderr().
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  /// Why the command line ended, or took too long, before it was ready.
  [[nodiscard]] Error ended(int exit_status) const;
  [[nodiscard]] Error no_answer(std::string_view waited) const;

 private:
  [[nodiscard]] Error refused(std::string what, std::string hint) const;
  [[nodiscard]] Error wrong_password() const;

  SudoSettings settings_;
  std::string ask_marker_;
  std::string run_marker_;
  std::string seen_;  ///< stderr so far, bounded
  bool ready_ = false;
  bool wants_password_ = false;
  bool answered_ = false;
  std::optional<Error> failure_;
};

}  // namespace podwright
