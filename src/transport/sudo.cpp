#include "transport/sudo.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

/// What sudo says before it starts the command: a lecture, a warning. More is not sudo's.
constexpr std::size_t most_chatter = std::size_t{64} * 1024;

/// The last lines that people need to see, on one line.
std::string in_short(std::string_view chatter) {
  const auto cleaned = clean_output(chatter);
  std::string text;
  for (const auto line : lines(cleaned)) {
    const auto words_of_line = trim(line);
    if (words_of_line.empty()) continue;
    if (!text.empty()) text += " / ";
    text += words_of_line;
  }
  constexpr std::size_t most = 300;
  return text.size() <= most ? text : "…" + text.substr(text.size() - most);
}

}  // namespace

SudoDialogue::SudoDialogue(SudoSettings settings)
    : settings_(std::move(settings)),
      ask_marker_("[podwright-ask-" + random_hex(12) + "]"),
      run_marker_("[podwright-run-" + random_hex(12) + "]") {}

std::string SudoDialogue::wrap(std::string_view command) const {
  const auto inner = fmt::format("printf %s '{}' >&2; {}", run_marker_, command);
  const auto options =
      settings_.password
          ? fmt::format("-S -k -p '{}'", ask_marker_)  // -k: always the same dialogue
          : std::string("-n");
  return fmt::format("sudo {} -H -- sh -c {}", options, sh::quote(inner));
}

void SudoDialogue::on_stderr(std::string_view bytes) {
  seen_ += bytes;
  if (ready_ || failure_) return;
  const auto run = seen_.find(run_marker_);
  if (run != std::string::npos) {
    ready_ = true;
    wants_password_ = false;
    // What came before is sudo's talk, not the command's.
    seen_.erase(0, run + run_marker_.size());
    return;
  }
  if (const auto ask = seen_.find(ask_marker_); ask != std::string::npos) {
    seen_.erase(ask, ask_marker_.size());
    if (answered_) {
      failure_ = wrong_password();
      return;
    }
    wants_password_ = true;
  }
  if (seen_.size() > most_chatter) {
    failure_ = refused("sudo wrote more than its prompt: " + in_short(seen_), {});
  }
}

std::string SudoDialogue::take_rest() { return ready_ ? std::exchange(seen_, {}) : std::string(); }

Secret SudoDialogue::take_password() {
  wants_password_ = false;
  answered_ = true;
  return Secret(settings_.password->reveal() + "\n");
}

Error SudoDialogue::refused(std::string what, std::string hint) const {
  return {.fault = Fault::auth, .what = std::move(what), .hint = std::move(hint)};
}

Error SudoDialogue::wrong_password() const {
  return refused(fmt::format("sudo refused the password of {} from ${}", settings_.user,
                             settings_.password_env),
                 fmt::format("export the right one in {}", settings_.password_env));
}

Error SudoDialogue::ended(int exit_status) const {
  const auto says = [this](std::initializer_list<std::string_view> phrases) {
    return std::ranges::any_of(
        phrases, [this](std::string_view each) { return seen_.find(each) != std::string::npos; });
  };
  const auto& user = settings_.user;
  const auto sudoers_line = fmt::format(
      "on the node, as root: echo '{} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{}", user, user);
  if (says({"must have a tty"})) {
    return refused("sudo insists on a terminal (requiretty)",
                   fmt::format("on the node, as root: echo 'Defaults:{} !requiretty' >> "
                               "/etc/sudoers.d/{}",
                               user, user));
  }
  if (says({"not in the sudoers", "not allowed to", "may not run sudo"})) {
    return refused(fmt::format("{} may not use sudo: {}", user, in_short(seen_)), sudoers_line);
  }
  if (says({"password is required", "terminal is required", "askpass"})) {
    return refused(fmt::format("sudo wants the password of {}", user),
                   "name the variable that holds it with become_password_env in [ssh] of "
                   "cluster.toml, or " +
                       sudoers_line);
  }
  if (answered_ && says({"try again", "incorrect password", "no password was provided"})) {
    return wrong_password();
  }
  if (exit_status == 127 || says({"not found", "No such file"})) {
    return refused("there is no sudo on the node",
                   "install sudo there, or log in as root and set become = \"none\"");
  }
  return refused(fmt::format("sudo did not start the command (exit status {}): {}", exit_status,
                             in_short(seen_)),
                 fmt::format("try it by hand: ssh {}@NODE sudo true", user));
}

Error SudoDialogue::no_answer(std::string_view waited) const {
  const auto seen = in_short(seen_);
  return {
      .fault = Fault::timeout,
      .what = fmt::format("sudo neither asked for the password nor started the command within {}{}",
                          waited, seen.empty() ? "" : "; it said: " + seen),
      .hint = fmt::format("try it by hand: ssh {}@NODE sudo true; a slow name service, or a "
                          "prompt that sudo's -p cannot replace (passprompt_override), does this",
                          settings_.user)};
}

}  // namespace podwright
