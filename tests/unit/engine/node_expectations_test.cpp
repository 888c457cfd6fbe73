// What a node's own checks are judged by: written as TOML, read back as a profile.
#include <doctest/doctest.h>

#include "engine/node_expectations.hpp"
#include "engine/toml_writer.hpp"

namespace podwright {

namespace {

Wanted wanted(const std::string& kind, const std::string& name, Value::Table fields) {
  Wanted one;
  one.kind = kind;
  one.name = name;
  one.fields = std::move(fields);
  return one;
}

}  // namespace

TEST_CASE("expectations: checks, services and mounts; what only an installer needs is left out") {
  Profile profile;
  profile.name = "pod";
  profile.checks = {{.id = "fs.use", .options = {{"warn", Value(std::int64_t{70})}}, .enabled = true, .pos = {}},
                    {.id = "mem.swap", .options = {}, .enabled = false, .pos = {}}};
  const std::vector<Wanted> resources = {
      wanted("package", "chrony", {{"name", Value(std::string("chrony"))}}),
      wanted("service", "chrony",
             {{"name", Value(std::string("chrony"))},
              {"enabled", Value(true)},
              {"restart_on", Value(Value::Array{Value(std::string("file//etc/chrony.conf"))})}})};
  const auto text = node_expectations(profile, resources);
  CHECK(text.find("[[check]]\nid = \"fs.use\"\nwarn = 70\n") != std::string::npos);
  CHECK(text.find("id = \"mem.swap\"\nenabled = false\n") != std::string::npos);
  CHECK(text.find("[[service]]\nname = \"chrony\"\nenabled = true\n") != std::string::npos);
  CHECK(text.find("restart_on") == std::string::npos);
  CHECK(text.find("[[package]]") == std::string::npos);
}

TEST_CASE("expectations: they take the place of their mark, in files alone") {
  Profile profile;
  profile.name = "pod";
  std::vector<Wanted> resources = {
      wanted("file", "/etc/x", {{"content", Value("a\n" + std::string(expectations_mark))}}),
      wanted("service", "slurmd", {{"name", Value(std::string("slurmd"))}})};
  fill_in_expectations(profile, resources);
  const auto text = resources[0].text("content");
  CHECK(text.starts_with("a\n"));
  CHECK(text.find("name = \"slurmd\"") != std::string::npos);
  CHECK(text.find(expectations_mark) == std::string::npos);
}

TEST_CASE("toml: values on one line") {
  CHECK(TomlWriter::inline_value(Value(std::string("a \"b\"\n"))) == R"("a \"b\"\n")");
  CHECK(TomlWriter::inline_value(Value(2.0)) == "2.0");
  CHECK(TomlWriter::inline_value(Value(0.92)) == "0.92");
  CHECK(TomlWriter::inline_value(Value(Value::Table{{"a", Value(std::int64_t{1})}, {"b", Value(true)}})) ==
        R"({"a" = 1, "b" = true})");
}

}  // namespace podwright
