/// What the checks of one node are judged by, as a profile of its own: for `check --local`, on a node that has
/// neither the cluster's profile nor its facts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/profile.hpp"

namespace podwright {

/// Stands for the expectations in templates ({{node.expectations}}): they are known once all the
/// node's other resources are.
inline constexpr std::string_view expectations_mark = "@podwright:expectations@";

/// TOML: the profile's [fabric] and [[check]] tables, and those of the node's own `resources` that
/// checks look at (services, mounts).
std::string node_expectations(const Profile& profile, const std::vector<Wanted>& resources);

/// Puts them in the place of the mark in the texts of files.
void fill_in_expectations(const Profile& profile, std::vector<Wanted>& resources);

}  // namespace podwright
