#include "engine/node_expectations.hpp"

#include <algorithm>
#include <array>

#include "engine/toml_writer.hpp"

namespace podwright {

namespace {

/// A kind that checks look at, and the fields that only matter to whoever installs.
struct Judged {
  std::string_view kind;
  std::vector<std::string_view> left_out;
};

const std::array judged_kinds = {Judged{"service", {"restart_on", "reload_on"}}, Judged{"mount", {}}};

}  // namespace

std::string node_expectations(const Profile& profile, const std::vector<Wanted>& resources) {
  TomlWriter out;
  out.plain("# What podwright check --local judges this node by. Written by podwright; hand edits are overwritten.\n");
  out.plain("[profile]\n");
  out.field("name", profile.name);
  out.plain("\n[fabric]\n");
  out.field("transport", profile.fabric.transport);
  for (const auto& check : profile.checks) {
    out.table("check");
    out.field("id", check.id);
    if (!check.enabled) out.raw("enabled", "false");
    for (const auto& [name, value] : check.options) out.raw(name, TomlWriter::inline_value(value));
  }
  for (const auto& [kind, left_out] : judged_kinds) {
    for (const auto& wanted : resources) {
      if (wanted.kind != kind) continue;
      out.table(kind);
      for (const auto& [name, value] : wanted.fields) {
        if (std::ranges::find(left_out, name) == left_out.end()) out.raw(name, TomlWriter::inline_value(value));
      }
    }
  }
  return out.take();
}

void fill_in_expectations(const Profile& profile, std::vector<Wanted>& resources) {
  for (auto& wanted : resources) {
    if (wanted.kind != "file") continue;
    for (auto& [name, value] : wanted.fields) {
      auto* text = std::get_if<std::string>(&value.data);
      if (text == nullptr) continue;
      const auto at = text->find(expectations_mark);
      if (at == std::string::npos) continue;
      text->replace(at, expectations_mark.size(), node_expectations(profile, resources));
    }
  }
}

}  // namespace podwright
