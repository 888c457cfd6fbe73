// [[hosts]]: a marked block of /etc/hosts. What is outside the block stays as it is, but for lines
// that give one of the block's names another address (Debian's 127.0.1.1): the resolver would take
// the first. They are commented out, and their other names are kept on a line of their own.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "base/text.hpp"
#include "catalog/resources/file_edit.hpp"

namespace podwright {
namespace {

struct Entry {
  std::string address;
  std::vector<std::string> names{};
};

/// A line of /etc/hosts; nothing where it holds no entry.
std::optional<Entry> entry_of(std::string_view line) {
  const auto parts = words(trim(line.substr(0, line.find('#'))));
  if (parts.size() < 2) return std::nullopt;
  Entry entry{.address = std::string(parts.front())};
  for (const auto name : std::span(parts).subspan(1)) entry.names.emplace_back(name);
  return entry;
}

bool is_ipv6(std::string_view address) { return address.find(':') != std::string_view::npos; }
bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

/// Names that mean the node itself, whatever a block says.
bool is_local_name(std::string_view name) {
  return name.starts_with("localhost") || name.starts_with("ip6-");
}

using Addresses = std::map<std::string, std::set<std::string>>;  ///< name -> its addresses

bool contradicts(const Entry& entry, const std::string& name, const Addresses& wanted) {
  const auto place = wanted.find(name);
  if (place == wanted.end() || is_local_name(name) || place->second.contains(entry.address)) {
    return false;
  }
  return is_loopback(entry.address) ||
         std::ranges::any_of(place->second, [&](const std::string& address) {
           return is_ipv6(address) == is_ipv6(entry.address);
         });
}

/// What becomes of a line outside the block that contradicts it; nothing where it may stay.
std::optional<std::string> disabled(std::string_view line, const Addresses& wanted) {
  const auto entry = entry_of(line);
  if (!entry) return std::nullopt;
  std::vector<std::string> kept;
  for (const auto& name : entry->names) {
    if (!contradicts(*entry, name, wanted)) kept.push_back(name);
  }
  if (kept.size() == entry->names.size()) return std::nullopt;
  auto text = fmt::format("# podwright: {}\n", line);
  if (!kept.empty()) text += fmt::format("{}\t{}\n", entry->address, join(kept, " "));
  return text;
}

constexpr std::string_view disabled_mark = "# podwright: ";

/// Takes back what `disabled` did, for lines that no block which stays contradicts.
void enable_again(FileEdit& edit, std::string_view before, const Addresses& still_wanted) {
  const auto all = exact_lines(before);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].starts_with(disabled_mark)) continue;
    const auto original = all[i].substr(disabled_mark.size());
    const auto entry = entry_of(original);
    if (!entry || disabled(original, still_wanted)) continue;
    edit.lines.emplace_back(all[i], std::string(original) + "\n");
    // The names that were kept stand on the next line.
    const auto rest = i + 1 < all.size() ? entry_of(all[i + 1]) : std::nullopt;
    if (!rest || rest->address != entry->address || rest->names.size() >= entry->names.size()) continue;
    const auto is_one_of_them = [&](const std::string& name) {
      return std::ranges::find(entry->names, name) != entry->names.end();
    };
    if (std::ranges::all_of(rest->names, is_one_of_them) &&
        all[i + 1] == fmt::format("{}\t{}", rest->address, join(rest->names, " "))) {
      edit.lines.emplace_back(all[i + 1], "");
    }
  }
}

FileEdit::Block block_of(const Wanted& wanted) {
  FileEdit::Block block{.begin = fmt::format("# podwright begin {}", wanted.name),
                        .end = fmt::format("# podwright end {}", wanted.name),
                        .text = wanted.text("content")};
  if (!block.text->empty() && block.text->back() != '\n') *block.text += '\n';
  if (wanted.text("state") == "absent") block.text.reset();
  return block;
}

/// The edit that puts the block in place, and what speaks against it.
Result<FileEdit> edit_of(const Wanted& wanted, const std::string& path, std::string_view before) {
  FileEdit edit{.block = block_of(wanted)};
  const auto text = edit.block->text.value_or("");
  Addresses addresses;
  for (const auto line : lines(text)) {
    if (line.starts_with("# podwright")) {
      return refuse(wanted, "content",
                    "the block holds a line that looks like a marker of podwright");
    }
    const auto entry = entry_of(line);
    if (!entry) continue;
    for (const auto& name : entry->names) addresses[name].insert(entry->address);
  }

  const bool absent = wanted.text("state") == "absent";
  Addresses of_others;
  std::string open;  // the end of the block that the line is in, ours or another's
  for (const auto line : exact_lines(before)) {
    if (!open.empty()) {
      const auto entry = open == edit.block->end ? std::nullopt : entry_of(line);
      if (entry) {
        for (const auto& name : entry->names) of_others[name].insert(entry->address);
      }
      if (line == open) open.clear();
    } else if (line.starts_with("# podwright begin ")) {
      open = fmt::format("# podwright end {}", line.substr(18));
    } else if (auto instead = disabled(line, addresses); instead && !absent) {
      edit.lines.emplace_back(line, std::move(*instead));
    }
  }
  if (absent) enable_again(edit, before, of_others);
  if (open.empty()) return edit;
  return fail(Fault::remote, fmt::format("{} has no line '{}'", path, open),
              "somebody cut the block: put the line back where the block ends");
}

std::string path_of(const Wanted& wanted) { return wanted.text("path", "/etc/hosts"); }

std::string probe(const Wanted& wanted, const Facts&) {
  return file_probe(path_of(wanted), Content::always);
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto path = path_of(wanted);
  const auto before = editable_text(path, file_state(*reading));
  if (!before) return steps_for(wanted, fail(before.error()));
  const auto edit = edit_of(wanted, path, *before);
  if (!edit) return steps_for(wanted, fail(edit.error()));

  const auto changed = text_change(*before, apply_edit(*edit, *before), path).lines;
  auto why = fmt::format("{} differs in {}", path, count_of(changed, "line"));
  if (wanted.text("state") == "absent") {
    why = fmt::format("{} has the block {}, wanted absent", path, wanted.name);
    if (!edit->lines.empty()) why += "; the lines that it disabled come back";
  } else if (!edit->lines.empty()) {
    why += fmt::format(", {} of which {} one of its names another address", edit->lines.size(),
                       edit->lines.size() == 1 ? "gives" : "give");
  }
  return steps_for(wanted, change_part(path, *before, *edit, std::move(why)));
}

const Registered hosts{ResourceKind{
    .table = "hosts",
    .key = "name",
    .summary = "A marked block of /etc/hosts; the rest of the file stays",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Name of the block"},
            {.name = "content",
             .doc = "The lines of the block: address and names. A line elsewhere in the file that "
                    "gives "
                    "one of these names another address is commented out"},
            {.name = "path", .doc = "Default: /etc/hosts"},
            {.name = "state",
             .doc = "absent removes the block, and brings back the lines that were commented out for it. "
                    "Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
