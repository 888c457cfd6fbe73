// [[kernel_param]]: a word of the kernel's command line. It counts after a reboot, so that there are
// three states: not configured, configured for the next boot, and running.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

bool is_absent(const Wanted& wanted) { return wanted.text("state") == "absent"; }

/// The words as the command line has them: name, or name=value; a value may bring further words.
std::vector<std::string> wanted_words(const Wanted& wanted) {
  const auto value = wanted.text("value");
  const auto text = value.empty() ? wanted.name : wanted.name + "=" + value;
  std::vector<std::string> all;
  for (const auto word : words(text)) all.emplace_back(word);
  return all;
}

std::string file_label(std::string name) {
  std::ranges::replace(name, '/', '-');
  return name;
}

/// Debian's grub-mkconfig reads these files as shell, in the order of their names, after
/// /etc/default/grub. The last word of a name counts for the kernel, and _DEFAULT comes last.
WantedFile drop_in(const Wanted& wanted) {
  std::string content = "# Written by podwright.\n";
  if (is_absent(wanted)) {
    content += fmt::format(R"sh(pw_words=
for pw_word in $GRUB_CMDLINE_LINUX; do
  case $pw_word in {0} | {0}=*) ;; *) pw_words="$pw_words $pw_word" ;; esac
done
GRUB_CMDLINE_LINUX=${{pw_words# }}
pw_words=
for pw_word in $GRUB_CMDLINE_LINUX_DEFAULT; do
  case $pw_word in {0} | {0}=*) ;; *) pw_words="$pw_words $pw_word" ;; esac
done
GRUB_CMDLINE_LINUX_DEFAULT=${{pw_words# }}
)sh",
                           wanted.name);
  } else {
    content += fmt::format("GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT {}\"\n",
                           join(wanted_words(wanted), " "));
  }
  return {.path = fmt::format("/etc/default/grub.d/60-podwright-{}.cfg", file_label(wanted.name)),
          .content = std::move(content),
          .parents = true};
}

std::string probe(const Wanted& wanted, const Facts&) {
  const auto file = drop_in(wanted);
  return R"sh(
printf 'running %s\n' "$(cat /proc/cmdline)" || exit
if command -v grubby >/dev/null 2>&1; then
  echo 'loader grubby'
  info=$(grubby --info=DEFAULT) || exit
  args=$(printf '%s\n' "$info" | sed -n '/^args=/{s/^args="//;s/"$//;p;q;}')
  printf 'boot %s\n' "$args"
elif command -v update-grub >/dev/null 2>&1; then
  echo 'loader update-grub'
  if [ -r /boot/grub/grub.cfg ]; then
    line=$(sed -n '/^[[:space:]]*linux\(efi\|16\)\{0,1\}[[:space:]]/{s/^[[:space:]]*//;p;q;}' /boot/grub/grub.cfg)
    printf 'boot %s\n' "$line"
  fi
else
  echo 'loader unknown'
fi
)sh" + file_probe(file.path, Content::unless_same, sha256_hex(file.content));
}

/// Whether a command line is as wanted.
bool has_words(const Wanted& wanted, std::string_view command_line) {
  const auto have = words(command_line);
  const auto is_of_name = [&](std::string_view word) {
    return word == wanted.name || word.starts_with(wanted.name + "=");
  };
  if (is_absent(wanted)) return std::ranges::none_of(have, is_of_name);
  const auto want = wanted_words(wanted);
  return std::ranges::all_of(want, [&](const std::string& word) {
    return std::ranges::find(have, word) != have.end();
  });
}

bool is_word(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.,:;/=+@%-").find(c) != std::string_view::npos;
  });
}

Status check_words(const Wanted& wanted) {
  if (wanted.name.empty() || wanted.name.front() == '-' || !is_word(wanted.name) ||
      wanted.name.find_first_of("=;") != std::string::npos) {
    return refuse(wanted, "name",
                  fmt::format("'{}' is not the name of a kernel parameter", wanted.name),
                  "for example name = \"iommu\" and value = \"pt\"");
  }
  const auto want = wanted_words(wanted);
  if (!std::ranges::all_of(want, is_word)) {
    return refuse(wanted, "value",
                  fmt::format("'{}' holds a character that boot loaders may take for their own",
                              wanted.text("value")));
  }
  return {};
}

struct Work {
  std::vector<std::string> reasons{};
  std::string diff{};
  std::string script{};
  Undo undo{};
};

Result<Work> configure_grub(const Wanted& wanted, const Reading& now) {
  const auto file = drop_in(wanted);
  const auto state = file_state(now);
  Work work;
  const bool fits = has_words(wanted, now["boot"]) && !now["boot"].empty();
  // What the distribution does not set needs no file that takes it out.
  if (is_absent(wanted) && fits && state.type == "absent") return work;
  const auto change = change_file(file, state);
  if (!change) return fail(change.error());
  const auto text = join(wanted_words(wanted), " ");
  if (*change) {
    work.reasons.push_back(is_absent(wanted) ? wanted.name + " is on the command line of the next boot"
                                             : text + " is not configured");
    work.diff = (*change)->diff;
    work.script = fmt::format("(\n{}) || exit\n", (*change)->script);
  } else if (!fits) {
    work.reasons.push_back(file.path + " is there, but grub.cfg was not made from it");
  }
  if (work.reasons.empty()) return work;
  work.script += "update-grub || exit\n";
  work.undo = {.paths = {file.path}, .restore = "update-grub\n"};
  return work;
}

/// grubby changes the entries there are and what new kernels get.
Work configure_grubby(const Wanted& wanted, const Reading& now) {
  Work work;
  if (has_words(wanted, now["boot"]) && !now["boot"].empty()) return work;
  const auto text = join(wanted_words(wanted), " ");
  const bool absent = is_absent(wanted);
  work.reasons.push_back(absent ? wanted.name + " is on the command line of the next boot"
                                : text + " is not configured");
  const auto option = absent ? "--remove-args=" + wanted.name : "--args=" + text;
  work.script = fmt::format("grubby --update-kernel=ALL {} || exit\n", sh::quote(option));
  work.undo = {
      .state = sh::assign("n", wanted.name) +
               "grubby --info=DEFAULT | sed -n '/^args=/{s/^args=\"//;s/\"$//;p;q;}' | tr ' ' '\\n' "
               "|\n  while read -r word; do case $word in \"$n\" | \"$n\"=*) echo \"$word\" ;; esac; "
               "done\n",
      .restore = sh::assign("n", wanted.name) + R"sh(
grubby --update-kernel=ALL --remove-args="$n" || exit
while read -r word; do
  grubby --update-kernel=ALL --args="$word" || exit
done <"$before"
)sh"};
  return work;
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  if (const auto fine = check_words(wanted); !fine) return fail(fine.error());
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto& now = *reading;
  const auto loader = now["loader"];
  if (now["running"].empty() || loader.empty()) {
    return fail({.fault = Fault::remote,
                 .what = "the kernel's command line could not be read",
                 .step = wanted.id(),
                 .hint = "plan again"});
  }
  if (loader == "unknown") {
    return fail({.fault = Fault::remote,
                 .what = "this node's boot loader is none that podwright knows",
                 .step = wanted.id(),
                 .hint = "known are GRUB with update-grub (Debian, Ubuntu) and grubby (Red Hat and "
                         "kin); leave the resource out for such nodes, with when ="});
  }
  auto work = loader == "grubby" ? Result<Work>(configure_grubby(wanted, now))
                                 : configure_grub(wanted, now);
  if (!work) {
    work.error().step = wanted.id();
    return fail(work.error());
  }

  const bool active = has_words(wanted, now["running"]);
  const bool reboot = wanted.flag("reboot", true) && !active;
  if (work->reasons.empty() && !reboot) return std::vector<Step>{};
  auto step = step_for(wanted, is_absent(wanted) ? "remove" : "configure", {});
  if (work->reasons.empty()) {
    const auto text = is_absent(wanted) ? wanted.name : join(wanted_words(wanted), " ");
    step.action = "reboot";
    step.why = fmt::format("{} is configured, but the running kernel was booted {} it",
                           is_absent(wanted) ? "a boot without " + text : text,
                           is_absent(wanted) ? "with" : "without");
    work->script = "# Nothing is left to configure: only the reboot is owed.\n:\n";
    work->undo.why_not = "a reboot cannot be taken back, and changes nothing that stays";
  } else {
    step.why = join(work->reasons, "; ");
  }
  step.diff = std::move(work->diff);
  step.script = std::move(work->script);
  step.undo = std::move(work->undo);
  step.reboots = reboot;
  step.deadline = 5min;
  return std::vector{step};
}

// The loader that the packager's family of distributions has; what else its command line holds is unknown.
std::string nothing(const Wanted&, const Facts& facts) {
  return fmt::format("running ro\nloader {}\nboot ro\ntype absent\n",
                     facts.package_manager == "apt" ? "update-grub" : "grubby");
}

const Registered kernel_param{ResourceKind{
    .table = "kernel_param",
    .key = "name",
    .summary = "A parameter of the kernel's command line, for which a node is rebooted",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Name of the parameter: iommu"},
            {.name = "value",
             .type = FieldType::any,
             .doc = "Its value: \"pt\"; further words that belong to it may follow: \"1G "
                    "hugepages=8\". Default: none, a bare word like nosmt"},
            {.name = "reboot",
             .type = FieldType::flag,
             .doc = "Reboot a node whose kernel runs without it. false: the next boot, whenever it "
                    "comes, is enough. Default: true"},
            {.name = "state",
             .doc = "absent takes the parameter out, whatever its value and whoever set it. "
                    "Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
