// [[line]]: one line of a file that belongs to somebody else.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_edit.hpp"

namespace podwright {
namespace {

// grep on the node is the one judge of the expression, so that nothing depends on two dialects of
// it.
std::string probe(const Wanted& wanted, const Facts&) {
  const auto path = wanted.text("path");
  if (!wanted.has("match")) return file_probe(path, Content::always);
  return sh::assign("f", path) + sh::assign("m", wanted.text("match")) + R"sh(
if [ -f "$f" ]; then
  s=$(grep -n -E -e "$m" <"$f")
  [ $? -le 1 ] || exit 2
  printf 'matches %s\n' "$(printf '%s\n' "$s" | sed 's/:.*//' | tr '\n' ' ')"
fi
)sh" + file_probe(path, Content::always);
}

/// Numbers of the matching lines, from 1.
std::set<std::size_t> matching_lines(const Reading& reading) {
  std::set<std::size_t> numbers;
  for (const auto word : words(reading["matches"])) {
    if (const auto number = to_int(word)) numbers.insert(static_cast<std::size_t>(*number));
  }
  return numbers;
}

/// The line is there once the edit is done, and no other line that matches.
FileEdit edit_for(const Wanted& wanted, std::string_view before,
                  const std::set<std::size_t>& matching) {
  const auto line = wanted.text("line");
  const bool absent = wanted.text("state") == "absent";
  const auto all = exact_lines(before);
  const bool there = wanted.has("line") && std::ranges::find(all, line) != all.end();

  FileEdit edit;
  if (absent && there) edit.lines.emplace_back(line, "");
  bool placed = absent || there;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!matching.contains(i + 1) || (wanted.has("line") && all[i] == line)) continue;
    const auto known =
        std::ranges::find_if(edit.lines, [&](const auto& one) { return one.first == all[i]; });
    if (known != edit.lines.end()) continue;
    edit.lines.emplace_back(all[i], placed ? "" : line + "\n");
    placed = true;
  }
  if (!placed) edit.append = line + "\n";
  return edit;
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const bool absent = wanted.text("state") == "absent";
  const auto line = wanted.text("line");
  if (line.find('\n') != std::string::npos) {
    return refuse(wanted, "line", "a line holds no line ends", "declare a resource for each line");
  }
  if (!wanted.has("line") && !(absent && wanted.has("match"))) {
    return refuse(wanted, "line", "which line?", "give line; to remove lines, match is enough");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto before = editable_text(*path, file_state(*reading));
  if (!before) return steps_for(wanted, fail(before.error()));

  const auto edit = edit_for(wanted, *before, matching_lines(*reading));
  const auto what =
      wanted.has("line") ? "'" + line + "'" : "lines that match " + wanted.text("match");
  auto why = absent ? fmt::format("{} has {}, wanted absent", *path, what)
             : edit.append.empty()
                 ? fmt::format("{} has another line in the place of {}", *path, what)
                 : fmt::format("{} lacks {}", *path, what);
  return steps_for(wanted, change_part(*path, *before, edit, std::move(why)));
}

const Registered line{ResourceKind{
    .table = "line",
    .key = "name",
    .summary = "One line of a file that belongs to somebody else",
    .fields =
        {
            {.name = "name", .required = true, .doc = "What the line is for, for plans"},
            {.name = "path",
             .required = true,
             .doc = "Absolute path of a text file; it is made (root, 0644) when it is not there"},
            {.name = "line", .doc = "The line, without its end; appended where nothing matches"},
            {.name = "match",
             .doc = "Extended regular expression (grep -E): the first line that matches becomes "
                    "the line, "
                    "others that match are removed. Default: none"},
            {.name = "state",
             .doc = "absent removes the line, and lines that match. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
