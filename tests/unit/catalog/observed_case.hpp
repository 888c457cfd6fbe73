/// What the tests of probes and checks share: their case files, and nodes made of text.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "catalog/registry.hpp"

namespace podwright::test {

/// One file of tests/cases/probe or tests/cases/check.
struct ObservedCase {
  std::string name;  ///< of the file
  Value document;

  /// A text field; empty when absent.
  [[nodiscard]] std::string text(std::string_view key) const;
  /// What the script printed: `out`, `err`, `exit` and `timed_out`.
  [[nodiscard]] Observed observed() const;
};
const std::vector<ObservedCase>& probe_cases();
const std::vector<ObservedCase>& check_cases();
const std::vector<ObservedCase>& preflight_cases();

/// Runs a script against files that stand for a node's /sys, /proc, /dev, /etc, /run and /var. `tree`
/// holds a file a line: "path content"; further lines of the same path go on; "path -> target" is a link.
/// A path of the tree in the output is that of the node again.
Observed run_on_tree(const std::string& shell, std::string_view script, const std::string& tree);

/// Facts written as JSON or TOML: what is not said is that of an ordinary node.
Facts facts_of(const Json& said);
Json ordinary_facts();

/// "" when everything in `wanted` is in `found` (tables may have more keys, lists not more items), or the
/// path and both values of the first difference. Nothing and an empty value are the same.
std::string difference(const Json& wanted, const Json& found, const std::string& path = "");

}  // namespace podwright::test
