#include "events/tty_sink.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "events/terminal.hpp"

namespace podwright::events {

namespace {

constexpr std::string_view kWipe = "\r\x1b[K";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::size_t kMostBusy = 4;
constexpr std::size_t kMostFailures = 12;
constexpr std::chrono::milliseconds kRedraw{40};

std::string counts(const PhaseView& view) {
  std::string text = view.total == 0 ? fmt::format("{} done", view.done)
                                     : fmt::format("{}/{}", view.done, view.total);
  if (view.failed > 0) text += fmt::format(", {} failed", view.failed);
  return text;
}

std::string bar(const PhaseView& view, std::size_t cells) {
  const std::size_t filled = std::min(cells, view.total == 0 ? 0 : view.done * cells / view.total);
  std::string text(filled, '=');
  if (filled < cells) text += '>';
  text.resize(cells, ' ');
  return "[" + text + "]";
}

std::string describe(const Error& error) {
  std::string text = error.step.empty() ? std::string{} : error.step + ": ";
  text += error.what;
  if (!error.hint.empty()) text += " (" + error.hint + ")";
  return one_line(text);
}

}  // namespace

std::string status_line(const PhaseView& view, std::size_t width) {
  const std::size_t room = width > 1 ? width - 1 : 1;
  const std::size_t label = std::clamp<std::size_t>(room * 3 / 10, 12, 32);
  std::string line = pad(fit(one_line(view.phase), label), std::min<std::size_t>(label, 22));
  if (view.total > 0 && room >= 60) line += " " + bar(view, std::clamp<std::size_t>(room / 5, 10, 40));
  line += fmt::format(" {}  {}", counts(view), human_duration(view.elapsed));
  if (!view.busy.empty()) {
    std::string names = join(view.busy, ", ");
    if (view.busy_count > view.busy.size()) {
      names += fmt::format(" and {} more", view.busy_count - view.busy.size());
    }
    const auto used = display_width(line) + 2;
    if (used + 10 <= room) line += "  " + fit(one_line(names), room - used);
  }
  return fit(line, room);
}

std::string finished_line(const PhaseView& view, bool ok, std::size_t width) {
  const std::size_t room = width > 1 ? width - 1 : 1;
  std::string tail;
  if (view.total > 0 || view.done > 0) {
    const std::size_t good = view.done - std::min(view.done, view.failed);
    tail = view.total == 0 ? fmt::format("{}", good) : fmt::format("{}/{}", good, view.total);
    tail = fmt::format("{:>9}", tail);
  } else {
    tail = fmt::format("{:>9}", ok ? "ok" : "failed");
  }
  tail += fmt::format("  {:>12}", human_duration(view.elapsed));
  if (view.failed > 0) tail += fmt::format("  {} failed", view.failed);
  const std::size_t label = std::clamp<std::size_t>(room / 2, 10, 44);
  std::string head = fit(one_line(view.phase), label - 2) + " ";
  while (display_width(head) < label) head += '.';
  return fit(head + tail, room);
}

TtySink::TtySink(TtyOptions options) : options_(std::move(options)) {
  if (options_.tick.count() > 0) {
    ticker_ = std::jthread([this](const std::stop_token& stop) { tick(stop); });
  }
}

TtySink::~TtySink() {
  ticker_.request_stop();
  if (ticker_.joinable()) ticker_.join();
  close();
}

void TtySink::tick(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, options_.tick, [] { return false; });
    if (!stop.stop_requested() && drawn_) draw(true);
  }
}

void TtySink::close() {
  const std::scoped_lock lock(mutex_);
  wipe();
}

void TtySink::wipe() {
  if (drawn_) options_.write(kWipe);
  drawn_ = false;
}

void TtySink::draw(bool now) {
  if (open_.empty() || options_.detail == Detail::quiet) return;
  const auto moment = std::chrono::steady_clock::now();
  if (!now && drawn_ && moment - last_draw_ < kRedraw) return;
  auto& phase = open_.back();
  phase.view.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(moment - phase.begun);
  phase.view.busy.clear();
  phase.view.busy_count = 0;
  if (!phase.running.empty()) {
    phase.view.busy_count = phase.running.size();
    for (const auto& [node, step] : phase.running) {
      if (phase.view.busy.size() == kMostBusy) break;
      phase.view.busy.push_back(node + " " + step);
    }
  } else if (phase.waiting.size() <= kMostBusy) {
    phase.view.busy_count = phase.waiting.size();
    for (const auto& [item, unused] : phase.waiting) phase.view.busy.push_back(item);
  }
  const auto line = status_line(phase.view, options_.width());
  options_.write(fmt::format("\r{}\x1b[K", line));
  drawn_ = true;
  last_draw_ = moment;
}

void TtySink::permanent(std::string_view text, std::string_view color) {
  wipe();
  const auto width = options_.width();
  std::string block;
  for (const auto& line : wrap(text, width > 1 ? width - 1 : 1, 4)) {
    block += options_.color && !color.empty() ? fmt::format("{}{}{}\n", color, line, kPlain) : line + "\n";
  }
  options_.write(block);
}

void TtySink::failure(std::string_view text) {
  // Sixty-four dead nodes must not scroll everything else away; the verb's result names them all.
  if (!open_.empty() && options_.detail != Detail::verbose) {
    auto& phase = open_.back();
    if (phase.shown_failures == kMostFailures) {
      ++phase.hidden_failures;
      return;
    }
    ++phase.shown_failures;
  }
  permanent(text, kRed);
}

void TtySink::count_failure(const NodeId& node) {
  if (open_.empty()) return;
  auto& phase = open_.back();
  phase.failed.insert(node);
  phase.view.failed = phase.failed.size();
  phase.running.erase(node);
}

TtySink::Open* TtySink::find(std::string_view phase) {
  const auto place = std::ranges::find_if(open_, [&](const Open& o) { return o.view.phase == phase; });
  return place == open_.end() ? nullptr : &*place;
}

void TtySink::start_phase(const PhaseStarted& phase) {
  Open open;
  open.view.phase = phase.phase;
  open.view.total = phase.total;
  for (const auto& item : phase.items) open.waiting[item] = true;
  open_.push_back(std::move(open));
}

void TtySink::finish_phase(const PhaseFinished& phase) {
  auto* open = find(phase.phase);
  if (open == nullptr) return;
  wipe();
  open->view.elapsed = phase.elapsed;
  if (options_.detail != Detail::quiet) {
    if (open->hidden_failures > 0) {
      permanent(fmt::format("and {} more failed", open->hidden_failures), kRed);
    }
    const bool idle = open->view.total == 0 && open->view.done == 0 && phase.ok;
    if (!idle) permanent(finished_line(open->view, phase.ok, options_.width()), phase.ok ? std::string_view{} : kRed);
  }
  open_.erase(open_.begin() + (open - open_.data()));
}

void TtySink::on_event(const Event& event, std::chrono::system_clock::time_point /*when*/) {
  const std::scoped_lock lock(mutex_);
  const bool quiet = options_.detail == Detail::quiet;
  const bool verbose = options_.detail == Detail::verbose;
  bool now = false;

  if (const auto* started = std::get_if<PhaseStarted>(&event)) {
    start_phase(*started);
    now = true;
  } else if (const auto* finished = std::get_if<PhaseFinished>(&event)) {
    finish_phase(*finished);
    now = true;
  } else if (const auto* progress = std::get_if<Progress>(&event)) {
    if (auto* phase = find(progress->phase)) {
      phase->view.done = progress->done;
      phase->view.total = progress->total;
      phase->waiting.erase(progress->item);
    }
  } else if (const auto* connected = std::get_if<NodeConnected>(&event)) {
    if (verbose) permanent(connected->node + ": connected");
  } else if (const auto* failed = std::get_if<NodeFailed>(&event)) {
    count_failure(failed->node);
    // Whoever interrupted a run knows why; the result says what it left undone.
    const bool told = failed->error.fault == Fault::cancelled && !verbose;
    if (!quiet && !told) failure(fmt::format("{}: {}", failed->node, describe(failed->error)));
  } else if (const auto* begun = std::get_if<StepStarted>(&event)) {
    if (!open_.empty()) open_.back().running[begun->node] = begun->step;
  } else if (const auto* step = std::get_if<StepFinished>(&event)) {
    if (!open_.empty()) open_.back().running.erase(step->node);
    if (!step->ok) count_failure(step->node);
    if (!step->ok && !quiet) {
      failure(fmt::format("{}: {} failed with exit status {}\n{}", step->node, step->step,
                          step->exit_status, last_lines(step->output, 5)));
    } else if (verbose) {
      permanent(fmt::format("{}: {}: ok", step->node, step->step));
    }
  } else if (const auto* note = std::get_if<Note>(&event)) {
    switch (note->level) {
      case Note::Level::debug: if (verbose) permanent(clean_output(note->text)); break;
      case Note::Level::info: if (!quiet) permanent(clean_output(note->text)); break;
      case Note::Level::warning: permanent("warning: " + clean_output(note->text), kYellow); break;
      case Note::Level::error: permanent("error: " + clean_output(note->text), kRed); break;
    }
  } else if (const auto* run = std::get_if<RunStarted>(&event)) {
    if (verbose) permanent(fmt::format("run {} in {}", run->run, run->directory));
  } else if (std::holds_alternative<RunFinished>(event)) {
    open_.clear();
    wipe();
  }
  if (!open_.empty()) draw(now || !drawn_);
}

}  // namespace podwright::events
