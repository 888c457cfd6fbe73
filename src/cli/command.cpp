#include "cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright::cli {

std::string Option::main_name() const {
  return std::string(split(names, ',').back());
}

Option flag(std::string names, std::string help, bool& into) {
  return {.names = std::move(names), .value = {}, .help = std::move(help),
          .take = [&into](const std::string& text) -> Status {
            into = text != "false";
            return {};
          }};
}

Option text_option(std::string names, std::string value, std::string help, std::string& into,
                   Completes completes) {
  return {.names = std::move(names), .value = std::move(value), .help = std::move(help),
          .take = [&into](const std::string& text) -> Status {
            into = text;
            return {};
          },
          .completes = completes};
}

Option list_option(std::string names, std::string value, std::string help,
                   std::vector<std::string>& into, Completes completes) {
  return {.names = std::move(names), .value = std::move(value), .help = std::move(help),
          .take = [&into](const std::string& text) -> Status {
            into.push_back(text);
            return {};
          },
          .completes = completes, .choices = {}, .repeats = true};
}

Option choice_option(std::string names, std::string help, std::vector<std::string> choices,
                     std::string& into) {
  const auto name = std::string(split(names, ',').back());
  return {.names = std::move(names), .value = join(choices, "|"), .help = std::move(help),
          .take = [&into, choices, name](const std::string& text) -> Status {
            if (std::ranges::find(choices, text) == choices.end()) {
              return fail(Fault::usage,
                          fmt::format("{} cannot be \"{}\"{}", name, text, did_you_mean(text, choices)),
                          fmt::format("{} is one of {}", name, human_list(choices)));
            }
            into = text;
            return {};
          },
          .completes = Completes::choices, .choices = choices};
}

}  // namespace podwright::cli
