// Logging in: keys, agent, passwords, host keys, and what is said when they do not fit.
#include <doctest/doctest.h>

#include <cstdlib>

#include "fixture.hpp"

using namespace podwright;
using namespace podwright::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Result<Reply> once(const Node& node, SshOptions options) {
  SshTransport transport({node}, std::move(options));
  auto results = transport.run({command(node.name, "echo in")}, nullptr, {});
  return std::move(results.at(node.name));
}

/// An ssh-agent with keys in it, and $SSH_AUTH_SOCK while it lives.
class Agent {
 public:
  Agent(const TempDir& dir, const std::vector<std::string>& keys)
      : socket_(dir.file("agent.sock")) {
    must("ssh-agent -a " + socket_ + " > " + dir.file("agent.env"));
    const auto text = slurp(dir.file("agent.env"));
    pid_ = std::stoi(text.substr(text.find("SSH_AGENT_PID=") + 14));
    for (const auto& key : keys) must("SSH_AUTH_SOCK=" + socket_ + " ssh-add -q " + key);
    setenv("SSH_AUTH_SOCK", socket_.c_str(), 1);
  }
  ~Agent() {
    unsetenv("SSH_AUTH_SOCK");
    kill(pid_, SIGKILL);
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  void pause() const { kill(pid_, SIGSTOP); }

 private:
  std::string socket_;
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("a key that the node does not know is refused, with the list of what was tried") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  auto node = lab.node("a", sshd->port);
  node.ssh.key = make_key(lab.dir, "stranger");
  const auto result = once(node, lab.options());
  REQUIRE(!result);
  CHECK(result.error().fault == Fault::auth);
  CHECK(contains(result.error().what,
                 "refused the login as root: key " + node.ssh.key + ": refused"));
  CHECK(contains(result.error().what, "the server accepts publickey"));
  CHECK(contains(result.error().hint, "authorized_keys"));
}

TEST_CASE("keys of every kind log in") {
  const Lab lab;
  for (const auto* type : {"rsa -b 2048", "ecdsa", "ed25519"}) {
    CAPTURE(type);
    const TempDir dir;
    const auto key = make_key(dir, "id", "", type);
    const Sshd sshd({.authorized = key + ".pub"});
    lab.trust(sshd);
    auto node = lab.node("a", sshd.port);
    node.ssh.key = key;
    const auto result = once(node, lab.options());
    REQUIRE_MESSAGE(result, result.error().message());
  }
}

TEST_CASE("a key file that cannot be used is told apart from one that is refused") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  auto node = lab.node("a", sshd->port);
  SUBCASE("missing") {
    node.ssh.key = lab.dir.file("nowhere");
    const auto result = once(node, lab.options());
    REQUIRE(!result);
    CHECK(result.error().fault == Fault::auth);
    CHECK(contains(result.error().what, "nowhere: there is no such file"));
  }
  SUBCASE("readable by others") {
    chmod(lab.key.c_str(), 0644);
    const auto result = once(node, lab.options());
    REQUIRE(!result);
    CHECK(
        contains(result.error().what, "others may read it (mode 0644); run: chmod 600 " + lab.key));
  }
  SUBCASE("not a key") {
    node.ssh.key = lab.dir.write("text", "hello\n");
    const auto result = once(node, lab.options());
    REQUIRE(!result);
    CHECK(contains(result.error().what, "not a private key"));
  }
  SUBCASE("nothing to try at all") {
    node.ssh.key.clear();
    const auto result = once(node, lab.options());
    REQUIRE(!result);
    CHECK(contains(result.error().what, "no key, no agent and no password"));
  }
}

TEST_CASE("an encrypted key asks for its passphrase once for all nodes") {
  const Lab lab;
  const auto key = make_key(lab.dir, "locked", "sesame");
  const Sshd sshd({.authorized = key + ".pub"});
  lab.trust(sshd);
  auto a = lab.node("a", sshd.port);
  a.ssh.key = key;
  auto b = a;
  b.name = "b";
  auto options = lab.options();
  int asked = 0;
  std::string answer = "sesame";
  options.ask = [&](const std::string& prompt) -> Result<Secret> {
    ++asked;
    CHECK(prompt == "Passphrase for key " + key + ": ");
    return Secret(answer);
  };
  SUBCASE("right") {
    SshTransport transport({a, b}, options);
    const auto results = transport.run({command("a", "true"), command("b", "true")}, nullptr, {});
    REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
    REQUIRE_MESSAGE(results.at("b"), results.at("b").error().message());
    CHECK(asked == 1);
  }
  SUBCASE("wrong") {
    answer = "abracadabra";
    const auto result = once(a, options);
    REQUIRE(!result);
    CHECK(contains(result.error().what, "the passphrase is wrong"));
    CHECK(!contains(result.error().message(), "abracadabra"));
    CHECK(asked == 3);
  }
  SUBCASE("nobody to ask") {
    const auto result = once(a, lab.options());
    REQUIRE(!result);
    CHECK(contains(result.error().what, "it is encrypted, and nobody can be asked here"));
  }
  SUBCASE("the agent has it already") {
    must("SSH_ASKPASS_REQUIRE=never; cp " + key + " " + lab.dir.file("open") +
         " && ssh-keygen -q -p -P sesame -N '' -f " + lab.dir.file("open"));
    const Agent agent(lab.dir, {lab.dir.file("open")});
    a.ssh.agent = true;
    const auto result = once(a, options);
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(asked == 0);
  }
}

TEST_CASE("the agent's keys, and the usual files") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  auto node = lab.node("a", sshd->port);
  node.ssh.key.clear();
  SUBCASE("agent") {
    const auto other = make_key(lab.dir, "other");
    const Agent agent(lab.dir, {other, lab.key});
    node.ssh.agent = true;
    const auto result = once(node, lab.options());
    REQUIRE_MESSAGE(result, result.error().message());
  }
  SUBCASE("an agent with the wrong keys") {
    const Agent agent(lab.dir, {make_key(lab.dir, "other")});
    node.ssh.agent = true;
    const auto result = once(node, lab.options());
    REQUIRE(!result);
    CHECK(contains(result.error().what, "agent refused (1 key: other)"));
  }
  SUBCASE("an agent that hangs costs two seconds, once") {
    const Agent agent(lab.dir, {lab.key});
    agent.pause();
    node.ssh.agent = true;
    node.ssh.key = lab.key;
    std::vector<Node> nodes;
    std::vector<Request> requests;
    for (const auto* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
      node.name = name;
      nodes.push_back(node);
      requests.push_back(command(name, "true"));
    }
    SshTransport transport(nodes, lab.options());
    const auto begun = std::chrono::steady_clock::now();
    for (const auto& [name, result] : transport.run(requests, nullptr, {})) {
      REQUIRE_MESSAGE(result, result.error().message());
    }
    CHECK(std::chrono::steady_clock::now() - begun < 12s);
  }
  SUBCASE("~/.ssh/id_ed25519") {
    std::filesystem::create_directory(lab.dir.file(".ssh"));
    std::filesystem::copy(lab.key, lab.dir.file(".ssh/id_ed25519"));
    const auto result = once(node, lab.options());
    REQUIRE_MESSAGE(result, result.error().message());
  }
}

TEST_CASE("too many keys before the right one") {
  const Lab lab;
  const auto sshd = lab.server("MaxAuthTries 2");
  lab.trust(*sshd);
  auto node = lab.node("a", sshd->port);
  node.ssh.key.clear();
  node.ssh.agent = true;
  const Agent agent(lab.dir,
                    {make_key(lab.dir, "k1"), make_key(lab.dir, "k2"), make_key(lab.dir, "k3")});
  const auto result = once(node, lab.options());
  REQUIRE(!result);
  CHECK(result.error().fault == Fault::auth);
  CHECK(contains(result.error().what, "Too many authentication failures"));
  CHECK(contains(result.error().hint, "name the right one"));
}

TEST_CASE("host keys: unknown, pinned by discover, changed, accepted anew") {
  const Lab lab;
  auto sshd = lab.server();
  const auto node = lab.node("a", sshd->port);
  const auto file = lab.dir.file("known_hosts");

  const auto unknown = once(node, lab.options());
  REQUIRE(!unknown);
  CHECK(unknown.error().fault == Fault::auth);
  CHECK(contains(unknown.error().what, "is not known: ssh-ed25519 SHA256:"));
  CHECK(contains(unknown.error().hint, "podwright discover"));
  CHECK(!std::filesystem::exists(file));

  lab.dir.write("known_hosts", "# mine\nother ssh-ed25519 AAAA\n");
  auto options = lab.options();
  options.host_keys = HostKeyPolicy::pin_new;
  REQUIRE(once(node, options));
  CHECK(slurp(file) == "# mine\nother ssh-ed25519 AAAA\n" + sshd->known_hosts_line());
  REQUIRE(once(node, lab.options()));

  // The machine is reinstalled: same address, another key.
  const int port = sshd->port;
  sshd.reset();
  const Sshd again({.authorized = lab.key + ".pub", .port = port});
  for (auto policy : {HostKeyPolicy::pinned, HostKeyPolicy::pin_new}) {
    options.host_keys = policy;
    const auto changed = once(node, options);
    REQUIRE(!changed);
    CHECK(changed.error().fault == Fault::auth);
    CHECK(contains(changed.error().what, "has changed: it shows ssh-ed25519 SHA256:"));
    CHECK(contains(changed.error().what, "but ssh-ed25519 SHA256:"));
    CHECK(contains(changed.error().hint, "podwright discover --accept-new-key 127.0.0.1"));
    CHECK(contains(changed.error().hint, "remove line 3 of " + file));
  }
  options.accept_new_keys = {"127.0.0.1"};
  REQUIRE(once(node, options));
  CHECK(slurp(file) == "# mine\nother ssh-ed25519 AAAA\n" + again.known_hosts_line());
  REQUIRE(once(node, lab.options()));
}

TEST_CASE("a server that lost the pinned type of key has a changed key") {
  const Lab lab;
  auto sshd = lab.server();
  lab.trust(*sshd);
  const int port = sshd->port;
  sshd.reset();
  const TempDir dir;
  const Sshd again({.authorized = lab.key + ".pub",
                    .host_key = make_key(dir, "host", "", "ecdsa"),
                    .port = port});
  const auto result = once(lab.node("a", port), lab.options());
  REQUIRE(!result);
  CHECK(result.error().fault == Fault::auth);
  CHECK(contains(result.error().what, "the pinned ssh-ed25519 is not offered any more"));
}

TEST_CASE("the pinned type is asked for when a server has several") {
  const Lab lab;
  const TempDir dir;
  const auto ed25519 = make_key(dir, "ed25519");
  int count = 0;
  for (const auto* type : {"rsa -b 2048", "ecdsa -b 384"}) {
    const auto key = make_key(dir, "key" + std::to_string(++count), "", type);
    const Sshd sshd(
        {.authorized = lab.key + ".pub", .extra = "HostKey " + ed25519, .host_key = key});
    lab.trust(sshd);  // the key of this type
    const auto result = once(lab.node("a", sshd.port), lab.options());
    REQUIRE_MESSAGE(result, result.error().message());
  }
}

TEST_CASE("a known_hosts that cannot be written is no success") {
  const Lab lab;
  const auto sshd = lab.server();
  auto node = lab.node("a", sshd->port);
  node.ssh.known_hosts = lab.dir.write("file", "") + "/known_hosts";
  auto options = lab.options();
  options.host_keys = HostKeyPolicy::pin_new;
  const auto result = once(node, options);
  REQUIRE(!result);
  CHECK(result.error().fault != Fault::auth);
}

TEST_CASE("doctor's view: every step on the way") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  auto node = lab.node("a", sshd->port);
  const auto step = [](const Diagnosis& diagnosis, std::string_view method) -> AuthTrace {
    for (const auto& each : diagnosis.steps) {
      if (each.method == method) return each;
    }
    return {.method = "absent", .detail = {}, .ok = false};
  };
  SUBCASE("all is well") {
    SshTransport transport({node}, lab.options());
    const auto diagnosis = transport.diagnose("a", {});
    REQUIRE(diagnosis);
    CHECK(!diagnosis->error);
    for (const auto* method : {"tcp", "banner", "key exchange", "host key", "key", "command"}) {
      CAPTURE(method);
      CHECK(step(*diagnosis, method).ok);
    }
    CHECK(contains(step(*diagnosis, "banner").detail, "OpenSSH"));
    CHECK(contains(step(*diagnosis, "key exchange").detail, "curve25519-sha256, aes256-gcm"));
    CHECK(contains(step(*diagnosis, "host key").detail, "as pinned"));
  }
  SUBCASE("the key is refused") {
    node.ssh.key = make_key(lab.dir, "stranger");
    SshTransport transport({node}, lab.options());
    const auto diagnosis = transport.diagnose("a", {});
    REQUIRE(diagnosis);
    REQUIRE(diagnosis->error);
    CHECK(step(*diagnosis, "host key").ok);
    CHECK(!step(*diagnosis, "key").ok);
    CHECK(step(*diagnosis, "command").method == "absent");
  }
}
