#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "report/formats.hpp"

namespace podwright {

namespace {

/// Text of XML. clean_output() leaves none of the control characters that XML 1.0 forbids.
std::string xml(std::string_view text) {
  std::string safe;
  for (const char c : clean_output(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\n':
        safe += "&#10;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string details(const CheckResult& check) {
  std::string text = "observed: " + check.observed;
  if (!check.expected.empty()) text += "\nexpected: " + check.expected;
  if (!check.remedy.empty()) text += "\nremedy: " + check.remedy;
  return text;
}

std::string test_case(const NodeId& node, const CheckResult& check) {
  const auto head =
      fmt::format("    <testcase classname=\"{}\" name=\"{}\"", xml(node), xml(check.id));
  const auto body = [&](std::string_view element) {
    return fmt::format("{}>\n      <{} message=\"{}\">{}</{}>\n    </testcase>\n", head, element,
                       xml(check.observed), xml(details(check)), element);
  };
  switch (check.status) {
    case CheckStatus::pass:
      return head + "/>\n";
    case CheckStatus::warn:
      return fmt::format("{}>\n      <system-out>warning&#10;{}</system-out>\n    </testcase>\n",
                         head, xml(details(check)));
    case CheckStatus::fail:
      return body("failure");
    case CheckStatus::error:
      return body("error");
    case CheckStatus::skip:
      return fmt::format("{}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", head,
                         xml(check.observed));
  }
  return body("error");
}

struct Counts {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;

  [[nodiscard]] std::string attributes() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", tests, failures,
                       errors, skipped);
  }
};

Counts counts_of(const NodeChecks& node) {
  Counts counts{.tests = node.checks.size()};
  for (const auto& check : node.checks) {
    counts.failures += check.status == CheckStatus::fail ? 1 : 0;
    counts.errors += check.status == CheckStatus::error ? 1 : 0;
    counts.skipped += check.status == CheckStatus::skip ? 1 : 0;
  }
  if (!node.error.empty()) {
    ++counts.tests;
    ++counts.errors;
  }
  return counts;
}

}  // namespace

std::string to_junit(const CheckReport& report, const std::string& cluster) {
  Counts all;
  std::string suites;
  for (const auto& [name, node] : report.nodes) {
    const auto counts = counts_of(node);
    all.tests += counts.tests;
    all.failures += counts.failures;
    all.errors += counts.errors;
    all.skipped += counts.skipped;
    suites += fmt::format("  <testsuite name=\"{}\" {}>\n", xml(name), counts.attributes());
    if (!node.error.empty()) {
      suites += test_case(
          name,
          {.id = "node", .status = CheckStatus::error, .observed = node.error, .expected = {}});
    }
    for (const auto& check : node.checks) suites += test_case(name, check);
    suites += "  </testsuite>\n";
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" {}>\n{}</testsuites>\n",
      xml(cluster), all.attributes(), suites);
}

}  // namespace podwright
