// Becoming root: the dialogue byte by byte, and with a real sudo and a user made for the test.
#include "transport/sudo.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <thread>

#include "fixture.hpp"
#include "transport/local_transport.hpp"

using namespace podwright;
using namespace podwright::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The marker in a wrapped command line that begins with `begin`.
std::string marker(const std::string& line, const std::string& begin) {
  const auto at = line.find(begin);
  REQUIRE(at != std::string::npos);
  return line.substr(at, line.find(']', at) + 1 - at);
}

SudoSettings with_password() {
  return {.user = "ada", .password = Secret("pass word"), .password_env = "SUDO_PW"};
}

/// A user of this machine who may, or may not, use sudo; made once, gone at the end. Needs root.
class TestUser {
 public:
  /// The user, with no right to sudo.
  static void fresh() {
    static const TestUser user;
    std::system(
        "rm -f /etc/sudoers.d/podwright-pwtest /run/sudo/ts/pwtest /tmp/podwright-pwtest/*");
  }
  TestUser() {
    REQUIRE_MESSAGE(geteuid() == 0, "these tests make a user: run them as root");
    REQUIRE_MESSAGE(std::system("command -v sudo >/dev/null") == 0, "these tests need sudo");
    remove();
    must("useradd --create-home --home-dir /tmp/podwright-pwtest --shell /bin/sh pwtest");
    must("echo 'pwtest:open sesame' | chpasswd");
  }
  ~TestUser() { remove(); }
  TestUser(const TestUser&) = delete;
  TestUser& operator=(const TestUser&) = delete;
  static void sudoers(const std::string& text) {
    std::ofstream("/etc/sudoers.d/podwright-pwtest") << text << "\n";
    chmod("/etc/sudoers.d/podwright-pwtest", 0440);
  }

 private:
  static void remove() {
    std::system(
        "userdel --force --remove pwtest >/dev/null 2>&1; rm -f /etc/sudoers.d/podwright-pwtest"
        " /run/sudo/ts/pwtest");
  }
};

Result<Reply> once(const Node& node, Request request, const SshOptions& options) {
  SshTransport transport({node}, options);
  auto results = transport.run({std::move(request)}, nullptr, {});
  return std::move(results.at(node.name));
}

}  // namespace

TEST_CASE("the password is sent after sudo's prompt, and the input after the command began") {
  SudoDialogue sudo(with_password());
  const auto line = sudo.wrap("sh -s");
  CHECK(line.starts_with("sudo -S -k -p '[podwright-ask-"));
  CHECK(!contains(line, "pass word"));
  const auto ask = marker(line, "[podwright-ask-");
  const auto run = marker(line, "[podwright-run-");

  sudo.on_stderr("We trust you have received the usual lecture.\n");
  CHECK(!sudo.wants_password());
  for (const char c : ask) {
    CHECK(!sudo.wants_password());
    sudo.on_stderr({&c, 1});
  }
  REQUIRE(sudo.wants_password());
  CHECK(sudo.take_password().reveal() == "pass word\n");
  CHECK(!sudo.wants_password());
  CHECK(!sudo.ready());
  sudo.on_stderr("\n" + run.substr(0, 9));
  CHECK(!sudo.ready());
  sudo.on_stderr(run.substr(9) + "the command's own words");
  CHECK(sudo.ready());
  CHECK(sudo.take_rest() == "the command's own words");
  CHECK(!sudo.failure());
}

TEST_CASE("a shell without sudo in between never sees the password") {
  // The prompt of another program: not the marker.
  SudoDialogue sudo(with_password());
  sudo.on_stderr("[podwright-ask-0000]Password: ");
  CHECK(!sudo.wants_password());
  CHECK(!sudo.ready());
}

TEST_CASE("no password: none is asked for, and a command that is ready at once") {
  SudoDialogue sudo({.user = "ada"});
  const auto line = sudo.wrap("id -u");
  CHECK(line.starts_with("sudo -n -H -- sh -c "));
  sudo.on_stderr(marker(line, "[podwright-run-"));
  CHECK(sudo.ready());
}

TEST_CASE("what sudo says becomes an error with its own remedy") {
  struct Case {
    const char* says;
    int status;
    const char* what;
    const char* hint;
  };
  const std::vector<Case> cases = {
      {"sudo: a password is required\n", 1, "sudo wants the password of ada",
       "become_password_env"},
      {"sudo: a terminal is required to read the password; either use the -S option\n", 1,
       "sudo wants the password of ada", "become_password_env"},
      {"ada is not in the sudoers file.  This incident will be reported.\n", 1,
       "ada may not use sudo: ada is not in the sudoers file", "/etc/sudoers.d/ada"},
      {"Sorry, user ada is not allowed to execute '/bin/sh' as root on cu01.\n", 1,
       "ada may not use sudo", "/etc/sudoers.d/ada"},
      {"sudo: sorry, you must have a tty to run sudo\n", 1, "requiretty", "!requiretty"},
      {"sh: 1: sudo: not found\n", 127, "there is no sudo on the node", "install sudo"},
      {"sudo: /etc/sudo.conf is owned by uid 1000, should be 0\n", 1,
       "sudo did not start the command (exit status 1): sudo: /etc/sudo.conf", "by hand"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.says);
    SudoDialogue sudo({.user = "ada"});
    sudo.on_stderr(each.says);
    const auto error = sudo.ended(each.status);
    CHECK(error.fault == Fault::auth);
    CHECK(contains(error.what, each.what));
    CHECK(contains(error.hint, each.hint));
  }
}

TEST_CASE("a second prompt means that the password was wrong") {
  SudoDialogue sudo(with_password());
  const auto ask = marker(sudo.wrap("true"), "[podwright-ask-");
  sudo.on_stderr(ask);
  sudo.take_password();
  sudo.on_stderr("Sorry, try again.\n" + ask);
  REQUIRE(sudo.failure());
  CHECK(sudo.failure()->fault == Fault::auth);
  CHECK(sudo.failure()->what == "sudo refused the password of ada from $SUDO_PW");
  CHECK(!contains(sudo.failure()->message(), "pass word"));
}

TEST_CASE("a real sudo over SSH") {
  TestUser::fresh();
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  auto node = lab.node("a", sshd->port);
  node.ssh.user = "pwtest";
  node.ssh.become = "sudo";
  const Request script = command("a", "sh -s", "id -un\necho \"$HOME\"\necho oops >&2\nexit 3\n");
  const auto expect_root = [&](const Result<Reply>& result) {
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(result->exit_status == 3);
    CHECK(result->out == "root\n/root\n");
    CHECK(result->err == "oops\n");
  };
  setenv("PW_SUDO", "open sesame", 1);

  SUBCASE("without a password") {
    TestUser::sudoers("pwtest ALL=(ALL) NOPASSWD: ALL");
    expect_root(once(node, script, lab.options()));
    node.ssh.become_password_env = "PW_SUDO";  // given, but not asked for
    expect_root(once(node, script, lab.options()));
    auto plain = script;
    plain.become = false;
    const auto result = once(node, plain, lab.options());
    REQUIRE(result);
    CHECK(result->out.starts_with("pwtest\n"));
  }
  SUBCASE("with a password, big binary input and a command with quotes") {
    TestUser::sudoers("pwtest ALL=(ALL) ALL");
    node.ssh.become_password_env = "PW_SUDO";
    expect_root(once(node, script, lab.options()));
    std::string input(2'000'000, '\0');
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<char>(i * 31 >> 3U);
    auto echo = command("a", "id -un >&2; echo \"it's\"; cat", input);
    const auto result = once(node, echo, lab.options());
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(result->err == "root\n");
    CHECK(result->out == "it's\n" + input);
  }
  SUBCASE("a password is wanted and none is named") {
    TestUser::sudoers("pwtest ALL=(ALL) ALL");
    const auto result = once(node, script, lab.options());
    REQUIRE(!result);
    CHECK(result.error().fault == Fault::auth);
    CHECK(contains(result.error().hint, "become_password_env"));
  }
  SUBCASE("the named variable is not set") {
    node.ssh.become_password_env = "PW_NOT_SET";
    const auto result = once(node, script, lab.options());
    REQUIRE(!result);
    CHECK(result.error().fault == Fault::auth);
    CHECK(contains(result.error().what, "$PW_NOT_SET is not set"));
  }
  SUBCASE("the password is wrong") {
    TestUser::sudoers("pwtest ALL=(ALL) ALL");
    setenv("PW_SUDO", "abracadabra", 1);
    node.ssh.become_password_env = "PW_SUDO";
    const auto mark = lab.dir.file("mark");
    auto touch = command("a", "sh -s", "touch " + mark + "\n");
    const auto result = once(node, touch, lab.options());
    REQUIRE(!result);
    CHECK(result.error().fault == Fault::auth);
    CHECK(contains(result.error().what, "sudo refused the password of pwtest from $PW_SUDO"));
    CHECK(!contains(result.error().message(), "abracadabra"));
    CHECK(!std::filesystem::exists(mark));
  }
  SUBCASE("not in the sudoers file") {
    node.ssh.become_password_env = "PW_SUDO";
    const auto result = once(node, script, lab.options());
    REQUIRE(!result);
    CHECK(result.error().fault == Fault::auth);
    CHECK(contains(result.error().what, "pwtest may not use sudo"));
  }
  SUBCASE("requiretty") {
    TestUser::sudoers("Defaults:pwtest requiretty\npwtest ALL=(ALL) NOPASSWD: ALL");
    const auto result = once(node, script, lab.options());
    REQUIRE(!result);
    CHECK(contains(result.error().what, "requiretty"));
  }
  SUBCASE("doctor names sudo's step") {
    TestUser::sudoers("pwtest ALL=(ALL) ALL");
    SshTransport transport({node}, lab.options());
    const auto diagnosis = transport.diagnose("a", {});
    REQUIRE(diagnosis);
    REQUIRE(diagnosis->error);
    CHECK(diagnosis->steps.back().method == "sudo");
    CHECK(!diagnosis->steps.back().ok);
  }
  SUBCASE("a deadline ends the command on the node") {
    TestUser::sudoers("pwtest ALL=(ALL) NOPASSWD: ALL");
    const auto mark = "/tmp/podwright-pwtest/mark";
    auto slow = command("a", std::string("sleep 1; touch ") + mark);
    slow.become = false;
    slow.deadline = 300ms;
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({slow}, nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK(results.at("a").error().fault == Fault::timeout);
    std::this_thread::sleep_for(1s);
    CHECK(!std::filesystem::exists(mark));
  }
  unsetenv("PW_SUDO");
}

TEST_CASE("passwords, and keyboard-interactive, over SSH") {
  TestUser::fresh();
  const Lab lab;
  setenv("PW_LOGIN", "open sesame", 1);
  const auto log_in = [&](const std::string& config, const auto& change) {
    const auto sshd = lab.server(config);
    lab.trust(*sshd);
    auto node = lab.node("a", sshd->port);
    node.ssh.user = "pwtest";
    node.ssh.key.clear();
    node.ssh.password_env = "PW_LOGIN";
    auto options = lab.options();
    change(node, options);
    return once(node, command("a", "id -un"), options);
  };
  const auto nothing = [](Node&, SshOptions&) {};

  SUBCASE("password") {
    const auto result = log_in("PasswordAuthentication yes", nothing);
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(result->out == "pwtest\n");
  }
  SUBCASE("keyboard-interactive only") {
    const auto result = log_in("UsePAM yes\nKbdInteractiveAuthentication yes", nothing);
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(result->out == "pwtest\n");
  }
  SUBCASE("wrong") {
    setenv("PW_LOGIN", "abracadabra", 1);
    const auto result = log_in("PasswordAuthentication yes", nothing);
    REQUIRE(!result);
    CHECK(result.error().fault == Fault::auth);
    CHECK(contains(result.error().what, "password $PW_LOGIN: refused"));
    CHECK(!contains(result.error().message(), "abracadabra"));
  }
  SUBCASE("not offered") {
    const auto result = log_in("", nothing);
    REQUIRE(!result);
    CHECK(contains(result.error().what, "the server accepts publickey"));
  }
  SUBCASE("variable not set") {
    unsetenv("PW_LOGIN");
    const auto result = log_in("PasswordAuthentication yes", nothing);
    REQUIRE(!result);
    CHECK(contains(result.error().what, "$PW_LOGIN is not set"));
  }
  SUBCASE("typed, once for all nodes, however long it takes") {
    const auto result = log_in("PasswordAuthentication yes", [](Node& node, SshOptions& options) {
      node.ssh.password_env.clear();
      node.ssh.ask_password = true;
      options.login_timeout = 1500ms;
      options.ask = [](const std::string& prompt) -> Result<Secret> {
        CHECK(prompt == "SSH password for pwtest: ");
        std::this_thread::sleep_for(1700ms);
        return Secret("open sesame");
      };
    });
    REQUIRE_MESSAGE(result, result.error().message());
  }
  SUBCASE("key and password together") {
    const auto result =
        log_in("PasswordAuthentication yes\nAuthenticationMethods publickey,password",
               [&lab](Node& node, SshOptions&) { node.ssh.key = lab.key; });
    REQUIRE_MESSAGE(result, result.error().message());
  }
  unsetenv("PW_LOGIN");
}
