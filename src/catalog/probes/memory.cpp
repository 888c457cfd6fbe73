// Memory, swap and NUMA nodes.
#include <map>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// The lists of CPUs answer a read of one byte, which is how a shell reads, with nothing: grep reads them.
constexpr std::string_view script = R"sh(
while read -r key value unit; do
  case $key in
    MemTotal:) printf 'memory_kib=%s\n' "$value" ;;
    SwapTotal:) printf 'swap_kib=%s\n' "$value"; break ;;
  esac
done </proc/meminfo
cd /sys/devices/system/node 2>/dev/null && grep -s -e MemTotal: -e '^[0-9]' /dev/null node[0-9]*/meminfo node[0-9]*/cpulist
echo end
)sh";

/// "node0/meminfo:Node 0 MemTotal:  263842096 kB" or "node0/cpulist:0-31,64-95". A node of memory alone
/// (CXL, the GPUs of Grace Hopper) has no CPUs and so no line for them.
Status read_node_file(const reading::Line& line, std::map<std::int64_t, NumaNode>& numa) {
  const auto slash = line.text.find('/');
  const auto colon = line.text.find(':');
  if (colon == std::string_view::npos || slash > colon) return reading::malformed(line, "is not a file of a NUMA node");
  const auto id = reading::number(line, line.text.substr(4, slash - 4), "the NUMA node", 0, 1 << 16);
  if (!id) return fail(id.error());
  auto& node = numa[*id];
  node.id = static_cast<int>(*id);
  const auto file = line.text.substr(slash + 1, colon - slash - 1);
  const auto value = line.text.substr(colon + 1);
  if (file == "cpulist") {
    if (value.find_first_not_of("0123456789,-") != std::string_view::npos) {
      return reading::malformed(line, "its list of CPUs is not one");
    }
    node.cpus = value;
    return {};
  }
  const auto parts = words(value);
  if (file != "meminfo" || parts.size() != 5 || parts[2] != "MemTotal:") {
    return reading::malformed(line, "is not a file that was asked for");
  }
  const auto kib = reading::number(line, parts[3], "its memory", 0, reading::most_kib);
  if (!kib) return fail(kib.error());
  node.memory_bytes = static_cast<std::uint64_t>(*kib) * 1024;
  return {};
}

Status parse_memory(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::int64_t memory = 0;
  std::int64_t swap = 0;
  std::map<std::int64_t, NumaNode> numa;
  for (const auto& line : *lines) {
    if (line.text.starts_with("node")) {
      if (const auto read = read_node_file(line, numa); !read) return read;
      continue;
    }
    const auto pair = reading::key_value(line);
    if (!pair) return fail(pair.error());
    if (pair->key != "memory_kib" && pair->key != "swap_kib") {
      return reading::malformed(line, "is an unknown key");
    }
    const auto kib = reading::number(line, pair->value, pair->key, 0, reading::most_kib);
    if (!kib) return fail(kib.error());
    (pair->key == "swap_kib" ? swap : memory) = *kib;
  }
  if (memory == 0) return fail(Fault::remote, "MemTotal is missing");
  facts.memory_bytes = static_cast<std::uint64_t>(memory) * 1024;
  facts.swap_bytes = static_cast<std::uint64_t>(swap) * 1024;
  facts.numa.clear();
  for (auto& [id, node] : numa) facts.numa.push_back(std::move(node));
  return {};
}

const Registered probe{Probe{.id = "memory",
                             .summary = "Memory, swap and NUMA nodes",
                             .script = script,
                             .parse = parse_memory}};

}  // namespace

}  // namespace podwright
