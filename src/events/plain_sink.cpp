#include "events/plain_sink.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "events/terminal.hpp"

namespace podwright::events {

namespace {

constexpr std::chrono::seconds kHeartbeat{10};

std::string sentence(const Error& error) {
  std::string text = error.step.empty() ? std::string{} : error.step + ": ";
  text += error.what;
  if (!error.hint.empty()) text += " (" + error.hint + ")";
  return one_line(text);
}

}  // namespace

std::string last_lines(std::string_view output, std::size_t most) {
  const auto clean = clean_output(trim(output));
  auto all = lines(clean);
  std::string text;
  if (all.size() > most) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(most));
  for (const auto line : all) text += fmt::format("    {}\n", line);
  return text;
}

void PlainSink::on_event(const Event& event, std::chrono::system_clock::time_point when) {
  const bool normal = detail_ != Detail::quiet;
  const bool verbose = detail_ == Detail::verbose;
  const auto say = [&](std::string_view line) { write_(std::string(line) + "\n"); };

  if (const auto* phase = std::get_if<PhaseStarted>(&event)) {
    spoke_[phase->phase] = when;
    total_[phase->phase] = phase->total;
    if (normal && phase->total > 0) say(fmt::format("{}: started, {} to do", phase->phase, phase->total));
  } else if (const auto* done = std::get_if<PhaseFinished>(&event)) {
    const auto total = total_[done->phase];
    spoke_.erase(done->phase);
    if (!normal || (total == 0 && done->ok)) return;  // there was nothing to do
    say(fmt::format("{}: {}, {} in {}", done->phase, done->ok ? "done" : "done, with failures", total,
                    human_duration(done->elapsed)));
  } else if (const auto* progress = std::get_if<Progress>(&event)) {
    auto& spoke = spoke_.try_emplace(progress->phase, when).first->second;
    if (!normal || when - spoke < kHeartbeat) return;
    spoke = when;
    total_[progress->phase] = std::max(total_[progress->phase], progress->done);
    say(progress->total == 0
            ? fmt::format("{}: {} done", progress->phase, progress->done)
            : fmt::format("{}: {} of {} done", progress->phase, progress->done, progress->total));
  } else if (const auto* connected = std::get_if<NodeConnected>(&event)) {
    if (verbose) say(fmt::format("{}: connected", connected->node));
  } else if (const auto* failed = std::get_if<NodeFailed>(&event)) {
    const bool told = failed->error.fault == Fault::cancelled && !verbose;
    if (normal && !told) say(fmt::format("{}: FAILED: {}", failed->node, sentence(failed->error)));
  } else if (const auto* begun = std::get_if<StepStarted>(&event)) {
    if (verbose) say(fmt::format("{}: {}: {}", begun->node, begun->step, begun->action));
  } else if (const auto* step = std::get_if<StepFinished>(&event)) {
    if (!normal) return;
    if (step->ok) {
      say(fmt::format("{}: {}: ok", step->node, step->step));
    } else {
      say(fmt::format("{}: {}: FAILED, exit status {}", step->node, step->step, step->exit_status));
      write_(last_lines(step->output));
    }
  } else if (const auto* note = std::get_if<Note>(&event)) {
    switch (note->level) {
      case Note::Level::debug: if (verbose) say(clean_output(note->text)); break;
      case Note::Level::info: if (normal) say(clean_output(note->text)); break;
      case Note::Level::warning: say("warning: " + clean_output(note->text)); break;
      case Note::Level::error: say("error: " + clean_output(note->text)); break;
    }
  } else if (const auto* run = std::get_if<RunStarted>(&event)) {
    if (verbose) say(fmt::format("run {} in {}", run->run, run->directory));
  }
}

}  // namespace podwright::events
