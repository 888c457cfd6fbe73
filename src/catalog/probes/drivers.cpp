// Versions of the loaded drivers that bring their own: those that come with the kernel have none.
#include <algorithm>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// One grep for all files: a cluster node has some hundred modules.
constexpr std::string_view script = R"sh(
cd /sys/module || exit 1
grep -s . /dev/null */version
echo end
)sh";

Status parse_drivers(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::map<std::string, std::string> versions;
  for (const auto& line : *lines) {
    const auto colon = line.text.find(':');
    const auto file = line.text.substr(0, colon);
    const auto slash = file.find('/');
    if (colon == std::string_view::npos || slash == 0 || slash == std::string_view::npos ||
        file.substr(slash) != "/version") {
      return reading::malformed(line, "is not the version of a kernel module");
    }
    versions[std::string(file.substr(0, slash))] = std::string(trim(line.text.substr(colon + 1)));
  }
  facts.drivers = std::move(versions);
  return {};
}

const Registered probe{Probe{.id = "drivers",
                             .summary = "Versions of the loaded drivers",
                             .script = script,
                             .parse = parse_drivers}};

}  // namespace

}  // namespace podwright
