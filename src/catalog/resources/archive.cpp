// [[archive]]: a folder that is what an archive holds. The folder belongs to the archive: another
// version replaces all of it. A stamp inside says which archive it came from.
#include <fmt/format.h>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/artifact.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

constexpr std::string_view stamp_name = ".podwright-archive";

/// What the stamp holds: another archive, or the same one with another depth, is another tree.
std::string stamp_of(const Artifact& artifact, std::int64_t strip) {
  return strip == 0 ? artifact.sha256 : fmt::format("{} strip {}", artifact.sha256, strip);
}

/// `creates` below dest, or as it is when absolute.
std::string sign_of(const Wanted& wanted) {
  const auto creates = wanted.text("creates");
  return creates.empty() || creates.starts_with('/') ? creates : wanted.name + "/" + creates;
}

std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("d", wanted.name) + sh::assign("c", sign_of(wanted)) +
         sh::assign("s", stamp_name) + R"sh(
if [ -L "$d" ]; then
  echo 'type symlink'
elif [ ! -e "$d" ]; then
  echo 'type absent'
elif [ ! -d "$d" ]; then
  echo 'type file'
else
  echo 'type directory'
  o=$(stat -c '%U:%G %u:%g' "$d") || exit
  printf 'owner %s\n' "$o"
  if [ -f "$d/$s" ]; then
    printf 'stamp %s\n' "$(head -n 1 "$d/$s")"
  elif [ -z "$(ls -A "$d")" ]; then
    echo 'empty yes'
  fi
fi
if [ -z "$c" ] || [ -e "$c" ]; then echo 'creates there'; else echo 'creates missing'; fi
)sh";
}

/// Unpacks beside the folder and puts the whole in its place at once. By the first bytes, because
/// names lie; tar would only say that it cannot exec.
constexpr std::string_view unpack_script = R"sh(
need() {
  command -v "$1" >/dev/null 2>&1 && return
  printf '%s is compressed with %s, which this node lacks: declare the package %s before it\n' \
    "$name" "$1" "$2" >&2
  exit 1
}
case $(od -A n -t x1 -N 6 "$a" | tr -d ' \n') in
  1f8b*) need gzip gzip ;;
  fd377a585a00) need xz 'xz-utils (xz on Red Hat and SUSE)' ;;
  28b52ffd*) need zstd zstd ;;
  425a68*) need bzip2 bzip2 ;;
  504b*) printf '%s is a zip file: podwright unpacks tar archives\n' "$name" >&2; exit 1 ;;
esac
need tar tar
mkdir -p "${d%/*}/" || exit
t=$(mktemp -d "$d.podwright.XXXXXX") || exit
trap 'rm -rf "$t"' EXIT
tar -x -f "$a" -C "$t" --no-same-owner --strip-components="$strip" || {
  printf '%s could not be unpacked: is it a tar archive, and the disk not full?\n' "$name" >&2
  exit 1
}
if [ -z "$(ls -A "$t")" ]; then
  printf 'nothing of %s is left with strip = %s; it begins with:\n' "$name" "$strip" >&2
  tar -t -f "$a" | head -n 5 >&2
  exit 1
fi
if [ -n "$c" ] && [ ! -e "$t/$c" ]; then
  printf '%s holds no %s (strip = %s); at its top are: %s\n' "$name" "$c" "$strip" \
    "$(ls -A "$t" | head -n 20 | tr '\n' ' ')" >&2
  exit 1
fi
if [ -n "$owner" ]; then chown -R -h "$owner" "$t" || exit; fi
chmod 0755 "$t" || exit
printf '%s\n' "$stamp" >"$t/$s" || exit
if [ -d "$d" ]; then
  # An earlier run may have been cut off between these two.
  rm -rf "$d.podwright-old" && mv "$d" "$d.podwright-old" || exit
fi
mv "$t" "$d" || exit
rm -rf "$d.podwright-old"
)sh";

std::string unpack(const Wanted& wanted, const Artifact& artifact, const std::string& stamp) {
  // Whoever gives an absolute path means a place outside the folder: seen by the probe alone.
  const auto creates = wanted.text("creates");
  const auto owner = wanted.text("owner");
  const auto group = wanted.text("group");
  return artifact_script("a", artifact) + sh::assign("name", file_name(artifact)) +
         sh::assign("d", wanted.name) + sh::assign("s", stamp_name) + sh::assign("stamp", stamp) +
         sh::assign("c", creates.starts_with('/') ? "" : creates) +
         sh::assign("strip", std::to_string(wanted.integer("strip", 0))) +
         sh::assign("owner", group.empty() ? owner : owner + ":" + group) +
         std::string(unpack_script);
}

/// A tree can be large, so that no copy is kept of it: one that podwright made goes, with all versions
/// of it.
Undo undo_of(const Wanted& wanted) {
  return {.state = sh::assign("d", wanted.name) + sh::assign("s", stamp_name) + R"sh(
if [ -f "$d/$s" ]; then
  head -n 1 "$d/$s"
  find "$d" -newer "$d/$s" | sort | head -n 100
elif [ -e "$d" ] || [ -L "$d" ]; then
  if [ -d "$d" ] && [ -z "$(ls -A "$d")" ]; then echo empty; else echo other; fi
else
  echo absent
fi
)sh",
          .restore = sh::assign("d", wanted.name) + R"sh(
case $(cat "$oldest") in
  absent) rm -rf "$d" ;;
  empty) rm -rf "$d" && mkdir "$d" ;;
  *) printf 'left\t\t%s held something else before: apply a profile that declares it\n' "$d" ;;
esac
)sh"};
}

Result<std::vector<Step>> plan_absent(const Wanted& wanted, const Reading& now) {
  const auto& dest = wanted.name;
  if (now["type"] == "absent") return std::vector<Step>{};
  if (now["stamp"].empty()) {
    return fail({.fault = Fault::remote,
                 .what = dest + " was not unpacked by podwright, so it is not removed",
                 .step = wanted.id(),
                 .hint = fmt::format("look at it on the node: ls -la {}", sh::quote(dest))});
  }
  auto step = step_for(wanted, "remove", dest + " is there, wanted absent");
  step.script = fmt::format("rm -rf {} || exit\n", sh::quote(dest));
  step.undo.why_not = "no copy of a tree is kept: apply a profile that declares the archive";
  return std::vector{step};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto dest = wanted_path(wanted, "dest");
  if (!dest) return fail(dest.error());
  const bool absent = wanted.text("state") == "absent";
  const auto strip = wanted.integer("strip", 0);
  if (strip < 0 || strip > 20) {
    return refuse(wanted, "strip", fmt::format("strip {} is not a number of folders", strip));
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto& now = *reading;
  if (now["type"].empty() || now["creates"].empty()) {
    return fail({.fault = Fault::remote,
                 .what = *dest + " could not be read",
                 .step = wanted.id(),
                 .hint = "plan again"});
  }
  if (absent) return plan_absent(wanted, now);

  const auto artifact = wanted_artifact(wanted);
  if (!artifact) return fail(artifact.error());
  const auto stamp = stamp_of(*artifact, strip);
  const auto name = file_name(*artifact);
  if (now["type"] == "symlink" || now["type"] == "file" ||
      (now["type"] == "directory" && now["stamp"].empty() && now["empty"] != "yes")) {
    return fail({.fault = Fault::remote,
                 .what = fmt::format("{} is {} that podwright did not make", *dest,
                                     now["type"] == "directory" ? "a folder with things in it"
                                     : now["type"] == "symlink" ? "a symbolic link"
                                                                : "no folder, and one"),
                 .step = wanted.id(),
                 .hint = "give the archive a folder of its own (/opt/NAME), or remove this one"});
  }
  std::string why;
  if (now["type"] == "absent" || now["empty"] == "yes") {
    why = fmt::format("{} is not unpacked in {}", name, *dest);
  } else if (now["stamp"] != stamp) {
    why = fmt::format("{} holds another archive than {}, and is replaced", *dest, name);
  } else if (now["creates"] == "missing") {
    why = fmt::format("{} came from {}, but {} is gone", *dest, name, sign_of(wanted));
  }
  auto step = step_for(wanted, "unpack", why);
  step.undo = undo_of(wanted);
  step.deadline = 30min;
  if (!why.empty()) {
    step.script = unpack(wanted, *artifact, stamp);
    step.artifacts = {*artifact};
    return std::vector{step};
  }
  const auto owner = wanted.text("owner", "root");
  const auto is = split(now["owner"], ' ');
  const auto owner_of = [](std::string_view both) { return both.substr(0, both.find(':')); };
  if (is.size() == 2 && (owner == owner_of(is[0]) || owner == owner_of(is[1]))) {
    return std::vector<Step>{};
  }
  step.action = "set";
  step.why = fmt::format("{} belongs to {}, wanted {}", *dest, now["owner"], owner);
  const auto group = wanted.text("group");
  step.script = fmt::format("chown -R -h {} {} || exit\n",
                            sh::quote(group.empty() ? owner : owner + ":" + group),
                            sh::quote(*dest));
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) { return "type absent\ncreates missing\n"; }

const Registered archive{ResourceKind{
    .table = "archive",
    .key = "dest",
    .summary = "A folder that is what a tar archive holds, and nothing else",
    .fields =
        {
            {.name = "dest",
             .required = true,
             .doc = "Absolute path of the folder; it belongs to the archive: another version "
                    "replaces all of it"},
            {.name = "url", .doc = "Where the archive is fetched: http or https"},
            {.name = "source", .doc = "A copy of it on the head, taken instead of url"},
            {.name = "sha256", .doc = "Digest of the archive: 64 hex digits; required"},
            {.name = "strip",
             .type = FieldType::integer,
             .doc = "How many leading folders of the names in it are dropped. Default: 0"},
            {.name = "creates",
             .doc = "A path that must be there once it is unpacked, below dest or absolute: "
                    "\"bin/node_exporter\". Default: dest alone"},
            {.name = "owner", .doc = "User whom all of it belongs to. Default: root"},
            {.name = "group", .doc = "Group of all of it. Default: root"},
            {.name = "state",
             .doc = "absent removes a folder that came from an archive. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
