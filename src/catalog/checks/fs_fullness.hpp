/// fs.use and fs.inodes: the same rule for bytes and for inodes.
#pragma once

#include <optional>

#include "catalog/checks/judging.hpp"

namespace podwright::judging {

/// Images that are written once (squashfs, iso9660…): always full, and never writable.
bool is_read_only_image(const Mount& mount);

/// Judges every file system by `used`, in percent; nothing for one that has no such figure.
std::vector<CheckResult> judge_fullness(const Check& check, const Expectation& expectation,
                                        std::optional<int> (*used)(const Mount& mount));

/// The options of both.
std::vector<Field> fullness_options();

}  // namespace podwright::judging
