// The clock, and whether something keeps it right.
#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// The clock is read last: the engine looks at its own when the end of this output arrives, so that the
// difference is wrong by the way of one packet, and not by what chronyc takes.
// -n keeps chronyc from asking a name server, which may not answer. timedatectl wakes a daemon and is
// asked last, and not in a container, whose clock is its host's.
constexpr std::string_view script = R"sh(
limit=; ! command -v timeout >/dev/null 2>&1 || limit='timeout 3'
if command -v chronyc >/dev/null 2>&1 && csv=$($limit chronyc -n -c tracking 2>/dev/null) && [ -n "$csv" ]; then
  printf 'chrony=%s\n' "$csv"
elif [ -e /run/systemd/timesync/synchronized ]; then
  echo timesyncd=yes
elif command -v ntpq >/dev/null 2>&1 && peers=$($limit ntpq -pn 2>/dev/null) && [ -n "$peers" ]; then
  case $peers in *"
*"*) echo ntpd=yes ;; *) echo ntpd=no ;; esac
elif [ -d /run/systemd/system ] && [ ! -e /run/systemd/container ] && command -v timedatectl >/dev/null 2>&1; then
  case $($limit timedatectl 2>/dev/null) in
    *'synchronized: yes'*) echo kernel=yes ;;
    *) echo kernel=no ;;
  esac
fi
now=$(date +%s.%N)
case $now in *[!0-9.]*) now=${now%%.*} ;; esac
printf 'epoch=%s\nend\n' "$now"
)sh";

/// chronyc -c tracking: reference id, address, stratum, time, offset, … and the leap status last.
Result<bool> chrony_is_synchronized(const reading::Line& line, std::string_view csv) {
  const auto fields = split(csv, ',');
  if (fields.size() < 14) return reading::malformed(line, "is not chronyc's tracking");
  const auto stratum = reading::number(line, fields[2], "the stratum", 0, 16);
  if (!stratum) return fail(stratum.error());
  return *stratum > 0 && fields[13] != "Not synchronised";
}

Status parse_time(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  double epoch = 0;
  bool synchronized = false;
  for (const auto& line : *lines) {
    const auto pair = reading::key_value(line);
    if (!pair) return fail(pair.error());
    const auto [key, value] = *pair;
    if (key == "epoch") {
      const auto seconds = reading::finite_number(value);
      if (!seconds || *seconds < 0 || *seconds > 1e11) return reading::malformed(line, "is not a time");
      epoch = *seconds;
    } else if (key == "chrony") {
      const auto verdict = chrony_is_synchronized(line, value);
      if (!verdict) return fail(verdict.error());
      synchronized = *verdict;
    } else if (key == "timesyncd" || key == "ntpd" || key == "kernel") {
      if (value != "yes" && value != "no") return reading::malformed(line, "is neither yes nor no");
      synchronized = value == "yes";
    } else {
      return reading::malformed(line, "is an unknown key");
    }
  }
  if (epoch == 0) return fail(Fault::remote, "the time is missing");
  facts.clock_epoch = epoch;
  facts.time_synchronized = synchronized;
  return {};
}

const Registered probe{Probe{.id = "time",
                             .summary = "The clock, and whether it is synchronised",
                             .script = script,
                             .parse = parse_time}};

}  // namespace

}  // namespace podwright
