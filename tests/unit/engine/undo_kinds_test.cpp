// Kinds of resource and their way back: what the kind plans is run and recorded for real in a folder
// of this machine, and undo leaves the folder as it was. Kinds that change the machine itself
// (package, service, user, …) are shown in tests/integration/test_undo.sh.
#include <doctest/doctest.h>

#include "unit/engine/ledger_node.hpp"

namespace podwright::test {
namespace {

using Fields = std::vector<std::pair<std::string, Value::Data>>;

Wanted make(const std::string& kind, const Fields& fields) {
  Wanted wanted;
  wanted.kind = kind;
  const auto* known = find_in_catalog<ResourceKind>(kind);
  REQUIRE(known != nullptr);
  for (const auto& [name, data] : fields) {
    wanted.fields.emplace_back(name, Value(data));
    if (name == known->key) wanted.name = Value(data).scalar_text();
  }
  return wanted;
}

/// Plans and runs; false when there was nothing to do.
bool apply(const LedgerNode& node, const Wanted& wanted) {
  const auto* kind = find_in_catalog<ResourceKind>(wanted.kind);
  const Facts facts;
  FramedScript probe("probe");
  probe.add({.comment = "probe", .script = kind->probe(wanted, facts)});
  const auto observed = node.run(probe);
  REQUIRE(observed.contains(0));
  static const std::set<std::string> nothing;
  const auto steps = kind->plan(wanted, observed.at(0), {.facts = facts, .changing = nothing});
  REQUIRE_MESSAGE(steps.has_value(), (steps ? "" : steps.error().message()));
  for (const auto& step : *steps) {
    const auto ran = node.step(step);
    CHECK_MESSAGE(ran.exit_status == 0, ran.out);
  }
  return !steps->empty();
}

std::string text(const char* literal) { return literal; }

}  // namespace

TEST_CASE("undo of kinds: files of all sorts, once and on top of each other") {
  const LedgerNode node;
  const auto me = std::to_string(getuid());
  const auto my_group = std::to_string(getgid());
  node.sh("printf 'a=1\\nb=2\\n' >conf; chmod 640 conf; echo 127.0.1.1 me here >hosts; ln -s conf link; echo bye >gone; mkdir empty");
  const auto before = node.manifest();
  const std::vector<Wanted> all = {
      make("directory", {{"path", node.at("opt/app")}, {"owner", me}, {"group", my_group}, {"mode", text("0750")}}),
      make("file", {{"path", node.at("opt/app/x")}, {"content", text("x\n")}, {"owner", me}, {"group", my_group}}),
      make("file", {{"path", node.at("deep/er/y")}, {"content", text("y\n")}, {"owner", me}, {"group", my_group}, {"parents", true}}),
      make("file", {{"path", node.at("conf")}, {"content", text("c\n")}, {"owner", me}, {"group", my_group}}),
      make("line", {{"name", text("a")}, {"path", node.at("conf")}, {"line", text("a=3")}, {"match", text("^a=")}}),
      make("line", {{"name", text("d")}, {"path", node.at("conf")}, {"line", text("d=4")}}),
      make("hosts", {{"name", text("cluster")}, {"path", node.at("hosts")}, {"content", text("10.0.0.1 me\n")}}),
      make("symlink", {{"path", node.at("link")}, {"target", text("opt")}}),
      make("symlink", {{"path", node.at("new link")}, {"target", text("nowhere")}}),
      make("file", {{"path", node.at("gone")}, {"state", text("absent")}}),
      make("directory", {{"path", node.at("empty")}, {"state", text("absent")}}),
      make("command", {{"name", text("with paths")}, {"run", text("echo made >") + node.at("made")},
                       {"creates", node.at("made")}, {"undo_paths", std::vector<Value>{Value(node.at("made"))}}}),
      make("command", {{"name", text("with undo")}, {"run", text("mkdir ") + node.at("tree") + " && touch " + node.at("tree/a")},
                       {"creates", node.at("tree")}, {"undo", text("rm -rf ") + node.at("tree")}}),
  };
  for (const auto& wanted : all) {
    CAPTURE(wanted.id());
    CHECK(apply(node, wanted));
  }
  for (const auto& wanted : all) {
    CAPTURE(wanted.id());
    if (wanted.id() != "file/" + node.at("conf")) CHECK_FALSE(apply(node, wanted));
  }
  CHECK(node.manifest() != before);
  const auto done = node.undo();
  CHECK_MESSAGE(done.left.empty(), (done.left.empty() ? "" : done.left.front().why));
  CHECK_FALSE(done.error);
  CHECK(node.manifest() == before);
  CHECK_FALSE(node.has_ledger());
}

TEST_CASE("undo of kinds: a command without undo is named") {
  const LedgerNode node;
  apply(node, make("command", {{"name", text("flash")}, {"run", text("touch ") + node.at("x")}, {"creates", node.at("x")}}));
  const auto done = node.undo();
  REQUIRE(done.left.size() == 1);
  CHECK(done.left.front().id == "command/flash");
  CHECK(done.left.front().why == "the profile gives no undo for this command");
  CHECK(node.sh("ls") == "x\n");
}

}  // namespace podwright::test
