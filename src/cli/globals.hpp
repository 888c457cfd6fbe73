/// The options that every verb has, before or after its name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/command.hpp"

namespace podwright::cli {

enum class Output { text, json, ndjson };

struct Globals {
  std::string cluster = "cluster.toml";
  bool cluster_given = false;
  std::string nodes;  ///< node set; empty: all
  std::string profile;  ///< in place of cluster.toml's
  std::vector<std::string> set;  ///< key=value
  std::size_t jobs = 0;  ///< nodes at a time; 0: the transport's own width
  std::optional<Millis> timeout;
  bool verbose = false;
  bool quiet = false;
  bool yes = false;
  bool help = false;
  bool version = false;
  std::string color = "auto";
  Output output = Output::text;
};

/// The options that fill `globals`, which must outlive them.
std::vector<Option> global_options(Globals& globals);

/// The output format as a command line says it, even one that cannot be parsed: an error about it
/// must come in that format too.
Output output_of(const std::vector<std::string>& arguments);

}  // namespace podwright::cli
