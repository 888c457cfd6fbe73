// The formats of the report. Golden files are in tests/cases/report; after a wanted change run this
// with PODWRIGHT_UPDATE_GOLDEN=1 and read the difference.
#include "report/formats.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"
#include "report/digest.hpp"
#include "report/layout.hpp"
#include "unit/report/sample_report.hpp"

namespace podwright {
namespace {

void check_golden(const std::string& name, const std::string& text) {
  const auto path = std::string(PODWRIGHT_CASES "/report/") + name;
  if (std::getenv("PODWRIGHT_UPDATE_GOLDEN") != nullptr) {
    REQUIRE(write_file(path, text));
    return;
  }
  const auto golden = read_file(path);
  REQUIRE(golden);
  CHECK_MESSAGE(*golden == text, unified_diff(*golden, text, name));
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

std::string without_colour(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') plain += text[i];
    else i = text.find('m', i);
  }
  return plain;
}

/// Elements that are opened and closed in the right order; the first that is not, else nothing.
std::string unbalanced(const std::string& html) {

  std::vector<std::string> open;
  for (auto at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const auto end = html.find('>', at);
    if (end == std::string::npos) return "a tag without its end";
    auto tag = html.substr(at + 1, end - at - 1);
    const bool closed = tag.ends_with('/');
    const bool closing = tag.starts_with('/');
    tag = tag.substr(closing ? 1 : 0, tag.find_first_of(" \n/", 1) - (closing ? 1 : 0));
    if (closed || tag == "!doctype" || tag == "meta") continue;
    if (!closing) {
      open.push_back(tag);
    } else if (open.empty() || open.back() != tag) {
      return tag + " closes " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back() + " is never closed";
}

/// Every text that comes from outside, hostile.
Report hostile_report() {
  const std::string evil = "<script>alert('x')</script>\"& \x1b[31m|*`{{cluster}}`\nnext";
  auto report = test::sample_report();
  report.cluster = report.profile = report.run = report.created = report.version = evil;
  auto node = report.nodes.front();
  node.name = evil;
  node.labels["leaf"] = evil;
  report.nodes.push_back(node);
  auto facts = test::sample_facts(evil);
  facts.product = facts.kernel = facts.arch = facts.os.name = facts.cpu.model =
      facts.virtualization = evil;
  facts.gpus.front().model = facts.hcas.front().link_layer = evil;
  report.facts[evil] = facts;
  report.unreachable[evil] = {.fault = Fault::unreachable, .what = evil, .hint = evil};
  report.plan->failed[evil] = {.fault = Fault::remote, .what = evil, .hint = evil};
  report.applied->nodes[evil] = {.status = NodeStatus::failed,
                                 .changed = {},
                                 .failed_step = evil,
                                 .error = evil,
                                 .hint = evil};
  auto pair = report.fabric->pairs.front();
  pair.result.pair.b = evil;
  pair.result.error = evil;
  pair.status = Verdict::failed;
  report.fabric->pairs.push_back(pair);
  report.fabric->verdict.nodes.push_back(
      {.name = evil, .rail = 0, .direction = evil, .cause = evil, .evidence = evil});
  report.fabric->verdict.links.push_back({.a = evil, .b = evil + "2", .evidence = evil});
  report.fabric->verdict.ambiguous.push_back({evil, evil});
  report.fabric->verdict.summary = evil;
  report.fabric->collectives.push_back({.name = evil, .status = Verdict::failed, .error = evil});
  report.checks->nodes[evil] = {
      .checks = {{.id = evil,
                  .status = CheckStatus::fail,
                  .observed = evil,
                  .expected = evil,
                  .remedy = evil},
                 {.id = evil, .status = CheckStatus::pass, .observed = evil, .expected = evil}},
      .error = evil};
  report.handoff->targets.push_back({.name = evil, .status = evil, .files = {evil}, .error = evil});
  report.handoff->proofs.push_back(
      {.name = evil, .pass = false, .summary = evil, .command = evil, .output = evil});
  return report;
}

TEST_CASE("text: a report with problems, at 80 and at 200 columns") {
  const auto report = test::sample_report();
  check_golden("sample-80.txt", to_text(report, 80, false));
  check_golden("sample-200.txt", to_text(report, 200, false));
}

TEST_CASE("text: a report in which everything passed") {
  const auto report = test::sound_report();
  REQUIRE(report.pass());
  check_golden("sound-80.txt", to_text(report, 80, false));
}

TEST_CASE("text: no line is wider than the terminal, and colour changes nothing else") {
  for (const auto& report :
       {test::sample_report(), test::sound_report(), hostile_report(), Report{}}) {
    for (const int width : {60, 80, 120, 200}) {
      const auto text = to_text(report, width, false);
      CHECK_FALSE(has(text, "\x1b"));
      for (const auto line : lines(text)) {
        CHECK_MESSAGE(layout::width_of(line) <= static_cast<std::size_t>(width), line);
      }
      CHECK(without_colour(to_text(report, width, true)) == text);
    }
  }
}

TEST_CASE("markdown: golden, and hostile names stay text") {
  check_golden("sample.md", to_markdown(test::sample_report()));
  const auto hostile = to_markdown(hostile_report());
  // Fenced blocks show text as it is; what is outside of them must not be HTML.
  bool fenced = false;
  for (const auto line : lines(hostile)) {
    if (line.starts_with("```")) fenced = !fenced;
    if (!fenced) CHECK_MESSAGE(line.find("<script") == std::string_view::npos, line);
  }
  CHECK_FALSE(fenced);
  CHECK_FALSE(has(hostile, "\x1b"));
}

TEST_CASE("junit: golden; failures, errors and skipped are counted") {
  const auto report = test::sample_report();
  const auto xml = to_junit(*report.checks, report.cluster);
  check_golden("sample.junit.xml", xml);
  CHECK(has(xml, "tests=\"36\" failures=\"1\" errors=\"0\" skipped=\"1\""));
  const auto hostile = to_junit(*hostile_report().checks, "<&\">");
  CHECK_FALSE(has(hostile, "<script"));
  CHECK_FALSE(has(hostile, "\x1b"));
  CHECK(has(hostile, "name=\"node\""));
}

TEST_CASE("html: every part is there, and the verdict cannot be missed") {
  const auto html = to_html(test::sample_report());
  REQUIRE_MESSAGE(html, (html ? "" : html.error().message()));
  for (const auto* id : {"problems", "notes", "nodes", "installation", "interconnect", "checks",
                         "handoff", "acceptance"}) {
    CHECK_MESSAGE(has(*html, fmt::format("id=\"{}\"", id)), id);
  }
  CHECK(has(*html, "<title>NOT ACCEPTED: pod1"));
  CHECK(has(*html, "</b>NOT ACCEPTED</div>"));
  CHECK(has(*html, "2 problems must be solved first."));
  CHECK(has(*html, "card verdict bad"));
  CHECK(has(*html, "7 of 8: 0000:9b:00.0 is missing"));
  CHECK(has(*html, "the card has dropped off the bus"));
  CHECK(has(*html, "sends at best 41.3 of 92.0 Gbit/s"));
  CHECK(has(*html, "srun -N 8 hostname"));
  CHECK(has(*html, "<svg class=\"hm\""));
  CHECK(unbalanced(*html).empty());

  const auto sound = to_html(test::sound_report());
  REQUIRE(sound);
  CHECK(has(*sound, "<title>ACCEPTED: pod1"));
  CHECK(has(*sound, "card verdict good"));
  CHECK_FALSE(has(*sound, "id=\"problems\""));
}

TEST_CASE("html: refers to nothing outside, and needs no script") {
  for (const auto& report : {test::sample_report(), hostile_report()}) {
    const auto html = to_html(report);
    REQUIRE(html);
    for (const auto* bad : {"<script", "<link", "<img", "<iframe", "src=", "href=", "@import",
                            "url(", "https:", " onmouse", " onload"}) {
      CHECK_MESSAGE(!has(*html, bad), bad);
    }
    CHECK(count(*html, "http:") == 1);  // the namespace of SVG
  }
}

TEST_CASE("html: hostile names are text") {
  const auto html = to_html(hostile_report());
  REQUIRE_MESSAGE(html, (html ? "" : html.error().message()));
  CHECK_FALSE(has(*html, "<script"));
  CHECK(has(*html, "&lt;script&gt;"));
  CHECK_FALSE(has(*html, "\x1b"));
  CHECK(has(*html, "{{cluster}}"));  // a name is not a template
  CHECK(unbalanced(*html).empty());
}

TEST_CASE("html: an empty report is not accepted, and says what was not run") {
  const auto html = to_html(Report{});
  REQUIRE_MESSAGE(html, (html ? "" : html.error().message()));
  CHECK(has(*html, "NOT ACCEPTED"));
  CHECK(has(*html, "Nothing was proven yet."));
  CHECK(count(*html, "<span aria-hidden=\"true\">–</span>not run") == 6);
}

TEST_CASE("digest: a dead node blocks, a quarantined one does not, and both are named") {
  auto report = test::sound_report();
  report.unreachable["cu08"] = {
      .fault = Fault::unreachable, .what = "no route to host", .hint = "podwright doctor cu08"};
  CHECK_FALSE(report.pass());
  auto findings = findings_of(report);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].blocks);
  CHECK(findings[0].where == "cu08");
  CHECK(findings[0].remedy == "podwright doctor cu08");
  CHECK(stages_of(report)[0].outcome == Stage::Outcome::failed);

  report.applied->nodes["cu08"] = {
      .status = NodeStatus::quarantined, .changed = {}, .error = "no route to host"};
  CHECK(report.pass());
  findings = findings_of(report);
  REQUIRE(findings.size() == 2);
  CHECK_FALSE(findings[0].blocks);
  CHECK_FALSE(findings[1].blocks);
  CHECK(stages_of(report)[0].outcome == Stage::Outcome::passed);
  CHECK(has(stages_of(report)[0].text, "8 ready, 1 set aside"));
  CHECK(has(to_text(report, 80, false), "set aside: no route to host"));
}

TEST_CASE("digest: every reason why a report does not pass is a finding") {
  const auto with = [](auto change) {
    auto report = test::sound_report();
    change(report);
    return report;
  };
  const std::vector<Report> reports = {
      with([](Report& r) { r.unreachable["cu01"] = {.what = "lost"}; }),
      with([](Report& r) { r.plan->failed["cu01"] = {.what = "unknown system"}; }),
      with([](Report& r) { r.applied->nodes["cu01"].status = NodeStatus::failed; }),
      with([](Report& r) { r.applied->nodes["cu01"].status = NodeStatus::unreachable; }),
      with([](Report& r) { r.fabric->verdict.pass = false; }),
      with([](Report& r) {
        r.fabric->verdict = {
            .pass = false, .nodes = {}, .links = {}, .ambiguous = {{"cu01", "cu02"}}};
      }),
      with([](Report& r) { r.checks->nodes["cu01"].checks[0].status = CheckStatus::error; }),
      with([](Report& r) { r.checks->nodes["cu01"].error = "timed out"; }),
      with([](Report& r) { r.checks->nodes.clear(); }),
      with([](Report& r) { r.handoff->targets[0].status = "failed"; }),
      with([](Report& r) { r.handoff->proofs[0].pass = false; }),
      with([](Report& r) { r.handoff = HandoffReport{}; }),
  };
  for (std::size_t i = 0; i < reports.size(); ++i) {
    CAPTURE(i);
    REQUIRE_FALSE(reports[i].pass());
    const auto findings = findings_of(reports[i]);
    CHECK(std::ranges::any_of(findings, &Finding::blocks));
    const auto stages = stages_of(reports[i]);
    CHECK(std::ranges::count(stages, Stage::Outcome::failed, &Stage::outcome) == 1);
    CHECK(has(to_text(reports[i], 80, false), "1 problem must be solved first."));
  }
  CHECK(findings_of(test::sound_report()).empty());
}

TEST_CASE("prometheus: a line for each status, escaped, and no line for what does not apply") {
  CheckReport report;
  report.nodes["cu01"].checks = {
      {.id = "fs.use", .status = CheckStatus::fail, .observed = "/ 97 %", .expected = {}},
      {.id = "nv.count", .status = CheckStatus::skip, .observed = "no GPU", .expected = {}}};
  report.nodes["cu\"02\n"].checks = {{.id = "fs.use", .status = CheckStatus::pass, .observed = "/ 4 %", .expected = {}}};
  const auto text = to_prometheus(report, std::chrono::system_clock::time_point(std::chrono::seconds(1763802000)));
  CHECK(has(text, "podwright_check{node=\"cu01\",check=\"fs.use\",status=\"fail\"} 1\n"));
  CHECK(has(text, "podwright_check{node=\"cu01\",check=\"fs.use\",status=\"pass\"} 0\n"));
  CHECK(has(text, "podwright_check{node=\"cu\\\"02\\n\",check=\"fs.use\",status=\"pass\"} 1\n"));
  CHECK_FALSE(has(text, "nv.count"));
  CHECK(has(text, "podwright_checks_pass{node=\"cu01\"} 0\n"));
  CHECK(has(text, "podwright_checks_time_seconds{node=\"cu01\"} 1763802000\n"));
}

TEST_CASE("markdown: the checks alone, cells that cannot break out of the table") {
  CheckReport report;
  report.nodes["cu01"].checks = {{.id = "fs.use", .status = CheckStatus::fail, .observed = "a|b", .expected = "c", .remedy = "d"}};
  const auto text = to_markdown(report, "pod1");
  CHECK(has(text, "# ❌ Health checks of pod1: not passed"));
  CHECK(has(text, "| ❌ fail | fs.use | cu01 | a\\|b | c | d |"));
}

TEST_CASE("digest: equal findings are one, with their nodes folded") {
  auto report = test::sound_report();
  for (const auto* node : {"cu01", "cu02", "cu03"}) {
    report.applied->nodes[node] = {.status = NodeStatus::failed,
                                   .changed = {},
                                   .failed_step = "package/chrony",
                                   .error = "no such package"};
  }
  const auto findings = findings_of(report);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].where == "cu[01-03]");
  CHECK(findings[0].what == "package/chrony: no such package");
}

TEST_CASE("layout: widths, wrapping and tables") {
  CHECK(layout::width_of("naïve – ✓") == 9);
  CHECK(layout::width_of("节点") == 4);
  CHECK(layout::shortened("cu[01-64,70]", 6) == "cu[01…");
  CHECK(layout::wrapped("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(layout::wrapped("abcdefgh", 3) == std::vector<std::string>{"abc", "def", "gh"});
  CHECK(layout::wrapped("", 3) == std::vector<std::string>{""});
  CHECK(layout::table({{{"a"}, {"long text that wraps"}}, {{"bbb"}, {"x"}}}, 18, 2, false) ==
        "  a    long text\n       that wraps\n  bbb  x\n");
}

}  // namespace
}  // namespace podwright
