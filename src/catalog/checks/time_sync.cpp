// time.sync: the clock follows a reference.
#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

/// Slurm and munge forgive minutes; logs and traces of several nodes are only worth comparing when the
/// clocks agree to less than a training step.
constexpr double usual_most_ms = 10;

// A chronyd that was started a moment ago is given 10 s to find its server.
constexpr std::string_view script = R"sh(
limit=; ! command -v timeout >/dev/null 2>&1 || limit=timeout
if command -v chronyc >/dev/null 2>&1; then
  csv=$($limit ${limit:+4} chronyc -n -c tracking 2>&1)
  case $csv in
    *'Not synchronised')
      $limit ${limit:+12} chronyc -n waitsync 5 0 0 2 >/dev/null 2>&1
      csv=$($limit ${limit:+4} chronyc -n -c tracking 2>&1) ;;
  esac
  case $?$csv in
    0*,*,*) printf 'chrony=%s\nend\n' "$csv"; exit 0 ;;
    *) printf 'chrony.error=%s\n' "${csv:-no answer}" ;;
  esac
fi
if command -v ntpq >/dev/null 2>&1 && peers=$($limit ${limit:+4} ntpq -pn 2>/dev/null) && [ -n "$peers" ]; then
  printf '%s\n' "$peers" | { line=none; while IFS= read -r l; do case $l in '*'*) line=$l ;; esac; done; printf 'ntp=%s\n' "$line"; }
elif [ -d /run/systemd/system ] && command -v timedatectl >/dev/null 2>&1; then
  said=$($limit ${limit:+4} timedatectl 2>/dev/null)
  case $said in *'synchronized: yes'*) echo kernel=yes ;; *'synchronized: no'*) echo kernel=no ;; esac
  case $said in
    *'service: active'*|*'.service active: yes'*|*'NTP enabled: yes'*) echo service=yes ;;
  esac
  $limit ${limit:+4} timedatectl timesync-status 2>/dev/null | while read -r key value rest; do
    case $key in Offset:) printf 'offset=%s\n' "$value" ;; esac
  done
fi
echo end
)sh";

struct Clock {
  std::string keeper;              ///< "chrony", "ntpd", "systemd-timesyncd"; empty: nothing
  bool synchronized = false;
  std::string reference;
  bool local = false;              ///< its own reference, and other nodes' (chrony's "local stratum")
  std::optional<double> offset_ms;
  std::string trouble{};
};

/// chronyc -c tracking: reference id, address, stratum, time of the last, offset in seconds, …, leap status.
Result<Clock> read_chrony(std::string_view csv) {
  const auto f = split(csv, ',');
  const auto stratum = f.size() >= 14 ? to_int(f[2]) : std::nullopt;
  const auto offset = f.size() >= 14 ? reading::finite_number(f[4]) : std::nullopt;
  if (!stratum || !offset) return fail(Fault::remote, fmt::format("'{}' is not chronyc's tracking", csv.substr(0, 80)));
  Clock clock;
  clock.keeper = "chrony";
  clock.synchronized = *stratum > 0 && f[13] != "Not synchronised";
  clock.local = f[0] == "7F7F0101";
  clock.reference = f[1].empty() ? std::string(f[0]) : std::string(f[1]);
  clock.offset_ms = std::abs(*offset) * 1000;
  return clock;
}

/// "-1.234ms", "+52us", "1min 2.3s" of systemd-timesyncd, in milliseconds. Minutes are far enough.
std::optional<double> read_systemd_offset(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  const auto unit = text.find_first_not_of("0123456789.");
  const auto amount = reading::finite_number(text.substr(0, unit));
  if (!amount || unit == std::string_view::npos) return {};
  const auto name = text.substr(unit);
  if (name == "us") return *amount / 1000;
  if (name == "ms") return *amount;
  if (name == "s") return *amount * 1000;
  if (name == "min") return *amount * 60000;
  return {};
}

Result<Clock> read_clock(const Observed& observed) {
  const auto pairs = judging::read_pairs(observed);
  if (!pairs) return fail(pairs.error());
  if (const auto* csv = judging::find_pair(*pairs, "chrony")) return read_chrony(*csv);
  Clock clock;
  if (const auto* trouble = judging::find_pair(*pairs, "chrony.error")) clock.trouble = "chronyd does not answer: " + *trouble;
  if (const auto* peer = judging::find_pair(*pairs, "ntp")) {
    clock.keeper = "ntpd";
    // "*10.0.0.1  .GPS.  1 u  225  256  377  0.464  0.149  0.019": the ninth word is the offset in ms.
    const auto parts = words(*peer);
    if (*peer == "none") return clock;
    const auto offset = parts.size() >= 10 ? reading::finite_number(parts[8]) : std::nullopt;
    if (!offset) return fail(Fault::remote, fmt::format("'{}' is not a line of ntpq -pn", peer->substr(0, 80)));
    clock.synchronized = true;
    clock.reference = parts[0].substr(1);
    clock.offset_ms = std::abs(*offset);
    return clock;
  }
  const auto* kernel = judging::find_pair(*pairs, "kernel");
  const auto* service = judging::find_pair(*pairs, "service");
  if (service != nullptr && *service == "yes") clock.keeper = "systemd-timesyncd";
  if (kernel != nullptr && *kernel == "yes") {
    clock.synchronized = true;
    if (clock.keeper.empty()) clock.keeper = "the kernel";
  }
  if (const auto* offset = judging::find_pair(*pairs, "offset")) clock.offset_ms = read_systemd_offset(*offset);
  return clock;
}

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto clock = read_clock(observed);
  if (!clock) return {judging::failed_to_run(check, clock.error().what, "chronyc -n tracking; timedatectl")};
  const auto most = judging::number_option(expectation, "max_offset_ms").value_or(usual_most_ms);
  const auto expected = fmt::format("synchronised, within {:g} ms", most);
  if (clock->keeper.empty() && !clock->synchronized) {
    if (!clock->trouble.empty()) {
      return {judging::broken(check, clock->trouble, expected, "systemctl restart chrony (chronyd on Red Hat); journalctl -u chrony")};
    }
    if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container without a time service: the clock is its host's")};
    return {judging::broken(check, "nothing keeps the clock", expected, "[[package]] and [[service]] chrony in the profile")};
  }
  if (!clock->synchronized) {
    return {judging::broken(check, fmt::format("{} follows no reference yet", clock->keeper), expected,
                            "chronyc -n sources: a server that shows ? or 0 under Reach does not answer (UDP port 123, its address, "
                            "'allow' in its chrony.conf); just started? wait a minute")};
  }
  if (clock->local && !expectation.node.has_role("head") && expectation.cohort.size() > 1) {
    return {judging::broken(check, "follows only its own clock (chrony's local reference)", "synchronised with the cluster",
                            "take 'local' out of this node's chrony.conf and name the head as its server")};
  }
  const auto from = clock->local ? std::string("is the cluster's own reference")
                                 : fmt::format("follows {}", clock->reference.empty() ? "a reference" : clock->reference);
  if (!clock->offset_ms) return {judging::passed(check, fmt::format("{}: synchronised, the offset is not told", clock->keeper), expected)};
  const auto seen = fmt::format("{} {}, {:.3f} ms off", clock->keeper, from, *clock->offset_ms);
  if (*clock->offset_ms > most) return {judging::broken(check, seen, expected, "chronyc makestep; then watch chronyc -n tracking")};
  return {judging::passed(check, seen, expected)};
}

const Registered check{Check{
    .id = "time.sync",
    .summary = "The clock is synchronised and close to its reference",
    .severity = Severity::fatal,
    .source = "our own: 10 ms is less than a training step, so that traces of several nodes can be compared",
    .options = {{.name = "max_offset_ms", .type = FieldType::number, .doc = "greatest distance from the reference; default 10"}},
    .needs = {"os"},
    .probe = script,
    .deadline = std::chrono::seconds(30),
    .judge = judge}};

}  // namespace

}  // namespace podwright
