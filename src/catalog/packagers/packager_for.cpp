#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/registry.hpp"

namespace podwright {

const Packager* packager_for(const Facts& facts) {
  // yum is the older name of the same thing; the dnf entry runs whichever is there.
  const auto& name = facts.package_manager == "yum" ? "dnf" : facts.package_manager;
  return find_in_catalog<Packager>(name);
}

Result<const Packager*> require_packager(const Wanted& wanted, const Facts& facts) {
  if (const auto* packager = packager_for(facts)) return packager;
  return fail({.fault = Fault::remote,
               .what = "this node has no package manager that podwright knows",
               .step = wanted.id(),
               .hint = fmt::format("known are {}", human_list(names_in_catalog<Packager>()))});
}

}  // namespace podwright
