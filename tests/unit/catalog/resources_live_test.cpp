// Kinds of resource for real, in a folder of this machine: what the probe sees is planned, what was
// planned is run, and then the probe must see nothing left to do. In every shell that is there.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright::test {
namespace {

const std::set<std::string> nothing;

Wanted make(const std::string& kind,
            const std::vector<std::pair<std::string, Value::Data>>& fields) {
  Value::Table table;
  for (const auto& [name, data] : fields) table.emplace_back(name, Value(data));
  return make_wanted(kind_of(kind), table);
}

/// Files of tests belong to whoever runs them; on a node it is always root.
std::string me() { return std::to_string(getuid()); }
std::string my_group() { return std::to_string(getgid()); }

std::vector<Step> plan_now(const std::string& shell, const Wanted& wanted) {
  const auto& kind = kind_of(wanted.kind);
  const Facts facts;
  const auto observed = run_sh(shell, kind.probe(wanted, facts));
  const auto steps = kind.plan(wanted, observed, {.facts = facts, .changing = nothing});
  REQUIRE_MESSAGE(steps.has_value(), (steps ? "" : steps.error().message()));
  return *steps;
}

/// Plans, runs, and plans again; the first plan must have one step, the second none.
Step converge(const std::string& shell, const Wanted& wanted, const std::string& before = {}) {
  CAPTURE(shell);
  const auto steps = plan_now(shell, wanted);
  REQUIRE(steps.size() == 1);
  const auto run = run_sh(shell, before + steps.front().script);
  CHECK_MESSAGE(run.exit_status == 0, run.err);
  CHECK_MESSAGE(run.err == "", run.err);
  const auto left = plan_now(shell, wanted);
  CHECK_MESSAGE(left.empty(), (left.empty() ? "" : left.front().why));
  return steps.front();
}

std::string content_of(const std::string& path) {
  const auto content = read_file(path);
  REQUIRE_MESSAGE(content, (content ? "" : content.error().message()));
  return *content;
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

std::size_t entries_of(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                std::filesystem::directory_iterator()));
}

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts = {
      "",
      "\n",
      "plain\n",
      "no newline at the end",
      "\n\n\nblank lines\n\n",
      "it's \"quoted\" `id` $(id) ${HOME} \\n \\ %s %% !! ; & | > < * ? [ ] { } ~ #\n",
      "'\n''\n'''\n'\\''\n",
      "-n -e leading dash\n",
      "dos\r\nline ends\r\n",
      "tab\tand trailing blanks   \n",
      "päckchen 漢字 🚀\n",
      "EOF\n.\npodwright-end\n__END__\ncontent\n[section]\n",
      std::string("nul\0byte", 8),
      "\xff\xfe not UTF-8 \x80\n",
      "\x1b[31mescape\x07\n",
      std::string(300 * 1024, 'x') + "\n",
      [] {
        std::string all;
        for (int i = 0; i < 256 * 16; ++i) all += static_cast<char>(i % 256);
        return all;
      }(),
  };
  return texts;
}

}  // namespace

TEST_CASE("resources live: a file with any content") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto path = dir / "it's a \"file\" $(id)";
    for (const auto& text : hostile_texts()) {
      CAPTURE(text.substr(0, 60));
      const auto wanted = make("file", {{"path", path},
                                        {"content", text},
                                        {"mode", std::string("0640")},
                                        {"owner", me()},
                                        {"group", my_group()}});
      converge(shell, wanted);
      CHECK(content_of(path) == text);
      CHECK(mode_of(path) == 0640U);
      CHECK(entries_of(dir.path()) == 1);  // no temporary file is left
    }
    const auto gone = make("file", {{"path", path}, {"state", std::string("absent")}});
    CHECK(converge(shell, gone).action == "remove");
    CHECK(entries_of(dir.path()) == 0);
  }
}

TEST_CASE("resources live: a file's mode alone, a link in its place, missing folders") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto path = dir / "deep/er/file";
    const auto wanted = [&](const std::string& mode, bool parents) {
      return make("file", {{"path", path},
                           {"content", std::string("x\n")},
                           {"mode", mode},
                           {"owner", me()},
                           {"group", my_group()},
                           {"parents", parents}});
    };
    const auto steps = plan_now(shell, wanted("0644", false));
    const auto refused = run_sh(shell, steps.at(0).script);
    CHECK(refused.exit_status != 0);
    CHECK(refused.err.find("there is no folder") != std::string::npos);

    converge(shell, wanted("0644", true));
    const auto change = converge(shell, wanted("4755", false));
    CHECK(change.action == "set");
    CHECK(mode_of(path) == 04755U);

    std::filesystem::remove(path);
    std::filesystem::create_symlink(dir / "target", path);
    REQUIRE(write_file(dir / "target", "untouched\n"));
    converge(shell, wanted("0600", false));
    CHECK(content_of(dir / "target") == "untouched\n");
    CHECK(mode_of(path) == 0600U);
  }
}

TEST_CASE("resources live: a file that does not pass its check is not put in place") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto path = dir / "sudoers";
    const auto wanted = [&](const std::string& content, const std::string& check) {
      return make("file", {{"path", path},
                           {"content", content},
                           {"validate", check},
                           {"owner", me()},
                           {"group", my_group()}});
    };
    converge(shell, wanted("good\n", "grep -q '^good$' {}"));
    for (const auto* check : {"grep -q '^good$' {}", "syntax ( error", "exit 3"}) {
      const auto steps = plan_now(shell, wanted("bad\n", check));
      const auto run = run_sh(shell, steps.at(0).script);
      CHECK(run.exit_status == 1);
      CHECK(run.err.find("was not put in place") != std::string::npos);
      CHECK(content_of(path) == "good\n");
      CHECK(entries_of(dir.path()) == 1);
    }
  }
}

TEST_CASE("resources live: folders and links") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto folder = dir / "a b/c'd";
    const auto wanted = [&](const std::string& mode) {
      return make("directory",
                  {{"path", folder}, {"mode", mode}, {"owner", me()}, {"group", my_group()}});
    };
    converge(shell, wanted("2775"));
    CHECK(mode_of(folder) == 02775U);
    converge(shell, wanted("0755"));  // the set-id bit goes too
    CHECK(mode_of(folder) == 0755U);

    const auto link = dir / "-link '1'";
    for (const std::string target : {"/nowhere/at all", folder.c_str(), "../$(id)", "-x"}) {
      converge(shell, make("symlink", {{"path", link}, {"target", target}}));
      CHECK(std::filesystem::read_symlink(link).string() == target);
    }
    converge(shell, make("symlink", {{"path", link}, {"state", std::string("absent")}}));
    CHECK(std::filesystem::is_directory(folder));
    converge(shell, make("directory", {{"path", folder}, {"state", std::string("absent")}}));
    CHECK_FALSE(std::filesystem::exists(folder));

    REQUIRE(write_file(folder + "/precious", "x"));
    const auto steps =
        plan_now(shell, make("directory", {{"path", folder}, {"state", std::string("absent")}}));
    CHECK(run_sh(shell, steps.at(0).script).exit_status != 0);
    CHECK(content_of(folder + "/precious") == "x");
  }
}

TEST_CASE("resources live: a block of hosts") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto path = dir / "hosts";
    REQUIRE(write_file(
        path, "127.0.0.1 localhost\n127.0.1.1 cu01.lab cu01 # Debian's\n\n10.0.0.9 it's $(id)"));
    const auto wanted = [&](const std::string& name, const std::string& content) {
      return make("hosts", {{"name", name}, {"path", path}, {"content", content}});
    };
    const auto step = converge(shell, wanted("cluster", "10.0.0.1 head\n10.0.0.2 cu01\n"));
    const std::string outside =
        "127.0.0.1 localhost\n# podwright: 127.0.1.1 cu01.lab cu01 # "
        "Debian's\n127.0.1.1\tcu01.lab\n\n"
        "10.0.0.9 it's $(id)\n";
    const std::string block =
        "# podwright begin cluster\n10.0.0.1 head\n10.0.0.2 cu01\n# podwright end cluster\n";
    CHECK(content_of(path) == outside + block);
    CHECK(step.diff.find("+10.0.0.2 cu01") != std::string::npos);

    // Two blocks planned from the same reading do not undo each other.
    const auto one = plan_now(shell, wanted("cluster", "10.0.0.1 head\n10.0.0.3 cu01\n"));
    const auto two = plan_now(shell, wanted("fabric", "10.1.0.1 head-ib\n"));
    CHECK(run_sh(shell, one.at(0).script).exit_status == 0);
    CHECK(run_sh(shell, two.at(0).script).exit_status == 0);
    CHECK(plan_now(shell, wanted("cluster", "10.0.0.1 head\n10.0.0.3 cu01\n")).empty());
    CHECK(plan_now(shell, wanted("fabric", "10.1.0.1 head-ib")).empty());

    const auto absent = [&](const std::string& name) {
      return make("hosts", {{"name", name}, {"path", path}, {"state", std::string("absent")}});
    };
    // The other block still gives cu01 another address.
    converge(shell, absent("fabric"));
    CHECK(content_of(path).starts_with(outside));
    converge(shell, wanted("fabric", "10.1.0.1 head-ib\n"));
    for (const auto* name : {"cluster", "fabric"}) converge(shell, absent(name));
    CHECK(content_of(path) == "127.0.0.1 localhost\n127.0.1.1 cu01.lab cu01 # Debian's\n\n"
                              "10.0.0.9 it's $(id)\n");
  }
}

TEST_CASE("resources live: one line of a file") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto path = dir / "sshd_config";
    REQUIRE(write_file(
        path, "#PermitRootLogin yes\r\n\\backslash 'quote' $(id) %s\nPermitRootLogin yes\nlast",
        0640));
    const auto wanted = [&](const std::string& match, const std::string& line) {
      std::vector<std::pair<std::string, Value::Data>> fields = {
          {"name", std::string("x")}, {"path", path}, {"line", line}};
      if (!match.empty()) fields.emplace_back("match", match);
      return make("line", fields);
    };
    const std::string hostile = "it's $(id) `id` \\n %s \"x\" *";
    converge(shell, wanted("^#?PermitRootLogin[[:space:]]", "PermitRootLogin no"));
    CHECK(content_of(path) == "PermitRootLogin no\n\\backslash 'quote' $(id) %s\nlast\n");
    CHECK(mode_of(path) == 0640U);
    converge(shell, wanted("", hostile));
    converge(shell, wanted("backslash", "-n"));
    CHECK(content_of(path) == "PermitRootLogin no\n-n\nlast\n" + hostile + "\n");

    // Two lines planned from the same reading do not undo each other.
    const auto one = plan_now(shell, wanted("^last", "first"));
    const auto two = plan_now(shell, wanted("", "second"));
    CHECK(run_sh(shell, one.at(0).script).exit_status == 0);
    CHECK(run_sh(shell, two.at(0).script).exit_status == 0);
    CHECK(content_of(path) == "PermitRootLogin no\n-n\nfirst\n" + hostile + "\nsecond\n");

    converge(shell, make("line", {{"name", std::string("x")},
                                  {"path", path},
                                  {"match", std::string("^(first|second|it's)")},
                                  {"state", std::string("absent")}}));
    CHECK(content_of(path) == "PermitRootLogin no\n-n\n");
    CHECK(entries_of(dir.path()) == 1);

    const auto& kind = kind_of("line");
    const Facts facts;
    const auto bad = wanted("(", "x");
    const auto planned = kind.plan(bad, run_sh(shell, kind.probe(bad, facts)),
                                   {.facts = facts, .changing = nothing});
    REQUIRE_FALSE(planned.has_value());
    CHECK(planned.error().fault == Fault::remote);
  }
}

TEST_CASE("resources live: what the kernel says of a parameter is read whole") {
  for (const auto& shell : shells()) {
    CAPTURE(shell);
    for (const std::string key :
         {"kernel.pid_max", "kernel.ostype", "kernel.printk", "vm.swappiness"}) {
      const auto running = run_sh("sh", "cat /proc/sys/$(echo " + key + " | tr . /)");
      REQUIRE(running.exit_status == 0);
      const auto wanted = make("sysctl", {{"key", key}, {"value", std::string(trim(running.out))}});
      const auto steps = plan_now(shell, wanted);
      REQUIRE(steps.size() == 1);  // podwright's file is not there
      CHECK(steps.front().why.find("not after the next boot") != std::string::npos);
    }
  }
}

TEST_CASE("resources live: a secret") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto path = dir / "munge.key";
    const std::string bytes("\x00\xff'\n$(id)", 9);
    const auto wanted = [&](const std::string& mode) {
      return make("secret", {{"path", path},
                             {"name", std::string("munge key")},
                             {"mode", mode},
                             {"owner", me()},
                             {"group", my_group()},
                             {"sha256", sha256_hex(bytes)}});
    };
    const auto bring = sh::assign("pw_secret_munge_20key", base64_encode(bytes));
    const auto step = converge(shell, wanted("0400"), bring);
    CHECK(content_of(path) == bytes);
    CHECK(mode_of(path) == 0400U);
    CHECK(step.secrets ==
          std::map<std::string, std::string>{{"pw_secret_munge_20key", "munge key"}});
    CHECK(step.script.find(base64_encode(bytes)) == std::string::npos);
    converge(shell, wanted("0440"));

    // A secret that did not arrive must not become an empty key.
    REQUIRE(std::filesystem::remove(path));
    const auto lost = run_sh(shell, plan_now(shell, wanted("0400")).at(0).script);
    CHECK(lost.exit_status == 1);
    CHECK(lost.err.find("did not arrive") != std::string::npos);
    CHECK(entries_of(dir.path()) == 0);
  }
}

TEST_CASE("resources live: a command") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto sign = dir / "it's done";
    converge(shell, make("command", {{"name", std::string("x")},
                                     {"cwd", dir.path().string()},
                                     {"run", std::string("touch \"it's done\"")},
                                     {"creates", sign}}));
    const auto look = "[ \"$(cat 'it'\\''s done')\" = x ]";
    converge(shell, make("command", {{"name", std::string("y")},
                                     {"cwd", dir.path().string()},
                                     {"run", std::string("printf x >\"it's done\"; exit 0")},
                                     {"unless", std::string(look)}}));
    for (const auto* broken : {"exit 7", "syntax ( error", "false"}) {
      const auto steps = plan_now(shell, make("command", {{"name", std::string("z")},
                                                          {"run", std::string(broken)},
                                                          {"creates", dir / "never"}}));
      CHECK(run_sh(shell, steps.at(0).script + "\n").exit_status != 0);
    }
  }
}

namespace {

/// What the engine does before a step runs: the files of `step` in a folder, by their digests.
std::string bring(const TempDir& dir, const std::vector<std::string>& files) {
  const auto folder = dir / "artifacts";
  std::filesystem::create_directories(folder);
  for (const auto& file : files) {
    std::filesystem::copy_file(file, folder + "/" + sha256_hex(content_of(file)),
                               std::filesystem::copy_options::overwrite_existing);
  }
  return sh::assign("PODWRIGHT_ARTIFACTS", folder);
}

void must(const std::string& script) {
  const auto run = run_sh("sh", script);
  REQUIRE_MESSAGE(run.exit_status == 0, run.err);
}

bool has_tool(const std::string& tool) {
  return run_sh("sh", "command -v " + tool).exit_status == 0;
}

}  // namespace

TEST_CASE("resources live: an archive of every compression is unpacked, replaced, and taken away") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto in = sh::assign("d", dir.path().string()) + "cd \"$d\" || exit\n";
    must(in + "mkdir -p 'top 1/bin' && echo one >'top 1/bin/it'\\''s' && tar -cf 1.tar 'top 1'\n"
              "echo two >'top 1/bin/two' && rm 'top 1/bin/it'\\''s' && tar -cf 2.tar 'top 1'\n");
    const auto dest = dir / "deep/de st";
    const auto wanted = [&](const std::string& file, const std::string& creates) {
      return make("archive", {{"dest", dest},
                              {"source", file},
                              {"sha256", sha256_hex(content_of(file))},
                              {"strip", std::int64_t{1}},
                              {"creates", creates},
                              {"owner", me()}});
    };
    const std::pair<std::string, std::string> packed[] = {
        {"gzip", "gz"}, {"xz", "xz"}, {"bzip2", "bz2"}, {"zstd", "zst"}};
    for (const auto& [tool, ending] : packed) {
      if (!has_tool(tool)) continue;
      CAPTURE(tool);
      const auto file = dir / ("1.tar." + ending);
      must(in + tool + " -c 1.tar >" + sh::quote(file));
      const auto step = converge(shell, wanted(file, "bin/it's"), bring(dir, {file}));
      CHECK(step.artifacts.size() == 1);
      CHECK(content_of(dest + "/bin/it's") == "one\n");
    }
    const auto two = dir / "2.tar";
    converge(shell, wanted(two, "bin/two"), bring(dir, {two}));
    CHECK_FALSE(std::filesystem::exists(dest + "/bin/it's"));
    CHECK(entries_of(dir / "deep") == 1);  // nothing is left beside it

    std::filesystem::remove(dest + "/bin/two");
    CHECK(converge(shell, wanted(two, "bin/two"), bring(dir, {two})).why.find("is gone") !=
          std::string::npos);

    // What can't be unpacked leaves what was there, and says why.
    const std::pair<std::string, std::string> bad[] = {
        {"printf '\\037\\213 no archive'", "could not be unpacked"},
        {"printf 'PK\\003\\004'", "is a zip file"},
        {"cat \"$d/1.tar\"", "holds no bin/two"}};
    for (const auto& [make_it, message] : bad) {
      const auto file = dir / "bad.tar";
      must(sh::assign("d", dir.path().string()) + make_it + " >" + sh::quote(file));
      const auto steps = plan_now(shell, wanted(file, "bin/two"));
      const auto run = run_sh(shell, bring(dir, {file}) + steps.at(0).script);
      CHECK(run.exit_status != 0);
      CHECK_MESSAGE(run.err.find(message) != std::string::npos, run.err);
      CHECK(content_of(dest + "/bin/two") == "two\n");
      CHECK(entries_of(dir / "deep") == 1);
    }
    const auto lost = run_sh(shell, sh::assign("PODWRIGHT_ARTIFACTS", dir / "nowhere") +
                                        plan_now(shell, wanted(dir / "1.tar", "bin/it's")).at(0).script);
    CHECK(lost.exit_status == 1);
    CHECK(lost.err.find("did not arrive") != std::string::npos);

    converge(shell, make("archive", {{"dest", dest}, {"state", std::string("absent")}}));
    CHECK(entries_of(dir / "deep") == 0);
  }
}

TEST_CASE("resources live: an archive whose decompressor is missing names it") {
  const TempDir dir;
  const auto file = dir / "x.tar.xz";
  REQUIRE(write_file(file, std::string("\xfd" "7zXZ\0", 6)));
  const auto wanted = make("archive", {{"dest", dir / "x"}, {"source", file}, {"sha256", sha256_hex(content_of(file))}});
  const auto steps = plan_now("sh", wanted);
  // Only what the script needs before it looks at the archive.
  must(sh::assign("b", dir / "bin") + "mkdir \"$b\" && for t in od tr; do ln -s \"$(command -v $t)\" \"$b/$t\"; done");
  const auto run = run_sh("sh", bring(dir, {file}) + sh::assign("PATH", dir / "bin") + steps.at(0).script);
  CHECK(run.exit_status == 1);
  CHECK_MESSAGE(run.err.find("compressed with xz, which this node lacks") != std::string::npos, run.err);
}

TEST_CASE("resources live: a vendor's installer is proven by its version") {
  for (const auto& shell : shells()) {
    const TempDir dir;
    const auto file = dir / "driver-2.run";
    REQUIRE(write_file(file, "#!/bin/sh\n[ \"$1 $2\" = '--silent it'\\''s' ] || exit 7\n"
                             "[ \"${0##*/}\" = driver-2.run ] || exit 8\n"
                             "echo \"${VERSION:-2.1}\" >\"$TARGET\"; exit ${STATUS:-0}\n"));
    const auto target = dir / "version";
    const auto wanted = [&](const std::string& version) {
      return make("installer",
                  {{"name", std::string("driver")},
                   {"source", file},
                   {"sha256", sha256_hex(content_of(file))},
                   {"args", Value::Array{Value(std::string("--silent")), Value(std::string("it's"))}},
                   {"probe", "cat " + sh::quote(target)},
                   {"version", version},
                   {"accept_exit", Value::Array{Value(std::int64_t{3})}},
                   {"log", file},
                   {"uninstall", "rm " + sh::quote(target)}});
    };
    const auto env = bring(dir, {file}) + sh::assign("TARGET", target) + "export TARGET\n";
    const auto step = converge(shell, wanted("2.*"), env);
    CHECK(content_of(target) == "2.1\n");

    const auto run = [&](const std::string& with, const std::string& version) {
      REQUIRE(write_file(target, "1.0\n"));
      return run_sh(shell, env + with + plan_now(shell, wanted(version)).at(0).script);
    };
    CHECK(run("export STATUS=3\n", "2.1").exit_status == 0);
    const auto failed = run("export STATUS=4\n", "2.1");
    CHECK(failed.exit_status == 1);
    CHECK(failed.err.find("driver-2.run ended with 4") != std::string::npos);
    CHECK(failed.err.find("the end of ") != std::string::npos);
    const auto lied = run("export VERSION=9\n", "2.1");
    CHECK(lied.exit_status == 1);
    CHECK_MESSAGE(lied.err.find("its probe prints \"9\", wanted 2.1") != std::string::npos, lied.err);

    // Undo, as the ledger runs it.
    REQUIRE(write_file(dir / "before", "\n"));
    CHECK(run_sh(shell, sh::assign("before", dir / "before") + step.undo.restore).exit_status == 0);
    CHECK_FALSE(std::filesystem::exists(target));
    REQUIRE(write_file(dir / "before", "1.0\n"));
    CHECK(run_sh(shell, sh::assign("before", dir / "before") + step.undo.restore).exit_status == 1);
  }
}

TEST_CASE("resources live: what GRUB is given is shell that does what it says") {
  const auto made = [](const std::string& toml, const std::string& after) {
    const auto wanted = make_wanted("kernel_param", toml);
    const Facts facts;
    const auto steps = kind_of("kernel_param")
                           .plan(wanted,
                                 {.out = "running ro iommu=off x\nloader update-grub\nboot linux /v ro iommu=off\n"
                                         "type absent\n"},
                                 {.facts = facts, .changing = nothing});
    REQUIRE(steps);
    std::string drop_in;
    for (const auto line : lines(steps->at(0).diff)) {
      if (line.starts_with('+') && !line.starts_with("+++")) drop_in += std::string(line.substr(1)) + "\n";
    }
    for (const auto& shell : shells()) {
      const auto run = run_sh(shell, "GRUB_CMDLINE_LINUX='iommu=off a'\nGRUB_CMDLINE_LINUX_DEFAULT='quiet iommu iommux=1'\n" +
                                         drop_in + "echo \"$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT\"\n");
      CHECK(trim(run.out) == after);
      CHECK(run.err == "");
    }
  };
  made("name = 'iommu'\nvalue = 'pt'\n", "iommu=off a quiet iommu iommux=1 iommu=pt");
  made("name = 'nosmt'\n", "iommu=off a quiet iommu iommux=1 nosmt");
  made("name = 'iommu'\nstate = 'absent'\n", "a quiet iommux=1");
}

}  // namespace podwright::test
