#include "report/matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "report/digest.hpp"

namespace podwright {

namespace {

/// A node that was measured, with its leaf.
struct Member {
  NodeId name;
  std::string leaf;
};

/// Names in the order that people count: cu2 before cu10.
bool natural_less(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto number = [&](const std::string& text, std::size_t& at) {
        while (at + 1 < text.size() && text[at] == '0' && digit(text[at + 1])) ++at;
        const auto begin = at;
        while (at < text.size() && digit(text[at])) ++at;
        return text.substr(begin, at - begin);
      };
      const auto left = number(a, i);
      const auto right = number(b, j);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
      continue;
    }
    if (a[i] != b[j]) return a[i] < b[j];
    ++i;
    ++j;
  }
  return a.size() - i < b.size() - j;
}

/// Nodes with a measurement on the rail: by leaf, then in the order of the inventory.
std::vector<Member> members_of(const FabricReport& report, const std::vector<Node>& nodes,
                               int rail) {
  std::set<NodeId> wanted;
  for (const auto& pair : report.pairs) {
    if (pair.result.pair.rail == rail) wanted.insert({pair.result.pair.a, pair.result.pair.b});
  }
  std::map<NodeId, std::string> told;
  for (const auto& one : report.leaves) {
    if (one.rail == rail) told.emplace(one.node, one.leaf);
  }
  const auto leaf_of = [&](const NodeId& name, const std::string& label) {
    const auto found = told.find(name);
    return found == told.end() ? label : found->second;
  };
  std::vector<Member> members;
  for (const auto& node : nodes) {
    if (wanted.erase(node.name) == 0) continue;
    const auto label = node.labels.find("leaf");
    members.push_back({node.name, leaf_of(node.name, label == node.labels.end() ? std::string{} : label->second)});
  }
  for (const auto& name : wanted) members.push_back({name, leaf_of(name, {})});
  std::ranges::stable_sort(members, natural_less, &Member::leaf);
  return members;
}

/// Rows of at most `size` nodes, none across two leaves unless `whole_leaves` at a time are too
/// many.
std::vector<Axis> axes_of(const std::vector<Member>& members, std::size_t size,
                          bool across_leaves) {
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (axes.empty() || axes.back().nodes.size() == size ||
        (!across_leaves && members[i].leaf != axes.back().leaf)) {
      axes.push_back({.label = {}, .leaf = members[i].leaf, .nodes = {}});
    }
    axes.back().nodes.push_back(i);
  }
  for (auto& axis : axes) {
    std::vector<NodeId> names;
    for (const auto node : axis.nodes) names.push_back(members[node].name);
    axis.label = names_of(names);
  }
  return axes;
}

std::vector<Axis> fitting_axes(const std::vector<Member>& members, std::size_t most) {
  for (std::size_t size = 1; size <= members.size(); ++size) {
    if (members.size() > size * most) continue;
    auto axes = axes_of(members, size, false);
    if (axes.size() <= most) return axes;
    // Leaves smaller than a block: they have to share one.
    if (size > 1) {
      axes = axes_of(members, size, true);
      if (axes.size() <= most) return axes;
    }
  }
  return axes_of(members, std::max<std::size_t>(1, members.size()), true);
}

Heat heat_of(Verdict status, double gbps, double expected, double best) {
  if (status == Verdict::failed) return Heat::failed;
  if (gbps < expected) {
    const double share = expected > 0 ? gbps / expected : 0;
    return share >= near_share  ? Heat::slow_near
           : share >= mid_share ? Heat::slow_mid
                                : Heat::slow_far;
  }
  const double position = best > expected ? (gbps - expected) / (best - expected) : 1;
  return position < 1.0 / 3   ? Heat::good_low
         : position < 2.0 / 3 ? Heat::good_mid
                              : Heat::good_high;
}

/// The latest measurement of one direction of a pair.
struct Latest {
  int round = 0;
  double gbps = 0;
  double expected = 0;
  Verdict status = Verdict::pass;
  const std::string* error = nullptr;
};

bool worse(const Cell& a, const Cell& b) {
  if (a.heat != b.heat) return a.heat < b.heat;
  return a.gbps < b.gbps;
}

void fill(Matrix& matrix, const FabricReport& report) {
  std::unordered_map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < matrix.names.size(); ++i) place.emplace(matrix.names[i], i);
  std::vector<std::size_t> axis_of(matrix.names.size());
  for (std::size_t axis = 0; axis < matrix.axes.size(); ++axis) {
    for (const auto node : matrix.axes[axis].nodes) axis_of[node] = axis;
  }
  std::map<std::pair<std::size_t, std::size_t>, Latest> latest;
  bool first = true;
  for (const auto& pair : report.pairs) {
    const auto& result = pair.result;
    if (result.pair.rail != matrix.rail) continue;
    const auto a = place.at(result.pair.a);
    const auto b = place.at(result.pair.b);
    const auto note = [&](std::size_t from, std::size_t to, double gbps) {
      auto& known = latest[{from, to}];
      if (known.round > result.round) return;
      const auto status = pair.status == Verdict::failed ? Verdict::failed
                          : gbps < pair.expected_gbps    ? Verdict::slow
                                                         : Verdict::pass;
      known = {.round = result.round,
               .gbps = gbps,
               .expected = pair.expected_gbps,
               .status = status,
               .error = &result.error};
      if (status != Verdict::failed) matrix.best = std::max(matrix.best, gbps);
    };
    note(a, b, result.gbps_ab);
    note(b, a, result.gbps_ba);
    matrix.floor = first ? pair.expected_gbps : std::min(matrix.floor, pair.expected_gbps);
    matrix.top_floor = std::max(matrix.top_floor, pair.expected_gbps);
    first = false;
  }
  matrix.cells.resize(matrix.axes.size() * matrix.axes.size());
  for (const auto& [ends, one] : latest) {
    Cell cell{.heat = heat_of(one.status, one.gbps, one.expected, matrix.best),
              .gbps = one.gbps,
              .expected = one.expected,
              .from = ends.first,
              .to = ends.second,
              .pairs = 1};
    if (one.status == Verdict::failed) cell.error = one_line(*one.error);
    auto& known = matrix.cells[axis_of[ends.first] * matrix.axes.size() + axis_of[ends.second]];
    cell.pairs += known.pairs;
    if (known.pairs == 0 || worse(cell, known)) {
      known = std::move(cell);
    } else {
      known.pairs = cell.pairs;
    }
  }
}

void mark(Matrix& matrix, const FabricVerdict& verdict) {
  std::set<std::string> faulty;
  for (const auto& fault : verdict.nodes) {
    if (fault.rail == matrix.rail) faulty.insert(fault.name);
  }
  std::set<std::string> doubtful;
  for (const auto& set : verdict.ambiguous) doubtful.insert(set.begin(), set.end());
  for (auto& axis : matrix.axes) {
    for (const auto node : axis.nodes) {
      axis.at_fault = axis.at_fault || faulty.contains(matrix.names[node]);
      axis.doubtful = axis.doubtful || doubtful.contains(matrix.names[node]);
    }
  }
  for (const auto& link : verdict.links) {
    if (link.rail == matrix.rail) matrix.links.push_back(&link);
  }
}

}  // namespace

std::vector<Matrix> matrices_of(const FabricReport& report, const std::vector<Node>& nodes,
                                std::size_t most_axes) {
  std::set<int> rails;
  for (const auto& pair : report.pairs) rails.insert(pair.result.pair.rail);
  std::vector<Matrix> matrices;
  for (const int rail : rails) {
    auto& matrix = matrices.emplace_back();
    matrix.rail = rail;
    const auto members = members_of(report, nodes, rail);
    for (const auto& member : members) matrix.names.push_back(member.name);
    matrix.axes = fitting_axes(members, std::max<std::size_t>(1, most_axes));
    fill(matrix, report);
    mark(matrix, report.verdict);
  }
  return matrices;
}

}  // namespace podwright
