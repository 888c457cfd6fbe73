// [[kernel_module]]: whether a module of the kernel is loaded, now and at boot, and with which
// options.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

bool blacklisted(const Wanted& wanted) { return wanted.flag("blacklist", false); }
bool loaded_at_boot(const Wanted& wanted) { return wanted.flag("load", !blacklisted(wanted)); }

/// A file for modules-load or modprobe; without content it should not be there.
WantedFile file_in(const char* folder, const Wanted& wanted, std::string content) {
  return {.path = fmt::format("/etc/{}/60-podwright-{}.conf", folder, wanted.name),
          .content = std::move(content),
          .parents = true};
}

WantedFile boot_file(const Wanted& wanted) {
  return file_in("modules-load.d", wanted, loaded_at_boot(wanted) ? wanted.name + "\n" : "");
}

WantedFile option_file(const Wanted& wanted) {
  const auto options = wanted.text("options");
  std::string content;
  if (blacklisted(wanted)) content += fmt::format("blacklist {}\n", wanted.name);
  if (!options.empty()) content += fmt::format("options {} {}\n", wanted.name, options);
  return file_in("modprobe.d", wanted, std::move(content));
}

constexpr std::string_view renew_initramfs = R"sh(
# The first stage of a boot has its own copy of these files.
if command -v update-initramfs >/dev/null 2>&1; then update-initramfs -u || exit
elif command -v dracut >/dev/null 2>&1; then dracut -f || exit
fi
)sh";

/// The kernel writes _ where names of files may have -.
std::string file_name(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string probe(const Wanted& wanted, const Facts&) {
  const auto boot = boot_file(wanted);
  const auto options = option_file(wanted);
  return sh::assign("m", file_name(wanted.name)) + R"sh(
if [ -d "/sys/module/$m" ] ||
    sed 's|.*/||; s|-|_|g' "/lib/modules/$(uname -r)/modules.builtin" 2>/dev/null | grep -qxF "$m.ko"; then
  echo 'loaded yes'
else
  echo 'loaded no'
fi
echo '[boot]'
)sh" + file_probe(boot.path, Content::unless_same, sha256_hex(boot.content)) +
         "echo '[options]'\n" +
         file_probe(options.path, Content::unless_same, sha256_hex(options.content));
}

Result<std::optional<FileChange>> change_of(const WantedFile& file, const Reading& reading) {
  return file.content.empty() ? remove_file(file.path, file_state(reading))
                              : change_file(file, file_state(reading));
}

bool is_module_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto& name = wanted.name;
  if (!is_module_name(name)) {
    return refuse(wanted, "name", fmt::format("'{}' is not the name of a kernel module", name));
  }
  if (wanted.text("options").find('\n') != std::string::npos) {
    return refuse(wanted, "options", "options are one line");
  }
  if (blacklisted(wanted) && loaded_at_boot(wanted)) {
    return refuse(wanted, "load", name + " cannot be loaded and on the blacklist",
                  "leave out load, or blacklist");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  auto boot = change_of(boot_file(wanted), *read(wanted, observed, "boot"));
  auto options = change_of(option_file(wanted), *read(wanted, observed, "options"));
  if (!boot) return steps_for(wanted, std::move(boot));
  if (!options) return steps_for(wanted, std::move(options));

  const bool loaded = (*reading)["loaded"] == "yes";
  auto step = step_for(wanted, "write", {});
  std::vector<std::string> reasons;
  for (const auto& change : {*boot, *options}) {
    if (!change) continue;
    reasons.push_back(change->why);
    step.diff += change->diff;
    step.undo.paths.insert(step.undo.paths.end(), change->undo.paths.begin(), change->undo.paths.end());
    // In parentheses: each has a temporary file to clear away at its end.
    step.script += fmt::format("(\n{}) || exit\n", change->script);
  }
  if (*options) {
    step.script += renew_initramfs;
    step.undo.finish = renew_initramfs;
  }
  if (loaded_at_boot(wanted) && !loaded) {
    step.action = "load";
    reasons.push_back(name + " is not loaded");
    step.script += fmt::format("modprobe {} || exit\n", sh::quote(name));
    step.undo.state = sh::assign("m", file_name(name)) +
                      "if [ -d \"/sys/module/$m\" ]; then echo loaded; else echo absent; fi\n";
    step.undo.restore = sh::assign("m", name) + R"sh(
case $(cat "$before") in loaded) exit 0 ;; esac
out=$(modprobe -r "$m" 2>&1) || printf 'left\t\t%s stays loaded until the next boot: %s\n' "$m" "$out"
)sh";
  }
  if (blacklisted(wanted) && loaded) {
    reasons.push_back(name + " is loaded, which a reboot ends");
    step.reboots = true;
  }
  if (reasons.empty()) return std::vector<Step>{};
  step.why = join(reasons, "; ");
  step.deadline = 10min;
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) {
  return "loaded no\n[boot]\ntype absent\n[options]\ntype absent\n";
}

const Registered kernel_module{ResourceKind{
    .table = "kernel_module",
    .key = "name",
    .summary = "Whether a module of the kernel is loaded, now and at boot, and with which options",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Name of the module: nvidia_peermem"},
            {.name = "load",
             .type = FieldType::flag,
             .doc = "Load it now and at boot. Default: true, with blacklist false"},
            {.name = "blacklist",
             .type = FieldType::flag,
             .doc =
                 "Keep it from being loaded for a device; a node that has it loaded is rebooted. "
                 "Default: false"},
            {.name = "options",
             .doc =
                 "For modprobe: \"NVreg_EnableStreamMemOPs=1\"; they count from the next loading. "
                 "Default: none"},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
