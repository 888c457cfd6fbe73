#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "base/assets.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/secret.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "support/sshd.hpp"

using namespace podwright;
using podwright::test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("a quoted word comes out of a real shell as it went in") {
  for (const std::string word : {"", "plain", "it's", "$(reboot) `id` \\ \"x\" $HOME", "a\nb\n", "*?[",
                                 "-n", "\xC3\xA4\xE2\x82\xAC", "''", "'\\''"}) {
    const auto output =
        run_process({"sh", "-c", "printf %s " + sh::quote(word)}, "", Millis(5000));
    REQUIRE(output);
    CHECK(output->out == word);
  }
}

TEST_CASE("a command line is quoted only where it must be") {
  CHECK(sh::join({"uname", "-r"}) == "uname -r");
  CHECK(sh::join({"echo", "two words", ""}) == "echo 'two words' ''");
}

TEST_CASE("a secret cannot be printed by accident") {
  const Secret secret("hunter2");
  std::ostringstream out;
  out << secret;
  CHECK(out.str() == "***");
  CHECK(fmt::format("{}", format_as(secret)) == "***");
  CHECK(secret.reveal() == "hunter2");
}

TEST_CASE("the nearest known word is suggested, a far one is not") {
  const std::vector<std::string> known = {"port", "user", "address", "become"};
  CHECK(nearest("prot", known) == "port");
  CHECK(nearest("adress", known) == "address");
  CHECK_FALSE(nearest("xyzzy", known));
  CHECK(did_you_mean("prot", known) == "; did you mean \"port\"?");
}

TEST_CASE("hostile output is cleaned") {
  CHECK(clean_output("ok\r\n\tx") == "ok\n\tx");
  CHECK(clean_output("\x1b[31mred\x1b[0m") == "red");
  CHECK(clean_output("\x1b]0;title\a-") == "-");
  CHECK(clean_output("\x1b]8;;http://x\x1b\\link") == "link");
  CHECK(clean_output(std::string("a\0b\b\x7f", 5)) == "ab");
  CHECK(clean_output("\xff\xfe") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(clean_output("\xC3\xA4\xE2\x82\xAC") == "\xC3\xA4\xE2\x82\xAC");
  CHECK(clean_output("\xC2\x9b" "31m") == "31m");
  CHECK(clean_output("\x1b") == "");
  CHECK(clean_output("\xED\xA0\x80").find('\xED') == std::string::npos);
}

TEST_CASE("durations are read and written") {
  CHECK(parse_duration("500ms") == Millis(500));
  CHECK(parse_duration("30") == Millis(30000));
  CHECK(parse_duration("1h30m") == Millis(5400000));
  CHECK(parse_duration("2.5s") == Millis(2500));
  for (const auto* wrong : {"", "5x", "m", "-3s", "1h30", "s5"}) CHECK_FALSE(parse_duration(wrong));
  CHECK(human_duration(Millis(850)) == "850 ms");
  CHECK(human_duration(Millis(12300)) == "12.3 s");
  CHECK(human_duration(Millis(245000)) == "4 min 05 s");
  CHECK(utc_timestamp(std::chrono::system_clock::time_point(Millis(1500))) ==
        "1970-01-01T00:00:01.500Z");
}

TEST_CASE("lists and counts read well") {
  CHECK(human_list({}) == "none");
  CHECK(human_list({"a"}) == "a");
  CHECK(human_list({"a", "b", "c"}) == "a, b and c");
  CHECK(human_list({"a", "b", "c", "d"}, 2) == "a, b and 2 more");
  CHECK(count_of(1, "step") == "1 step");
  CHECK(three_digits(0.3) == "0.30");
  CHECK(three_digits(9.412) == "9.41");
  CHECK(three_digits(93.14) == "93.1");
  CHECK(three_digits(99.96) == "100");
  CHECK(three_digits(1180.4) == "1180");
  CHECK(human_bytes(1536) == "1.5 KiB");
}

TEST_CASE("a unified diff names what changed") {
  CHECK(unified_diff("a\n", "a\n", "/etc/x").empty());
  const auto diff = unified_diff("a\nb\nc\n", "a\nB\nc\n", "/etc/x");
  CHECK(diff.find("--- /etc/x\n+++ /etc/x\n") == 0);
  CHECK(diff.find("-b\n+B\n") != std::string::npos);
  CHECK(unified_diff("", "new\n", "f").find("+new") != std::string::npos);
  CHECK(unified_diff("x", "x\n", "f").find("No newline") != std::string::npos);
}

TEST_CASE("files are replaced whole and keep their mode") {
  const auto folder = fs::temp_directory_path() / ("podwright-test-" + random_hex(6));
  const auto path = folder / "deep/er/file";
  REQUIRE(write_file(path, "one", 0600));
  CHECK(read_file(path) == "one");
  REQUIRE(write_file(path, "two"));
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
  CHECK(read_file(path) == "two");
  REQUIRE(append_file(path, "+"));
  CHECK(read_file(path) == "two+");
  CHECK(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator{}) == 1);
  const auto missing = read_file(folder / "absent");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().what.find("absent") != std::string::npos);
  fs::remove_all(folder);
}

TEST_CASE("digests agree with published vectors") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(base64_encode("foob") == "Zm9vYg==");
  CHECK(base64_encode("").empty());
}

TEST_CASE("a child's output, status, deadline and stop") {
  const auto output = run_process({"sh", "-c", "cat; echo err >&2; exit 3"}, "in", Millis(5000));
  REQUIRE(output);
  CHECK(output->out == "in");
  CHECK(output->err == "err\n");
  CHECK(output->exit_status == 3);
  const auto late = run_process({"sh", "-c", "sleep 30 & wait"}, "", Millis(100));
  REQUIRE_FALSE(late);
  CHECK(late.error().fault == Fault::timeout);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = run_process({"sleep", "30"}, "", Millis(5000), stop.get_token());
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().fault == Fault::cancelled);
  CHECK_FALSE(run_process({"/no/such/command"}, "", Millis(1000)));
  const auto deaf = run_process({"sh", "-c", "exec <&-; sleep 0.2; exit 7"}, std::string(1 << 20, 'x'),
                                Millis(5000));
  REQUIRE(deaf);
  CHECK(deaf->exit_status == 7);
  const std::string big(3 << 20, 'x');
  const auto echoed = run_process({"cat"}, big, Millis(20000));
  REQUIRE(echoed);
  CHECK(echoed->out == big);
}

TEST_CASE("a missing asset is an error that suggests one") {
  const auto missing = load_asset("profiles/no-such-profile.toml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().what.find("no-such-profile") != std::string::npos);
}

TEST_CASE("the digests of a whole file and of its chunks") {
  TempDir dir;
  const auto digests_of = [&](const std::string& text, std::uint64_t chunk) {
    dir.write("file", text);
    const auto file = InputFile::open(dir.file("file"));
    REQUIRE(file);
    CHECK(file->size() == text.size());
    const auto digest = chunked_sha256(*file, chunk);
    REQUIRE(digest);
    return *digest;
  };
  // In one piece, in several, and side by side.
  for (const auto& [size, chunk] : std::vector<std::pair<std::size_t, std::size_t>>{{2500, 1000}, {1'000'000, 300'000}, {5'000'000, 1U << 20U}, {50'000'000, 1U << 16U}}) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(i * 2654435761U >> 13U);
    const auto digest = digests_of(text, chunk);
    CHECK(digest.sha256 == sha256_hex(text));
    REQUIRE(digest.chunks.size() == (size + chunk - 1) / chunk * 32);
    for (std::size_t i = 0; i * chunk < size; ++i) CHECK(hex_digits(digest.chunks.substr(i * 32, 32)) == sha256_hex(text.substr(i * chunk, chunk)));
  }
  CHECK(digests_of("", 1000).chunks.empty());
  CHECK(digests_of("", 1000).sha256 == sha256_hex(""));
}

TEST_CASE("a file that becomes shorter while it is read is an error") {
  TempDir dir;
  for (const std::size_t size : {std::size_t{3000}, std::size_t{5} << 20U}) {
    dir.write("file", std::string(size, 'x'));
    const auto file = InputFile::open(dir.file("file"));
    REQUIRE(file);
    std::filesystem::resize_file(dir.file("file"), 1000);
    std::string into(2000, '\0');
    const auto read = file->read(500, into);
    REQUIRE_FALSE(read);
    CHECK(read.error().what == dir.file("file") + " has become shorter while it was read");
    CHECK_FALSE(chunked_sha256(*file, 1U << 20U));
    CHECK(file->read(0, std::span(into).first(1000)));
  }
  CHECK_FALSE(InputFile::open(dir.file("none")));
}
