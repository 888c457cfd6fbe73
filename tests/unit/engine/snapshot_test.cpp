// Snapshots: what is redacted, that a snapshot is judged as the node itself was, and recorded machines.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>

#include "base/files.hpp"
#include "base/text.hpp"
#include "bundle/archive.hpp"
#include "config/config.hpp"
#include "engine/redact.hpp"
#include "engine/snapshot.hpp"

namespace podwright {

namespace {

namespace fs = std::filesystem;

using Outputs = std::map<std::string, std::string>;

/// A folder that is gone with the object.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "podwright-snapshot.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Value load(const fs::path& path) {
  const auto text = read_file(path);
  REQUIRE_MESSAGE(text, path.string());
  auto document = parse_toml(*text, path.filename().string());
  REQUIRE_MESSAGE(document, (document ? "" : document.error().message()));
  return std::move(*document);
}

/// In `text`, the first `find` (with "%twice%" before it: the first two; with "%cut%": from there to the end).
void change(std::string& text, std::string find, const std::string& replace) {
  int times = 1;
  const bool cut = find.starts_with("%cut%");
  if (cut) find.erase(0, 5);
  if (find.starts_with("%twice%")) {
    find.erase(0, 7);
    times = 2;
  }
  std::size_t at = 0;
  for (; times > 0; --times) {
    at = text.find(find, at);
    REQUIRE_MESSAGE(at != std::string::npos, find);
    text.replace(at, cut ? std::string::npos : find.size(), replace);
    at += replace.size();
  }
}

/// All changes of every line that holds it, where a machine's own file mends its capture.
void change_all(std::string& text, const std::string& find, const std::string& replace) {
  for (std::size_t at = 0; (at = text.find(find, at)) != std::string::npos; at += replace.size()) text.replace(at, find.size(), replace);
}

struct Machine {
  std::string name;
  Value document;
  Outputs outputs;
};

Outputs outputs_of(const std::string& name) {
  const auto document = load(fs::path(PODWRIGHT_CASES) / "snapshot" / (name + ".toml"));
  Outputs outputs;
  if (const auto* base = document.find("base")) outputs = outputs_of(base->scalar_text());
  if (const auto* files = document.find("files")) {
    for (const auto& [probe, place] : *files->table()) {
      const auto text = read_file(fs::path(PODWRIGHT_CASES) / place.find("file")->scalar_text());
      REQUIRE(text);
      outputs[probe] = place.find("head")->scalar_text() + *text + place.find("tail")->scalar_text();
    }
  }
  if (const auto* own = document.find("outputs")) {
    for (const auto& [probe, text] : *own->table()) outputs[probe] = text.scalar_text();
  }
  if (const auto* changes = document.find("change")) {
    for (const auto& one : *changes->array()) {
      auto& text = outputs.at(one.find("probe")->scalar_text());
      const auto find = one.find("find")->scalar_text();
      if (find.starts_with("HW ")) change_all(text, find, one.find("replace")->scalar_text());
      else change(text, find, one.find("replace")->scalar_text());
    }
  }
  return outputs;
}

std::vector<Machine> machines() {
  std::vector<Machine> all;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWRIGHT_CASES) / "snapshot")) {
    if (entry.path().extension() != ".toml") continue;
    const auto name = entry.path().stem().string();
    all.push_back({.name = name, .document = load(entry.path()), .outputs = outputs_of(name)});
  }
  std::ranges::sort(all, {}, &Machine::name);
  return all;
}

/// As `snapshot` writes it, with the machine's [[check]].
std::map<std::string, std::string> files_of(const Machine& machine, const Outputs& outputs) {
  Snapshot snapshot;
  for (const auto& [probe, text] : outputs) {
    snapshot.files["nodes/cu01/" + probe + ".out"] = redact(text);
    snapshot.files["nodes/cu01/" + probe + ".err"] = "";
    snapshot.files["nodes/cu01/" + probe + ".exit"] = "0\n";
  }
  Inventory inventory;
  inventory.name = "pod1";
  Node node;
  node.name = "cu01";
  node.roles = {"compute"};
  inventory.nodes.push_back(node);
  Profile profile;
  if (const auto* checks = machine.document.find("checks")) {
    for (const auto& [id, options] : *checks->table()) profile.checks.push_back({.id = id, .options = *options.table(), .enabled = true, .pos = {}});
  }
  add_expectations(snapshot, inventory, profile, {}, {});
  return snapshot.files;
}

std::map<std::string, CheckResult> judge(const std::map<std::string, std::string>& files) {
  const auto snapshot = read_snapshot(files);
  REQUIRE_MESSAGE(snapshot, (snapshot ? "" : snapshot.error().message()));
  const auto checks = select_checks(snapshot->profile, {});
  REQUIRE(checks);
  const auto report = judge_checks({snapshot->inventory, snapshot->profile, snapshot->wanted, snapshot->facts}, snapshot->failed, *checks, snapshot->readings);
  REQUIRE(report.nodes.size() == 1);
  const auto& node = report.nodes.begin()->second;
  REQUIRE_MESSAGE(node.error.empty(), node.error);
  std::map<std::string, CheckResult> results;
  for (const auto& result : node.checks) results.emplace(result.id, result);
  return results;
}

}  // namespace

TEST_CASE("snapshot: recorded machines come to exactly the verdicts that they should") {
  for (const auto& machine : machines()) {
    CAPTURE(machine.name);
    const auto results = judge(files_of(machine, machine.outputs));
    for (const auto& [id, result] : results) {
      const auto* wanted = machine.document.find("verdicts")->find(id);
      const auto status = std::string(to_string(result.status));
      CAPTURE(id);
      CAPTURE(result.observed);
      if (wanted != nullptr) {
        CHECK(status == wanted->scalar_text());
        CHECK_FALSE(result.remedy.empty());
      } else {
        CHECK_MESSAGE((status == "pass" || status == "skip"), status);
      }
      CHECK_FALSE(result.source.empty());
    }
    for (const auto& [id, wanted] : *machine.document.find("verdicts")->table()) CHECK_MESSAGE(results.contains(id), id);
    if (const auto* pass = machine.document.find("pass")) {
      for (const auto& id : *pass->array()) {
        const auto found = results.find(id.scalar_text());
        REQUIRE_MESSAGE(found != results.end(), id.scalar_text());
        CHECK_MESSAGE(found->second.status == CheckStatus::pass, found->first << ": " << found->second.observed);
      }
    }
  }
}

TEST_CASE("snapshot: one value that is flipped flips exactly one check") {
  for (const auto& machine : machines()) {
    const auto* flips = machine.document.find("flip");
    if (flips == nullptr) continue;
    CAPTURE(machine.name);
    const auto before = judge(files_of(machine, machine.outputs));
    for (const auto& flip : *flips->array()) {
      const auto id = flip.find("check")->scalar_text();
      CAPTURE(id);
      auto outputs = machine.outputs;
      change(outputs.at(flip.find("probe")->scalar_text()), flip.find("find")->scalar_text(), flip.find("replace")->scalar_text());
      const auto after = judge(files_of(machine, outputs));
      std::vector<std::string> changed;
      for (const auto& [name, result] : after) {
        if (result.status != before.at(name).status) changed.push_back(name);
      }
      CHECK_MESSAGE(changed == std::vector<std::string>{id}, join(changed, ", "));
      CHECK_MESSAGE(to_string(after.at(id).status) == flip.find("status")->scalar_text(), after.at(id).observed);
    }
  }
}

TEST_CASE("snapshot: an archive and its folder are judged alike, and what is no snapshot is refused") {
  const auto all = machines();
  const auto machine = std::ranges::find(all, "cpu", &Machine::name);
  REQUIRE(machine != all.end());
  const auto files = files_of(*machine, machine->outputs);
  const Scratch scratch;
  const auto archive = scratch.path() / "pod1.tar.zst";
  REQUIRE(write_archive(archive, files));
  const auto back = read_snapshot_files(archive);
  REQUIRE(back);
  CHECK(*back == files);
  const auto folder = scratch.path() / "unpacked";
  for (const auto& [path, content] : files) {
    fs::create_directories((folder / path).parent_path());
    REQUIRE(write_file(folder / path, content, 0600));
  }
  const auto unpacked = read_snapshot_files(folder);
  REQUIRE(unpacked);
  CHECK(*unpacked == files);

  CHECK_FALSE(read_snapshot_files(scratch.path() / "nowhere"));
  CHECK_FALSE(read_snapshot({}));
  CHECK_FALSE(read_snapshot({{"snapshot.json", "{}"}}));
  auto other = files;
  other["snapshot.json"] = "{\"format\": 99}";
  CHECK_FALSE(read_snapshot(other));
  other["snapshot.json"] = "not JSON";
  CHECK_FALSE(read_snapshot(other));
  other["snapshot.json"] = "{\"format\": 1, \"nodes\": [7], \"checks\": {}}";
  CHECK_FALSE(read_snapshot(other));
  other.erase("snapshot.json");  // a folder that somebody put together: every node computes
  const auto bare = read_snapshot(other);
  REQUIRE(bare);
  CHECK(bare->inventory.nodes.size() == 1);
}

TEST_CASE("snapshot: a probe that is not in it is an error, never a pass") {
  for (const auto& machine : machines()) {
    if (machine.name != "h100" && machine.name != "mi300x" && machine.name != "ascend") continue;
    CAPTURE(machine.name);
    const auto before = judge(files_of(machine, machine.outputs));
    for (const auto& check : catalog<Check>()) {
      if (check.probe.empty() || !before.contains(std::string(check.id))) continue;
      auto outputs = machine.outputs;
      outputs.erase(std::string(probe_name(check)));
      const auto after = judge(files_of(machine, outputs));
      const auto status = after.at(std::string(check.id)).status;
      // Where there is no such hardware nothing is read, live or not.
      const bool not_here = !check.hardware.empty() && before.at(std::string(check.id)).status == CheckStatus::skip;
      CHECK_MESSAGE((status == CheckStatus::error || (not_here && status == CheckStatus::skip)), check.id);
    }
  }
}

TEST_CASE("snapshot: what looks like a secret does not get in") {
  struct Row {
    const char* text;
    const char* wanted;
  };
  for (const auto& [text, wanted] : std::vector<Row>{
           {"password=hunter2 next", "password=[redacted] next"},
           {"DB_PASSWORD: 'a b c', port: 5", "DB_PASSWORD: [redacted], port: 5"},
           {"mount //s/x /x cifs user=u,pass=geheim,rw", "mount //s/x /x cifs user=u,pass=[redacted],rw"},
           {"\"token\": \"abcdef\"}", "\"token\": [redacted]}"},
           {"https://user:geheim@example.org/x", "https://user:[redacted]@example.org/x"},
           {"Authorization: Bearer abc.def.ghi-jkl", "Authorization: [redacted]"},
           {"key AKIAABCDEFGHIJKLMNOP end", "key [redacted] end"},
           {"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----\nafter\n", "[redacted]\nafter\n"},
           {"compass=5 bypass: x", "compass=5 bypass: x"},
           {"Persistence Mode : Enabled\nSerial Number : 123\n", "Persistence Mode : Enabled\nSerial Number : 123\n"},
           {"no newline", "no newline"},
           {"", ""},
       }) {
    CHECK(redact(text) == wanted);
  }
  // A recorded machine has none: nothing of it changes.
  for (const auto& machine : machines()) {
    for (const auto& [probe, text] : machine.outputs) CHECK_MESSAGE(redact(text) == text, machine.name << " " << probe);
  }
}

}  // namespace podwright
