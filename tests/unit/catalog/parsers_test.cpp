// Parsers of tools: every case of tests/cases/parse, and what all parsers have in common.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <set>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "unit/catalog/observed_case.hpp"

namespace podwright {

namespace {

namespace fs = std::filesystem;

/// KIND/NAME.txt is what the tool printed; beside it NAME.json is what must be read from it, or NAME.refused
/// what the complaint must say.
struct ParseCase {
  std::string kind;
  std::string name;
  std::string text;
  fs::path wanted;
  fs::path refused;
};

std::string content_of(const fs::path& path) {
  auto text = read_file(path);
  REQUIRE_MESSAGE(text, path.string());
  return *text;
}

const std::vector<ParseCase>& parse_cases() {
  static const auto all = [] {
    std::vector<ParseCase> found;
    for (const auto& folder : fs::directory_iterator(PODWRIGHT_CASES "/parse")) {
      if (!folder.is_directory()) continue;
      for (const auto& file : fs::directory_iterator(folder.path())) {
        if (file.path().extension() != ".txt") continue;
        auto wanted = file.path();
        auto refused = file.path();
        found.push_back({.kind = folder.path().filename().string(),
                         .name = file.path().stem().string(),
                         .text = clean_output(content_of(file.path())),
                         .wanted = wanted.replace_extension(".json"),
                         .refused = refused.replace_extension(".refused")});
      }
    }
    std::ranges::sort(found, {}, [](const ParseCase& one) { return one.kind + "/" + one.name; });
    return found;
  }();
  return all;
}

const Parser& parser_of(const std::string& kind) {
  const auto* parser = find_in_catalog<Parser>(kind);
  REQUIRE_MESSAGE(parser != nullptr, "no parser is called " << kind);
  return *parser;
}

/// Whatever is read can be written as JSON, and what is refused says where.
void check_outcome(const Result<Json>& result) {
  if (result) {
    CHECK(result->is_object());
    CHECK_FALSE(result->dump().empty());
  } else {
    CHECK_MESSAGE(result.error().what.find("line ") != std::string::npos, result.error().what);
    CHECK(result.error().what.size() < 2000);
    CHECK(is_utf8(result.error().what));
  }
}

std::string mutated(const std::string& seed, std::mt19937& random) {
  static const std::vector<std::string> bits = {"nan",  "-inf", "\t",  "\n", ":", "=",   ",",   "[", "{", "}", "]", "\"", "<", "</", "&#0;", "N/A",
                                                "-1",   "0x",   "|",   "99999999999999999999", "1e400", "   ", "GPU 0", "\xef\xbf\xbd"};
  const auto dice = [&](std::size_t sides) { return std::uniform_int_distribution<std::size_t>(0, sides - 1)(random); };
  auto text = seed;
  for (std::size_t change = dice(6) + 1; change > 0 && !text.empty(); --change) {
    const auto at = dice(text.size());
    switch (dice(7)) {
      case 0: text[at] = static_cast<char>(dice(127) + 1); break;
      case 1: text.erase(at, dice(60)); break;
      case 2: text.insert(at, bits[dice(bits.size())]); break;
      case 3: text.resize(at); break;
      case 4: {  // a line twice
        const auto begin = text.rfind('\n', at);
        const auto line = text.substr(begin == std::string::npos ? 0 : begin, 120);
        text.insert(at, line);
        break;
      }
      case 5: text.insert(at, std::string(dice(300), ' ')); break;
      default: std::swap(text[at], text[dice(text.size())]); break;
    }
  }
  return text;
}

}  // namespace

TEST_CASE("parsers: each belongs to a family that is fuzzed") {
  const auto families = content_of(PODWRIGHT_CASES "/../fuzz/families");
  const auto fuzzed = words(families);
  for (const auto& parser : catalog<Parser>()) {
    CHECK_MESSAGE(std::ranges::find(fuzzed, parser.kind) != fuzzed.end(), parser.kind);
  }
}

TEST_CASE("parsers: every case is read, or refused, as it says") {
  REQUIRE_FALSE(parse_cases().empty());
  for (const auto& one : parse_cases()) {
    CAPTURE(one.kind);
    CAPTURE(one.name);
    const auto result = parser_of(one.kind).parse(one.text);
    check_outcome(result);
    if (fs::exists(one.refused)) {
      REQUIRE_MESSAGE(!result, "was read, and should be refused");
      const auto wanted = std::string(trim(content_of(one.refused)));
      CHECK_MESSAGE(result.error().what.find(wanted) != std::string::npos, result.error().what);
      continue;
    }
    REQUIRE_MESSAGE(result, (result ? "" : result.error().what));
    REQUIRE_MESSAGE(fs::exists(one.wanted), "a case needs a .json or a .refused");
    const auto difference = test::difference(Json::parse(content_of(one.wanted)), *result);
    CHECK_MESSAGE(difference.empty(), difference);
  }
}

TEST_CASE("parsers: each says what it is, has cases, and names the line of nonsense") {
  std::set<std::string> read;
  for (const auto& one : parse_cases()) {
    if (!fs::exists(one.refused)) read.insert(one.kind);
  }
  // Any line may stand in a log.
  const std::set<std::string_view> takes_any_line = {"dmesg"};
  for (const auto& parser : catalog<Parser>()) {
    CAPTURE(parser.kind);
    CHECK_FALSE(parser.summary.empty());
    CHECK_FALSE(parser.command.empty());
    CHECK_MESSAGE(read.contains(std::string(parser.kind)), "has no case that it reads");
    for (const auto* nonsense : {"Lorem ipsum dolor sit amet\nconsectetur\n", "", "\n\n", "{}", "[]", "null", "{\"a\":", "<a><b></a>", "\x01"}) {
      const auto result = parser.parse(nonsense);
      check_outcome(result);
      if (std::string_view(nonsense).starts_with("Lorem") && !takes_any_line.contains(parser.kind)) CHECK_FALSE(result);
    }
    // Deep nesting and long lines end in a refusal, not in an overflow.
    check_outcome(parser.parse(std::string(100000, '[')));
    check_outcome(parser.parse(std::string(300000, 'x')));
    std::string deep;
    for (int i = 0; i < 5000; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a : b\n";
    check_outcome(parser.parse(deep.substr(0, 2000000)));
  }
}

// Deterministic: the same seed, the same texts. tests/fuzz searches further.
TEST_CASE("parsers: no output brings one down") {
  std::mt19937 random(20260131);
  for (const auto& one : parse_cases()) {
    CAPTURE(one.kind);
    CAPTURE(one.name);
    const auto& parser = parser_of(one.kind);
    const int rounds = one.text.size() > 20000 ? 10 : 60;
    for (int round = 0; round < rounds; ++round) check_outcome(parser.parse(clean_output(mutated(one.text, random))));
  }
}

// A text that was cut off anywhere is refused, or read as what is there: never as more.
TEST_CASE("parsers: cut off at every line") {
  for (const auto& one : parse_cases()) {
    if (one.text.size() > 20000) continue;
    CAPTURE(one.kind);
    CAPTURE(one.name);
    const auto& parser = parser_of(one.kind);
    std::size_t at = 0;
    for (int count = 0; count < 200 && (at = one.text.find('\n', at)) != std::string::npos; ++count) {
      check_outcome(parser.parse(std::string_view(one.text).substr(0, ++at)));
    }
  }
}

}  // namespace podwright
