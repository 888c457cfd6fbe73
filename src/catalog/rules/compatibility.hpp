/// Which versions go together, as their vendors say it. The rules are data, a table in compatibility.cpp;
/// what breaks one is refused before anything is changed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/facts.hpp"
#include "model/profile.hpp"

namespace podwright {

/// Where a version is read.
enum class Where {
  package,       ///< of a package: as the profile wants it, else as the node has it
  package_name,  ///< in the name of a package that is wanted: cuda-toolkit-12-9 is 12.9
  build,         ///< what a package was built for: 2.27.3-1+cuda12.9 is 12.9
  installer,     ///< of an [[installer]]
  variable,      ///< a variable of the profile
  kernel,        ///< the kernel that the node runs, and those that the profile installs
};

struct Side {
  std::string_view what;  ///< in words: "the NVIDIA driver"
  Where where;
  std::string_view name{};  ///< of package, installer or variable; of packages a pattern with one *
};

/// What the right side must be when the left one fits a pattern.
struct Pairing {
  std::string_view left;   ///< "580*"
  std::string_view right;  ///< "=", "=major", ">=525.60.13", or patterns: "25.5*|25.3*"
};

struct CompatibilityRule {
  std::string_view id;
  Side left;
  Side right;
  std::vector<Pairing> pairs;  ///< the first whose left fits counts; none: nothing is known, all is well
  std::string_view source;     ///< where the vendor says so
};

const std::vector<CompatibilityRule>& compatibility_rules();

/// What would run together on a node. Without facts only what the profile says by itself is judged.
struct Stack {
  const std::vector<Wanted>& resources;
  const Value::Table& vars;
  const Facts* facts = nullptr;
};

/// A rule that a stack breaks, in words that name both sides, the rule and its source.
struct Incompatibility {
  std::string_view rule;
  std::string what;
  SourcePos pos;  ///< of the left side in the profile, where it has one
};
std::vector<Incompatibility> incompatibilities(const Stack& stack);

}  // namespace podwright
