#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "events/event_json.hpp"
#include "events/journal_sink.hpp"
#include "events/ndjson_sink.hpp"
#include "events/plain_sink.hpp"
#include "events/terminal.hpp"
#include "events/tty_sink.hpp"

using namespace podwright;
using namespace podwright::events;
using std::chrono::milliseconds;

namespace {

const auto kNoon = std::chrono::system_clock::from_time_t(1769860800);  // 2026-01-31T12:00:00Z

Write into(std::string& text) {
  return [&text](std::string_view more) { text += more; };
}

/// What a terminal of `width` columns shows after `bytes`: lines, with \r and "erase to the end of the
/// line" obeyed. Fails on any other escape code but colours, and on a line that would wrap.
std::vector<std::string> screen(std::string_view bytes, std::size_t width) {
  std::vector<std::string> shown(1);
  std::size_t column = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (c == '\n') {
      shown.emplace_back();
      column = 0;
    } else if (c == '\r') {
      column = 0;
    } else if (c == '\x1b') {
      const auto end = bytes.find_first_of("Km", at);
      REQUIRE(end != std::string_view::npos);
      if (bytes[end] == 'K') shown.back().resize(column);
      at = end;
    } else {
      shown.back().resize(std::max(shown.back().size(), column + 1), ' ');
      shown.back()[column++] = c;
      REQUIRE(column < width);
    }
  }
  return shown;
}

std::vector<Event> a_run() {
  std::vector<Event> all = {RunStarted{"apply", "r1", "/x/r1"}, PhaseStarted{"apply stage 1 of 2", 64, {}}};
  for (std::size_t i = 1; i <= 64; ++i) {
    const auto node = fmt::format("cu{:02}", i);
    all.emplace_back(NodeConnected{node});
    all.emplace_back(StepStarted{node, "package/slurm-wlm-with-a-rather-long-name-for-a-package", "install"});
    if (i == 7) {
      all.emplace_back(StepFinished{node, "package/slurm-wlm-with-a-rather-long-name-for-a-package", false, 100,
                                    "\x1b[31mE: Unable to locate package\x1b[0m " + std::string(300, 'x'),
                                    milliseconds(1500)});
      all.emplace_back(NodeFailed{node, Error{.fault = Fault::remote, .what = "apt-get failed", .hint = "see its log"}});
    } else {
      all.emplace_back(StepFinished{node, "package/slurm-wlm-with-a-rather-long-name-for-a-package", true, 0, "", milliseconds(900)});
    }
    all.emplace_back(Progress{"apply stage 1 of 2", i, 64, node});
  }
  all.emplace_back(PhaseFinished{"apply stage 1 of 2", false, milliseconds(65000)});
  all.emplace_back(RunFinished{"apply", "r1", false, 3});
  return all;
}

}  // namespace

TEST_CASE("a terminal of any width shows whole lines and ends clean") {
  for (const std::size_t width : {20U, 40U, 80U, 200U}) {
    CAPTURE(width);
    std::string bytes;
    {
      TtySink sink({.write = into(bytes), .width = [&] { return width; }, .tick = milliseconds(0)});
      for (const auto& event : a_run()) sink.on_event(event, kNoon);
    }
    const auto shown = screen(bytes, width);
    CHECK(shown.back().empty());  // the status line is gone, the cursor at the left
    const auto all = join(shown, "\n");
    CHECK(all.find("cu07") != std::string::npos);
    if (width >= 80) {
      CHECK(all.find("63/64") != std::string::npos);
      CHECK(all.find("1 failed") != std::string::npos);
    }
    CHECK(all.find("\x1b") == std::string::npos);
  }
}

TEST_CASE("the status line says what, how far, how long and who is left") {
  PhaseView view{.phase = "facts", .done = 62, .total = 64, .failed = 1, .elapsed = milliseconds(12300),
                 .busy = {"cu07", "cu09"}, .busy_count = 2};
  const auto narrow = status_line(view, 80);
  CHECK(display_width(narrow) < 80);
  CHECK(narrow.find("facts") == 0);
  CHECK(narrow.find("62/64, 1 failed") != std::string::npos);
  CHECK(narrow.find("12.3 s") != std::string::npos);
  CHECK(narrow.find("cu07, cu09") != std::string::npos);
  CHECK(narrow.find("[===") != std::string::npos);

  const auto wide = status_line(view, 200);
  CHECK(display_width(wide) < 200);
  CHECK(wide.size() > narrow.size());

  view.busy = {"cu01 package/a", "cu02 package/b", "cu03 package/c", "cu04 package/d"};
  view.busy_count = 60;
  CHECK(status_line(view, 200).find("and 56 more") != std::string::npos);
  CHECK(display_width(status_line(view, 80)) < 80);

  // A phase of unknown length has no bar, a hostile name no escape codes.
  const auto odd = status_line({.phase = "scan\x1b[2J\n10.0.0.0/16", .done = 12, .elapsed = milliseconds(1)}, 80);
  CHECK(odd.find("12 done") != std::string::npos);
  CHECK(odd.find('[') == std::string::npos);
  CHECK(odd.find('\x1b') == std::string::npos);
  CHECK(odd.find('\n') == std::string::npos);
}

TEST_CASE("those who are still waited for are named once they are few") {
  std::string bytes;
  TtySink sink({.write = into(bytes), .width = [] { return std::size_t{80}; }, .tick = milliseconds(0)});
  sink.on_event(PhaseStarted{"facts", 6, {"cu01", "cu02", "cu03", "cu04", "cu05", "cu06"}}, kNoon);
  CHECK(bytes.find("cu06") == std::string::npos);
  for (std::size_t i = 1; i <= 5; ++i) sink.on_event(Progress{"facts", i, 6, fmt::format("cu0{}", i)}, kNoon);
  std::this_thread::sleep_for(milliseconds(60));
  sink.on_event(NodeConnected{"cu06"}, kNoon);
  CHECK(screen(bytes, 80).back().find("cu06") != std::string::npos);
  CHECK(screen(bytes, 80).back().find("cu05") == std::string::npos);
}

TEST_CASE("many failures do not scroll everything away, and are counted") {
  std::string bytes;
  TtySink sink({.write = into(bytes), .width = [] { return std::size_t{80}; }, .tick = milliseconds(0)});
  sink.on_event(PhaseStarted{"facts", 64, {}}, kNoon);
  for (int i = 0; i < 64; ++i) {
    sink.on_event(NodeFailed{fmt::format("cu{:02}", i), Error{.fault = Fault::unreachable, .what = "no route"}}, kNoon);
  }
  sink.on_event(PhaseFinished{"facts", false, milliseconds(10)}, kNoon);
  const auto shown = screen(bytes, 80);
  CHECK(shown.size() < 20);
  const auto all = join(shown, "\n");
  CHECK(all.find("and 52 more failed") != std::string::npos);
  CHECK(all.find("64 failed") != std::string::npos);
}

TEST_CASE("the elapsed time moves while nothing happens") {
  std::string bytes;
  std::mutex guard;
  const auto write = [&](std::string_view more) {
    const std::scoped_lock lock(guard);
    bytes += more;
  };
  TtySink sink({.write = write, .width = [] { return std::size_t{80}; }, .tick = milliseconds(5)});
  sink.on_event(PhaseStarted{"facts", 2, {}}, kNoon);
  std::this_thread::sleep_for(milliseconds(120));
  const std::scoped_lock lock(guard);
  CHECK(std::ranges::count(bytes, '\r') >= 3);
}

TEST_CASE("quiet shows warnings and errors only") {
  for (const bool tty : {true, false}) {
    std::string bytes;
    std::shared_ptr<Sink> sink;
    if (tty) {
      sink = std::make_shared<TtySink>(TtyOptions{.write = into(bytes), .width = [] { return std::size_t{80}; },
                                                  .detail = Detail::quiet, .color = false, .tick = milliseconds(0)});
    } else {
      sink = std::make_shared<PlainSink>(into(bytes), Detail::quiet);
    }
    for (const auto& event : a_run()) sink->on_event(event, kNoon);
    sink->on_event(Note{Note::Level::info, "hello"}, kNoon);
    CHECK(bytes.empty());
    sink->on_event(Note{Note::Level::warning, "the disk is nearly full"}, kNoon);
    CHECK(bytes == "warning: the disk is nearly full\n");
  }
}

TEST_CASE("plain lines hold no escape code and no line that a node made up") {
  std::string bytes;
  PlainSink sink(into(bytes), Detail::verbose);
  for (const auto& event : a_run()) sink.on_event(event, kNoon);
  sink.on_event(NodeFailed{"cu01", Error{.fault = Fault::remote, .what = "said \x1b]0;owned\a\nroot: ok"}}, kNoon);
  CHECK(bytes.find('\x1b') == std::string::npos);
  CHECK(bytes.find('\r') == std::string::npos);
  CHECK(bytes.find("\nroot: ok") == std::string::npos);
  CHECK(bytes.find("cu07: package/slurm-wlm-with-a-rather-long-name-for-a-package: FAILED, exit status 100") !=
        std::string::npos);
  CHECK(bytes.find("    E: Unable to locate package") != std::string::npos);
  CHECK(bytes.find("apply stage 1 of 2: done, with failures, 64 in 1 min 05 s\n") != std::string::npos);
}

TEST_CASE("a long phase says how far it is every ten seconds, not at every node") {
  std::string bytes;
  PlainSink sink(into(bytes), Detail::normal);
  sink.on_event(PhaseStarted{"facts", 100, {}}, kNoon);
  for (std::size_t i = 1; i <= 100; ++i) {
    sink.on_event(Progress{"facts", i, 100, "cu"}, kNoon + std::chrono::milliseconds(i * 300));
  }
  CHECK(lines(bytes).size() == 3);
  CHECK(bytes.find("facts: 34 of 100 done") != std::string::npos);
}

TEST_CASE("the journal is private, complete and one object a line") {
  const auto file = std::filesystem::temp_directory_path() / ("podwright-journal-" + random_hex(6));
  {
    const auto journal = JournalSink::open(file);
    REQUIRE(journal);
    Bus bus;
    bus.attach(*journal);
    for (const auto& event : a_run()) bus.emit(event);
    // On disk already, while the journal is still open.
    CHECK(lines(*read_file(file)).size() == a_run().size());
    CHECK((*journal)->status());
  }
  struct stat info{};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto text = read_file(file);
  REQUIRE(text);
  for (const auto line : lines(*text)) {
    const auto json = Json::parse(line, nullptr, false);
    REQUIRE(json.is_object());
    CHECK(json.contains("time"));
    CHECK(json.contains("event"));
  }
  std::filesystem::remove(file);
}

TEST_CASE("a journal that cannot be opened or written is told") {
  CHECK_FALSE(JournalSink::open("/nonexistent/folder/events.ndjson"));
  const auto full = JournalSink::open("/dev/full");
  REQUIRE(full);
  (*full)->on_event(Note{Note::Level::info, "x"}, kNoon);
  REQUIRE_FALSE((*full)->status());
  CHECK((*full)->status().error().what.find("/dev/full") != std::string::npos);
}

TEST_CASE("every event has its JSON, with outputs cleaned and bounded") {
  const auto json = event_to_json(
      StepFinished{"cu01", "package/chrony", false, 100, std::string(200000, 'x') + "\x1b[2Jend\xFF", milliseconds(12)},
      kNoon);
  CHECK(json["time"] == "2026-01-31T12:00:00.000Z");
  CHECK(json["event"] == "step_finished");
  CHECK(json["node"] == "cu01");
  CHECK(json["elapsed_ms"] == 12);
  const auto output = json["output"].get<std::string>();
  CHECK(output.size() <= (64U << 10U) + 3);
  CHECK(output.ends_with("end\xEF\xBF\xBD"));
  CHECK(output.find('\x1b') == std::string::npos);

  std::string text;
  NdjsonSink sink(into(text));
  sink.on_event(NodeFailed{"cu\xFF", Error{.fault = Fault::timeout, .what = "no answer", .step = "probe cpu", .hint = "wait"}}, kNoon);
  REQUIRE(text.ends_with("\n"));
  const auto line = Json::parse(text);
  CHECK(line["error"]["fault"] == "timeout");
  CHECK(line["error"]["step"] == "probe cpu");
  CHECK(line["error"]["hint"] == "wait");
}

TEST_CASE("texts are measured and fitted by columns, not bytes") {
  CHECK(display_width("caf\xC3\xA9") == 4);
  CHECK(display_width("\xE7\xBB\x93\xE7\x82\xB9") == 4);  // two wide characters
  CHECK(fit("caf\xC3\xA9", 4) == "caf\xC3\xA9");
  CHECK(fit("abcdefgh", 6) == "abc...");
  CHECK(fit("\xE7\xBB\x93\xE7\x82\xB9\xE7\xBB\x93\xE7\x82\xB9", 6) == "\xE7\xBB\x93...");
  CHECK(pad("ab", 4) == "ab  ");
  CHECK(wrap("one two three", 7, 2) == std::vector<std::string>{"one two", "  three"});
  CHECK(wrap("abcdefghij", 4) == std::vector<std::string>{"abcd", "efgh", "ij"});
  CHECK(wrap("a\nb", 10) == std::vector<std::string>{"a", "b"});
  CHECK(one_line("a\r\nb\tc\x1b[1md\n") == "a b cd");
}
