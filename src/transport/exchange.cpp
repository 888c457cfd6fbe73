#include "transport/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podwright {

Exchange::Exchange(const Request& request, std::optional<SudoSettings> sudo,
                   std::function<void(std::string_view)> on_output)
    : request_(request), on_output_(std::move(on_output)), command_line_(request.command) {
  if (!sudo) return;
  sudo_.emplace(std::move(*sudo));
  command_line_ = sudo_->wrap(request.command);
}

std::string_view Exchange::to_send() const {
  if (password_sent_ < password_.reveal().size()) {
    return std::string_view(password_.reveal()).substr(password_sent_);
  }
  if (!started()) return {};
  if (input_sent_ < request_.input.size()) return std::string_view(request_.input).substr(input_sent_);
  return request_.feed != nullptr ? request_.feed->next() : std::string_view{};
}

void Exchange::sent(std::size_t bytes) {
  if (password_sent_ < password_.reveal().size()) {
    password_sent_ += bytes;
    if (password_sent_ < password_.reveal().size()) return;
    password_ = Secret();
    password_sent_ = 0;
    return;
  }
  if (input_sent_ == request_.input.size() && request_.feed != nullptr) return request_.feed->taken(bytes);
  input_sent_ += bytes;
}

bool Exchange::input_complete() const {
  return started() && input_sent_ == request_.input.size() && (request_.feed == nullptr || request_.feed->ended());
}

void Exchange::keep(std::string& where, std::string_view bytes) {
  const auto room = request_.max_output - std::min(request_.max_output, where.size());
  where += bytes.substr(0, room);
  if (bytes.size() > room) reply_.dropped_bytes += bytes.size() - room;
}

void Exchange::on_stdout(std::string_view bytes) {
  keep(reply_.out, bytes);
  if (on_output_) on_output_(bytes);
}

void Exchange::on_stderr(std::string_view bytes) {
  if (started()) {
    keep(reply_.err, bytes);
    return;
  }
  sudo_->on_stderr(bytes);
  if (sudo_->wants_password()) password_ = sudo_->take_password();
  if (sudo_->ready()) keep(reply_.err, sudo_->take_rest());
}

std::optional<Error> Exchange::refusal() const { return sudo_ ? sudo_->failure() : std::nullopt; }

Result<Reply> Exchange::finish(int exit_status, Millis elapsed) {
  if (!started()) return fail(sudo_->ended(exit_status));
  reply_.exit_status = exit_status;
  reply_.elapsed = elapsed;
  return std::move(reply_);
}

Error Exchange::timed_out(Millis deadline) const {
  if (!started()) return sudo_->no_answer(human_duration(deadline));
  return {.fault = Fault::timeout,
          .what = fmt::format("the command did not finish within its deadline of {}",
                              human_duration(deadline)),
          .hint = "allow it more with --timeout; what it had started may still be running"};
}

}  // namespace podwright
