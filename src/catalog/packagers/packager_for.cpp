#include "catalog/registry.hpp"

namespace podwright {

const Packager* packager_for(const Facts& facts) {
  // yum is the older name of the same thing; the dnf entry runs whichever is there.
  const auto& name = facts.package_manager == "yum" ? "dnf" : facts.package_manager;
  return find_in_catalog<Packager>(name);
}

}  // namespace podwright
