#include "render/render.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/json.hpp"

using namespace podwright;

namespace {

Json load(const std::string& name) {
  std::ifstream in(PODWRIGHT_CASES "/render/" + name);
  REQUIRE(in);
  return Json::parse(in);
}

bool says(const std::string& message, const std::string& words) {
  return message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("templates render as the case file says") {
  const auto context = load("context.json");
  const auto cases = load("templates.json");
  REQUIRE(cases.size() > 30);
  for (const auto& one : cases) {
    const auto what = one["what"].get<std::string>();
    CAPTURE(what);
    const auto source = one["template"].get<std::string>();
    const auto result = one.contains("html") ? render::html(source, context, "t.conf")
                                             : render::text(source, context, "t.conf");
    if (one.contains("error")) {
      REQUIRE_FALSE(result);
      CHECK(result.error().fault == Fault::usage);
      const auto message = result.error().message();
      CHECK_MESSAGE(says(message, one["error"].get<std::string>()), message);
      continue;
    }
    REQUIRE_MESSAGE(result, (result ? "" : result.error().message()));
    CHECK(*result == one["text"].get<std::string>());
    CHECK(render::check_template(source, "t.conf"));
  }
}

TEST_CASE("conditions hold as the case file says") {
  const auto context = load("context.json");
  std::ifstream in(PODWRIGHT_CASES "/render/conditions.txt");
  REQUIRE(in);
  int count = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    const auto arrow = line.rfind(" => ");
    REQUIRE_MESSAGE(arrow != std::string::npos, line);
    const auto expression = line.substr(0, arrow);
    const auto wanted = line.substr(arrow + 4);
    CAPTURE(expression);
    ++count;
    const auto result = render::condition(expression, context, "p.toml:3:1");
    if (wanted.starts_with("error: ")) {
      REQUIRE_FALSE(result);
      CHECK(result.error().fault == Fault::usage);
      const auto message = result.error().message();
      CHECK(message.starts_with("p.toml:3:1: in \""));
      CHECK_MESSAGE(says(message, wanted.substr(7)), message);
      continue;
    }
    REQUIRE_MESSAGE(result, (result ? "" : result.error().message()));
    CHECK(*result == (wanted == "true"));
    CHECK(render::check_condition(expression, "p.toml:3:1"));
  }
  CHECK(count > 60);
}

TEST_CASE("a check of the form finds slips without any facts, and asks for no names") {
  CHECK(render::check_condition("anything.at.all == 'x' and not other", "p"));
  CHECK_FALSE(render::check_condition("anything.at.all = 'x'", "p"));
  CHECK_FALSE(render::check_condition("", "p"));
  CHECK(render::check_template("{{anything.at.all}}", "p"));
  CHECK_FALSE(render::check_template("{{#anything}}", "p"));
}

TEST_CASE("nesting without end is refused") {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += '(';
  CHECK_FALSE(render::check_condition(deep, "p"));
  std::string nots;
  for (int i = 0; i < 100'000; ++i) nots += "not ";
  CHECK(render::condition(nots + "true", Json::object(), "p").value());
  std::string lists;
  for (int i = 0; i < 100'000; ++i) lists += '[';
  CHECK_FALSE(render::check_condition(lists, "p"));
  std::string sections;
  for (int i = 0; i < 100'000; ++i) sections += "{{#a}}";
  CHECK_FALSE(render::check_template(sections, "p"));
}

TEST_CASE("a line for each of four thousand nodes renders") {
  Json context = {{"nodes", Json::array()}};
  for (int i = 0; i < 4096; ++i) {
    context["nodes"].push_back({{"name", "cu" + std::to_string(i)}, {"address", "10.0.0.1"}});
  }
  const auto text = render::text("{{#nodes}}\n{{name}} {{address}}\n{{/nodes}}\n", context, "t");
  REQUIRE(text);
  CHECK(std::count(text->begin(), text->end(), '\n') == 4096);
}
