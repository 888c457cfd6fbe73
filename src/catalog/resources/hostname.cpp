// [[hostname]]: the name of the node, now and after the next boot.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted&, const Facts&) {
  return R"sh(
running=$(cat /proc/sys/kernel/hostname) || exit
printf 'running %s\n' "$running"
if [ -e /etc/hostname ]; then read -r kept </etc/hostname; printf 'kept %s\n' "$kept"; fi
)sh";
}

bool is_hostname(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.';
         });
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto& name = wanted.name;
  if (!is_hostname(name)) {
    return refuse(wanted, "name", fmt::format("'{}' is not a host name", name),
                  "letters, digits, - and . only, at most 64");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto running = (*reading)["running"];
  if (running == name && (*reading)["kept"] == name) return std::vector<Step>{};

  auto step = step_for(
      wanted, "set",
      running == name ? fmt::format("the host name is {} now, but not after the next boot", name)
                      : fmt::format("the host name is {}, wanted {}", running, name));
  step.script = sh::assign("n", name) + R"sh(
printf '%s\n' "$n" >/etc/hostname || exit
if [ -d /run/systemd/system ] && command -v hostnamectl >/dev/null 2>&1; then
  hostnamectl set-hostname "$n" && exit
fi
hostname "$n" 2>/dev/null || printf '%s\n' "$n" >/proc/sys/kernel/hostname || exit
)sh";
  step.undo = {.paths = {"/etc/hostname"},
               .state = "cat /proc/sys/kernel/hostname\n",
               .restore = "cat \"$before\" >/proc/sys/kernel/hostname\n"};
  step.deadline = std::chrono::seconds(60);
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts& facts) {
  return fmt::format("running {0}\nkept {0}\n", facts.hostname);
}

const Registered hostname{ResourceKind{
    .table = "hostname",
    .key = "name",
    .summary = "The name of the node, now and after the next boot",
    .fields = {{.name = "name",
                .required = true,
                .doc = "Host name; {{node.name}} is what cluster.toml calls the node"}},
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
