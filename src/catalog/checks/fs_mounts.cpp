// fs.mounts: what should be mounted is, and answers.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// Mounting "nfs" shows as "nfs4", and the other way round.
std::string_view family(std::string_view fstype) { return fstype.starts_with("nfs") ? "nfs" : fstype; }

/// "head:/srv/home/" and "head:/srv/home" are one source.
std::string_view without_slash(std::string_view source) {
  return source.size() > 1 && source.ends_with('/') ? source.substr(0, source.size() - 1) : source;
}

/// What differs from the declared mount; empty when nothing does.
std::string difference(const Wanted& wanted, const Mount& mount) {
  // A source by UUID or LABEL shows as the device that bears it.
  const auto source = wanted.text("source");
  const bool by_name = source.find('=') != std::string::npos;
  if (!source.empty() && !by_name && without_slash(source) != without_slash(mount.source)) {
    return fmt::format("{} from {} instead of {}", mount.path, mount.source, source);
  }
  const auto fstype = wanted.text("fstype");
  if (!fstype.empty() && fstype != "auto" && fstype != "none" && family(fstype) != family(mount.fstype)) {
    return fmt::format("{} as {} instead of {}", mount.path, mount.fstype, fstype);
  }
  return {};
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& mounts = expectation.facts.mounts;
  const auto find = [&](std::string_view path) { return std::ranges::find(mounts, path, &Mount::path); };
  std::vector<std::string> wrong;
  std::vector<std::string> declared;
  for (const auto& mount : mounts) {
    if (mount.hung) wrong.push_back(fmt::format("{} ({}) does not answer", mount.path, mount.source));
  }
  for (const auto& wanted : expectation.profile.resources) {
    if (wanted.kind != "mount" || wanted.text("state", "mounted") == "absent") continue;
    declared.push_back(wanted.name);
    const auto mount = find(wanted.name);
    if (mount == mounts.end()) {
      wrong.push_back(wanted.name + " is not mounted");
    } else if (!mount->hung) {
      if (auto text = difference(wanted, *mount); !text.empty()) wrong.push_back(std::move(text));
    }
  }
  for (const auto& path : judging::list_option(expectation, "expect")) {
    if (std::ranges::find(declared, path) != declared.end()) continue;
    declared.push_back(path);
    if (find(path) == mounts.end()) wrong.push_back(path + " is not mounted");
  }
  const auto expected = declared.empty() ? std::string("every mount answers") : human_list(declared) + " mounted, every mount answers";
  if (!wrong.empty()) {
    return {judging::broken(check, human_list(wrong), expected,
                            "is the server up and reachable (ping, showmount -e SERVER)? then: mount -a; a dead one: umount -l PATH")};
  }
  if (declared.empty() && mounts.empty()) return {judging::skipped(check, "nothing is mounted, and the profile declares no mounts")};
  return {judging::passed(check, declared.empty() ? fmt::format("{}, all answer", count_of(mounts.size(), "mount")) : human_list(declared) + " mounted", expected)};
}

const Registered check{Check{
    .id = "fs.mounts",
    .summary = "The mounts of the profile are there, from where they should be, and every mount answers",
    .severity = Severity::fatal,
    .source = "LBNL NHC (check_fs_mount)",
    .options = {{.name = "expect", .type = FieldType::list, .doc = "further paths on which something must be mounted"}},
    .needs = {"mounts"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
