// Installed packages, and what manages them.
#include <map>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// A machine may have the tools of another family installed (rpm on Debian): os-release decides which
// manager is asked first.
constexpr std::string_view script = R"sh(
like=
for f in /etc/os-release /usr/lib/os-release; do
  [ -r "$f" ] || continue
  while read -r line || [ -n "$line" ]; do
    case $line in ID=*|ID_LIKE=*) like="$like ${line#*=}" ;; esac
  done <"$f"
  break
done
case $like in
  *debian*|*ubuntu*) order='apt-get dnf yum zypper' ;;
  *suse*|*sles*) order='zypper dnf yum apt-get' ;;
  *) order='dnf yum zypper apt-get' ;;
esac
manager=
for tool in $order; do
  command -v "$tool" >/dev/null 2>&1 || continue
  manager=${tool%-get}
  break
done
printf 'manager=%s\n' "$manager"
case $manager in
  apt) dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Version}\n' || exit 1 ;;
  ?*) rpm -qa --qf '%{INSTALLTIME}\t%{NAME}\t%{VERSION}-%{RELEASE}\n' || exit 1 ;;
esac
echo end
)sh";

/// A package is installed when dpkg says that it is ("ii", "hi": held, "it" and "iW": triggers are due),
/// not when its files lie there unconfigured ("iU", "iF"), when it must be installed again ("iiR"), or
/// when only its configuration is left ("rc").
bool is_installed(std::string_view abbreviation) {
  return abbreviation.size() == 2 && (abbreviation[1] == 'i' || abbreviation[1] == 't' || abbreviation[1] == 'W');
}

Status parse_packages(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  if (lines->empty()) return fail(Fault::remote, "the package manager is missing");
  const auto first = reading::key_value(lines->front());
  if (!first || first->key != "manager") return reading::malformed(lines->front(), "is not 'manager=…'");
  const std::string manager(first->value);
  if (manager != "apt" && manager != "dnf" && manager != "yum" && manager != "zypper" && !manager.empty()) {
    return reading::malformed(lines->front(), "is an unknown manager");
  }
  struct Installed {
    std::string version;
    std::int64_t when = 0;
    bool twice = false;  ///< in two versions
  };
  std::map<std::string, Installed> packages;
  for (std::size_t i = 1; i < lines->size(); ++i) {
    const auto& line = (*lines)[i];
    const auto fields = reading::fields(line, 3);
    if (!fields) return fail(fields.error());
    const auto& f = *fields;
    if (f[1].empty()) return reading::malformed(line, "the package has no name");
    if (manager == "apt") {
      // Several architectures of one package have one version (dpkg sees to it): the first stands.
      if (is_installed(f[0])) packages.emplace(f[1], Installed{.version = std::string(f[2])});
      continue;
    }
    const auto when = reading::number(line, f[0], "the time of installation", 0, INT64_C(1) << 40);
    if (!when) return fail(when.error());
    if (f[1] == "gpg-pubkey") continue;  // rpm's way to keep keys
    // Kernels are installed side by side: the one that came last counts.
    auto& package = packages[std::string(f[1])];
    const bool twice = package.twice || (!package.version.empty() && package.version != f[2]);
    if (package.version.empty() || *when >= package.when) {
      package = {.version = std::string(f[2]), .when = *when};
    }
    package.twice = twice;
  }
  facts.package_manager = manager;
  facts.packages.clear();
  for (auto& [name, package] : packages) {
    // What else is there twice is half an upgrade: as little installed as what dpkg has half of.
    if (package.twice && !name.starts_with("kernel")) continue;
    facts.packages[name] = std::move(package.version);
  }
  return {};
}

const Registered probe{Probe{.id = "packages",
                             .summary = "Installed packages and what manages them",
                             .script = script,
                             .deadline = std::chrono::seconds(30),
                             .parse = parse_packages}};

}  // namespace

}  // namespace podwright
