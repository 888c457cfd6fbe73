#include "catalog/registry.hpp"

#include <algorithm>
#include <stdexcept>

namespace podwright {

namespace {

// Built on first use, because registration runs before main in an unspecified order of files.
template <class T>
std::vector<T>& entries() {
  static std::vector<T> all;
  return all;
}

}  // namespace

std::string_view name_of(const Probe& entry) { return entry.id; }
std::string_view name_of(const ResourceKind& entry) { return entry.table; }
std::string_view name_of(const Packager& entry) { return entry.id; }
std::string_view name_of(const Preflight& entry) { return entry.id; }
std::string_view name_of(const Check& entry) { return entry.id; }
std::string_view name_of(const Parser& entry) { return entry.kind; }
std::string_view name_of(const Measurement& entry) { return entry.tool; }
std::string_view name_of(const Collective& entry) { return entry.tool; }
std::string_view name_of(const Handoff& entry) { return entry.name; }

template <class T>
const std::vector<T>& catalog() {
  return entries<T>();
}

template <class T>
const T* find_in_catalog(std::string_view name) {
  const auto& all = entries<T>();
  const auto found =
      std::ranges::find_if(all, [&](const T& entry) { return name_of(entry) == name; });
  return found == all.end() ? nullptr : &*found;
}

template <class T>
std::vector<std::string> names_in_catalog() {
  std::vector<std::string> names;
  for (const auto& entry : entries<T>()) names.emplace_back(name_of(entry));
  return names;
}

template <class T>
Registered<T>::Registered(T entry) {
  auto& all = entries<T>();
  const auto place = std::ranges::lower_bound(all, name_of(entry), {},
                                              [](const T& other) { return name_of(other); });
  if (place != all.end() && name_of(*place) == name_of(entry)) {
    throw std::logic_error("two catalog entries are called " + std::string(name_of(entry)));
  }
  all.insert(place, std::move(entry));
}

#define PODWRIGHT_CATALOG(T)                              \
  template const std::vector<T>& catalog<T>();            \
  template const T* find_in_catalog<T>(std::string_view); \
  template std::vector<std::string> names_in_catalog<T>(); \
  template struct Registered<T>;

PODWRIGHT_CATALOG(Probe)
PODWRIGHT_CATALOG(ResourceKind)
PODWRIGHT_CATALOG(Packager)
PODWRIGHT_CATALOG(Preflight)
PODWRIGHT_CATALOG(Check)
PODWRIGHT_CATALOG(Parser)
PODWRIGHT_CATALOG(Measurement)
PODWRIGHT_CATALOG(Collective)
PODWRIGHT_CATALOG(Handoff)

Observed assumed_state(const ResourceKind& kind, const Wanted& wanted, const Facts& facts) {
  if (kind.known != nullptr) {
    if (auto told = kind.known(wanted, facts)) return std::move(*told);
  }
  return {.out = kind.nothing == nullptr ? "type absent\n" : kind.nothing(wanted, facts)};
}

CheckStatus broken(const Check& check) {
  return check.severity == Severity::fatal ? CheckStatus::fail : CheckStatus::warn;
}

}  // namespace podwright
