#include "unit/catalog/observed_case.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/json.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright::test {

namespace {

namespace fs = std::filesystem;

std::vector<ObservedCase> load(const char* folder) {
  std::vector<ObservedCase> all;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    const auto text = read_file(entry.path());
    REQUIRE(text);
    auto document = parse_toml(*text, entry.path().filename().string());
    REQUIRE_MESSAGE(document, (document ? "" : document.error().message()));
    all.push_back({.name = entry.path().filename().string(), .document = std::move(*document)});
  }
  std::ranges::sort(all, {}, &ObservedCase::name);
  return all;
}

/// A folder whose name may stand in a script without quotes.
class PlainDir {
 public:
  PlainDir() {
    std::string name = (fs::temp_directory_path() / "podwright-tree.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~PlainDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  PlainDir(const PlainDir&) = delete;
  PlainDir& operator=(const PlainDir&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void plant(const fs::path& root, const std::string& tree) {
  std::map<std::string, std::string> files;
  for (const auto line : lines(tree)) {
    if (trim(line).empty()) continue;
    const auto blank = line.find(' ');
    const std::string path(line.substr(0, blank));
    const auto content = blank == std::string_view::npos ? std::string_view{} : line.substr(blank + 1);
    fs::create_directories((root / path).parent_path());
    if (content.starts_with("-> ")) {
      const std::string target(content.substr(3));
      fs::create_symlink(target, root / path);
      const auto place = (root / path).parent_path() / target;
      if (!fs::exists(place)) fs::create_directories(place);
    } else if (path.ends_with('/')) {
      fs::create_directories(root / path);
    } else {
      (files[path] += content) += '\n';
    }
  }
  for (const auto& [path, content] : files) std::ofstream(root / path) << content;
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) text.replace(at, what.size(), with);
  return text;
}

/// The script, with the tree in the place of the node.
std::string replant(std::string_view script, const std::string& root) {
  static constexpr std::string_view places[] = {"/sys/", "/proc/", "/dev/", "/etc/", "/run/", "/var/", "/usr/lib/"};
  std::string text;
  for (std::size_t i = 0; i < script.size(); ++i) {
    const auto rest = script.substr(i);
    const bool begins = i == 0 || std::string_view(" \"'<\n|=(").find(script[i - 1]) != std::string_view::npos;
    const bool place = std::ranges::any_of(places, [&](auto p) { return rest.starts_with(p); });
    // Patterns of a `case` are compared with paths as the node names them.
    const auto word = rest.substr(0, rest.find_first_of(" \n"));
    const bool pattern = word.find('*') != std::string_view::npos && word.find_first_of("|)") != std::string_view::npos;
    if (begins && place && !pattern && !rest.starts_with("/dev/null")) text += root;
    text += script[i];
  }
  return text;
}

}  // namespace

std::string ObservedCase::text(std::string_view key) const {
  const auto* value = document.find(key);
  return value == nullptr ? std::string{} : value->scalar_text();
}

Observed ObservedCase::observed() const {
  Observed observed{.out = text("out"), .err = text("err")};
  if (const auto* exit = document.find("exit")) observed.exit_status = static_cast<int>(*exit->integer());
  if (const auto* late = document.find("timed_out")) observed.timed_out = *late->flag();
  return observed;
}

const std::vector<ObservedCase>& preflight_cases() {
  static const auto all = load(PODWRIGHT_CASES "/preflight");
  return all;
}

const std::vector<ObservedCase>& probe_cases() {
  static const auto all = load(PODWRIGHT_CASES "/probe");
  return all;
}

const std::vector<ObservedCase>& check_cases() {
  static const auto all = load(PODWRIGHT_CASES "/check");
  return all;
}

Observed run_on_tree(const std::string& shell, std::string_view script, const std::string& tree) {
  const PlainDir root;
  plant(root.path(), tree);
  auto observed = run_sh(shell, replant(script, root.path().string()));
  observed.out = replace_all(std::move(observed.out), root.path().string(), "");
  return observed;
}

Json ordinary_facts() {
  Facts facts;
  facts.node = "cu01";
  facts.hostname = "cu01";
  facts.os = {.id = "debian", .version = "12", .codename = "bookworm", .name = "Debian GNU/Linux 12 (bookworm)"};
  facts.kernel = "6.1.0-28-amd64";
  facts.arch = "x86_64";
  facts.virtualization = "none";
  facts.product = "PowerEdge XE9680";
  facts.cpu = {.model = "Intel(R) Xeon(R) Platinum 8480+", .vendor = "GenuineIntel", .sockets = 2, .cores_per_socket = 56,
               .threads_per_core = 2, .logical = 224, .governor = "performance", .clocksource = "tsc"};
  facts.memory_bytes = 2163826106368;
  facts.numa = {{.id = 0, .memory_bytes = 1081913053184, .cpus = "0-55,112-167"},
                {.id = 1, .memory_bytes = 1081913053184, .cpus = "56-111,168-223"}};
  facts.package_manager = "apt";
  return to_json(facts);
}

Facts facts_of(const Json& said) {
  Json all = ordinary_facts();
  for (const auto& [key, value] : said.items()) {
    if (value.is_object() && all.contains(key) && all[key].is_object()) all[key].update(value);
    else all[key] = value;
  }
  const auto facts = facts_from_json(all);
  REQUIRE_MESSAGE(facts, (facts ? "" : facts.error().message()));
  return *facts;
}

std::string difference(const Json& wanted, const Json& found, const std::string& path) {
  const auto is_empty = [](const Json& value) {
    return value.is_null() || value == Json("") || value == Json(0) || value == Json(false) ||
           ((value.is_array() || value.is_object()) && value.empty());
  };
  if (wanted.is_object() && found.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      const auto place = path.empty() ? key : path + "." + key;
      const auto at = found.find(key);
      if (at == found.end()) {
        if (!is_empty(value)) return place + ": wanted " + value.dump() + ", found nothing";
      } else if (auto text = difference(value, *at, place); !text.empty()) {
        return text;
      }
    }
    return {};
  }
  if (wanted.is_array() && found.is_array()) {
    if (wanted.size() != found.size()) {
      return path + ": wanted " + std::to_string(wanted.size()) + " items, found " + found.dump();
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (auto text = difference(wanted[i], found[i], path + "[" + std::to_string(i) + "]"); !text.empty()) return text;
    }
    return {};
  }
  if (wanted == found || (is_empty(wanted) && is_empty(found))) return {};
  return path + ": wanted " + wanted.dump() + ", found " + found.dump();
}

}  // namespace podwright::test
