#include "config/profile_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "config/dependencies.hpp"
#include "render/render.hpp"

namespace podwright {

namespace {

bool is_template(const Value& value) {
  const auto* text = value.text();
  return text != nullptr && text->find("{{") != std::string::npos;
}

/// Syntax of every template in a value.
void check_templates(const Value& value, Complaints& complaints) {
  if (is_template(value)) {
    const auto fine = render::check_template(*value.text(), value.pos.str());
    if (!fine) complaints.add(value.pos, fine.error());
  }
  if (const auto* items = value.array()) {
    for (const auto& item : *items) check_templates(item, complaints);
  }
  if (const auto* table = value.table()) {
    for (const auto& [key, item] : *table) check_templates(item, complaints);
  }
}

bool is_scalar(const Value& value) { return value.table() == nullptr && value.array() == nullptr; }

bool is_mode(std::string_view text) {
  return text.size() >= 3 && text.size() <= 4 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '7'; });
}

/// What a value of `type` must be, or nothing when `value` is one. Templates are of any scalar
/// type.
std::string_view missed_type(const Value& value, std::string_view type) {
  if (is_template(value) || type == "any") return {};
  if (type == "text") return value.text() != nullptr ? "" : "a string";
  if (type == "flag") return value.flag() != nullptr ? "" : "true or false";
  if (type == "integer") return value.integer() != nullptr ? "" : "an integer";
  if (type == "number") return value.number() ? "" : "a number";
  if (type == "mode") {
    return value.text() != nullptr && is_mode(*value.text()) ? ""
                                                             : "octal permissions such as \"0644\"";
  }
  if (type == "list") {
    const auto* items = value.array();
    const bool fits =
        items == nullptr ? value.text() != nullptr : std::ranges::all_of(*items, is_scalar);
    return fits ? "" : "an array of strings";
  }
  return {};
}

/// A field's type and choices.
void check_field(const Value& value, const KindSchema::Field& field, std::string_view where,
                 Complaints& complaints) {
  if (const auto wanted = missed_type(value, field.type); !wanted.empty()) {
    complaints.add(value.pos,
                   fmt::format("{} in {} {}", field.name, where, wrong_type(wanted, value)));
    return;
  }
  if (field.choices.empty() || is_template(value)) return;
  const auto text = value.scalar_text();
  if (std::ranges::find(field.choices, text) != field.choices.end()) return;
  complaints.add(value.pos,
                 fmt::format("{} in {} must be {}, not \"{}\"{}", field.name, where,
                             join(field.choices, " or "), text, did_you_mean(text, field.choices)));
}

bool has_field(const KindSchema& kind, std::string_view name) {
  return std::ranges::find(kind.fields, name, &KindSchema::Field::name) != kind.fields.end();
}

class FileReader {
 public:
  FileReader(const FoundText& found, const Schema& schema, const ProfileFiles& files,
             Complaints& complaints)
      : found_(found), schema_(schema), files_(files), complaints_(complaints) {}

  ProfileFile read(const std::string& component) {
    file_.component = component;
    file_.where = found_.where;
    file_.root = found_.root;
    file_.name = component;
    const auto document = parse_toml(found_.content, found_.where);
    if (!document) {
      complaints_.add({.file = found_.where}, document.error());
      return std::move(file_);
    }
    TableReader top(*document, "this file", complaints_);
    read_head(top);
    if (const auto* vars = top.table("vars")) file_.vars = *vars;
    read_resources(top);
    read_fabric(top);
    for (const auto* value : top.tables("measurement")) read_measurement(*value);
    for (const auto* value : top.tables("check")) read_check(*value);
    read_handoff(top);
    top.refuse_the_rest();
    return std::move(file_);
  }

 private:
  void read_head(TableReader& top) {
    const auto* profile = top.any("profile");
    const auto* component = top.any("component");
    file_.is_profile = profile != nullptr;
    if (profile != nullptr && component != nullptr) {
      complaints_.add(component->pos, "a file is a [profile] or a [component], not both");
    }
    const auto* head = profile != nullptr ? profile : component;
    if (head == nullptr) return;
    TableReader table(*head, file_.is_profile ? "[profile]" : "[component]", complaints_);
    if (file_.is_profile) file_.name = table.text("name").value_or(file_.name);
    file_.summary = table.text("summary").value_or("");
    if (const auto* wanted = file_.is_profile ? table.any("requires") : nullptr) {
      TableReader requirements(*wanted, "requires of [profile]", complaints_);
      file_.requires_os = requirements.texts("os");
      file_.requires_arch = requirements.texts("arch");
      requirements.refuse_the_rest();
    }
    file_.includes = read_mentions(table, "include");
    table.refuse_the_rest();
  }

  std::vector<Mention> read_mentions(TableReader& table, std::string_view key) {
    std::vector<Mention> mentions;
    if (!table.texts(key)) return mentions;
    const auto* value = table.any(key);
    if (const auto* text = value->text()) return {{*text, value->pos}};
    for (const auto& item : *value->array()) mentions.push_back({*item.text(), item.pos});
    return mentions;
  }

  // --- resources ---------------------------------------------------------------------------------

  void read_resources(TableReader& top) {
    struct Table {
      const Value* value;
      const KindSchema* kind;
    };
    std::vector<Table> tables;
    for (const auto& kind : schema_.kinds) {
      for (const auto* value : top.tables(kind.kind)) tables.push_back({value, &kind});
    }
    std::ranges::sort(tables, {}, [](const Table& table) {
      return std::pair(table.value->pos.line, table.value->pos.column);
    });
    for (const auto& [value, kind] : tables) read_resource(*value, *kind);
  }

  void read_resource(const Value& value, const KindSchema& kind) {
    const auto where = fmt::format("[[{}]]", kind.kind);
    TableReader table(value, where, complaints_);
    Declared declared;
    auto& wanted = declared.wanted;
    wanted.kind = kind.kind;
    wanted.component = file_.component;
    wanted.pos = value.pos;
    read_common(table, declared);
    for (const auto& field : kind.fields) {
      const auto* given = table.any(field.name);
      if (given == nullptr) continue;
      check_field(*given, field, where, complaints_);
      check_templates(*given, complaints_);
      set_value(wanted.fields, field.name, *given);
    }
    const auto names = read_names(table, kind);
    table.refuse_the_rest();
    read_text(declared, kind);
    for (const auto& name : names) {
      auto one = declared;
      one.wanted.name = name.name;
      set_value(one.wanted.fields, kind.key, Value(name.name, name.pos));
      add_resource(std::move(one));
    }
  }

  void read_common(TableReader& table, Declared& declared) {
    auto& wanted = declared.wanted;
    if (const auto roles = table.texts("roles")) {
      declared.says_roles = true;
      wanted.roles = *roles;
      wanted.roles_pos = table.any("roles")->pos;
      if (roles->empty()) table.complain("roles", "roles is empty: the resource would be nobody's");
    }
    if (const auto when = table.text("when")) {
      declared.says_when = true;
      wanted.when = *when;
      wanted.when_pos = table.any("when")->pos;
      const auto fine = render::check_condition(*when, wanted.when_pos.str());
      if (!when->empty() && !fine) complaints_.add(wanted.when_pos, fine.error());
    }
    declared.says_after = table.any("after") != nullptr;
    for (const auto& mention : read_mentions(table, "after")) {
      add_dependency(wanted, mention.name, mention.pos, complaints_);
    }
  }

  /// The key, or its plural: one resource for each.
  std::vector<Mention> read_names(TableReader& table, const KindSchema& kind) {
    std::vector<Mention> names;
    const auto plural = kind.key + "s";
    const auto* one = table.any(kind.key);
    const auto* many = has_field(kind, plural) ? nullptr : table.any(plural);
    if (one != nullptr && many != nullptr) {
      complaints_.add(many->pos, fmt::format("{} and {} exclude each other", kind.key, plural));
    } else if (many != nullptr) {
      names = read_mentions(table, plural);
      if (many->array() != nullptr && many->array()->empty()) {
        complaints_.add(many->pos, fmt::format("{} in {} is empty", plural, table.where()));
      }
    } else if (one == nullptr) {
      complaints_.add(table.pos(), fmt::format("{} needs {}", table.where(), kind.key));
    } else if (is_scalar(*one)) {
      names.push_back({one->scalar_text(), one->pos});
    }
    for (const auto& name : names) {
      if (trim(name.name).empty()) {
        complaints_.add(name.pos, fmt::format("{} in {} is empty", kind.key, table.where()));
      }
      check_templates(Value(name.name, name.pos), complaints_);
    }
    return names;
  }

  /// `template` and `source` of a kind that has a content are read into it.
  void read_text(Declared& declared, const KindSchema& kind) {
    if (!has_field(kind, "content")) return;
    auto& fields = declared.wanted.fields;
    const Value* given = nullptr;
    for (const std::string_view key : {"content", "template", "source"}) {
      const auto* value = find_value(fields, key);
      if (value == nullptr || !has_field(kind, key)) continue;
      if (given != nullptr) {
        complaints_.add(value->pos, "content, template and source exclude each other");
        return;
      }
      given = value;
    }
    const auto* source = find_value(fields, "source");
    if (given == nullptr || given->text() == nullptr || given == find_value(fields, "content"))
      return;
    const bool verbatim = given == source;
    const auto text = files_.text(*given->text(), found_.root, found_.where);
    if (!text) {
      complaints_.add(given->pos, text.error().what);
      return;
    }
    if (!is_utf8(text->content)) {
      complaints_.add(
          given->pos,
          fmt::format("{} is not UTF-8 text; bring binary files in an [[archive]]", text->where));
      return;
    }
    file_.texts.push_back(text->where);
    Value content(text->content, {.file = text->where});
    if (!verbatim) check_templates(content, complaints_);
    set_value(fields, "content", std::move(content));
    if (verbatim) set_value(fields, "verbatim", Value(true, find_value(fields, "source")->pos));
  }

  void add_resource(Declared declared) {
    const auto id = declared.wanted.id();
    const auto [place, fresh] = ids_.try_emplace(id, declared.wanted.pos);
    if (!fresh) {
      complaints_.add(declared.wanted.pos, fmt::format("{} is declared in this file already, at {}",
                                                       id, place->second.str()));
      return;
    }
    file_.resources.push_back(std::move(declared));
  }

  // --- the rest ----------------------------------------------------------------------------------

  void read_fabric(TableReader& top) {
    const auto* value = top.any("fabric");
    if (value == nullptr) return;
    TableReader table(*value, "[fabric]", complaints_);
    const std::vector<std::string> transports = {"tcp", "rdma", "nccl", "hccl", "rccl"};
    file_.transport = table.text("transport");
    if (file_.transport && std::ranges::find(transports, *file_.transport) == transports.end()) {
      table.complain("transport", fmt::format("transport in [fabric] must be {}, not \"{}\"{}",
                                              join(transports, " or "), *file_.transport,
                                              did_you_mean(*file_.transport, transports)));
    }
    file_.floor_fraction = table.number("floor_fraction");
    if (file_.floor_fraction && !(*file_.floor_fraction > 0 && *file_.floor_fraction <= 1)) {
      table.complain("floor_fraction",
                     "floor_fraction in [fabric] must be a share of the line rate, more "
                     "than 0 and up to 1");
    }
    if (const auto rails = table.text("rails")) {
      const std::vector<std::string> ways = {"separate", "together"};
      if (std::ranges::find(ways, *rails) == ways.end()) {
        table.complain("rails", fmt::format("rails in [fabric] must be {}, not \"{}\"{}", join(ways, " or "),
                                            *rails, did_you_mean(*rails, ways)));
      }
      file_.rails_together = *rails == "together";
    }
    file_.oversubscription = table.number("oversubscription");
    if (file_.oversubscription && !(*file_.oversubscription >= 1 && *file_.oversubscription <= 1000)) {
      table.complain("oversubscription",
                     "oversubscription in [fabric] must be 1 (none) or more: the bandwidth of a leaf's nodes by "
                     "that of its uplinks");
    }
    file_.hardware = table.text("hardware");
    table.refuse_the_rest();
  }

  void read_measurement(const Value& value) {
    TableReader table(value, "[[measurement]]", complaints_);
    DeclaredMeasurement declared;
    auto& spec = declared.spec;
    spec.pos = value.pos;
    const std::vector<std::string> kinds = {"pairwise", "collective"};
    spec.kind = required(table, "kind", kinds);
    spec.tool = required(table, "tool", schema_.measurements);
    if (const auto seconds = table.number("seconds")) {
      declared.says_seconds = true;
      spec.seconds = *seconds;
      if (!(*seconds > 0 && *seconds <= 86400))
        table.complain("seconds", "seconds must be more than 0, and a day at most");
    }
    if (const auto floor = table.number("min_busbw_gbytes_per_s")) {
      declared.says_floor = true;
      spec.min_busbw_gbytes_per_s = *floor;
      if (!(*floor >= 0))
        table.complain("min_busbw_gbytes_per_s", "min_busbw_gbytes_per_s must not be negative");
    }
    const std::vector<std::string> known = {"kind", "tool", "seconds", "min_busbw_gbytes_per_s"};
    for (const auto& [key, option] : *value.table()) {
      if (std::ranges::find(known, key) != known.end()) continue;
      table.any(key);
      if (const auto fields = schema_.measurement_options.find(spec.tool);
          fields != schema_.measurement_options.end()) {
        check_option(table, key, option, spec.tool, fields->second, known);
        set_value(spec.options, key, option);
        continue;
      }
      // Tools have options of their own, but nobody's option is one letter off a known key.
      if (const auto near = nearest(key, known)) {
        complaints_.add(
            option.pos,
            fmt::format("unknown key \"{}\" in [[measurement]]; did you mean \"{}\"?", key, *near));
      }
      set_value(spec.options, key, option);
    }
    table.refuse_the_rest();
    file_.measurements.push_back(std::move(declared));
  }

  void check_option(TableReader& table, const std::string& key, const Value& option, const std::string& tool,
                    const std::vector<KindSchema::Field>& fields, const std::vector<std::string>& others) {
    const auto where = fmt::format("[[measurement]] {}", tool);
    const auto field = std::ranges::find(fields, key, &KindSchema::Field::name);
    if (field != fields.end()) {
      check_field(option, *field, where, complaints_);
      return;
    }
    auto names = others;
    for (const auto& one : fields) names.push_back(one.name);
    table.complain(key, fmt::format("unknown key \"{}\" in {}{}", key, where, did_you_mean(key, names)));
  }

  /// A text that must be there and be one of `choices`.
  std::string required(TableReader& table, std::string_view key,
                       const std::vector<std::string>& choices) {
    const auto text = table.text(key);
    if (!text) {
      if (table.any(key) == nullptr)
        table.complain(key, fmt::format("{} needs {}", table.where(), key));
      return {};
    }
    if (std::ranges::find(choices, *text) == choices.end()) {
      table.complain(key, fmt::format("there is no {} \"{}\"{}", key == "id" ? "check" : key, *text,
                                      key == "id" ? hint_for_check(*text) : did_you_mean(*text, choices)));
    }
    return *text;
  }

  /// A check may give several verdicts, each with an id of its own ("svc.chrony"), but it is one
  /// check with one set of options.
  std::string hint_for_check(const std::string& id) {
    const auto whole = std::ranges::find_if(
        schema_.checks, [&](const auto& one) { return id.starts_with(one + "."); });
    if (whole == schema_.checks.end()) return did_you_mean(id, schema_.checks);
    const auto options = schema_.check_options.find(*whole);
    const bool ignores =
        options != schema_.check_options.end() &&
        std::ranges::find(options->second, "ignore", &KindSchema::Field::name) != options->second.end();
    return fmt::format("; it is a verdict of the check \"{}\"{}", *whole,
                       ignores ? fmt::format(", which leaves it out with ignore = [\"{}\"]",
                                             id.substr(whole->size() + 1))
                               : "");
  }

  void read_check(const Value& value) {
    TableReader table(value, "[[check]]", complaints_);
    DeclaredCheck declared;
    auto& spec = declared.spec;
    spec.pos = value.pos;
    spec.id = required(table, "id", schema_.checks);
    if (const auto enabled = table.flag("enabled")) {
      declared.says_enabled = true;
      spec.enabled = *enabled;
    }
    const auto options = schema_.check_options.find(spec.id);
    if (options != schema_.check_options.end()) {
      const auto where = fmt::format("[[check]] {}", spec.id);
      for (const auto& field : options->second) {
        if (const auto* given = table.any(field.name))
          check_field(*given, field, where, complaints_);
      }
      table.refuse_the_rest();
    }
    for (const auto& [key, option] : *value.table()) {
      if (key != "id" && key != "enabled") set_value(spec.options, key, option);
    }
    file_.checks.push_back(std::move(declared));
  }

  void read_handoff(TableReader& top) {
    const auto* value = top.any("handoff");
    if (value == nullptr) return;
    TableReader table(*value, "[handoff]", complaints_);
    std::vector<std::string> known;
    for (const auto& [name, component] : schema_.handoffs) known.push_back(name);
    auto targets = read_mentions(table, "targets");
    for (const auto& target : targets) {
      if (schema_.handoffs.contains(target.name)) continue;
      complaints_.add(target.pos, fmt::format("there is no hand-off target \"{}\"{}", target.name,
                                              did_you_mean(target.name, known)));
    }
    if (table.any("targets") != nullptr) file_.handoff_targets = std::move(targets);
    table.refuse_the_rest();
  }

  const FoundText& found_;
  const Schema& schema_;
  const ProfileFiles& files_;
  Complaints& complaints_;
  ProfileFile file_;
  std::map<std::string, SourcePos> ids_;
};

}  // namespace

ProfileFile read_profile_file(const FoundText& found, const std::string& component,
                              const Schema& schema, const ProfileFiles& files,
                              Complaints& complaints) {
  return FileReader(found, schema, files, complaints).read(component);
}

}  // namespace podwright
