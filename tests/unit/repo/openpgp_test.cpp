#include "repo/openpgp.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/files.hpp"
#include "base/text.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

const fs::path cases = fs::path(PODWRIGHT_CASES) / "openpgp";

std::string text_of(const std::string& name) { return read_file(cases / name).value(); }

/// A file that goes with the test.
struct Written {
  explicit Written(const std::string& content) : path(fs::temp_directory_path() / ("podwright-openpgp-" + random_hex(8))) {
    std::ofstream(path) << content;
  }
  ~Written() { fs::remove(path); }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  fs::path path;
};

}  // namespace

TEST_CASE("a clear-signed file yields what was signed, and nothing around it") {
  const Written file("Suite: evil\n" + text_of("InRelease") + "Suite: evil\n");
  const auto read = verify_clearsigned(file.path, text_of("key.asc"), "test");
  REQUIRE(read);
  CHECK(read->text == "Origin: test\nSuite: stable\n");
  CHECK(read->fingerprints.size() == 1);
}

TEST_CASE("a changed text, a key that nobody trusts and a file without signature are refused by name") {
  auto changed = text_of("InRelease");
  changed.replace(changed.find("stable"), 6, "stably");
  const Written file(changed);
  const auto bad = verify_clearsigned(file.path, text_of("key.asc"), "debian bookworm");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().fault == Fault::validation);
  CHECK(bad.error().what.find("debian bookworm") != std::string::npos);

  const auto other = verify_clearsigned(cases / "InRelease", text_of("other.asc"), "debian bookworm");
  REQUIRE_FALSE(other);
  CHECK(other.error().what.find("not among the trusted ones") != std::string::npos);
  // One of several keys suffices.
  CHECK(verify_clearsigned(cases / "InRelease", text_of("other.asc") + text_of("key.asc"), "test"));

  CHECK_FALSE(verify_clearsigned(cases / "Release", text_of("key.asc"), "test"));
}

TEST_CASE("detached signatures") {
  CHECK(verify_detached(cases / "Release", cases / "Release.gpg", text_of("key.asc"), "test"));
  const Written changed("Origin: test\nSuite: stably\n");
  const auto bad = verify_detached(changed.path, cases / "Release.gpg", text_of("key.asc"), "test");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().what.find("is bad") != std::string::npos);
}

TEST_CASE("armor: headers are skipped, blocks are joined, damage is told") {
  const auto key = text_of("key.asc");
  auto with_header = key;
  with_header.insert(with_header.find('\n') + 1, "Comment: of a test\n");
  CHECK(dearmor(with_header).value() == dearmor(key).value());
  CHECK(dearmor(key + "some text\n" + key).value() == dearmor(key).value() + dearmor(key).value());
  CHECK_FALSE(dearmor("no key"));
  CHECK_FALSE(dearmor(key.substr(0, key.size() / 2)));
}

TEST_CASE("the keys of the distributions that are shipped") {
  std::size_t read = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWRIGHT_SOURCE_DIR) / "distributions/keys")) {
    CAPTURE(entry.path().string());
    const auto armored = read_file(entry.path()).value();
    const auto binary = dearmor(armored);
    REQUIRE_MESSAGE(binary.has_value(), binary.error().what);
    // gpgv reads them as well: what it finds missing is the key of the signature, not a keyring.
    const auto other = verify_clearsigned(cases / "InRelease", armored, "test");
    REQUIRE_FALSE(other);
    CHECK(other.error().what.find("not among the trusted ones") != std::string::npos);
    CHECK(verify_clearsigned(cases / "InRelease", armored + text_of("key.asc"), "test"));
    ++read;
  }
  CHECK(read >= 4);
}
