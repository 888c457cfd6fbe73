// System services and their state.
#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// One question to systemd (asking for the names of each unit would be one for every unit). It lists a
// service under its first name only; the aliases are the symbolic links among the unit files.
constexpr std::string_view script = R"sh(
if [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null 2>&1; then
  echo init=none
  echo end
  exit 0
fi
echo init=systemd
systemctl list-units --type=service --all --plain --no-legend --no-pager --full || exit 1
set --
lib=/usr/lib; [ -d "$lib/systemd/system" ] || lib=/lib
for f in /etc/systemd/system/*.service "$lib"/systemd/system/*.service; do
  [ ! -L "$f" ] || set -- "$@" "$f"
done
[ $# = 0 ] || ls -ld -- "$@"
echo end
)sh";

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Status parse_services(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  if (lines->empty() || (lines->front().text != "init=systemd" && lines->front().text != "init=none")) {
    return fail(Fault::remote, "the output does not begin with 'init=systemd' or 'init=none'");
  }
  std::map<std::string, std::string> services;
  std::vector<std::pair<std::string, std::string>> aliases;
  for (std::size_t i = 1; i < lines->size(); ++i) {
    const auto& line = (*lines)[i];
    // "lrwxrwxrwx 1 root root 11 Jan  1  2024 /lib/systemd/system/sshd.service -> ssh.service"
    if (const auto arrow = line.text.find(" -> "); line.text.front() == 'l' && arrow != std::string_view::npos) {
      const auto before = words(line.text.substr(0, arrow));
      aliases.emplace_back(base_name(before.back()), base_name(trim(line.text.substr(arrow + 4))));
      continue;
    }
    // "chrony.service  loaded active running chrony, an NTP client/server"; old versions put a mark
    // before those that failed.
    auto parts = words(line.text);
    if (!parts.empty() && parts[0].find('.') == std::string_view::npos) parts.erase(parts.begin());
    if (parts.size() < 4 || parts[0].find('.') == std::string_view::npos) {
      return reading::malformed(line, "is not a line of systemctl list-units");
    }
    // Units that others name but nobody installed.
    if (parts[1] == "not-found") continue;
    services[std::string(parts[0])] = std::string(parts[2]);
  }
  for (const auto& [alias, target] : aliases) {
    const auto found = services.find(target);
    if (found != services.end()) services.emplace(alias, found->second);
  }
  facts.services = std::move(services);
  return {};
}

const Registered probe{Probe{.id = "services",
                             .summary = "System services and their state",
                             .script = script,
                             .parse = parse_services}};

}  // namespace

}  // namespace podwright
