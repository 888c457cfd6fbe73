// [[sysctl]]: a kernel parameter, now and after the next boot. Each has a file of its own, so that
// one can be taken back without touching another.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

/// Where the kernel keeps it. As sysctl(8) reads keys: the separator that comes first is the one
/// between parts, and the other one stands for itself: net.ipv4.conf.eth0/100.mtu.
std::string kernel_file(std::string path) {
  const auto first = path.find_first_of("./");
  if (first != std::string::npos && path[first] == '.') {
    for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
  }
  return "/proc/sys/" + path;
}

std::string settings_file(std::string key) {
  std::ranges::replace(key, '/', '-');
  return fmt::format("/etc/sysctl.d/60-podwright-{}.conf", key);
}

/// Values of several numbers are separated by tabs in the kernel, and by blanks in profiles.
std::string plain(std::string_view value) {
  std::vector<std::string> parts;
  for (const auto word : words(value)) parts.emplace_back(word);
  return join(parts, " ");
}

WantedFile file_of(const Wanted& wanted) {
  return {.path = settings_file(wanted.name),
          .content = fmt::format("{} = {}\n", wanted.name, plain(wanted.text("value"))),
          .parents = true};
}

// cat and not `read`: dash reads byte by byte, and most files there are at their end after the
// first. cat, not the shell's read: dash reads single bytes, and the kernel answers only the first
// of them.
std::string probe(const Wanted& wanted, const Facts&) {
  const auto file = file_of(wanted);
  return sh::assign("k", kernel_file(wanted.name)) + R"sh(
if [ -e "$k" ]; then
  v=$(cat "$k") && printf 'running %s\n' "$v" | head -n 1
  if [ -w "$k" ]; then echo 'writable yes'; else echo 'writable no'; fi
fi
)sh" + file_probe(file.path, Content::unless_same, sha256_hex(file.content));
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto& key = wanted.name;
  if (key.empty() || key.find("..") != std::string::npos ||
      key.find_first_of(" \t\n=") != std::string::npos) {
    return refuse(wanted, "key", fmt::format("'{}' is not the name of a kernel parameter", key),
                  "for example vm.swappiness");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto file = file_of(wanted);
  if (wanted.text("state") == "absent") {
    return steps_for(wanted, remove_file(file.path, file_state(*reading)));
  }
  const auto value = plain(wanted.text("value"));
  if (value.empty()) return refuse(wanted, "value", fmt::format("{} needs a value", key));
  auto change = change_file(file, file_state(*reading));
  if (!change) return steps_for(wanted, std::move(change));

  const auto running = plain((*reading)["running"]);
  const bool refused = (*reading)["writable"] != "yes";
  const bool set = running != value && !(refused && wanted.text("runtime") == "best-effort");
  if (!*change && !set) return std::vector<Step>{};

  auto step = step_for(wanted, "set", {});
  if (running == value) {
    step.why = fmt::format("{} is {} now, but not after the next boot", key, value);
  } else {
    step.why = running.empty() ? fmt::format("this kernel has no {}, wanted {}", key, value)
                               : fmt::format("{} is {}, wanted {}", key, running, value);
    if (!set) step.why += "; it cannot be set here, so only the file is written";
  }
  if (*change) {
    step.diff = (*change)->diff;
    step.script = (*change)->script;
    step.undo = (*change)->undo;
  }
  if (set) {
    const auto k = sh::assign("k", kernel_file(key));
    step.undo.state = k + "[ ! -e \"$k\" ] || cat \"$k\"\n";
    step.undo.restore = k + "v=$(cat \"$before\")\n[ ! -e \"$k\" ] || [ -z \"$v\" ] || printf '%s\\n' \"$v\" >\"$k\"\n";
    step.script += k + sh::assign("v", value) + R"sh(
[ -e "$k" ] || { printf 'the kernel has no %s: is its module loaded?\n' "$k" >&2; exit 1; }
printf '%s\n' "$v" >"$k" || { printf 'the kernel refused %s for %s\n' "$v" "$k" >&2; exit 1; }
)sh";
  }
  step.deadline = std::chrono::seconds(30);
  return std::vector{step};
}

std::string nothing(const Wanted& wanted, const Facts& facts) {
  const auto running = facts.sysctl.find(wanted.name);
  return fmt::format("running {}\nwritable yes\ntype absent\n",
                     running == facts.sysctl.end() ? "unknown" : running->second);
}

const Registered sysctl{ResourceKind{
    .table = "sysctl",
    .key = "key",
    .summary = "A kernel parameter, now and after the next boot",
    .fields =
        {
            {.name = "key", .required = true, .doc = "Name, as sysctl(8) has it: vm.swappiness"},
            {.name = "value",
             .type = FieldType::any,
             .doc = "Number or text, in the kernel's unit; several numbers with blanks between"},
            {.name = "runtime",
             .doc =
                 "best-effort: where the kernel lets nobody set it (a container), the file for the "
                 "next boot is enough. Default: required",
             .choices = {"required", "best-effort"}},
            {.name = "state",
             .doc = "absent removes podwright's file and leaves the running value. "
                    "Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
