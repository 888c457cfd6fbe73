#include "engine/chains.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

namespace podwright {

namespace {

constexpr std::size_t longest_chain = 250;
/// What a byte is delayed by each node that it passes, in seconds: measured, 1 to 2 ms.
constexpr double hop_delay = 0.002;
/// Of a node's link, when nobody says otherwise: 1 Gbit/s.
constexpr double usual_bytes_per_second = 125e6;
constexpr std::uint64_t smallest_chunk = 32U << 10U;
constexpr std::uint64_t largest_chunk = 4U << 20U;
constexpr std::uint64_t digest_bytes = 32;

}  // namespace

std::vector<std::vector<NodeId>> chains(const Inventory& inventory, const std::vector<NodeId>& nodes, std::uint64_t bytes,
                                        std::size_t count) {
  if (nodes.empty()) return {};
  std::map<std::string, std::size_t> leaves;  // in the order in which they are met
  std::vector<std::pair<std::size_t, NodeId>> order;
  for (const auto& node : nodes) {
    const auto* known = inventory.find(node);
    const auto label = known == nullptr ? std::map<std::string, std::string>::const_iterator() : known->labels.find("leaf");
    const auto leaf = known == nullptr || label == known->labels.end() ? std::string() : label->second;
    order.emplace_back(leaves.try_emplace(leaf, leaves.size()).first->second, node);
  }
  std::ranges::stable_sort(order, {}, &std::pair<std::size_t, NodeId>::first);

  if (count == 0) {
    // k chains take k * bytes / speed on the head's link, and nodes / k hops: least where both grow alike.
    const auto hops = static_cast<double>(nodes.size()) * hop_delay;
    const auto whole = static_cast<double>(std::max<std::uint64_t>(bytes, 1)) / usual_bytes_per_second;
    count = static_cast<std::size_t>(std::lround(std::sqrt(hops / whole)));
    count = std::max(count, (nodes.size() + longest_chain - 1) / longest_chain);
  }
  count = std::clamp<std::size_t>(count, 1, nodes.size());
  std::vector<std::vector<NodeId>> result(count);
  for (std::size_t i = 0; i < order.size(); ++i) result[i * count / order.size()].push_back(order[i].second);
  return result;
}

std::uint64_t chunk_size(std::uint64_t bytes) {
  const auto best = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(bytes) * digest_bytes));
  return std::clamp(std::bit_ceil(std::max<std::uint64_t>(best, 1)), smallest_chunk, largest_chunk);
}

}  // namespace podwright
