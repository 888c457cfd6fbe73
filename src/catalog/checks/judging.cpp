#include "catalog/checks/judging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright::judging {

namespace {

/// What systemd-detect-virt calls containers.
constexpr std::string_view containers[] = {"systemd-nspawn", "docker", "podman", "lxc", "lxc-libvirt",
                                           "rkt", "openvz", "wsl", "proot", "pouch", "container-other"};

bool same_roles(const Node& a, const Node& b) { return std::ranges::is_permutation(a.roles, b.roles); }

bool same_hardware(const Facts& a, const Facts& b) {
  return a.arch == b.arch && a.product == b.product && a.cpu.model == b.cpu.model;
}

}  // namespace

CheckResult passed(const Check& check, std::string observed, std::string expected) {
  return {.id = std::string(check.id), .status = CheckStatus::pass, .observed = std::move(observed),
          .expected = std::move(expected)};
}

CheckResult skipped(const Check& check, std::string why) {
  return {.id = std::string(check.id), .status = CheckStatus::skip, .observed = std::move(why), .expected = {}};
}

CheckResult broken(const Check& check, std::string observed, std::string expected, std::string remedy) {
  return {.id = std::string(check.id), .status = podwright::broken(check), .observed = std::move(observed),
          .expected = std::move(expected), .remedy = std::move(remedy)};
}

CheckResult warned(const Check& check, std::string observed, std::string expected, std::string remedy) {
  return {.id = std::string(check.id), .status = CheckStatus::warn, .observed = std::move(observed),
          .expected = std::move(expected), .remedy = std::move(remedy)};
}

CheckResult failed_to_run(const Check& check, std::string what, std::string remedy) {
  return {.id = std::string(check.id), .status = CheckStatus::error, .observed = std::move(what),
          .expected = "the check can be run", .remedy = std::move(remedy)};
}

std::optional<std::string> text_option(const Expectation& expectation, std::string_view key) {
  const auto* value = find_value(expectation.options, key);
  return value == nullptr ? std::nullopt : std::optional(value->scalar_text());
}

std::optional<double> number_option(const Expectation& expectation, std::string_view key) {
  const auto* value = find_value(expectation.options, key);
  return value == nullptr ? std::nullopt : value->number();
}

std::optional<std::int64_t> integer_option(const Expectation& expectation, std::string_view key) {
  const auto* value = find_value(expectation.options, key);
  return value == nullptr || value->integer() == nullptr ? std::nullopt : std::optional(*value->integer());
}

std::vector<std::string> list_option(const Expectation& expectation, std::string_view key) {
  std::vector<std::string> all;
  const auto* value = find_value(expectation.options, key);
  if (value == nullptr || value->array() == nullptr) return all;
  for (const auto& item : *value->array()) all.push_back(item.scalar_text());
  return all;
}

bool in_container(const Facts& facts) {
  return std::ranges::find(containers, facts.virtualization) != std::end(containers);
}

bool in_virtual_machine(const Facts& facts) {
  return !facts.virtualization.empty() && facts.virtualization != "none" && !in_container(facts);
}

std::vector<Peer> peers(const Expectation& expectation, std::size_t most) {
  const auto& own = expectation.node;
  std::vector<Peer> all{{.node = own.name, .facts = &expectation.facts}};
  for (const auto& node : expectation.inventory.nodes) {
    if (node.name == own.name || !same_roles(node, own)) continue;
    const auto facts = expectation.cohort.find(node.name);
    if (facts == expectation.cohort.end() || !same_hardware(facts->second, expectation.facts)) continue;
    all.push_back({.node = node.name, .facts = &facts->second});
  }
  if (all.size() <= most) return all;
  std::vector<Peer> sample;
  for (std::size_t i = 0; i < most; ++i) sample.push_back(all[i * all.size() / most]);
  return sample;
}

Vote vote(const std::vector<Peer>& class_of_node, const std::function<std::string(const Facts&)>& value) {
  struct Count {
    std::size_t holders = 0;
    std::string_view example;
  };
  std::map<std::string, Count> counts;
  for (const auto& peer : class_of_node) {
    auto& count = counts[value(*peer.facts)];
    if (count.holders++ == 0) count.example = peer.node;
  }
  Vote result;
  result.voters = class_of_node.size();
  for (const auto& [text, count] : counts) {
    if (count.holders <= result.holders) continue;
    result.usual = text;
    result.holders = count.holders;
    result.example = count.example;
  }
  result.clear = result.holders * 2 > result.voters;
  return result;
}

CheckResult like_its_class(const Check& check, const Expectation& expectation, std::string own,
                           const std::function<std::string(const Facts&)>& value, std::string remedy) {
  const auto all = peers(expectation);
  if (all.size() < 2) return passed(check, std::move(own), "no other node is like this one; nothing is declared");
  const auto usual = vote(all, value);
  const auto of = fmt::format("{} of {} nodes like this one", usual.holders, usual.voters);
  if (!usual.clear) {
    return warned(check, std::move(own), fmt::format("the same on all {} nodes like this one", usual.voters),
                  fmt::format("declare what is right in [[check]] id = \"{}\"; then {}", check.id, remedy));
  }
  if (own == usual.usual) return passed(check, std::move(own), fmt::format("as on {}", of));
  return broken(check, std::move(own), fmt::format("{}, as on {} ({})", usual.usual, of, usual.example),
                std::move(remedy));
}

Result<Pairs> read_pairs(const Observed& observed) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  Pairs pairs;
  for (const auto& line : *lines) {
    const auto pair = reading::key_value(line);
    if (!pair) return fail(pair.error());
    pairs.emplace_back(pair->key, pair->value);
  }
  return pairs;
}

const std::string* find_pair(const Pairs& pairs, std::string_view key) {
  const auto found = std::ranges::find(pairs, key, &std::pair<std::string, std::string>::first);
  return found == pairs.end() ? nullptr : &found->second;
}

std::optional<double> parse_size(std::string_view text) {
  text = trim(text);
  const auto end = text.find_first_not_of("0123456789.");
  const auto amount = reading::finite_number(text.substr(0, end));
  if (!amount || *amount < 0) return {};
  const auto unit = end == std::string_view::npos ? "GiB" : trim(text.substr(end));
  constexpr double kilo = 1000;
  constexpr double kibi = 1024;
  const std::pair<std::string_view, double> units[] = {
      {"B", 1},
      {"kB", kilo}, {"KB", kilo}, {"MB", kilo * kilo}, {"GB", kilo * kilo * kilo}, {"TB", kilo * kilo * kilo * kilo},
      {"KiB", kibi}, {"MiB", kibi * kibi}, {"GiB", kibi * kibi * kibi}, {"TiB", kibi * kibi * kibi * kibi},
  };
  for (const auto& [name, factor] : units) {
    if (unit == name && *amount * factor < 1e18) return *amount * factor;  // more is a slip of the pen
  }
  return {};
}

}  // namespace podwright::judging
