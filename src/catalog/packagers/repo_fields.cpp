#include "catalog/packagers/repo_fields.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace podwright {

bool has_key(const Wanted& wanted) { return wanted.has("key") || wanted.has("key_source"); }

tl::unexpected<Error> repo_needs(const Wanted& wanted, std::string_view field,
                                 std::string_view packager, std::string_view remedy) {
  return refuse(wanted, field, fmt::format("{} has no {} for {}", wanted.id(), field, packager),
                fmt::format("give {}, or leave it out for nodes with {}, with when =", remedy, packager));
}

std::vector<std::string> repo_options(const Wanted& wanted, std::string_view separator) {
  std::vector<std::string> fitting;
  for (const auto& option : wanted.list("options")) {
    const auto end = option.find_first_of(":=");
    if (end != std::string::npos && option.substr(end, separator.size()) == separator) fitting.push_back(option);
  }
  return fitting;
}

Result<RepoFiles> yum_repo(const Wanted& wanted, const std::string& folder, const std::string& own) {
  RepoFiles files{.path = fmt::format("{}/{}.repo", folder, wanted.name),
                  .key_path = "/etc/pki/rpm-gpg/RPM-GPG-KEY-" + wanted.name};
  files.content = fmt::format("# Written by podwright.\n[{}]\nname={}\n", wanted.name,
                              wanted.text("description", wanted.name));
  bool has_place = false;
  for (const auto* field : {"baseurl", "mirrorlist", "metalink"}) {
    if (!wanted.has(field)) continue;
    files.content += fmt::format("{}={}\n", field, join(wanted.list(field), " "));
    has_place = true;
  }
  if (!has_place) return repo_needs(wanted, "baseurl", "rpm", "baseurl, metalink or mirrorlist");
  const auto keys = wanted.list("gpgkey");
  const bool check = wanted.flag("gpgcheck", true);
  if (check && !has_key(wanted) && keys.empty()) {
    return refuse(wanted, "gpgcheck", fmt::format("{} has no key to check its packages with", wanted.id()),
                  "give key (its armored text), key_source or gpgkey; gpgcheck = false trusts whoever answers");
  }
  files.content += fmt::format("enabled={}\ngpgcheck={}\nrepo_gpgcheck={}\n", wanted.flag("enabled", true) ? 1 : 0,
                               check ? 1 : 0, wanted.flag("repo_gpgcheck", false) ? 1 : 0);
  if (has_key(wanted)) files.content += fmt::format("gpgkey=file://{}\n", files.key_path);
  else if (!keys.empty()) files.content += fmt::format("gpgkey={}\n", join(keys, " "));
  if (wanted.has("priority")) files.content += fmt::format("priority={}\n", wanted.integer("priority", 99));
  files.content += own;
  for (const auto& option : repo_options(wanted, "=")) files.content += option + "\n";
  return files;
}

}  // namespace podwright
