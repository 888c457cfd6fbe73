#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "report/formats.hpp"

namespace podwright {

namespace {

/// A label's value in the text format of Prometheus.
std::string label(std::string_view text) {
  std::string safe;
  for (const char c : clean_output(text)) {
    if (c == '\n') safe += "\\n";
    else if (c == '"' || c == '\\') (safe += '\\') += c;
    else safe += c;
  }
  return safe;
}

}  // namespace

std::string to_prometheus(const CheckReport& report, std::chrono::system_clock::time_point when) {
  std::string text =
      "# HELP podwright_check Whether the check has this status: 1 is yes.\n"
      "# TYPE podwright_check gauge\n";
  constexpr std::array statuses = {CheckStatus::pass, CheckStatus::warn, CheckStatus::fail, CheckStatus::error};
  for (const auto& [node, one] : report.nodes) {
    for (const auto& check : one.checks) {
      if (check.status == CheckStatus::skip) continue;  // does not apply here
      for (const auto status : statuses) {
        text += fmt::format("podwright_check{{node=\"{}\",check=\"{}\",status=\"{}\"}} {}\n", label(node), label(check.id),
                            to_string(status), check.status == status ? 1 : 0);
      }
    }
  }
  text +=
      "# HELP podwright_checks_pass Whether every check of the node was run and none failed.\n"
      "# TYPE podwright_checks_pass gauge\n";
  for (const auto& [node, one] : report.nodes) {
    const CheckReport alone{.nodes = {{node, one}}};
    text += fmt::format("podwright_checks_pass{{node=\"{}\"}} {}\n", label(node), alone.pass() ? 1 : 0);
  }
  text +=
      "# HELP podwright_checks_time_seconds When the checks were run, seconds since 1970.\n"
      "# TYPE podwright_checks_time_seconds gauge\n";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
  for (const auto& [node, one] : report.nodes) {
    text += fmt::format("podwright_checks_time_seconds{{node=\"{}\"}} {}\n", label(node), seconds);
  }
  return text;
}

}  // namespace podwright
