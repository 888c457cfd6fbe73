#include "catalog/resources/reading.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

std::string last_line(std::string_view text) {
  std::string_view last;
  for (const auto line : lines(text)) {
    if (!trim(line).empty()) last = trim(line);
  }
  return std::string(last);
}

bool is_section(std::string_view line) {
  return line.size() > 2 && line.front() == '[' && line.back() == ']';
}

}  // namespace

std::string_view Reading::operator[](std::string_view key) const {
  const auto place = values.find(key);
  return place == values.end() ? std::string_view{} : std::string_view(place->second);
}

Result<Reading> read(const Wanted& wanted, const Observed& observed, std::string_view section) {
  if (observed.timed_out) {
    return fail({.fault = Fault::timeout,
                 .what = "its state could not be read within the deadline",
                 .step = wanted.id(),
                 .hint = "podwright doctor shows what the node is busy with"});
  }
  if (observed.exit_status != 0) {
    const auto reason = last_line(observed.err.empty() ? observed.out : observed.err);
    return fail({.fault = Fault::remote,
                 .what = fmt::format("its state could not be read: the probe ended with {}{}{}",
                                     observed.exit_status, reason.empty() ? "" : ": ", reason),
                 .step = wanted.id(),
                 .hint = "mend what it complains about and plan again"});
  }

  Reading reading;
  bool here = section.empty();
  bool in_content = false;
  std::string content;
  for (const auto line : lines(observed.out)) {
    if (is_section(line)) {
      here = line.substr(1, line.size() - 2) == section;
      in_content = false;
    } else if (!here) {
      continue;
    } else if (in_content) {
      content += line;
    } else if (line == "content") {
      in_content = true;
      reading.content.emplace();
    } else {
      const auto blank = line.find(' ');
      const auto value = blank == std::string_view::npos ? "" : line.substr(blank + 1);
      reading.values.insert_or_assign(std::string(line.substr(0, blank)), std::string(value));
    }
  }
  if (reading.content) reading.content = base64_decode(content);
  return reading;
}

Step step_for(const Wanted& wanted, std::string action, std::string why) {
  return {.id = wanted.id(), .action = std::move(action), .why = std::move(why)};
}

tl::unexpected<Error> refuse(const Wanted& wanted, std::string_view field, const std::string& what,
                             std::string remedy) {
  const auto* value = find_value(wanted.fields, field);
  const auto& pos = value != nullptr && value->pos.line > 0 ? value->pos : wanted.pos;
  return fail({.fault = Fault::usage,
               .what = pos.line > 0 ? fmt::format("{}: {}", pos.str(), what) : what,
               .step = wanted.id(),
               .hint = std::move(remedy)});
}

}  // namespace podwright
