/// Taking back what transactions of a packager did: common to all packagers.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// sh that prints the accounts of the node: "user NAME" and "group NAME" lines. Scripts of packages
/// make some, and often leave them behind.
std::string list_accounts();

/// sh of the packager that ends in a command, each; words are put behind it.
struct Moves {
  std::string_view install;    ///< of Packager; its words are NAME `separator` VERSION
  std::string_view separator;
  std::string_view hold;       ///< names
  std::string_view unhold;
};

/// The text for Undo::finish of package steps. Their `state` is Packager::list, before and after the
/// transaction. What came new goes in one transaction: the packages that the steps name, and those
/// that came along and that nothing which stays needs. What was upgraded or removed gets its old
/// version back where that can be had; the accounts that came go.
///
/// `functions` defines, reading and writing sorted lists of names in the folder $t:
///   pw_goes       from $t/wanted and $t/deps (came along) makes $t/goes, names with `pw_left` what stays
///   pw_purge N…   removes packages with their configuration, pw_drop N… without it
///   pw_marks      from $t/first (the list before the first transaction) puts marks of the packages in
///                 $t/touched back, other than holds
std::string take_back_packages(std::string_view functions, const Moves& moves);

}  // namespace podwright
