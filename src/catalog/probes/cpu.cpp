// Processors: model, topology, frequency governor, clock source.
#include "base/text.hpp"
#include "catalog/probes/reading.hpp"
#include "catalog/vendors/arm_cores.hpp"

namespace podwright {

namespace {

// Only the first block of /proc/cpuinfo is read: the shell reads a byte at a time. The lists of siblings
// must not be read so, they answer a read of one byte with nothing; grep reads them all as one process.
constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
while IFS= read -r line; do
  value=${line#*: }
  case $line in
    '') break ;;
    'model name'*|'cpu model'*) printf 'model=%s\n' "$value" ;;
    vendor_id*) printf 'vendor=%s\n' "$value" ;;
    'CPU implementer'*) printf 'implementer=%s\n' "$value" ;;
    'CPU part'*) printf 'part=%s\n' "$value" ;;
  esac
done </proc/cpuinfo
get /sys/devices/system/clocksource/clocksource0/current_clocksource
printf 'clocksource=%s\n' "$v"
cd /sys/devices/system/cpu 2>/dev/null
set -- cpu[0-9]*/topology/thread_siblings_list
if [ -e "$1" ]; then
  grep -s . /dev/null "$@" cpu[0-9]*/topology/core_siblings_list cpu[0-9]*/cpufreq/scaling_governor
else
  printf 'logical=%s\n' "$(grep -c '^processor' /proc/cpuinfo)"
fi
echo end
)sh";

int divide_up(std::int64_t all, std::int64_t by) { return by > 0 ? static_cast<int>((all + by - 1) / by) : 0; }

/// What sysfs says of all CPUs. Cores and sockets are counted by the CPUs that stand first in their list
/// of siblings: right for machines whose core ids restart in every cluster, and for those whose package
/// id is -1 (Arm virtual machines, where lscpu prints "Socket(s): -"). A CPU that is offline has no
/// topology and does not count.
struct Topology {
  std::int64_t logical = 0;
  std::int64_t cores = 0;
  std::int64_t sockets = 0;
  std::int64_t governed = 0;
  std::string governor;
};

bool leads(std::string_view cpu, std::string_view siblings) {
  return siblings.substr(0, siblings.find_first_of(",-")) == cpu;
}

/// "cpu12/topology/thread_siblings_list:12,76"
Status read_topology(const reading::Line& line, Topology& topology) {
  const auto colon = line.text.find(':');
  const auto slash = line.text.find('/');
  if (colon == std::string_view::npos || slash > colon) return reading::malformed(line, "is not a file of a CPU");
  const auto cpu = line.text.substr(3, slash - 3);
  const auto file = line.text.substr(slash + 1, colon - slash - 1);
  const auto value = line.text.substr(colon + 1);
  if (const auto number = reading::number(line, cpu, "the CPU", 0, 1 << 16); !number) return fail(number.error());
  if (file == "cpufreq/scaling_governor") {
    ++topology.governed;
    topology.governor = topology.governor.empty() || topology.governor == value ? std::string(value) : "mixed";
    return {};
  }
  if (value.find_first_not_of("0123456789,-") != std::string_view::npos) {
    return reading::malformed(line, "its list of CPUs is not one");
  }
  if (file == "topology/thread_siblings_list") {
    ++topology.logical;
    if (leads(cpu, value)) ++topology.cores;
  } else if (file == "topology/core_siblings_list") {
    if (leads(cpu, value)) ++topology.sockets;
  } else {
    return reading::malformed(line, "is not a file that was asked for");
  }
  return {};
}

Status parse_cpu(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  CpuFacts cpu;
  Topology topology;
  std::string implementer;
  std::string part;
  for (const auto& line : *lines) {
    if (line.text.starts_with("cpu") && line.text.find('/') != std::string_view::npos) {
      if (const auto read = read_topology(line, topology); !read) return read;
      continue;
    }
    const auto pair = reading::key_value(line);
    if (!pair) return fail(pair.error());
    const auto [key, value] = *pair;
    if (key == "model") cpu.model = value;
    else if (key == "vendor") cpu.vendor = value;
    else if (key == "implementer") implementer = value;
    else if (key == "part") part = value;
    else if (key == "clocksource") cpu.clocksource = value;
    else if (key == "logical") {
      const auto count = reading::number(line, value, "the number of processors", 1, 1 << 16);
      if (!count) return fail(count.error());
      topology.logical = *count;
    } else {
      return reading::malformed(line, "is an unknown key");
    }
  }
  if (topology.logical == 0) return fail(Fault::remote, "no processor was found");
  cpu.logical = static_cast<int>(topology.logical);
  cpu.sockets = static_cast<int>(topology.sockets);
  cpu.cores_per_socket = divide_up(topology.cores, topology.sockets);
  cpu.threads_per_core = divide_up(topology.logical, topology.cores);
  cpu.governor = topology.governed == 0 || topology.governed == topology.logical ? topology.governor : "mixed";
  if (cpu.vendor.empty()) cpu.vendor = arm_implementer(implementer);
  if (cpu.model.empty()) cpu.model = arm_core(implementer, part);
  facts.cpu = std::move(cpu);
  return {};
}

const Registered probe{Probe{.id = "cpu",
                             .summary = "Processor model, sockets, cores, threads, governor, clock source",
                             .script = script,
                             .parse = parse_cpu}};

}  // namespace

}  // namespace podwright
