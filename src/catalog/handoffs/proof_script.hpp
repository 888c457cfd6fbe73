/// What the proofs of the hand-off share: their scripts are made of named sections, which the
/// judges read back, and they are about the compute nodes that are healthy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/registry.hpp"

namespace podwright::handoffs {

/// sh functions `begin NAME` and `end`; `end` prints the status of the command before it.
std::string_view section_functions();

/// What one section of a proof script printed, between `begin` and `end`.
struct Section {
  std::string name;
  std::vector<std::string> lines;
  std::optional<int> exit_status{};  ///< absent: the script ended or was cut off within the section
};
std::vector<Section> sections_of(std::string_view output);
const Section* find_section(const std::vector<Section>& sections, std::string_view name);

/// What a tool says about its failure, on one line: its first lines that complain (what comes after
/// is mostly their consequence), else its last ones.
std::string complaint(const std::vector<std::string>& lines);
/// "failed with 1", "was stopped after 180 s" for the status that timeout(1) gives.
std::string describe_exit(int status, int seconds);

/// The compute nodes that are handed over: of the inventory, and with facts.
std::vector<const Node*> compute_nodes(const HandoffContext& context);
/// The host name that a node's own facts tell, without its domain; its name where they don't.
std::string host_name_of(const Node& node, const HandoffContext& context);
/// The account that jobs run under: variable `training_user` of the profile; empty: root only.
std::string training_user(const HandoffContext& context);
/// "cu01,cu02,cu03"
std::string comma_list(const std::vector<const Node*>& nodes);

/// The result of a proof from the reasons against it: none, and it passed.
ProofResult conclude(std::string name, std::string command, const Observed& observed,
                     const std::vector<std::string>& reasons, std::string summary_when_passed);

}  // namespace podwright::handoffs
