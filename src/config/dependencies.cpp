#include "config/dependencies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"

namespace podwright {

namespace {

/// Depth-first search with the path at hand; iterative, because a chain may be as long as a
/// profile.
class CircleFinder {
 public:
  CircleFinder(const std::vector<Wanted>& resources,
               const std::map<std::string, std::size_t>& index)
      : resources_(resources), index_(index), states_(resources.size(), State::unseen) {}

  /// The first circle, each member once and in the order of waiting; empty: there is none.
  std::vector<std::size_t> find() {
    for (std::size_t i = 0; i < resources_.size(); ++i) {
      if (auto circle = search(i); !circle.empty()) return circle;
    }
    return {};
  }

 private:
  enum class State { unseen, open, done };
  struct Visit {
    std::size_t resource;
    std::size_t next = 0;  ///< of its dependencies
  };

  std::vector<std::size_t> search(std::size_t start) {
    if (states_[start] != State::unseen) return {};
    std::vector<Visit> path{{start}};
    states_[start] = State::open;
    while (!path.empty()) {
      auto& [resource, next] = path.back();
      const auto& after = resources_[resource].after;
      if (next == after.size()) {
        states_[resource] = State::done;
        path.pop_back();
        continue;
      }
      const auto target = index_.find(after[next++].resource);
      if (target == index_.end() || states_[target->second] == State::done) continue;
      if (states_[target->second] == State::open) return circle_of(path, target->second);
      states_[target->second] = State::open;
      path.push_back({target->second});
    }
    return {};
  }

  static std::vector<std::size_t> circle_of(const std::vector<Visit>& path, std::size_t from) {
    std::vector<std::size_t> circle;
    for (const auto& visit : path) {
      if (visit.resource == from || !circle.empty()) circle.push_back(visit.resource);
    }
    return circle;
  }

  const std::vector<Wanted>& resources_;
  const std::map<std::string, std::size_t>& index_;
  std::vector<State> states_;
};

}  // namespace

void add_dependency(Wanted& wanted, const std::string& text, const SourcePos& pos,
                    Complaints& complaints) {
  const auto slash = text.find('/');
  const auto colon = std::min(text.find(':'), text.size());
  const bool has_role = slash != std::string::npos && colon < slash;
  const auto kind_begin = has_role ? colon + 1 : 0;
  const bool has_kind = slash != std::string::npos && slash > kind_begin && slash + 1 < text.size();
  if (!has_kind || colon == 0) {
    complaints.add(pos, fmt::format("\"{}\" must be written kind/name, such as package/chrony, or "
                                    "role:kind/name, such as head:service/slurmctld",
                                    text));
    return;
  }
  Dependency dependency{.role = has_role ? text.substr(0, colon) : "",
                        .resource = text.substr(kind_begin),
                        .pos = pos};
  const auto same = std::ranges::find_if(wanted.after, [&](const Dependency& other) {
    return other.role == dependency.role && other.resource == dependency.resource;
  });
  if (same == wanted.after.end()) wanted.after.push_back(std::move(dependency));
}

void check_dependencies(const std::vector<Wanted>& resources, Complaints& complaints) {
  std::map<std::string, std::size_t> index;
  std::vector<std::string> ids;
  for (const auto& resource : resources) {
    index.emplace(resource.id(), ids.size());
    ids.push_back(resource.id());
  }
  for (const auto& resource : resources) {
    for (const auto& dependency : resource.after) {
      if (index.contains(dependency.resource)) continue;
      complaints.add(
          dependency.pos,
          fmt::format("{} waits for {}, which the profile does not declare{}", resource.id(),
                      dependency.resource, did_you_mean(dependency.resource, ids)));
    }
  }
  const auto circle = CircleFinder(resources, index).find();
  if (circle.empty()) return;
  std::vector<std::string> names;
  for (const auto member : circle) names.push_back(resources[member].id());
  names.push_back(names.front());
  complaints.add(resources[circle.front()].pos,
                 fmt::format("resources wait for each other in a circle: {}", join(names, " -> ")));
}

}  // namespace podwright
