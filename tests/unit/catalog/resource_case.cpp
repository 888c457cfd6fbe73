#include "unit/catalog/resource_case.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "config/config.hpp"

namespace podwright::test {

const ResourceKind& kind_of(const std::string& name) {
  const auto* kind = find_in_catalog<ResourceKind>(name);
  REQUIRE_MESSAGE(kind != nullptr, "no kind of resource is called " << name);
  return *kind;
}

Wanted make_wanted(const ResourceKind& kind, const Value::Table& fields) {
  for (const auto& [key, value] : fields) {
    const bool known =
        std::ranges::any_of(kind.fields, [&](const Field& f) { return f.name == key; });
    REQUIRE_MESSAGE(known, kind.table << " has no field " << key);
  }
  Wanted wanted;
  wanted.kind = kind.table;
  wanted.fields = fields;
  wanted.name = wanted.text(kind.key);
  return wanted;
}

Wanted make_wanted(const std::string& kind, const std::string& toml) {
  const auto document = parse_toml(toml, "wanted");
  REQUIRE_MESSAGE(document, (document ? "" : document.error().message()));
  return make_wanted(kind_of(kind), *document->table());
}

const std::vector<ResourceCase>& resource_cases() {
  static const auto cases = [] {
    std::vector<ResourceCase> all;
    for (const auto& entry : std::filesystem::directory_iterator(PODWRIGHT_CASES "/resource")) {
      if (entry.path().extension() != ".toml") continue;
      const auto text = read_file(entry.path());
      REQUIRE(text);
      auto document = parse_toml(*text, entry.path().filename().string());
      REQUIRE_MESSAGE(document, (document ? "" : document.error().message()));
      all.push_back({.file = entry.path(), .document = std::move(*document)});
    }
    std::ranges::sort(all, {}, &ResourceCase::file);
    return all;
  }();
  return cases;
}

TempDir::TempDir() {
  // A blank, quotes and a dollar in every path: what survives this survives an operator.
  std::string name = (std::filesystem::temp_directory_path() / "pod wright'$(x)\".XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

const std::vector<std::string>& shells() {
  static const auto found = [] {
    std::vector<std::string> all = {"sh"};
    for (const auto* shell : {"dash", "bash", "busybox"}) {
      const auto there =
          run_process({"sh", "-c", std::string("command -v ") + shell}, "", Millis(5000));
      if (there && there->exit_status == 0) {
        all.emplace_back(shell == std::string("busybox") ? "busybox sh" : shell);
      }
    }
    return all;
  }();
  return found;
}

Observed run_sh(const std::string& shell, const std::string& script) {
  std::vector<std::string> command = {"env", "LC_ALL=C"};
  for (const auto word : words(shell)) command.emplace_back(word);
  command.emplace_back("-s");
  // As the engine does it: one subshell of a script that the shell reads from its input.
  const auto output = run_process(command, "(\n" + script + "\n) </dev/null\n", Millis(300000));
  REQUIRE_MESSAGE(output, (output ? "" : output.error().message()));
  return {.exit_status = output->exit_status,
          .out = clean_output(output->out),
          .err = clean_output(output->err)};
}

}  // namespace podwright::test
