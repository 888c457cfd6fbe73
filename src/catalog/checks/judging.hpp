/// What judges share: the shapes of a verdict, options, and who is comparable with whom.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/registry.hpp"

namespace podwright::judging {

CheckResult passed(const Check& check, std::string observed, std::string expected);
/// Does not apply here; `why` says it in a sentence.
CheckResult skipped(const Check& check, std::string why);
/// The rule is broken: fail or warn, by the severity of the check.
CheckResult broken(const Check& check, std::string observed, std::string expected, std::string remedy);
/// Worth a look, whatever the severity of the check.
CheckResult warned(const Check& check, std::string observed, std::string expected, std::string remedy);
/// Could not be run.
CheckResult failed_to_run(const Check& check, std::string what, std::string remedy);

/// Options of [[check]]; their types were checked before.
std::optional<std::string> text_option(const Expectation& expectation, std::string_view key);
std::optional<double> number_option(const Expectation& expectation, std::string_view key);
std::optional<std::int64_t> integer_option(const Expectation& expectation, std::string_view key);
std::vector<std::string> list_option(const Expectation& expectation, std::string_view key);

/// In a container processors, memory, clock and kernel log are its host's.
bool in_container(const Facts& facts);
bool in_virtual_machine(const Facts& facts);

/// A node that should be like this one: the same roles, chassis, architecture and processor.
struct Peer {
  std::string_view node;
  const Facts* facts;
};
/// The class of this node, itself first, then in the order of the inventory. A class of more than `most`
/// nodes is sampled evenly, so that judging all of a large cluster stays quick.
std::vector<Peer> peers(const Expectation& expectation, std::size_t most = 128);

/// What the nodes of a class have in common.
struct Vote {
  std::string usual;          ///< the value that most of them have
  std::size_t holders = 0;
  std::size_t voters = 0;
  bool clear = false;         ///< more than half of them have it
  std::string example;        ///< a node that has it
};
Vote vote(const std::vector<Peer>& class_of_node, const std::function<std::string(const Facts&)>& value);

/// Judges `own` by what the class has: passes when it is the usual value or the node is alone, warns when
/// there is no usual one. `what` begins the remedy: "the memory".
CheckResult like_its_class(const Check& check, const Expectation& expectation, std::string own,
                           const std::function<std::string(const Facts&)>& value, std::string remedy);

/// Lines of "key=value" of a check's probe.
using Pairs = std::vector<std::pair<std::string, std::string>>;
Result<Pairs> read_pairs(const Observed& observed);
/// The value of the first pair of that key, or null.
const std::string* find_pair(const Pairs& pairs, std::string_view key);

/// "512GiB", "512 GB", "64 MiB" as bytes; a bare number counts GiB.
std::optional<double> parse_size(std::string_view text);

}  // namespace podwright::judging
