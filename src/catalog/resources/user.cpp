// [[user]]: an account. Without a password: one logs in by key (see authorized_key), or not at all.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("n", wanted.name) + R"sh(
e=$(getent passwd "$n")
case $? in 0) ;; 2) exit 0 ;; *) exit 1 ;; esac
printf 'passwd %s\n' "$e"
printf 'group %s\n' "$(id -gn "$n")"
printf 'groups %s\n' "$(id -Gn "$n")"
h=${e%:*}
if [ -d "${h##*:}" ]; then echo 'home yes'; else echo 'home no'; fi
)sh";
}

/// What a node has of a user.
struct Account {
  bool exists = false;
  std::string uid{};
  std::string gid{};
  std::string group{};
  std::string home{};
  std::string shell{};
  std::vector<std::string_view> groups{};
  bool has_home = false;
};

Account account_from(const Reading& reading) {
  const auto entry = split(reading["passwd"], ':');  // name:password:uid:gid:comment:home:shell
  if (entry.size() < 7) return {};
  return {.exists = true,
          .uid = std::string(entry[2]),
          .gid = std::string(entry[3]),
          .group = std::string(reading["group"]),
          .home = std::string(entry[5]),
          .shell = std::string(entry[6]),
          .groups = words(reading["groups"]),
          .has_home = reading["home"] == "yes"};
}

std::string home_of(const Wanted& wanted) { return wanted.text("home", "/home/" + wanted.name); }

bool wants_home(const Wanted& wanted) {
  return wanted.flag("create_home", !wanted.flag("system", false));
}

std::string create_script(const Wanted& wanted) {
  const bool system = wanted.flag("system", false);
  std::string options = system ? " -r" : "";
  const auto option = [&](const char* letter, const std::string& value) {
    if (!value.empty()) options += fmt::format(" {} {}", letter, sh::quote(value));
  };
  option("-u", wanted.text("uid"));
  option("-G", join(wanted.list("groups"), ","));
  option("-c", wanted.text("comment"));
  option("-s", wanted.text("shell", system ? "" : "/bin/bash"));
  if (wanted.has("home") || !system) option("-d", home_of(wanted));
  options += wants_home(wanted) ? " -m" : " -M";

  auto script = sh::assign("n", wanted.name) + sh::assign("g", wanted.text("group"));
  // The group of the user's own name may be there already; useradd -U would stop at that.
  script += R"sh(
if [ -z "$g" ] && getent group "$n" >/dev/null; then g=$n; fi
if [ -n "$g" ]; then set -- -g "$g"; else set -- -U; fi
)sh";
  return script + fmt::format("useradd{} \"$@\" \"$n\" || exit\n", options);
}

/// What differs, and the options of usermod that mend it.
struct Differences {
  std::vector<std::string> reasons{};
  std::string options{};

  void add(std::string reason, const char* option, const std::string& value) {
    reasons.push_back(std::move(reason));
    options += fmt::format(" {} {}", option, sh::quote(value));
  }
};

Differences differences(const Wanted& wanted, const Account& now) {
  Differences found;
  const auto compare = [&](const char* field, const char* option, const std::string& have) {
    const auto want = wanted.text(field);
    if (!want.empty() && want != have) {
      found.add(fmt::format("{} has {} {}, wanted {}", wanted.name, field, have, want), option,
                want);
    }
  };
  compare("uid", "-u", now.uid);
  compare("shell", "-s", now.shell);
  compare("home", "-d", now.home);
  if (wanted.text("group") != now.gid) compare("group", "-g", now.group);

  std::vector<std::string> missing;
  for (const auto& group : wanted.list("groups")) {
    if (std::ranges::find(now.groups, group) == now.groups.end()) missing.push_back(group);
  }
  if (!missing.empty()) {
    found.add(fmt::format("{} is not in {} {}", wanted.name,
                          missing.size() == 1 ? "group" : "groups", human_list(missing)),
              "-aG", join(missing, ","));
  }
  return found;
}

/// The account as it was. A home that we made goes with it, unless it holds more than /etc/skel. Of an
/// account that the step removes the password's hash is kept too: in the ledger only.
Undo undo_of(const Wanted& wanted) {
  const bool removes = wanted.text("state") == "absent";
  const auto n = sh::assign("n", wanted.name) + sh::assign("g", join(wanted.list("groups"), " "));
  auto state = n + R"sh(
e=$(getent passwd "$n")
case $? in
  0)
    IFS=: read -r name x uid gid comment home shell <<end
$e
end
    echo "account -u $uid -g $gid"
    printf '%s\n' "home $home" "shell $shell" "comment $comment"
    if [ -d "$home" ]; then echo 'has home'; fi
    all=" $(id -Gn "$n") "
    for one in $g; do case $all in *" $one "*) echo "in $one" ;; esac; done
    ;;
  2) ! getent group "$n" >/dev/null || getent group "$n" | { IFS=: read -r name x gid x; echo "group $gid"; } ;;
  *) exit 1 ;;
esac
)sh";
  if (removes) {
    state += R"sh(
getent shadow "$n" | { IFS=: read -r name hash x; printf '%s\n' "hash $hash"; }
printf '%s\n' "all $(id -Gn "$n" 2>/dev/null)"
)sh";
  }
  return {.state = state, .restore = n + R"sh(
was() { sed -n "s/^$1 //p" "$before"; }
now=$(getent passwd "$n")
if [ -n "$(was account)" ] && [ -z "$now" ]; then
  useradd -M $(was account) -d "$(was home)" -s "$(was shell)" -c "$(was comment)" "$n" || exit
  for one in $(was all); do usermod -aG "$one" "$n" 2>/dev/null; done
  hash=$(was hash)
  [ -z "$hash" ] || printf '%s:%s\n' "$n" "$hash" | chpasswd -e
  exit
elif [ -n "$(was account)" ]; then
  usermod $(was account) -d "$(was home)" -s "$(was shell)" "$n" || exit
  for one in $g; do
    grep -qxF "in $one" "$before" || ! grep -qxF "in $one" "$after" || gpasswd -d "$n" "$one" >/dev/null || exit
  done
else
  [ -n "$now" ] || exit 0
  home=${now%:*}
  home=${home##*:}
  userdel "$n" || exit
  # userdel takes the group of the user's name along, which may have been there before.
  gid=$(was group)
  [ -z "$gid" ] || getent group "$n" >/dev/null || groupadd -g "$gid" "$n" || exit
  [ -s "/var/mail/$n" ] || rm -f "/var/mail/$n"
fi
grep -qxF 'has home' "$after" && ! grep -qxF 'has home' "$before" || exit 0
home=${home:-$(getent passwd "$n" | { IFS=: read -r a b c d e h s; printf %s "$h"; })}
[ -d "$home" ] || exit 0
more=$(cd "$home" && find . ! -type d | head -n 200 | while IFS= read -r f; do
  cmp -s "$f" "/etc/skel/$f" || printf ' %s' "${f#./}"
done)
if [ -z "$more" ]; then rm -rf "$home"
else printf 'left\t\tthe home %s stays: it holds%.200s\n' "$home" "$more"
fi
)sh"};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto now = account_from(*reading);
  const auto name = sh::quote(wanted.name);

  Step step;
  if (wanted.text("state") == "absent") {
    if (!now.exists) return std::vector<Step>{};
    step = step_for(wanted, "remove", fmt::format("user {} exists, wanted absent", wanted.name));
    step.script = fmt::format("userdel {} || exit\n", name);
  } else if (!now.exists) {
    step = step_for(wanted, "create", fmt::format("there is no user {}", wanted.name));
    step.script = create_script(wanted);
  } else {
    auto found = differences(wanted, now);
    if (!found.options.empty()) {
      step.script = fmt::format("usermod{} {} || exit\n", found.options, name);
    }
    if (wants_home(wanted) && !now.has_home) {
      const auto home = wanted.text("home", now.home);
      found.reasons.push_back(fmt::format("{} has no folder {}", wanted.name, home));
      step.script += sh::assign("n", wanted.name) + sh::assign("h", home) + R"sh(
mkdir -p "${h%/*}" && cp -a /etc/skel "$h" && chmod 00700 "$h" && chown -R "$n:" "$h" || exit
)sh";
    }
    if (found.reasons.empty()) return std::vector<Step>{};
    const auto script = std::move(step.script);
    step = step_for(wanted, "set", join(found.reasons, "; "));
    step.script = script;
  }
  step.undo = undo_of(wanted);
  step.deadline = std::chrono::seconds(120);
  return std::vector{step};
}

const Registered user{ResourceKind{
    .table = "user",
    .key = "name",
    .summary = "An account, without a password",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Login name"},
            {.name = "uid",
             .type = FieldType::integer,
             .doc = "Number; give one where homes are shared. Default: the next that is free"},
            {.name = "group",
             .doc = "First group, by name or number. Default: one of the user's own name"},
            {.name = "groups",
             .type = FieldType::list,
             .doc = "Further groups to be in. Others that the user is in stay, also those that are taken "
                    "off this list: somebody else may have given them; `gpasswd -d` ends it"},
            {.name = "home", .doc = "Default: /home/NAME"},
            {.name = "create_home",
             .type = FieldType::flag,
             .doc = "Make the home from /etc/skel. Default: true, for a system user false"},
            {.name = "shell", .doc = "Default: /bin/bash, for a system user the distribution's"},
            {.name = "comment", .doc = "Full name; set when the user is made"},
            {.name = "system",
             .type = FieldType::flag,
             .doc = "Take the number from the system's range. Default: false"},
            {.name = "state",
             .doc = "absent keeps the home. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
