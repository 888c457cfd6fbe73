/// What rules of the preflight ask of the steps that are planned.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "catalog/registry.hpp"

namespace podwright::preflight {

inline bool is_of_kind(const Step& step, std::string_view kind) {
  return step.id.size() > kind.size() && step.id.starts_with(kind) && step.id[kind.size()] == '/';
}
/// A step of that kind of resource is planned.
inline bool plans(const PreflightContext& context, std::string_view kind) {
  return std::ranges::any_of(context.steps, [&](const Step& step) { return is_of_kind(step, kind); });
}
/// The first package to be installed whose name satisfies `fits`; empty: none.
template <class Fits>
std::string installs_package(const PreflightContext& context, Fits fits) {
  for (const auto& step : context.steps) {
    if (!is_of_kind(step, "package") || step.action == "remove") continue;
    const auto name = step.id.substr(std::string_view("package/").size());
    if (fits(name)) return name;
  }
  return {};
}
/// "nvidia-dkms-580", "zfs-dkms", "kmod-nvidia-latest-dkms", "amdgpu-dkms": built on the node.
inline bool is_dkms(std::string_view package) {
  return package.ends_with("-dkms") || package.find("-dkms-") != std::string_view::npos;
}
/// "key value" lines: the value of the first that has this key.
inline std::string_view value_of(std::string_view printed, std::string_view key) {
  std::size_t at = 0;
  while (at < printed.size()) {
    const auto end = std::min(printed.find('\n', at), printed.size());
    const auto line = printed.substr(at, end - at);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') return line.substr(key.size() + 1);
    at = end + 1;
  }
  return {};
}

}  // namespace podwright::preflight
