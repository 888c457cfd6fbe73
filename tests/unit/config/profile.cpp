#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "bad_files.hpp"
#include "base/text.hpp"
#include "config/config.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

KindSchema kind(std::string name, std::string key, std::vector<KindSchema::Field> fields) {
  fields.push_back({.name = key, .type = "text", .required = true, .choices = {}});
  return {.kind = std::move(name), .key = std::move(key), .fields = std::move(fields)};
}

KindSchema::Field field(std::string name, std::string type, std::vector<std::string> choices = {}) {
  return {.name = std::move(name),
          .type = std::move(type),
          .required = false,
          .choices = std::move(choices)};
}

Schema small_schema() {
  Schema schema;
  schema.kinds = {
      kind("package", "name",
           {field("version", "text"), field("state", "text", {"present", "absent"})}),
      kind("service", "name",
           {field("state", "text", {"started", "stopped"}), field("enabled", "flag"),
            field("restart_on", "list")}),
      kind("file", "path",
           {field("content", "text"), field("template", "text"), field("source", "text"),
            field("mode", "mode")}),
      kind("line", "path", {{.name = "line", .type = "text", .required = true, .choices = {}}}),
      kind("user", "name", {field("uid", "integer"), field("shell", "text")}),
      kind("group", "name", {}),
      kind("hostname", "name", {}),
  };
  schema.measurements = {"iperf3", "mpi-allreduce"};
  schema.checks = {"gpu.count", "fs.use", "svc"};
  schema.check_options["gpu.count"] = {field("expect", "integer")};
  schema.check_options["svc"] = {field("ignore", "list")};
  schema.handoffs = {{"hosts", ""},
                     {"slurm", "handoff/slurm-site"},
                     {"ghost", "handoff/does-not-exist"},
                     {"nothing", ""}};
  return schema;
}

const fs::path site = PODWRIGHT_CASES "/config/site";

Profile loaded(const Value::Table& vars = {}, const std::vector<std::string>& set = {}) {
  auto profile = load_profile("layered", site, vars, set, small_schema());
  REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().message()));
  return *profile;
}

std::string refused(const Value::Table& vars, const std::vector<std::string>& set) {
  const auto profile = load_profile("layered", site, vars, set, small_schema());
  REQUIRE_FALSE(profile);
  CHECK(profile.error().fault == Fault::usage);
  return profile.error().what;
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("bad profiles are refused with the place and the reason") {
  const fs::path folder = PODWRIGHT_CASES "/config/bad_profiles";
  const auto files = bad_files(folder);
  CHECK(files.size() >= 30);
  for (const auto& [file, expected] : files) {
    CAPTURE(file.string());
    REQUIRE_FALSE(expected.empty());
    const auto profile = load_profile(file.string(), folder, {}, {}, small_schema());
    REQUIRE_FALSE(profile);
    CHECK(profile.error().fault == Fault::usage);
    const auto message = profile.error().message();
    for (const auto& words : expected) {
      CHECK_MESSAGE(says(message, words), words, "\nis not in:\n", message);
    }
  }
}

TEST_CASE("resources stand in document order, includes first and once, hand-off components last") {
  const auto profile = loaded();
  std::vector<std::string> ids;
  for (const auto& resource : profile.resources) ids.push_back(resource.id());
  CHECK(join(ids, " ") ==
        "package/chrony file//etc/chrony/chrony.conf service/chrony package/htop package/tmux "
        "group/train "
        "user/train file//etc/alerts.yaml hostname/{{node.name}} file//etc/motd service/slurmd "
        "service/slurmctld");
  CHECK(profile.name == "layered");
  CHECK(profile.summary == "Everything that a profile can say");
  CHECK(profile.requires_os == std::vector<std::string>{"debian 12"});
  CHECK(profile.requires_arch == std::vector<std::string>{"x86_64"});
  CHECK(profile.handoff_targets == std::vector<std::string>{"hosts", "slurm"});
  CHECK(profile.files.size() == 6);
}

TEST_CASE("a later declaration overrides field by field, and each value knows its file") {
  const auto profile = loaded();
  const auto* chrony = profile.find("package/chrony");
  REQUIRE(chrony != nullptr);
  CHECK(chrony->text("version") == "4.3*");
  CHECK(chrony->text("state") == "present");
  CHECK(chrony->component == "base/time");
  CHECK(chrony->pos.file.ends_with("base/time.toml"));
  CHECK(find_value(chrony->fields, "version")->pos.file.ends_with("layered.toml"));
  CHECK(find_value(chrony->fields, "version")->pos.line == 13);
  CHECK(find_value(chrony->fields, "state")->pos.file.ends_with("base/time.toml"));

  const auto* user = profile.find("user/train");
  REQUIRE(user != nullptr);
  CHECK(user->text("shell") == "/bin/zsh");
  CHECK(user->text("uid") == "{{workers}}");
  REQUIRE(user->after.size() == 1);
  CHECK(user->after[0].resource == "group/train");
}

TEST_CASE("the profile's word counts more than that of a component of the hand-off") {
  const auto profile = loaded();
  const auto* slurmd = profile.find("service/slurmd");
  REQUIRE(slurmd != nullptr);
  CHECK_FALSE(slurmd->flag("enabled", true));
  CHECK(slurmd->text("state") == "started");
  CHECK(slurmd->roles == std::vector<std::string>{"compute"});
  CHECK(slurmd->roles_pos.file.ends_with("slurm-site.toml"));
  REQUIRE(slurmd->after.size() == 1);
  CHECK(slurmd->after[0].role == "head");
  CHECK(slurmd->after[0].resource == "service/slurmctld");
}

TEST_CASE("templates and sources are read; sources are marked so that nobody renders them") {
  const auto profile = loaded();
  const auto* conf = profile.find("file//etc/chrony/chrony.conf");
  REQUIRE(conf != nullptr);
  CHECK(conf->text("content") == "server {{ntp}} iburst\n");
  CHECK(conf->text("template") == "chrony-site.conf");
  CHECK_FALSE(conf->has("verbatim"));
  CHECK(find_value(conf->fields, "content")->pos.str() ==
        (site / "templates/chrony-site.conf").string());
  const auto* alerts = profile.find("file//etc/alerts.yaml");
  REQUIRE(alerts != nullptr);
  CHECK(says(alerts->text("content"), "{{ $labels.instance }}"));
  CHECK(alerts->flag("verbatim", false));
}

TEST_CASE("what is restarted for a file waits for it") {
  const auto profile = loaded();
  const auto* service = profile.find("service/chrony");
  REQUIRE(service->after.size() == 1);
  CHECK(service->after[0].resource == "file//etc/chrony/chrony.conf");
}

TEST_CASE("names = [...] is a resource for each, with everything else alike") {
  const auto profile = loaded();
  for (const auto* id : {"package/htop", "package/tmux"}) {
    const auto* package = profile.find(id);
    REQUIRE(package != nullptr);
    CHECK(package->when == "not container");
    CHECK(package->text("name") == package->name);
  }
}

TEST_CASE("measurements and checks are overridden by their tool and id") {
  const auto profile = loaded();
  REQUIRE(profile.measurements.size() == 1);
  CHECK(profile.measurements[0].seconds == 5);
  REQUIRE(find_value(profile.measurements[0].options, "parallel") != nullptr);
  REQUIRE(profile.checks.size() == 1);
  CHECK_FALSE(profile.checks[0].enabled);
  CHECK(*find_value(profile.checks[0].options, "expect")->integer() == 8);
  CHECK(profile.fabric.floor_fraction == 0.8);
  CHECK(profile.fabric.transport == "tcp");
  CHECK(profile.fabric.rails_together);
  CHECK(profile.fabric.oversubscription == 2);
  CHECK(profile.fabric.hardware == "h100");
}

TEST_CASE("variables: the profile, then cluster.toml, then --set") {
  const auto text = [](const Profile& profile, const char* name) {
    const auto* value = find_value(profile.vars, name);
    return value == nullptr ? std::string("(absent)") : value->scalar_text();
  };
  CHECK(text(loaded(), "ntp") == "pool.example");
  CHECK(text(loaded(), "workers") == "4");
  CHECK(text(loaded(), "partition") == "train");
  const Value::Table cluster = {{"workers", Value(std::int64_t{8})},
                                {"account", Value(std::string("ml"))}};
  CHECK(text(loaded(cluster), "workers") == "8");
  CHECK(loaded(cluster).find("user/ml") != nullptr);
  CHECK(text(loaded(cluster, {"workers=16"}), "workers") == "16");
  CHECK(text(loaded({}, {"ntp=a.b.c"}), "ntp") == "a.b.c");
  CHECK(text(loaded({}, {"ntp=17"}), "ntp") == "17");
  CHECK(text(loaded({}, {"ntp=\"quoted = text\""}), "ntp") == "quoted = text");
  CHECK(text(loaded({}, {"ntp=x\ny = 3"}), "ntp") == "x\ny = 3");
  CHECK(text(loaded({}, {"ntp="}), "ntp").empty());
}

TEST_CASE("variables that nobody declares, and of another type, are refused") {
  const SourcePos pos{.file = "cluster.toml", .line = 9, .column = 1};
  CHECK(refused({{"workrs", Value(std::int64_t{8}, pos)}}, {}) ==
        "cluster.toml:9:1: the profile has no variable \"workrs\"; did you mean \"workers\"?");
  CHECK(says(refused({{"workers", Value(std::string("many"), pos)}}, {}),
             "cluster.toml:9:1: variable workers must be an integer, not a string (\"many\"), as "
             "declared at "));
  CHECK(says(refused({}, {"workers=many"}),
             "--set workers=many: variable workers must be an integer"));
  CHECK(says(refused({}, {"wokers=1"}), "did you mean \"workers\"?"));
  CHECK(says(refused({}, {"workers"}), "a variable is set as key=value"));
  CHECK(says(refused({}, {"=3"}), "a variable is set as key=value"));
}

TEST_CASE("a profile is found as a file, below cluster.toml's folder and in its profiles") {
  CHECK(load_profile("profiles/layered.toml", site, {}, {}, small_schema()));
  CHECK(load_profile((site / "profiles/layered.toml").string(), "/tmp", {}, {}, small_schema()));
  CHECK(load_profile("profiles/layered", site, {}, {}, small_schema()));
  const auto none = load_profile("layred", site, {}, {}, small_schema());
  REQUIRE_FALSE(none);
  CHECK(says(none.error().what,
             "there is no profile or component \"layred\"; did you mean \"layered\"?"));
}
