#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/fold.hpp"
#include "cli/plan_text.hpp"
#include "cli/result_text.hpp"
#include "cli/style.hpp"
#include "events/terminal.hpp"

using namespace podwright;
using namespace podwright::cli;

namespace {

void fits(const std::string& text, std::size_t width) {
  for (const auto line : lines(text)) {
    CAPTURE(std::string(line));
    CHECK(events::display_width(line) <= width);
  }
}

NodeId cu(int number) { return fmt::format("cu{:02}", number); }

Step install(std::string name) {
  return {.id = "package/" + name, .action = "install", .why = name + " is not installed"};
}

}  // namespace

TEST_CASE("nodes that say the same are named together, the odd one last") {
  std::map<NodeId, std::string> texts;
  for (int i = 1; i <= 62; ++i) texts[cu(i)] = "6.1.0-18-amd64\n";
  texts["cu07"] = "5.10.0\n";
  texts["cu09"] = "line one\n  line two\n";
  CHECK(folded_text(texts) ==
        "cu[01-06,08,10-62] (60): 6.1.0-18-amd64\n"
        "cu07: 5.10.0\n"
        "cu09:\n"
        "  line one\n"
        "    line two\n");
  CHECK(folded_text({{"cu01", ""}}) == "cu01:\n");
  CHECK(folded_text({}).empty());
}

TEST_CASE("errors are folded by their reason, with the remedy beneath") {
  std::map<NodeId, Error> errors;
  for (const auto* node : {"cu07", "cu09"}) {
    errors[node] = Error{.fault = Fault::unreachable, .what = "connection \x1b[31mrefused", .hint = "is sshd running?"};
  }
  CHECK(folded_errors(errors) == "cu[07,09] (2): connection refused\n    is sshd running?\n");
}

TEST_CASE("what differs only by the node and its address is one finding") {
  std::map<NodeId, std::string> texts;
  for (int i = 1; i <= 3; ++i) texts[cu(i)] = fmt::format("[10.0.0.{}]:2222 refuses {} it", i, cu(i));
  texts["cu04"] = "10.0.0.4 does not answer; cu040 does, 1.2.3 is no address";
  const auto groups = fold_alike(texts);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].nodes.size() == 3);
  CHECK(groups[0].text == "ADDRESS refuses NODE it");
  CHECK(groups[1].text == texts["cu04"]);  // alone: as it was said
  CHECK(fold_alike({{"a", "same 10.0.0.1"}, {"b", "same 10.0.0.1"}}).front().text == "same 10.0.0.1");
}

TEST_CASE("tables align their columns and wrap the last one") {
  Table table({"name", ">size", "what"});
  table.add({"a", "1", "short"});
  table.add({"caf\xC3\xA9", "1000", "a text that is so long that it has to be broken into several lines of the column"});
  const auto text = table.text(50, 2);
  fits(text, 50);
  CHECK(text.find("  name  size  what\n  a        1  short\n  caf\xC3\xA9  1000  a text") == 0);
  CHECK(Table({}).text().empty());
}

TEST_CASE("a plan folds nodes with the same steps and sums up") {
  Plan plan;
  plan.stages = 2;
  for (int i = 1; i <= 62; ++i) {
    auto& steps = plan.nodes[cu(i)].steps;
    steps.push_back(install("chrony"));
    // The text differs from node to node; the step is the same to whoever reads the plan.
    steps.push_back({.id = "file//etc/hostname", .action = "write", .why = "content differs",
                     .diff = fmt::format("@@ -1 +1 @@\n-localhost\n+{}\n", cu(i))});
    steps.push_back({.id = "service/slurmd", .action = "start", .why = "slurmd is inactive", .stage = 1});
  }
  plan.nodes["head"].steps = {install("slurmctld"),
                              {.id = "reboot/kernel", .action = "reboot", .why = "a new kernel was installed", .reboots = true}};
  plan.nodes["login"].satisfied = 12;
  plan.failed["cu63"] = Error{.fault = Fault::unreachable, .what = "no route to host", .hint = "is it on?"};

  for (const std::size_t width : {80U, 200U}) {
    const auto text = plan_text(plan, {.width = width});
    fits(text, width);
    CHECK(text.find("cu[01-62] (62): 3 steps each\n") != std::string::npos);
    CHECK(text.find("        +cu01\n") != std::string::npos);
    CHECK(text.find("(of cu01; the others differ in details)") != std::string::npos);
    CHECK(text.find("stage 2 of 2\n    start    service/slurmd") != std::string::npos);
    CHECK(text.find("head: 2 steps\n") != std::string::npos);
    CHECK(text.find("[reboots]") != std::string::npos);
    CHECK(text.find("login: as the profile wants\n") != std::string::npos);
    CHECK(text.find("as wanted already") == std::string::npos);
    CHECK(text.find("cu63: no route to host") != std::string::npos);
    CHECK(text.ends_with("188 steps on 63 nodes, in 2 stages, 1 reboot\n"));
  }
  CHECK(plan_text(plan, {.diffs = false}).find("+cu01") == std::string::npos);
  plan.nodes["cu02"].satisfied = 40;
  const auto all = plan_text(plan, {.verbose = true});
  CHECK(all.find("login: as the profile wants\n    12 resources as wanted already\n") != std::string::npos);
  CHECK(all.find("    0 to 40 resources as wanted already\n") != std::string::npos);
  CHECK(plan_summary(Plan{}) == "nothing to do");
}

TEST_CASE("a long difference is cut, and says so") {
  Plan plan;
  std::string diff;
  for (int i = 0; i < 100; ++i) diff += "+line\n";
  plan.nodes["cu01"].steps = {{.id = "file//x", .action = "write", .why = "content differs", .diff = diff}};
  CHECK(plan_text(plan, {}).find("... 70 more lines; -v shows all") != std::string::npos);
  CHECK(plan_text(plan, {.verbose = true}).find("more lines") == std::string::npos);
}

TEST_CASE("what was applied names every node that is not well, with the reason") {
  Applied applied;
  for (int i = 1; i <= 62; ++i) applied.nodes[cu(i)] = {.changed = {"package/chrony", "file//etc/x"}};
  applied.nodes["cu63"] = {.status = NodeStatus::unreachable, .changed = {}, .error = "connection lost"};
  applied.nodes["cu64"] = {.status = NodeStatus::failed, .changed = {"package/chrony"}, .failed_step = "package/slurm",
                           .error = "install ended with exit status 100:\nE: no space left", .hint = "make room"};
  const auto text = applied_text(applied, {}, 80);
  fits(text, 80);
  CHECK(text.find("ok: cu[01-62] (62)\n") != std::string::npos);
  CHECK(text.find("cu64\n  failed at package/slurm: install ended with exit status 100:\n  E: no space left\n  make room\n") !=
        std::string::npos);
  CHECK(text.find("unreachable: connection lost") != std::string::npos);
  CHECK(text.ends_with("125 steps done\n"));
}

TEST_CASE("checks show the worst first and the remedy") {
  CheckReport report;
  for (int i = 1; i <= 4; ++i) {
    report.nodes[cu(i)].checks = {{.id = "mem.total", .status = CheckStatus::pass, .observed = "2 TiB", .expected = "2 TiB"},
                                  {.id = "cpu.governor", .status = CheckStatus::warn, .observed = "powersave",
                                   .expected = "performance", .remedy = "set it"}};
  }
  report.nodes["cu03"].checks.push_back({.id = "fs.use", .status = CheckStatus::fail, .observed = "/ is 97 % full",
                                         .expected = "below 95 %", .remedy = "make room"});
  report.nodes["cu05"].error = "unreachable";
  const auto text = checks_text(report, false, {}, 80);
  fits(text, 80);
  CHECK(text.find("FAIL  fs.use  cu03\n      observed: / is 97 % full\n      expected: below 95 %\n      remedy: make room\n") == 0);
  CHECK(text.find("WARN  cpu.governor  cu[01-04] (4)\n") != std::string::npos);
  CHECK(text.find("mem.total") == std::string::npos);
  CHECK(text.find("cu05: unreachable") != std::string::npos);
  CHECK(text.ends_with("FAIL: 1 fail, 4 warn, 4 pass on 5 nodes; 1 node could not be checked\n"));
  CHECK(checks_text(report, true, {}, 80).find("mem.total") != std::string::npos);
  CHECK(checks_summary(CheckReport{}) == "nothing was checked on 0 nodes");
}

TEST_CASE("the fabric's verdict comes first, then who is at fault") {
  FabricReport report;
  report.rounds = 3;
  report.pairs = {{.result = {.round = 1, .pair = {"cu01", "cu02", 0}, .gbps_ab = 93, .gbps_ba = 93}, .gbps = 93, .expected_gbps = 92},
                  {.result = {.round = 1, .pair = {"cu03", "cu07", 0}, .gbps_ab = 41, .gbps_ba = 92}, .gbps = 41,
                   .expected_gbps = 92, .status = Verdict::slow},
                  {.result = {.round = 2, .pair = {"cu01", "cu09", 0}, .error = "no \x1b[2Janswer"}, .status = Verdict::failed}};
  report.verdict.summary = "cu07 sends slowly.";
  report.verdict.nodes = {{.name = "cu07", .rail = 0, .direction = "tx", .cause = "slow", .gbps = 41, .confidence = 0.99}};
  report.verdict.links = {{.a = "leaf:l1", .b = "leaf:l2", .gbps = 50, .confidence = 0.97}};
  report.verdict.ambiguous = {{"cu03", "cu04"}};
  const auto text = fabric_text(report, {}, 80);
  fits(text, 80);
  CHECK(text.find("FAIL  cu07 sends slowly.\n") == 0);
  CHECK(text.find("cu07           41.0 Gbit/s tx only, rail 0, confidence 99.0 %") != std::string::npos);
  CHECK(text.find("leaf:l1 - leaf:l2") != std::string::npos);
  CHECK(text.find("at least one of cu[03-04] is at fault") != std::string::npos);
  CHECK(text.find("3 pairs in 3 rounds: 1 pass, 1 slow, 1 failed") != std::string::npos);
  CHECK(text.find("no answer") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("colours are used only where they are wanted") {
  CHECK(Style{.color = true}.bad("x") == "\x1b[31mx\x1b[0m");
  CHECK(Style{}.bad("x") == "x");
  CHECK(wants_color("always", -1));
  CHECK_FALSE(wants_color("never", 1));
  CHECK_FALSE(wants_color("auto", -1));
}
