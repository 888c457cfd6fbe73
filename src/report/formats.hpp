/// The acceptance report in the formats people and machines read. JSON is config/json.hpp's.
///
/// Names and outputs of nodes are hostile in all of them: they are cleaned and escaped.
#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"
#include "model/report.hpp"

namespace podwright {

/// For a terminal of `width` columns (60 at least); `color` adds ANSI colours.
std::string to_text(const Report& report, int width, bool color);

/// GitHub-flavoured Markdown.
std::string to_markdown(const Report& report);

/// One self-contained page: no script, no reference to anything else, light and dark, prints well.
/// Made from templates/report.html.mustache; fails when that was replaced by one that does not fit.
Result<std::string> to_html(const Report& report);

/// JUnit XML of the checks, a test suite a node: what continuous integration shows. Fails and
/// errors of checks are failures and errors; warnings pass, with the finding as output.
std::string to_junit(const CheckReport& report, const std::string& cluster);

/// The checks alone as Markdown: for a ticket or a chat.
std::string to_markdown(const CheckReport& report, const std::string& cluster);

/// Metrics for the textfile collector of Prometheus' node exporter: podwright_check (1 for the status that a
/// check has, by node, check and status), podwright_checks_pass and podwright_checks_time_seconds by node.
std::string to_prometheus(const CheckReport& report, std::chrono::system_clock::time_point when);

}  // namespace podwright
