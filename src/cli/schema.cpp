#include "cli/schema.hpp"

#include "catalog/registry.hpp"

namespace podwright::cli {

namespace {

std::string_view name_of_type(FieldType type) {
  switch (type) {
    case FieldType::text: return "text";
    case FieldType::flag: return "flag";
    case FieldType::integer: return "integer";
    case FieldType::number: return "number";
    case FieldType::list: return "list";
    case FieldType::mode: return "mode";
    case FieldType::any: return "any";
  }
  return "any";
}

std::vector<KindSchema::Field> fields_of(const std::vector<Field>& fields) {
  std::vector<KindSchema::Field> all;
  for (const auto& field : fields) {
    all.push_back({.name = std::string(field.name),
                   .type = std::string(name_of_type(field.type)),
                   .required = field.required,
                   .choices = {field.choices.begin(), field.choices.end()}});
  }
  return all;
}

}  // namespace

Schema catalog_schema() {
  Schema schema;
  for (const auto& kind : catalog<ResourceKind>()) {
    KindSchema one{.kind = std::string(kind.table), .key = std::string(kind.key), .fields = {}};
    one.fields = fields_of(kind.fields);
    schema.kinds.push_back(std::move(one));
  }
  for (const auto& tool : catalog<Measurement>()) {
    schema.measurements.emplace_back(tool.tool);
    schema.measurement_options.emplace(tool.tool, fields_of(tool.options));
  }
  for (const auto& tool : catalog<Collective>()) {
    schema.measurements.emplace_back(tool.tool);
    schema.measurement_options.emplace(tool.tool, fields_of(tool.options));
  }
  schema.checks = names_in_catalog<Check>();
  for (const auto& check : catalog<Check>()) {
    schema.check_options.emplace(check.id, fields_of(check.options));
  }
  for (const auto& target : catalog<Handoff>()) {
    schema.handoffs.emplace(target.name, target.component);
  }
  return schema;
}

}  // namespace podwright::cli
