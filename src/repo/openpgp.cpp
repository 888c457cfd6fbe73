#include "repo/openpgp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// A folder for the keyring and the text, gone with its owner.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "podwright-gpgv-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// What gpgv's status lines say. Its exit status is no judge: it fails as well when one signature of
/// several is by a key that we do not have, which a change of keys makes common.
Result<std::vector<std::string>> judge(const ProcessOutput& output, const std::string& what) {
  constexpr std::string_view prefix = "[GNUPG:] ";
  std::vector<std::string> good;
  std::string bad, odd;
  bool this_one = false;
  for (auto line : lines(output.out)) {
    if (!line.starts_with(prefix)) continue;
    const auto all = words(line.substr(prefix.size()));
    if (all.empty()) continue;
    if (all[0] == "NEWSIG") this_one = false;
    else if (all[0] == "GOODSIG") this_one = true;
    else if (all[0] == "VALIDSIG" && this_one && all.size() > 1) good.emplace_back(all[1]);
    else if (all[0] == "BADSIG") bad = all.size() > 1 ? all[1] : "?";
    else if (all[0] == "EXPSIG" || all[0] == "EXPKEYSIG" || all[0] == "REVKEYSIG") odd = "a key or signature that has expired or was revoked";
    else if (all[0] == "NO_PUBKEY" && odd.empty() && all.size() > 1) odd = fmt::format("the key {}, which is not among the trusted ones", all[1]);
  }
  const auto* hint = "the mirror is damaged or tampered with, or the publisher has changed keys: compare with the publisher's page";
  if (!bad.empty()) {
    return fail(Fault::validation, fmt::format("{}: the signature by {} is bad: the content was changed after it was signed", what, bad), hint);
  }
  if (good.empty()) {
    return fail(Fault::validation,
                odd.empty() ? fmt::format("{}: there is no valid signature ({})", what, clean_output(trim(output.err)))
                            : fmt::format("{} is signed by {}", what, odd), hint);
  }
  std::ranges::sort(good);
  good.erase(std::unique(good.begin(), good.end()), good.end());
  return good;
}

Result<ProcessOutput> run_gpgv(std::vector<std::string> arguments, const Scratch& scratch, std::string_view keys) {
  if (scratch.path().empty()) return fail(Fault::internal, "there is no room for temporary files", "check TMPDIR");
  const auto binary = dearmor(keys);
  if (!binary) return fail(binary.error());
  const auto ring = scratch.path() / "keys.gpg";
  if (auto written = write_file(ring, *binary, 0600); !written) return fail(written.error());
  std::vector<std::string> argv = {"gpgv", "--homedir", scratch.path().string(), "--keyring", ring.string(),
                                   "--weak-digest", "SHA1", "--status-fd", "1"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto output = run_process(argv, "", Millis(60000));
  if (!output || output->exit_status == 127) {
    return fail(Fault::internal, "gpgv cannot be run, and without it no signature can be checked",
                "install it: apt-get install gpgv, or dnf install gnupg2");
  }
  return output;
}

}  // namespace

Result<std::string> dearmor(std::string_view armored) {
  constexpr std::string_view begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
  constexpr std::string_view end = "-----END PGP PUBLIC KEY BLOCK-----";
  std::string binary;
  for (auto at = armored.find(begin); at != std::string_view::npos; at = armored.find(begin, at)) {
    const auto stop = armored.find(end, at);
    std::string body;
    const auto length = stop == std::string_view::npos ? std::string_view::npos : stop - at - begin.size();
    auto block = lines(armored.substr(at + begin.size(), length));
    // Headers ("Comment: …") come first, if any; an empty line ends them.
    const auto blank = std::find_if(std::min(block.begin() + 1, block.end()), block.end(), [](auto line) { return trim(line).empty(); });
    for (auto line = blank; line != block.end(); ++line) {
      const auto text = trim(*line);
      if (text.starts_with('=') && text.size() == 5) break;  // the checksum
      body += text;
    }
    const auto decoded = base64_decode(body);
    if (stop == std::string_view::npos || !decoded || decoded->empty()) {
      return fail(Fault::usage, "a public key is damaged: its armor cannot be read", "export it again with gpg --armor --export");
    }
    binary += *decoded;
    at = stop;
  }
  if (binary.empty()) {
    return fail(Fault::usage, "there is no armored public key", "it begins with -----BEGIN PGP PUBLIC KEY BLOCK-----; gpg --armor --export writes one");
  }
  return binary;
}

Result<Signed> verify_clearsigned(const fs::path& file, std::string_view keys, const std::string& what) {
  const Scratch scratch;
  const auto text = scratch.path() / "text";
  const auto output = run_gpgv({"--output", text.string(), file.string()}, scratch, keys);
  if (!output) return fail(output.error());
  auto good = judge(*output, what);
  if (!good) return fail(good.error());
  // Only what gpgv wrote is signed: a file may hold more before and after it.
  auto content = read_file(text);
  if (!content) return fail(content.error());
  return Signed{.text = std::move(*content), .fingerprints = std::move(*good)};
}

Result<Signed> verify_detached(const fs::path& file, const fs::path& signature, std::string_view keys,
                               const std::string& what) {
  const Scratch scratch;
  auto content = read_file(file);
  if (!content) return fail(content.error());
  const auto output = run_gpgv({signature.string(), file.string()}, scratch, keys);
  if (!output) return fail(output.error());
  auto good = judge(*output, what);
  if (!good) return fail(good.error());
  return Signed{.text = std::move(*content), .fingerprints = std::move(*good)};
}

}  // namespace podwright
