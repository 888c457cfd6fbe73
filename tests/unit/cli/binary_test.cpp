// The real binary, as its users and their scripts see it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

/// A folder of its own, with the files of a cluster that nobody can reach.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("podwright-cli-" + random_hex(6))) { fs::create_directories(path_); }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, std::string_view text) const { REQUIRE(write_file(path_ / name, text)); }
  [[nodiscard]] const fs::path& path() const { return path_; }

  /// Runs podwright here, with stdin closed.
  [[nodiscard]] ProcessOutput run(const std::vector<std::string>& arguments, std::string_view input = {}) const {
    std::vector<std::string> argv = {"env", "-C", path_.string(), "HOME=" + path_.string(), PODWRIGHT_BINARY};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto output = run_process(argv, input, Millis(60000));
    REQUIRE(output);
    return *output;
  }

 private:
  fs::path path_;
};

constexpr std::string_view kCluster = R"([cluster]
name = "pod1"
profile = "tiny.toml"
[[node]]
name = "cu[01-04]"
address = "127.0.0.[1-4]"
port = 1
roles = ["compute"]
fabric = [{ name = "eth1", address = "127.0.0.[1-4]", rate_gbps = 100, rail = 0 }]
)";

constexpr std::string_view kProfile = R"([profile]
name = "tiny"
summary = "for tests"
[[measurement]]
kind = "pairwise"
tool = "iperf3"
[handoff]
targets = ["hosts"]
)";

/// Recorded facts of one node, node9, that has chrony.
std::string recorded_node() {
  const auto text = read_file(std::string(PODWRIGHT_CASES) + "/profile/facts/lab_cpu.json");
  REQUIRE(text);
  auto facts = Json::parse(*text);
  facts["packages"] = {{"chrony", "4.3-2"}};
  return Json{{"nodes", {{"node9", facts}}}}.dump();
}

/// A site's own measuring tool: every pair at 95 Gbit/s, but for what cu02 sends.
constexpr std::string_view kProbe = R"(#!/bin/sh
sed 's/[{}"]//g; s/\[//g; s/\]//g' | tr ',' '\n' | awk -F: '
  $NF != "" && $(NF-1) == "a" {a = $NF}
  $1 == "b" {b = $2}
  $1 == "rail" {
    printf "%s{\"a\":\"%s\",\"b\":\"%s\",\"rail\":%s,\"gbps_ab\":%s,\"gbps_ba\":%s}", n++ ? "," : "{\"results\":[",
      a, b, $2, a == "cu02" ? 40 : 95, b == "cu02" ? 40 : 95
  }
  END {print "]}"}'
)";

Json only_document(const ProcessOutput& output) {
  const auto document = Json::parse(output.out, nullptr, false);
  CAPTURE(output.out);
  REQUIRE_FALSE(document.is_discarded());
  return document;
}

}  // namespace

TEST_CASE("what the operator got wrong is told on stderr, in one document with --output json, exit code 2") {
  Folder folder;
  folder.write("bad.toml", "[cluster]\nname = \"x\nprofile = 3\n");
  folder.write("unknown.toml", "[cluster]\nname = \"x\"\nprofil = \"tiny.toml\"\n[[node]]\nname = \"a\"\naddress = \"127.0.0.1\"\n");
  folder.write("cluster.toml", kCluster);
  folder.write("tiny.toml", kProfile);
  folder.write("broken-profile.toml", "[profile]\nname = \"broken\"\n[[packag]]\nname = \"chrony\"\n");
  folder.write("needy.toml", "[profile]\nname = \"needy\"\n[vars]\nkey = { required = \"the site's key\" }\n");
  folder.write("facts.json", recorded_node());
  folder.write("edited.json", "{\"digest\": \"00\", \"nodes\": {}}");
  struct Case {
    std::vector<std::string> line;
    std::string says;
  };
  for (const auto& [line, says] : std::vector<Case>{
           {{}, "no verb was given"},
           {{"plann"}, "did you mean \"plan\"?"},
           {{"plan", "--nodse", "x"}, "did you mean \"--nodes\"?"},
           {{"-c", "missing.toml", "plan"}, "there is no missing.toml"},
           {{"-c", "bad.toml", "plan"}, "bad.toml:2"},
           {{"-c", "unknown.toml", "facts"}, "did you mean \"profile\"?"},
           {{"facts", "-n", "cu1"}, "cu1"},
           {{"plan", "--profile", "broken-profile.toml"}, "broken-profile.toml:3"},
           {{"plan", "--profile", "nosuch"}, "nosuch"},
           {{"plan", "--set", "nosuch"}, "KEY=VALUE"},
           {{"plan", "--profile", "needy.toml"}, "needy.toml:4:"},
           {{"profile", "validate", "needy.toml"}, "the site's key"},
           {{"plan", "--facts", "missing.json"}, "missing.json"},
           {{"plan", "--facts", "tiny.toml"}, "does not hold facts"},
           {{"plan", "--facts", "facts.json"}, "has facts of node9"},
           {{"plan", "--facts", "facts.json", "--out", "plan.json"}, "cannot be applied"},
           {{"check", "--only", "fs.usee"}, "fs.use"},
           {{"validate", "--quick", "--full"}, "exclude each other"},
           {{"validate", "-n", "cu01"}, "two nodes at least"},
           {{"apply", "missing.json"}, "missing.json"},
           {{"apply", "edited.json"}, "edited.json"},
           {{"apply", "--resume"}, "no earlier apply"},
           {{"apply", "--resume", "--retry-failed"}, "exclude each other"},
           {{"report"}, "no run has anything to report"},
           {{"report", "2020"}, ""},
           {{"report", "-o", "x.pdf"}, "does not tell the format"},
           {{"parse", "perf"}, "unknown kind"},
           {{"help", "plann"}, "did you mean \"plan\"?"},
           {{"exec"}, "CMD"}}) {
    CAPTURE(fmt::format("{}", fmt::join(line, " ")));
    const auto text = folder.run(line);
    CHECK(text.exit_status == 2);
    CHECK(text.out.empty());
    CHECK(text.err.find("podwright: ") != std::string::npos);
    CHECK(text.err.find(says) != std::string::npos);
    CHECK(text.err.find('\x1b') == std::string::npos);

    for (const bool before : {true, false}) {
      auto with_json = line;
      const std::vector<std::string> option = {"--output", "json"};
      with_json.insert(before ? with_json.begin() : with_json.end(), option.begin(), option.end());
      const auto json = folder.run(with_json);
      CHECK(json.exit_status == 2);
      const auto document = only_document(json);
      REQUIRE(document.contains("error"));
      const auto& error = document["error"];
      CHECK(error["fault"] == "usage");
      CHECK(error["what"].get<std::string>().size() + error["hint"].get<std::string>().size() > 0);
      CHECK(error.contains("node"));
      CHECK((error["what"].get<std::string>() + error["hint"].get<std::string>()).find(says) != std::string::npos);
    }
  }
  // Nothing was contacted, and no run was begun.
  CHECK_FALSE(fs::exists(folder.path() / ".podwright" / "runs"));
}

TEST_CASE("every verb has help with an example, in text and as a document") {
  Folder folder;
  for (const auto& command : cli::all_commands()) {
    CAPTURE(command.name);
    const auto text = folder.run({command.name, "--help"});
    CHECK(text.exit_status == 0);
    CHECK(text.err.empty());
    CHECK(text.out.find("Example") != std::string::npos);
    const auto json = folder.run({command.name, "-h", "--output", "json"});
    CHECK(json.exit_status == 0);
    CHECK(only_document(json)["verb"] == command.name);
  }
  CHECK(folder.run({"--help"}).out.find("Find the machines") != std::string::npos);
  CHECK(only_document(folder.run({"--version", "--output", "json"})).contains("version"));
}

TEST_CASE("init writes a cluster.toml that loads, and does not overwrite one") {
  Folder folder;
  const auto made = folder.run({"init", "10.0.0.1", "cu[01-03]=10.0.0.[11-13]", "login.example.org:2222", "--name", "pod9"});
  CHECK(made.exit_status == 0);
  CHECK(made.err.empty());
  const auto names = folder.run({"completion", "--values", "nodes"});
  CHECK(names.out == "head\ncu01\ncu02\ncu03\nlogin\n@role:head\n@role:compute\n");
  const auto text = read_file(folder.path() / "cluster.toml");
  REQUIRE(text);
  CHECK(text->find("pod9") != std::string::npos);
  CHECK(text->find("port = 2222") != std::string::npos);
  CHECK(folder.run({"init", "10.0.0.1"}).exit_status == 2);
  CHECK(*read_file(folder.path() / "cluster.toml") == *text);
  CHECK(folder.run({"init", "--force", "10.0.0.1"}).exit_status == 0);
  CHECK(folder.run({"init", "--force", "cu[01-04]=10.0.0.[1-3]"}).exit_status == 2);
}

TEST_CASE("dead nodes: exit code 3, every node named, log and next command at the end") {
  Folder folder;
  folder.write("cluster.toml", kCluster);
  folder.write("tiny.toml", kProfile);
  const auto text = folder.run({"exec", "--", "true"});
  CHECK(text.exit_status == 3);
  CHECK(text.out.find("cu[01-04] (4): ") != std::string::npos);
  CHECK(text.err.find("4 of 4 nodes failed") != std::string::npos);
  const auto all = lines(text.err);
  REQUIRE(all.size() >= 2);
  CHECK(all[all.size() - 2].find("  log:  ") == 0);
  CHECK(all.back().find("  next: podwright doctor -n cu01") == 0);
  const std::string log(trim(all[all.size() - 2].substr(8)));
  CHECK(fs::exists(fs::path(log).is_absolute() ? fs::path(log) : folder.path() / log));

  const auto json = folder.run({"exec", "--output", "json", "--", "true"});
  CHECK(json.exit_status == 3);
  const auto document = only_document(json);
  CHECK(document["nodes"].size() == 4);
  CHECK(document["nodes"]["cu01"]["status"] == "unreachable");
  CHECK(document["nodes"]["cu01"]["exit"].is_null());
  CHECK(document["nodes"]["cu01"]["stdout"] == "");

  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"facts"}, {"plan"}, {"apply"}, {"check"}, {"doctor"}, {"up"}, {"validate"}, {"discover"}, {"handoff"}}) {
    CAPTURE(line.front());
    auto with_json = line;
    with_json.insert(with_json.end(), {"--output", "json"});
    const auto output = folder.run(with_json);
    CHECK(output.exit_status == 3);
    CHECK(only_document(output).is_object());
  }

  const auto quiet = folder.run({"--quiet", "facts"});
  CHECK(quiet.err.find("started") == std::string::npos);
  CHECK(quiet.err.find("podwright: ") == 0);

  const auto stream = folder.run({"facts", "--output", "ndjson"});
  CHECK(stream.exit_status == 3);
  bool result = false;
  for (const auto line : lines(stream.out)) {
    const auto event = Json::parse(line, nullptr, false);
    REQUIRE(event.is_object());
    result = result || event["event"] == "result";
  }
  CHECK(result);
}

TEST_CASE("validate judges what a site's own tool measures, and contacts nobody") {
  Folder folder;
  folder.write("cluster.toml", kCluster);
  folder.write("tiny.toml", kProfile);
  folder.write("probe", kProbe);
  fs::permissions(folder.path() / "probe", fs::perms::owner_all);
  const auto json = folder.run({"validate", "--probe-command", "./probe", "--output", "json"});
  CAPTURE(json.err);
  CHECK(json.exit_status == 4);
  const auto document = only_document(json);
  CHECK_FALSE(document["verdict"]["pass"].get<bool>());
  REQUIRE(document["verdict"]["nodes"].size() == 1);
  CHECK(document["verdict"]["nodes"][0]["name"] == "cu02");
  CHECK(document["verdict"]["nodes"][0]["direction"] == "tx");

  const auto text = folder.run({"validate", "--probe-command", "./probe"});
  CHECK(text.out.find("FAIL") == 0);
  CHECK(text.out.find("cu02") != std::string::npos);

  const auto good = folder.run({"validate", "--probe-command", "sed 's/cu02/cu09/g' | ./probe | sed 's/cu09/cu02/g'", "--output", "json"});
  CHECK(good.exit_status == 0);
  CHECK(only_document(good)["verdict"]["pass"].get<bool>());

  // What was measured is in the report.
  const auto report = folder.run({"report", "--output", "json"});
  CHECK(report.exit_status == 0);
  CHECK(only_document(report)["fabric"]["verdict"]["pass"].get<bool>());
  const auto runs = only_document(folder.run({"report", "--list", "--output", "json"}));
  CHECK(runs["runs"].size() == 3);
  const auto page = folder.run({"report", "latest", "-o", "report.html"});
  CHECK(page.exit_status == 0);
  CHECK(read_file(folder.path() / "report.html")->find("<html") != std::string::npos);
}

TEST_CASE("Ctrl-C ends cleanly with one document and 130; the second one at once") {
  Folder folder;
  folder.write("cluster.toml", kCluster);
  folder.write("tiny.toml", kProfile);
  for (const int signals : {1, 2}) {
    CAPTURE(signals);
    const auto started = folder.path() / "started";
    fs::remove(started);
    const auto out = (folder.path() / "out").string();
    const auto err = (folder.path() / "err").string();
    const pid_t child = ::fork();
    if (child == 0) {
      if (::chdir(folder.path().c_str()) != 0) ::_exit(99);
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      ::execl(PODWRIGHT_BINARY, "podwright", "validate", "--output", "json", "--probe-command",
              "touch started; trap '' TERM; sleep 60", nullptr);
      ::_exit(98);
    }
    const auto begun = std::chrono::steady_clock::now();
    while (!fs::exists(started) && std::chrono::steady_clock::now() - begun < std::chrono::seconds(30)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    REQUIRE(fs::exists(started));
    const auto interrupted = std::chrono::steady_clock::now();
    for (int i = 0; i < signals; ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      ::kill(child, SIGINT);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const auto took = std::chrono::steady_clock::now() - interrupted;
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
    if (signals == 1) {
      const auto document = Json::parse(*read_file(out), nullptr, false);
      REQUIRE(document.is_object());
      CHECK(document["error"]["fault"] == "cancelled");
      const auto said = *read_file(err);
      CHECK(said.find("stopping") != std::string::npos);
      CHECK(said.find("events.ndjson") != std::string::npos);
    } else {
      // The probe command shrugs off SIGTERM for a second: only the second Ctrl-C is faster.
      CHECK(took < std::chrono::milliseconds(900));
    }
  }
}

TEST_CASE("a reader that goes away does not crash anything") {
  Folder folder;
  const auto output = run_process({"sh", "-c", std::string(PODWRIGHT_BINARY) + " help --man | head -1; true"}, "", Millis(20000));
  REQUIRE(output);
  CHECK(output->err.empty());
}

TEST_CASE("parse prints the result of a known tool, and refuses anything else") {
  Folder folder;
  const auto kinds = only_document(folder.run({"parse", "--list", "--output", "json"}));
  CHECK(kinds["kinds"].size() >= 1);
  CHECK(folder.run({"parse", "iperf3"}, "hello\n").exit_status == 2);
  const auto table = only_document(folder.run({"parse", "perftest", "--output", "json"},
                                              " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]\n"
                                              " 65536      4159603          0.00               363.47             0.693268\n"));
  CHECK(table["tables"][0]["rows"][0]["average_gbps"] == 363.47);
}

TEST_CASE("fabric schedule and validate --probe-command: rounds of a simulated fabric, its faults, its picture") {
  Folder folder;
  const std::string simulation = SIMULATED_FABRIC;
  const std::string description = " --nodes 48 --leaf 8 --seed 3 --dips 0 --faulty ";
  const auto cluster = run_process({"sh", "-c", simulation + " cluster" + description + "0"}, "", Millis(20000));
  REQUIRE(cluster);
  folder.write("cluster.toml", cluster->out);
  folder.write("simulated.toml", "[profile]\nname = \"simulated\"\n");
  const auto planned = only_document(folder.run({"fabric", "schedule", "--output", "json"}));
  CHECK(planned["rounds"].size() == 2);  // within the leaves, and five other leaves of eight nodes
  CHECK(planned["probes"].get<int>() >= 24 + 15);
  CHECK(only_document(folder.run({"fabric", "schedule", "--full", "--output", "json"}))["rounds"].size() == 47);
  CHECK(folder.run({"fabric", "schedule"}).out.find("cu0001") != std::string::npos);
  CHECK_FALSE(fs::exists(folder.path() / ".podwright"));

  const auto probe = [&](const std::string& faulty) {
    return folder.run({"validate", "--output", "json", "--svg", "matrix.svg", "--probe-command", simulation + " probe" + description + faulty});
  };
  const auto broken = probe("0.05");
  CHECK(broken.exit_status == 4);
  const auto verdict = only_document(broken)["verdict"];
  const auto faults = run_process({"sh", "-c", simulation + " faults" + description + "0.05"}, "", Millis(20000));
  REQUIRE(faults);
  std::set<std::string> wanted;
  for (const auto line : lines(faults->out)) wanted.emplace(line);
  std::set<std::string> named;
  for (const auto& node : verdict["nodes"]) {
    named.insert(node["name"].get<std::string>() + " " + node["direction"].get<std::string>() + " " + node["cause"].get<std::string>());
    CHECK_FALSE(node["evidence"].get<std::string>().empty());
  }
  for (const auto& link : verdict["links"]) named.insert(link["a"].get<std::string>() + " " + link["b"].get<std::string>());
  CHECK(named == wanted);
  CHECK(wanted.size() == 4);  // two nodes, two paths
  const auto picture = read_file(folder.path() / "matrix.svg").value_or("");
  CHECK(picture.starts_with("<svg "));
  CHECK(picture.find("l001") != std::string::npos);
}

TEST_CASE("plan --facts: recorded machines, no node contacted, nothing left behind") {
  Folder folder;
  folder.write("facts.json", recorded_node());
  folder.write("tools.toml",
               "[profile]\nname = \"tools\"\nrequires = { os = [\"debian 12\"] }\n[vars]\nkey = { required = \"a word\" }\n"
               "[[package]]\nnames = [\"chrony\", \"iperf3\"]\n[[file]]\npath = \"/etc/key\"\ncontent = \"{{key}}\\n\"\n");
  const auto output =
      folder.run({"plan", "--facts", "facts.json", "--profile", "tools.toml", "--set", "key=12e3", "--output", "json"});
  CHECK(output.exit_status == 0);
  const auto document = only_document(output);
  CHECK(document["assumption"].get<std::string>().find("no node was contacted") != std::string::npos);
  const auto& steps = document["nodes"]["node9"]["steps"];
  REQUIRE(steps.size() == 2);  // chrony is there: the facts say so
  CHECK(steps[0]["id"] == "package/iperf3");
  CHECK(steps[1]["diff"].get<std::string>().find("+12e3") != std::string::npos);
  CHECK_FALSE(fs::exists(folder.path() / ".podwright"));

  const auto text = folder.run({"plan", "--facts", "facts.json", "--profile", "tools.toml", "--set", "key=x"});
  CHECK(text.out.find("no node was contacted") != std::string::npos);

  const auto wrong_os = folder.run({"plan", "--facts", "facts.json", "--profile", "rocky9-mi300x-roce"});
  CHECK(wrong_os.exit_status != 0);
}
