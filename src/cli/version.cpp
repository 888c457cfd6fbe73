#include "cli/version.hpp"
#include "base/json.hpp"

#include "catalog/registry.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"

namespace podwright::cli {

std::string version_text() { return PODWRIGHT_VERSION; }

Command version_command() {
  return {.name = "version",
          .group = "This program",
          .summary = "which podwright this is, and what it knows",
          .details = "Prints the version, and how many entries its catalog has.",
          .examples = {{"podwright version --output json", "the same, for a program"}},
          .run = [](App&) -> Result<Outcome> {
            const Json knows = {{"resource kinds", catalog<ResourceKind>().size()},
                                {"probes", catalog<Probe>().size()},
                                {"checks", catalog<Check>().size()},
                                {"measurements", catalog<Measurement>().size()},
                                {"hand-off targets", catalog<Handoff>().size()},
                                {"packagers", catalog<Packager>().size()}};
            std::string text = "podwright " + version_text() + "\n";
            std::string list;
            for (const auto& [name, count] : knows.items()) {
              list += (list.empty() ? "" : ", ") + std::to_string(count.get<std::size_t>()) + " " + name;
            }
            return Outcome{.document = {{"version", version_text()}, {"catalog", knows}},
                           .text = text + list + "\n"};
          }};
}

}  // namespace podwright::cli
