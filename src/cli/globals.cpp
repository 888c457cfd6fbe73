#include "cli/globals.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace podwright::cli {

namespace {

const std::vector<std::string> kOutputs = {"text", "json", "ndjson"};

Output output_named(std::string_view name) {
  return name == "json" ? Output::json : name == "ndjson" ? Output::ndjson : Output::text;
}

}  // namespace

std::vector<Option> global_options(Globals& globals) {
  std::vector<Option> all;
  auto cluster = text_option("-c,--cluster", "FILE", "the cluster, by default ./cluster.toml",
                             globals.cluster, Completes::file);
  cluster.take = [&globals](const std::string& file) -> Status {
    globals.cluster = file;
    globals.cluster_given = true;
    return {};
  };
  all.push_back(std::move(cluster));
  all.push_back({.names = "-n,--nodes", .value = "NODESET",
                 .help = "only these nodes: cu[01-64,70], @role:compute, @label:leaf=l1, a,b!c, a&b",
                 .take = [&globals](const std::string& text) -> Status {
                   globals.nodes += (globals.nodes.empty() ? "" : ",") + text;
                   return {};
                 },
                 .completes = Completes::node_set, .choices = {}, .repeats = true});
  all.push_back(text_option("--profile", "NAME", "this profile in place of cluster.toml's",
                            globals.profile, Completes::profile));
  all.push_back({.names = "--set", .value = "KEY=VALUE", .help = "a variable of the profile",
                 .take = [&globals](const std::string& text) -> Status {
                   const auto equals = text.find('=');
                   if (equals == std::string::npos || equals == 0) {
                     return fail(Fault::usage, fmt::format("--set \"{}\" is not KEY=VALUE", text),
                                 "for example --set slurm_partition=train");
                   }
                   globals.set.push_back(text);
                   return {};
                 },
                 .completes = Completes::nothing, .choices = {}, .repeats = true});
  all.push_back({.names = "-j,--jobs", .value = "N", .help = "at most N nodes at a time",
                 .take = [&globals](const std::string& text) -> Status {
                   const auto number = to_int(text);
                   if (!number || *number < 1 || *number > 100000) {
                     return fail(Fault::usage, fmt::format("--jobs cannot be \"{}\"", text),
                                 "it is a number of nodes, 1 or more");
                   }
                   globals.jobs = static_cast<std::size_t>(*number);
                   return {};
                 }});
  all.push_back({.names = "--timeout", .value = "DURATION",
                 .help = "deadline of a command on a node: 500ms, 30s, 5m, 1h30m",
                 .take = [&globals](const std::string& text) -> Status {
                   const auto duration = parse_duration(text);
                   if (!duration) return fail(duration.error());
                   if (duration->count() == 0) {
                     return fail(Fault::usage, "--timeout cannot be zero", "write 30s, 5m or 2h");
                   }
                   globals.timeout = *duration;
                   return {};
                 }});
  all.push_back(flag("-v,--verbose", "say more", globals.verbose));
  all.push_back(flag("-q,--quiet", "no progress, only results, warnings and errors", globals.quiet));
  all.push_back(flag("-y,--yes", "do not ask before changing anything", globals.yes));
  all.push_back(choice_option("--color", "by default only on a terminal", {"auto", "always", "never"},
                              globals.color));
  all.push_back({.names = "--output", .value = join(kOutputs, "|"),
                 .help = "format of the result on stdout",
                 .take = [&globals](const std::string& text) -> Status {
                   if (std::ranges::find(kOutputs, text) == kOutputs.end()) {
                     return fail(Fault::usage,
                                 fmt::format("--output cannot be \"{}\"{}", text,
                                             did_you_mean(text, kOutputs)),
                                 "it is one of text, json and ndjson");
                   }
                   globals.output = output_named(text);
                   return {};
                 },
                 .completes = Completes::choices, .choices = kOutputs});
  all.push_back(flag("-h,--help", "this help", globals.help));
  all.push_back(flag("--version", "the version", globals.version));
  return all;
}

Output output_of(const std::vector<std::string>& arguments) {
  Output output = Output::text;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const auto& word = arguments[i];
    if (word == "--output" && i + 1 < arguments.size()) output = output_named(arguments[i + 1]);
    if (word.starts_with("--output=")) output = output_named(word.substr(9));
  }
  return output;
}

}  // namespace podwright::cli
