// The ledger and undo, for real in a folder of this machine, and what undo decides as pure cases.
#include "engine/ledger.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/undo.hpp"
#include "unit/engine/ledger_node.hpp"

namespace podwright::test {
namespace {

Step make_step(std::string id, Undo undo, std::string script) {
  Step step{.id = std::move(id), .action = "write", .why = "test", .script = std::move(script)};
  step.undo = std::move(undo);
  return step;
}

std::vector<std::string> shells_here() {
  std::vector<std::string> all = {"sh", "bash"};
  const auto busybox = run_process({"sh", "-c", "command -v busybox"}, "", Millis(5000));
  if (busybox && busybox->exit_status == 0) all.emplace_back("busybox sh");
  return all;
}

std::string why_of(const NodeUndone& node) {
  std::string all;
  for (const auto& left : node.left) all += left.id + ": " + left.why + "\n";
  if (node.error) all += "error: " + node.error->what + "\n";
  return all;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("undo: files, links and folders are what they were, and the ledger is gone") {
  for (const auto& shell : shells_here()) {
    CAPTURE(shell);
    const LedgerNode node(shell);
    node.sh("printf 'old\\n' >changed; chmod 4750 changed; printf 'gone\\n' >'re moved'; ln -s changed link\n"
            "mkdir kept; chmod 2775 kept; mkdir empty");
    const auto before = node.manifest();
    const auto p = [&](const char* name) { return node.at(name); };
    CHECK(node.step(make_step("file/changed", {.paths = {p("changed")}},
                              "umask 077; echo new >" + p("changed") + ".t; mv " + p("changed") + ".t " + p("changed")))
              .exit_status == 0);
    node.step(make_step("file/removed", {.paths = {p("re moved")}}, "rm '" + p("re moved") + "'"));
    node.step(make_step("file/it's $(new)", {.paths = {p("a/b c/d")}},
                        "mkdir -p '" + p("a/b c") + "'; echo x >'" + p("a/b c/d") + "'"));
    node.step(make_step("symlink/link", {.paths = {p("link")}}, "ln -sfn kept " + p("link")));
    node.step(make_step("directory/kept", {.paths = {p("kept")}}, "chmod 0700 " + p("kept")));
    node.step(make_step("directory/empty", {.paths = {p("empty")}}, "rmdir " + p("empty")));
    node.step(make_step("directory/made", {.paths = {p("made")}}, "mkdir " + p("made")));
    node.step(make_step("mount/point", {.paths = {p("point/")}}, "mkdir " + p("point")));
    CHECK(node.manifest() != before);
    CHECK(node.entries().size() == 8);
    CHECK(node.entries().front().run == "run-1");
    CHECK(node.entries().front().component == "part/one");

    const auto done = node.undo();
    CHECK_MESSAGE(done.left.empty(), why_of(done));
    CHECK_MESSAGE(!done.error, why_of(done));
    CHECK(done.restored.size() == 8);
    CHECK(done.restored.front() == "mount/point");
    CHECK(node.manifest() == before);
    CHECK_FALSE(node.has_ledger());
    const auto again = node.undo();
    CHECK(again.restored.empty());
    CHECK_FALSE(again.error);
  }
}

TEST_CASE("undo: changes of one file come out in the reverse order") {
  const LedgerNode node;
  node.sh("echo 0 >f");
  const auto before = node.manifest();
  for (int i = 1; i < 12; ++i) {
    node.step(make_step(fmt::format("line/{}", i), {.paths = {node.at("f")}}, fmt::format("echo {} >>{}", i, node.at("f"))));
  }
  CHECK(node.entries().back().name == "000011-line-11");
  node.undo();
  CHECK(node.manifest() == before);
}

TEST_CASE("undo: what a person changed since is left, named, and forced only on demand") {
  const LedgerNode node;
  node.sh("echo old >a; echo old >b; echo old >c; echo old >d");
  const auto before = node.manifest();
  for (const auto* name : {"a", "b", "c", "d"}) {
    node.step(make_step(std::string("file/") + name, {.paths = {node.at(name)}}, "echo new >" + node.at(name)));
  }
  node.sh("echo mine >>a; chmod 600 b; rm c");
  const auto done = node.undo();
  CHECK(done.restored == Strings{"file/d"});
  CHECK(why_of(done) == fmt::format("file/c: {} was removed since\nfile/b: {} was changed since (mode)\n"
                                    "file/a: {} was changed since (content)\n",
                                    node.at("c"), node.at("b"), node.at("a")));
  CHECK(node.sh("cat a") == "new\nmine\n");
  CHECK(node.has_ledger());
  CHECK(node.undo().left.size() == 3);  // it stays on record

  // What was put back by hand needs nothing more.
  node.sh("echo old >a");
  CHECK(node.undo().restored == Strings{"file/a"});
  const auto forced = node.undo({.components = {}, .force = true});
  CHECK(forced.restored.size() == 2);
  CHECK(node.manifest() == before);
  CHECK_FALSE(node.has_ledger());
}

TEST_CASE("undo: below a change by hand nothing of the same file moves") {
  const LedgerNode node;
  node.sh("echo 0 >f");
  node.step(make_step("line/1", {.paths = {node.at("f")}}, "echo 1 >>" + node.at("f")));
  node.sh("echo mine >>f");
  node.step(make_step("line/2", {.paths = {node.at("f")}}, "echo 2 >>" + node.at("f")));
  const auto done = node.undo();
  CHECK(done.restored == Strings{"line/2"});
  CHECK(done.left.size() == 1);
  CHECK(node.sh("cat f") == "0\n1\nmine\n");
}

TEST_CASE("undo: a step that was cut off is taken back, one that did not begin is forgotten") {
  const LedgerNode node;
  node.sh("echo old >f; echo old >g");
  const auto before = node.manifest();
  const auto cut = node.step(make_step("file/f", {.paths = {node.at("f"), node.at("new")}},
                                       "echo half >" + node.at("f") + "; echo x >" + node.at("new") + "; kill -9 $$"));
  CHECK(cut.exit_status == 137);
  const auto entries = node.entries();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].begun);
  CHECK_FALSE(entries[0].sealed);
  // As a power cut leaves it while the originals are being kept.
  node.sh("mkdir " + node.ledger() + "/000007-file-g; echo " + node.at("g") + " >" + node.ledger() + "/000007-file-g/paths");
  const auto done = node.undo();
  CHECK_MESSAGE(done.left.empty(), why_of(done));
  CHECK(done.restored == Strings{"file/f"});
  CHECK(node.manifest() == before);
  CHECK_FALSE(node.has_ledger());
}

TEST_CASE("undo: a step that failed is on record with what it left, and keeps its status") {
  const LedgerNode node;
  const auto before = node.manifest();
  const auto failed = node.step(make_step("file/f", {.paths = {node.at("f")}}, "echo x >" + node.at("f") + "\necho why >&2\nexit 7"));
  CHECK(failed.exit_status == 7);
  CHECK(failed.out == "why\n");
  CHECK(node.entries().at(0).sealed);
  node.undo();
  CHECK(node.manifest() == before);
}

TEST_CASE("undo: without a ledger nothing is done") {
  const LedgerNode node;
  node.sh("mkdir ../lib; : >../lib/ledger");
  const auto refused = node.step(make_step("file/f", {.paths = {node.at("f")}}, "echo x >" + node.at("f")));
  CHECK(refused.exit_status != 0);
  CHECK(refused.out.find("could not be written, so this was not done") != std::string::npos);
  CHECK(node.sh("ls") == "");
}

TEST_CASE("undo: state is put back by the step's own text, unless somebody changed it since") {
  for (const auto& shell : shells_here()) {
    CAPTURE(shell);
    const LedgerNode node(shell);
    node.sh("echo 'one  two' >value");
    const Undo undo{.state = "cat " + node.at("value"), .restore = "cat \"$before\" >" + node.at("value")};
    node.step(make_step("sysctl/a", undo, "echo 2 >" + node.at("value")));
    node.step(make_step("sysctl/b", undo, "echo 3 >" + node.at("value")));
    node.sh("echo 9 >value");
    auto done = node.undo();
    CHECK(why_of(done) == "sysctl/b: its state was changed since\n"
                          "sysctl/a: sysctl/b of part/one, which stays, changed the same later\n");
    node.sh("echo 3 >value");
    done = node.undo();
    CHECK_MESSAGE(done.left.empty(), why_of(done));
    CHECK(node.sh("cat value") == "one  two\n");
    CHECK_FALSE(node.has_ledger());
  }
}

TEST_CASE("undo: a way back may lead over all versions of a resource at once") {
  for (const auto& shell : shells_here()) {
    CAPTURE(shell);
    const LedgerNode node(shell);
    const auto value = node.at("value");
    const Undo undo{.state = "[ ! -e " + value + " ] || cat " + value,
                    .restore = "if [ -n \"$(cat \"$oldest\")\" ]; then printf 'left\\t\\twas another one before\\n'; else rm -f " + value + "; fi"};
    for (const auto* version : {"1", "2", "3"}) {
      node.step(make_step("archive//opt/a", undo, std::string("echo ") + version + " >" + value));
    }
    auto done = node.undo();
    CHECK_MESSAGE(done.left.empty(), why_of(done));
    CHECK(done.restored == Strings{"archive//opt/a"});
    CHECK(node.sh("ls") == "");
    CHECK_FALSE(node.has_ledger());

    node.sh("echo 0 >value");
    node.step(make_step("archive//opt/a", undo, "echo 1 >" + value));
    node.step(make_step("archive//opt/a", undo, "echo 2 >" + value));
    done = node.undo();
    CHECK(why_of(done).find("archive//opt/a: was another one before\n") == 0);
    CHECK_FALSE(done.error);
    CHECK(node.sh("cat value") == "2\n");
  }
}

TEST_CASE("undo: a state that cannot be read stops the step; what cannot be put back is an error") {
  const LedgerNode node;
  const auto refused = node.step(make_step("sysctl/a", {.state = "cat " + node.at("none"), .restore = ":"}, "echo x >" + node.at("f")));
  CHECK(refused.exit_status != 0);
  CHECK(node.sh("ls") == "");
  node.step(make_step("sysctl/b", {.restore = "echo 'it is stuck' >&2; exit 1"}, ":"));
  node.step(make_step("file/f", {.paths = {node.at("f")}}, "echo x >" + node.at("f")));
  const auto done = node.undo();
  REQUIRE(done.error);
  CHECK(done.error->what == "sysctl/b: it is stuck");
  CHECK(done.restored == Strings{"file/f"});
  CHECK(node.has_ledger());
}

TEST_CASE("undo: steps of one transaction share their state, and their end comes once, after the files") {
  const LedgerNode node;
  node.sh("echo a >list; echo base >conf");
  const Undo undo{.state = "cat list 2>/dev/null || cat " + node.at("list"),
                  .finish = "cat " + node.at("conf") + "; for e in $entries; do echo \"${e##*/}\" $(cat \"$e/before\") to $(cat \"$e/after\"); done\n"
                            "printf 'left\\tpackage/y\\tsomething needs it\\n'"};
  const auto x = make_step("package/x", undo, "");
  const auto y = make_step("package/y", undo, "");
  node.step({{x, "one"}, {y, "two"}}, "echo b >>" + node.at("list"));
  node.step(make_step("file/conf", {.paths = {node.at("conf")}}, "echo changed >" + node.at("conf")));
  const auto work = plan_undo(node.entries(), {});
  const auto script = undo_script("node", work, node.ledger());
  const auto frames = node.run(script.script);
  REQUIRE(frames.contains(3));
  CHECK(frames.at(3).out == "base\n000001-package-x a to a b\n000002-package-y a to a b\nleft\tpackage/y\tsomething needs it\n");
  const auto done = undone(work, script, frames);
  CHECK(done.restored == Strings{"file/conf", "package/x"});
  CHECK(why_of(done) == "package/y: something needs it\n");
  CHECK(node.entries().size() == 1);
  CHECK(node.entries().front().restored);
  // Only the end is left to do.
  CHECK(node.undo().left.size() == 1);
}

TEST_CASE("undo: a folder that holds something of somebody else's stays and is named") {
  const LedgerNode node;
  node.step(make_step("file/f", {.paths = {node.at("opt/app/f")}}, "mkdir -p " + node.at("opt/app") + "; echo x >" + node.at("opt/app/f")));
  node.sh("echo mine >opt/notes");
  auto done = node.undo();
  CHECK(why_of(done) == fmt::format("file/f: the folder {} stays: it holds notes\n", node.at("opt")));
  CHECK(node.sh("find . -type f") == "./opt/notes\n");
  node.sh("rm opt/notes");
  done = node.undo();
  CHECK(done.left.empty());
  CHECK(node.sh("ls -A") == "");
  CHECK_FALSE(node.has_ledger());
}

TEST_CASE("undo: of one component, leaving what another one built upon") {
  const LedgerNode node;
  node.sh("echo 0 >f");
  node.step(make_step("line/1", {.paths = {node.at("f")}}, "echo 1 >>" + node.at("f")), "one");
  node.step(make_step("line/2", {.paths = {node.at("f")}}, "echo 2 >>" + node.at("f")), "two");
  node.step(make_step("file/g", {.paths = {node.at("g")}}, "echo g >" + node.at("g")), "one");
  const auto done = node.undo({.components = {"one"}});
  CHECK(done.restored == Strings{"file/g"});
  CHECK(why_of(done) == fmt::format("line/1: line/2 of two, which stays, changed {} later\n", node.at("f")));
  CHECK(node.sh("cat f; ls") == "0\n1\n2\nf\n");
  node.undo({.components = {"two"}});
  CHECK(node.undo({.components = {"one"}}).left.empty());
  CHECK(node.sh("cat f; ls") == "0\nf\n");
}

TEST_CASE("undo: what has no way back is named until it is forced") {
  const LedgerNode node;
  node.step(make_step("command/flash it", {.why_not = "the profile gives no undo"}, ":"));
  auto done = node.undo();
  CHECK(why_of(done) == "command/flash it: the profile gives no undo\n");
  CHECK(done.restored.empty());
  CHECK(node.has_ledger());
  done = node.undo({.components = {}, .force = true});
  CHECK(done.left.size() == 1);
  CHECK(done.restored.empty());
  CHECK_FALSE(node.has_ledger());
}

TEST_CASE("undo: cut off anywhere and run again, it comes to the same end") {
  for (std::size_t cut = 0; cut < 8; ++cut) {
    CAPTURE(cut);
    const LedgerNode node;
    node.sh("echo old >f; echo v >value; mkdir d");
    const auto before = node.manifest();
    node.step(make_step("file/f", {.paths = {node.at("f")}}, "echo new >" + node.at("f")));
    node.step(make_step("file/n", {.paths = {node.at("deep/er/n")}}, "mkdir -p " + node.at("deep/er") + "; echo n >" + node.at("deep/er/n")));
    node.step(make_step("service/s", {.state = "cat " + node.at("value"), .restore = "cat \"$before\" >" + node.at("value"),
                                      .finish = ": >" + node.at("ended") + "; rm " + node.at("ended")},
                        "echo w >" + node.at("value")));
    node.step(make_step("line/f", {.paths = {node.at("f")}}, "echo more >>" + node.at("f")));
    const auto work = plan_undo(node.entries(), {});
    auto script = undo_script("node", work, node.ledger());
    // The shell dies at the beginning of a frame.
    auto text = script.script.text();
    const auto place = text.find(fmt::format("begin {}\n", cut));
    if (place != std::string::npos) text.replace(place, 0, "kill -9 $$\n");
    REQUIRE(run_process({"sh", "-s"}, text, Millis(60000)));
    const auto done = node.undo();
    CHECK_MESSAGE(done.left.empty(), why_of(done));
    CHECK_MESSAGE(!done.error, why_of(done));
    CHECK(node.manifest() == before);
    CHECK_FALSE(node.has_ledger());
  }
}

TEST_CASE("ledger: a secret is not in it, and nobody but its owner can look inside") {
  const LedgerNode node;
  node.sh("printf 'the old key' >key; chmod 400 key");
  const auto step = make_step("secret/key", {.paths = {node.at("key")}},
                              "pw_secret_k='dGhlIG5ldyBrZXk='\nrm -f " + node.at("key") + "; printf %s \"$pw_secret_k\" | base64 -d >" + node.at("key"));
  const auto ran = node.step(step);
  CHECK(ran.out == "");
  CHECK(node.sh("cat key") == "the new key");
  CHECK(node.sh("grep -rlE 'the new key|dGhl' ../lib; stat -c %a ../lib/ledger ../lib/ledger/*; stat -c %a ../lib/ledger/*/0; true") == "700\n700\n400\n");
}

TEST_CASE("ledger: a listing that was cut is an error, never an empty ledger") {
  CHECK_FALSE(parse_ledger("").has_value());
  CHECK_FALSE(parse_ledger("entry 000001-x\nid file/x\nbegun\n").has_value());
  CHECK(parse_ledger("end\n")->empty());
}

TEST_CASE("undo: what a node says of itself between decision and deed counts") {
  const LedgerNode node;
  node.sh("echo old >f");
  node.step(make_step("file/f", {.paths = {node.at("f")}}, "echo new >" + node.at("f")));
  const auto work = plan_undo(node.entries(), {});
  node.sh("echo mine >f");
  const auto script = undo_script("node", work, node.ledger());
  const auto done = undone(work, script, node.run(script.script));
  CHECK(done.restored.empty());
  CHECK(done.left.size() == 1);
  CHECK(node.sh("cat f") == "mine\n");
}

}  // namespace podwright::test
