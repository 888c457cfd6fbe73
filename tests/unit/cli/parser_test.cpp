#include <doctest/doctest.h>

#include "cli/exit_code.hpp"
#include "cli/parser.hpp"

using namespace podwright;
using namespace podwright::cli;

namespace {

/// Two verbs that remember what they were given.
struct Program {
  std::string out;
  bool full = false;
  std::vector<std::string> words;
  std::vector<std::string> only;
  Globals globals;
  std::vector<Command> commands = {
      {.name = "plan", .summary = "plans",
       .options = {text_option("-o,--out", "FILE", "where", out), flag("--full", "all", full),
                   list_option("--only", "X", "some", only)},
       .run = [](App&) -> Result<Outcome> { return Outcome{}; }},
      {.name = "exec", .summary = "runs",
       .positionals = {.usage = "-- CMD…", .help = "", .least = 1, .most = kAny, .into = &words, .verbatim = true},
       .run = [](App&) -> Result<Outcome> { return Outcome{}; }},
      {.name = "profile", .summary = "profiles",
       .commands = {{.name = "show", .summary = "shows", .positionals = {.usage = "[NAME]", .least = 0, .most = 1, .into = &words},
                     .run = [](App&) -> Result<Outcome> { return Outcome{}; }}}}};

  Result<Parsed> parse(std::vector<std::string> arguments) { return cli::parse(arguments, commands, globals); }
};

}  // namespace

TEST_CASE("global options stand before or after the verb") {
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"-c", "x.toml", "-n", "cu[01-04]", "--jobs", "8", "-v", "plan", "--out", "f"},
           {"plan", "--out=f", "-cx.toml", "--nodes=cu[01-04]", "-j8", "--verbose"},
           {"-c", "x.toml", "plan", "-o", "f", "-vj", "8", "-n", "cu[01-04]"}}) {
    Program program;
    const auto parsed = program.parse(line);
    REQUIRE(parsed);
    CHECK(parsed->path == "plan");
    CHECK(program.globals.cluster == "x.toml");
    CHECK(program.globals.cluster_given);
    CHECK(program.globals.nodes == "cu[01-04]");
    CHECK(program.globals.jobs == 8);
    CHECK(program.globals.verbose);
    CHECK(program.out == "f");
    CHECK_FALSE(program.full);
  }
}

TEST_CASE("repeated options: the last one wins, sets add up") {
  Program program;
  REQUIRE(program.parse({"plan", "--out", "a", "--out", "b", "-n", "cu01", "-n", "@role:head", "--set", "a=1",
                         "--set", "b=x=y", "--only", "fs", "--only", "mem"}));
  CHECK(program.out == "b");
  CHECK(program.globals.nodes == "cu01,@role:head");
  CHECK(program.globals.set == std::vector<std::string>{"a=1", "b=x=y"});
  CHECK(program.only == std::vector<std::string>{"fs", "mem"});
}

TEST_CASE("what stands behind -- is nobody's option") {
  Program program;
  REQUIRE(program.parse({"exec", "-n", "cu01", "--", "ls", "-l", "--output", "--", "plan"}));
  CHECK(program.words == std::vector<std::string>{"ls", "-l", "--output", "--", "plan"});
  CHECK(program.globals.nodes == "cu01");
  CHECK(program.globals.output == Output::text);
}

TEST_CASE("a command line begins with its first word, with or without --") {
  Program program;
  REQUIRE(program.parse({"exec", "-n", "cu01", "ls", "-l", "--", "--output", "json", "-h"}));
  CHECK(program.words == std::vector<std::string>{"ls", "-l", "--", "--output", "json", "-h"});
  CHECK(program.globals.nodes == "cu01");
  CHECK_FALSE(program.globals.help);
  CHECK(program.globals.output == Output::text);
}

TEST_CASE("a word that is a verb's name stays a word") {
  Program program;
  const auto parsed = program.parse({"profile", "show", "plan", "--output", "json"});
  REQUIRE(parsed);
  CHECK(parsed->path == "profile show");
  CHECK(program.words == std::vector<std::string>{"plan"});
  CHECK(program.globals.output == Output::json);
}

TEST_CASE("what is mistyped is a usage error with the nearest known word") {
  struct Case {
    std::vector<std::string> line;
    std::string says;
  };
  for (const auto& [line, says] : std::vector<Case>{
           {{"plann"}, "unknown verb \"plann\"; did you mean \"plan\"?"},
           {{"profile", "shwo"}, "unknown verb \"profile shwo\"; did you mean \"show\"?"},
           {{"plan", "--fulll"}, "unknown option \"--fulll\"; did you mean \"--full\"?"},
           {{"--clutser", "x", "plan"}, "unknown option \"--clutser\"; did you mean \"--cluster\"?"},
           {{"plan", "--nodse=cu01"}, "unknown option \"--nodse\"; did you mean \"--nodes\"?"},
           {{"plan", "-X"}, "unknown option \"-X\""},
           {{"plan", "--output", "jsn"}, "--output cannot be \"jsn\"; did you mean \"json\"?"},
           {{"plan", "--color", "allways"}, "--color cannot be \"allways\"; did you mean \"always\"?"},
           {{"plan", "--timeout", "soon"}, "\"soon\" is not a duration"},
           {{"plan", "--timeout", "0"}, "--timeout cannot be zero"},
           {{"plan", "--jobs", "0"}, "--jobs cannot be \"0\""},
           {{"plan", "--jobs", "many", "--jobs", "2"}, "--jobs cannot be \"many\""},
           {{"plan", "--set", "novalue"}, "--set \"novalue\" is not KEY=VALUE"},
           {{"plan", "--out"}, "--out needs a FILE"},
           {{"plan", "stray"}, "unexpected \"stray\""},
           {{"exec"}, "-- CMD… is missing"},
           {{"profile"}, "profile what?"}}) {
    Program program;
    const auto parsed = program.parse(line);
    CAPTURE(says);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().fault == Fault::usage);
    CHECK(parsed.error().what.find(says) == 0);
    CHECK_FALSE(parsed.error().hint.empty());
  }
}

TEST_CASE("help is given whatever else is wrong, but not to the command behind --") {
  Program program;
  const auto parsed = program.parse({"exec", "--help"});
  REQUIRE(parsed);
  CHECK(program.globals.help);
  CHECK(parsed->command->name == "exec");

  Program other;
  REQUIRE(other.parse({"exec", "--", "ls", "--help"}));
  CHECK_FALSE(other.globals.help);
}

TEST_CASE("the output format is known even from a line that cannot be parsed") {
  CHECK(output_of({"plan", "--output", "json", "--nonsense"}) == Output::json);
  CHECK(output_of({"--output=ndjson", "x"}) == Output::ndjson);
  CHECK(output_of({"exec", "--", "--output", "json"}) == Output::text);
  CHECK(output_of({"plan", "--output"}) == Output::text);
}

TEST_CASE("exit codes are the contract's") {
  CHECK(exit_code(Fault::usage) == 2);
  for (const auto fault : {Fault::unreachable, Fault::auth, Fault::timeout, Fault::remote}) {
    CHECK(exit_code(fault) == 3);
  }
  CHECK(exit_code(Fault::validation) == 4);
  CHECK(exit_code(Fault::stale) == 5);
  CHECK(exit_code(Fault::cancelled) == 130);
  CHECK(exit_code(Fault::internal) == 1);
}
