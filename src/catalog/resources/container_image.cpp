// [[container_image]]: an image in the store of Docker or Podman, pulled from a registry or loaded
// from an archive that the head brings: nodes without a way to a registry are the rule.
#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/artifact.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

/// From which archive an image was loaded: the engines don't remember it.
std::string stamp_file(const std::string& image) {
  std::string name;
  for (const char c : image) name += c == '/' ? std::string("%2f") : std::string(1, c);
  return "/var/lib/podwright/container_image/" + name;
}

bool has_archive(const Wanted& wanted) { return wanted.has("url") || wanted.has("source"); }

std::string engine_script(const Wanted& wanted) {
  const auto engine = wanted.text("engine", "auto");
  if (engine != "auto") return sh::assign("e", engine);
  return R"sh(
e=docker
if ! command -v docker >/dev/null 2>&1 && command -v podman >/dev/null 2>&1; then e=podman; fi
)sh";
}

// An engine that does not answer is not the same as an image that is not there.
std::string probe(const Wanted& wanted, const Facts&) {
  return engine_script(wanted) + sh::assign("i", wanted.name) +
         sh::assign("stamp", stamp_file(wanted.name)) + R"sh(
printf 'engine %s\n' "$e"
if ! command -v "$e" >/dev/null 2>&1; then
  echo 'image no-engine'
  exit 0
fi
if s=$("$e" image inspect --format '{{.Id}} {{range .RepoDigests}}{{.}} {{end}}' "$i" 2>&1); then
  echo 'image there'
  printf 'is %s\n' "$s"
else
  case $s in
    *[Nn]'o such image'* | *[Nn]'o such object'* | *'image not known'*) echo 'image absent' ;;
    *) printf '%s\n' "$s" >&2; exit 2 ;;
  esac
fi
if [ -r "$stamp" ]; then
  read -r sha id <"$stamp"
  printf 'loaded %s %s\n' "$sha" "$id"
fi
)sh";
}

bool is_digest(std::string_view text) {
  return text.starts_with("sha256:") && text.size() == 71 &&
         std::ranges::all_of(text.substr(7), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// Docker prints ids with sha256:, Podman without.
std::string_view bare(std::string_view id) {
  return id.starts_with("sha256:") ? id.substr(7) : id;
}

/// Whether the image has this digest: of its manifest in a registry, or its own id.
bool has_digest(const std::vector<std::string_view>& is, std::string_view digest) {
  if (is.empty()) return false;
  if (bare(is.front()) == bare(digest)) return true;
  return std::any_of(is.begin() + 1, is.end(), [&](std::string_view name) {
    return name.ends_with("@" + std::string(digest));
  });
}

Status check_name(const Wanted& wanted) {
  const auto fine = !wanted.name.empty() && wanted.name.front() != '-' &&
                    std::ranges::all_of(wanted.name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') ||
                             std::string_view("./:@_-").find(c) != std::string_view::npos;
                    });
  if (!fine) {
    return refuse(wanted, "name", fmt::format("'{}' is not the name of an image", wanted.name),
                  "for example nvcr.io/nvidia/pytorch:25.01-py3");
  }
  const auto digest = wanted.text("digest");
  if (!digest.empty() && !is_digest(digest)) {
    return refuse(wanted, "digest", fmt::format("'{}' is not a digest", digest),
                  "sha256: and 64 hex digits, as `docker image ls --digests` prints it");
  }
  return {};
}

/// sh that ends the step unless the image has the digest now.
std::string prove_digest(const std::string& digest) {
  if (digest.empty()) return {};
  return sh::assign("digest", digest) + R"sh(
is=$("$e" image inspect --format '{{.Id}} {{range .RepoDigests}}{{.}} {{end}}' "$i") || exit
case " $is" in
  *" $digest "* | *" ${digest#sha256:} "* | *"@$digest "*) ;;
  *) printf '%s is %s, wanted %s\n' "$i" "$is" "$digest" >&2; exit 1 ;;
esac
)sh";
}

constexpr std::string_view load_script = R"sh(
out=$("$e" image load -i "$a" 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }
printf '%s\n' "$out"
id=$("$e" image inspect --format '{{.Id}}' "$i" 2>/dev/null) || {
  printf 'the archive does not hold %s: %s\n' "$i" "$(printf '%s\n' "$out" | tail -n 3)" >&2
  exit 1
}
)sh";

/// An image goes when it was not there before; the layers that others use stay.
Undo undo_of(const Wanted& wanted) {
  return {.state = engine_script(wanted) + sh::assign("i", wanted.name) +
                   "\"$e\" image inspect --format '{{.Id}}' \"$i\" 2>/dev/null || :\n",
          .restore = engine_script(wanted) + sh::assign("i", wanted.name) +
                     sh::assign("stamp", stamp_file(wanted.name)) + R"sh(
id=$(cat "$before")
if [ -z "$id" ]; then
  "$e" image rm "$i" >/dev/null && rm -f "$stamp"
else
  "$e" image tag "$id" "$i" || {
    printf 'left\t\tthe image that %s was before is gone: %s\n' "$i" "$id"
    exit 0
  }
  rm -f "$stamp"
fi
)sh"};
}

std::string reason(const Wanted& wanted, const Reading& now,
                   const std::optional<Artifact>& archive) {
  const auto is = words(now["is"]);
  if (now["image"] == "absent") return wanted.name + " is not in the store of " + std::string(now["engine"]);
  const auto digest = wanted.text("digest");
  if (!digest.empty() && !has_digest(is, digest)) {
    return fmt::format("{} is {}, wanted {}", wanted.name, is.empty() ? "unknown" : is.front(), digest);
  }
  if (!archive || !digest.empty()) return {};
  const auto loaded = words(now["loaded"]);
  if (loaded.size() == 2 && loaded[0] == archive->sha256 && !is.empty() && loaded[1] == is.front()) return {};
  return fmt::format("{} was not loaded from {}", wanted.name, file_name(*archive));
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed,
                               const PlanContext&) {
  if (const auto fine = check_name(wanted); !fine) return fail(fine.error());
  const auto deadline = parse_duration(wanted.text("deadline", "1h"));
  if (!deadline) return refuse(wanted, "deadline", deadline.error().what, deadline.error().hint);
  const bool absent = wanted.text("state") == "absent";
  std::optional<Artifact> archive;
  if (has_archive(wanted) && !absent) {
    auto artifact = wanted_artifact(wanted);
    if (!artifact) return fail(artifact.error());
    archive = std::move(*artifact);
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto& now = *reading;
  const auto image = now["image"];
  if (image != "there" && image != "absent" && image != "no-engine") {
    return fail({.fault = Fault::remote,
                 .what = "its probe did not say whether the image is there",
                 .step = wanted.id(),
                 .hint = "plan again"});
  }
  const auto assignments = engine_script(wanted) + sh::assign("i", wanted.name) +
                           sh::assign("stamp", stamp_file(wanted.name));
  if (absent) {
    if (image != "there") return std::vector<Step>{};
    auto step = step_for(wanted, "remove", wanted.name + " is there, wanted absent");
    step.script = assignments + "\"$e\" image rm \"$i\" || exit\nrm -f \"$stamp\"\n";
    step.undo.why_not = "no copy of it is kept: apply a profile that declares the image";
    return std::vector{step};
  }

  // A step before this one may install the engine, which is why its absence is a plan, not an error.
  const auto engine = wanted.text("engine", "auto");
  const auto why = image == "no-engine"
                       ? fmt::format("{} is not there yet, and nor is {}", wanted.name,
                                     engine == "auto" ? "Docker or Podman" : engine)
                       : reason(wanted, now, archive);
  if (why.empty()) return std::vector<Step>{};
  auto step = step_for(wanted, archive ? "load" : "pull", why);
  step.script = assignments + R"sh(command -v "$e" >/dev/null 2>&1 || {
  printf '%s is not installed: declare its package and service before the image\n' "$e" >&2
  exit 1
}
)sh";
  const auto digest = wanted.text("digest");
  if (archive) {
    step.script += artifact_script("a", *archive) + std::string(load_script) + prove_digest(digest) +
                   sh::assign("sha", archive->sha256) +
                   "mkdir -p \"${stamp%/*}\" && printf '%s %s\\n' \"$sha\" \"$id\" >\"$stamp\" || exit\n";
    step.artifacts = {*archive};
  } else if (digest.empty()) {
    step.script += "\"$e\" image pull -q \"$i\" || exit\n";
  } else {
    // By its digest, and named then: a tag may have moved on.
    step.script += sh::assign("digest", digest) +
                   "repository=${i%%@*}\n"
                   "case ${repository##*/} in *:*) repository=${repository%:*} ;; esac\n"
                   "\"$e\" image pull -q \"$repository@$digest\" || exit\n"
                   "case $i in *@*) ;; *) \"$e\" image tag \"$repository@$digest\" \"$i\" || exit ;; esac\n" +
                   prove_digest(digest);
  }
  step.undo = undo_of(wanted);
  step.deadline = std::chrono::ceil<std::chrono::seconds>(*deadline);
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) { return "engine docker\nimage absent\n"; }

const Registered container_image{ResourceKind{
    .table = "container_image",
    .key = "name",
    .summary = "An image in the store of Docker or Podman, pulled or loaded from an archive",
    .fields =
        {
            {.name = "name",
             .required = true,
             .doc = "As the engine knows it: nvcr.io/nvidia/pytorch:25.01-py3"},
            {.name = "engine",
             .doc = "auto takes Docker where it is installed, else Podman. Default: auto",
             .choices = {"auto", "docker", "podman"}},
            {.name = "url",
             .doc = "An archive that `docker save` wrote, fetched by http or https. Without url and "
                    "source the image is pulled by the node"},
            {.name = "source", .doc = "A copy of the archive on the head, taken instead of url"},
            {.name = "sha256", .doc = "Digest of the archive: 64 hex digits"},
            {.name = "digest",
             .doc = "sha256:… of the image in its registry, or its id: what the tag must stand for. "
                    "Default: whatever it stands for when it is pulled"},
            {.name = "deadline", .doc = "How long it may take: 10m, 2h. Default: 1h"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
