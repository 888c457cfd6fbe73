#include "transport/host_keys.hpp"

#include <doctest/doctest.h>

#include "support/sshd.hpp"

using namespace podwright;
using namespace podwright::test;

namespace {

HostKey key(const std::string& base64) { return {.type = "ssh-ed25519", .base64 = base64}; }

}  // namespace

TEST_CASE("fingerprints are those of ssh-keygen") {
  const TempDir dir;
  const auto file = make_key(dir, "id");
  const auto text = slurp(file + ".pub");
  const auto first = text.find(' ');
  const HostKey host{.type = text.substr(0, first),
                     .base64 = text.substr(first + 1, text.find(' ', first + 1) - first - 1)};
  must("ssh-keygen -lf " + file + ".pub > " + dir.file("shown"));
  const auto shown = slurp(dir.file("shown"));
  CHECK(shown.find(" " + host.fingerprint() + " ") != std::string::npos);
}

TEST_CASE("known_hosts: names, ports, several names, patterns, markers, comments") {
  const TempDir dir;
  const auto file = dir.write("known_hosts",
                              "# comment\n"
                              "cu01,10.0.0.1 ssh-ed25519 AAAA a comment\n"
                              "[10.0.0.1]:2222 ssh-ed25519 BBBB\n"
                              "cu01 ssh-rsa CCCC\n"
                              "*.lab,!bad.lab ssh-ed25519 DDDD\n"
                              "@revoked cu01 ssh-ed25519 EEEE\n"
                              "@cert-authority * ssh-ed25519 FFFF\n"
                              "broken line\n");
  const auto store = HostKeyStore::load(file);
  REQUIRE(store);
  const auto match = [&store](std::string_view host, int port, const std::string& base64) {
    return store->check(host, port, key(base64)).match;
  };
  CHECK(match("cu01", 22, "AAAA") == KeyMatch::match);
  CHECK(match("CU01", 22, "AAAA") == KeyMatch::match);
  CHECK(match("10.0.0.1", 22, "AAAA") == KeyMatch::match);
  CHECK(match("10.0.0.1", 2222, "BBBB") == KeyMatch::match);
  CHECK(match("10.0.0.1", 2222, "AAAA") == KeyMatch::changed);
  CHECK(match("10.0.0.1", 2223, "AAAA") == KeyMatch::unknown);
  CHECK(match("a.lab", 22, "DDDD") == KeyMatch::match);
  CHECK(match("bad.lab", 22, "DDDD") == KeyMatch::unknown);
  CHECK(match("cu01", 22, "EEEE") == KeyMatch::revoked);
  CHECK(match("other", 22, "FFFF") == KeyMatch::unknown);
  CHECK(store->types("cu01", 22) == std::vector<std::string>{"ssh-ed25519", "ssh-rsa"});
  const auto changed = store->check("cu01", 22, key("XXXX"));
  CHECK(changed.match == KeyMatch::changed);
  CHECK(changed.line == 2);
  CHECK(changed.stored.base64 == "AAAA");
}

TEST_CASE("hashed names of OpenSSH are understood") {
  const TempDir dir;
  const auto file =
      dir.write("known_hosts", "cu01 ssh-ed25519 AAAA\n[10.0.0.1]:2222 ssh-ed25519 BBBB\n");
  make_key(dir, "id");
  const auto text = slurp(dir.file("id.pub"));
  dir.write("known_hosts", "cu01 " + text + "[10.0.0.1]:2222 " + text);
  must("ssh-keygen -q -H -f " + file + " >/dev/null 2>&1");
  REQUIRE(slurp(file).starts_with("|1|"));
  const auto store = HostKeyStore::load(file);
  REQUIRE(store);
  CHECK(store->types("cu01", 22) == std::vector<std::string>{"ssh-ed25519"});
  CHECK(store->types("10.0.0.1", 2222) == std::vector<std::string>{"ssh-ed25519"});
  CHECK(store->types("cu02", 22).empty());
}

TEST_CASE("pinning keeps what is there, and what others wrote meanwhile") {
  const TempDir dir;
  const auto file = dir.write("known_hosts",
                              "# top\n"
                              "cu01,10.0.0.1 ssh-ed25519 AAAA host one\n"
                              "\n"
                              "cu02 ssh-ed25519 BBBB\n"
                              "# end");
  auto store = HostKeyStore::load(file);
  REQUIRE(store);
  store->pin("cu03", 22, key("CCCC"));      // new
  store->pin("10.0.0.1", 22, key("DDDD"));  // changed: only this name's part of the line goes
  store->pin("cu02", 2222, key("EEEE"));    // another port is another host
  CHECK(store->check("cu03", 22, key("CCCC")).match == KeyMatch::match);
  CHECK(store->check("10.0.0.1", 22, key("DDDD")).match == KeyMatch::match);
  CHECK(store->check("cu01", 22, key("AAAA")).match == KeyMatch::match);
  std::ofstream(file, std::ios::app) << "\ncu04 ssh-ed25519 FFFF\n";
  REQUIRE(store->save());
  CHECK(slurp(file) ==
        "# top\n"
        "cu01 ssh-ed25519 AAAA host one\n"
        "\n"
        "cu02 ssh-ed25519 BBBB\n"
        "# end\n"
        "cu04 ssh-ed25519 FFFF\n"
        "cu03 ssh-ed25519 CCCC\n"
        "10.0.0.1 ssh-ed25519 DDDD\n"
        "[cu02]:2222 ssh-ed25519 EEEE\n");
  CHECK(store->check("cu04", 22, key("FFFF")).match == KeyMatch::match);
  REQUIRE(store->save());  // nothing to do

  store->pin("cu02", 22, key("GGGG"));  // the whole line goes, its neighbours stay
  REQUIRE(store->save());
  CHECK(slurp(file).find("BBBB") == std::string::npos);
  CHECK(slurp(file).find("\n\n# end\n") != std::string::npos);
}

TEST_CASE("a store that does not exist is empty, one that cannot be read is an error") {
  const TempDir dir;
  auto store = HostKeyStore::load(dir.file("deep/known_hosts"));
  REQUIRE(store);
  CHECK(store->size() == 0);
  store->pin("cu01", 22, key("AAAA"));
  REQUIRE(store->save());
  CHECK(slurp(dir.file("deep/known_hosts")) == "cu01 ssh-ed25519 AAAA\n");
  CHECK(!HostKeyStore::load(dir.path()));
}
