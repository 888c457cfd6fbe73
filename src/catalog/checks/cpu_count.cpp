// cpu.count: the processors that were paid for are there, and on.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

std::string told(const Facts& facts) {
  const auto& cpu = facts.cpu;
  if (cpu.sockets == 0) return count_of(static_cast<std::size_t>(cpu.logical), "CPU");
  return fmt::format("{} with {} and {} each: {}", count_of(static_cast<std::size_t>(cpu.sockets), "socket"),
                     count_of(static_cast<std::size_t>(cpu.cores_per_socket), "core"),
                     count_of(static_cast<std::size_t>(cpu.threads_per_core), "thread"),
                     count_of(static_cast<std::size_t>(cpu.logical), "CPU"));
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& cpu = expectation.facts.cpu;
  const std::string remedy =
      "look for CPUs that are offline (lscpu --offline --extended), then at nosmt and maxcpus on the kernel's "
      "command line, then at the firmware's settings and the socket itself";
  struct Declared {
    std::string_view option;
    std::string_view what;
    std::int64_t actual;
  };
  const Declared all[] = {{"expect", "CPUs", cpu.logical},
                          {"sockets", "sockets", cpu.sockets},
                          {"cores_per_socket", "cores per socket", cpu.cores_per_socket},
                          {"threads_per_core", "threads per core", cpu.threads_per_core}};
  std::vector<std::string> wanted;
  bool right = true;
  for (const auto& [option, what, actual] : all) {
    const auto declared = judging::integer_option(expectation, option);
    if (!declared) continue;
    wanted.push_back(fmt::format("{} {}", *declared, what));
    right = right && *declared == actual;
  }
  if (!wanted.empty()) {
    if (!right) return {judging::broken(check, told(expectation.facts), human_list(wanted), remedy)};
    return {judging::passed(check, told(expectation.facts), human_list(wanted))};
  }
  const auto whole = cpu.sockets * cpu.cores_per_socket * cpu.threads_per_core;
  if (cpu.logical < whole) {
    return {judging::warned(check, told(expectation.facts), fmt::format("{} CPUs, all online", whole), remedy)};
  }
  return {judging::like_its_class(check, expectation, told(expectation.facts), told, remedy)};
}

const Registered check{Check{
    .id = "cpu.count",
    .summary = "Sockets, cores and threads are as declared, or as on the other nodes of the class",
    .severity = Severity::fatal,
    .source = "Azure NHC",
    .options = {{.name = "expect", .type = FieldType::integer, .doc = "CPUs that are online"},
                {.name = "sockets", .type = FieldType::integer, .doc = "sockets"},
                {.name = "cores_per_socket", .type = FieldType::integer, .doc = "cores of a socket"},
                {.name = "threads_per_core", .type = FieldType::integer, .doc = "threads of a core"}},
    .needs = {"cpu"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
