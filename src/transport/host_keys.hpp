/// The host keys that `discover` pinned, in the plain format of known_hosts. The file is read once;
/// looking a host up costs a hash, however many hosts there are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"

namespace podwright {

struct HostKey {
  std::string type;    ///< "ssh-ed25519"
  std::string base64;  ///< of the key itself, as known_hosts has it

  /// "SHA256:…" as ssh prints it.
  [[nodiscard]] std::string fingerprint() const;
  bool operator==(const HostKey&) const = default;
};

enum class KeyMatch { match, unknown, changed, revoked };

struct KeyVerdict {
  KeyMatch match = KeyMatch::unknown;
  HostKey stored{};  ///< what was pinned, when the key is a changed one
  int line = 0;      ///< of the file, where that stands
};

class HostKeyStore {
 public:
  /// A file that does not exist yet is an empty store. Lines that are not host keys are kept, and
  /// take part in nothing.
  static Result<HostKeyStore> load(const std::filesystem::path& path);

  /// The types of key that are pinned for a host, in the file's order: what to ask the server for.
  [[nodiscard]] std::vector<std::string> types(std::string_view address, int port) const;
  /// The keys themselves, in the file's order; revoked ones are left out.
  [[nodiscard]] std::vector<HostKey> keys(std::string_view address, int port) const;
  [[nodiscard]] KeyVerdict check(std::string_view address, int port, const HostKey& key) const;

  /// Remembers a key in the place of all that were pinned for the host. In memory until save().
  void pin(std::string_view address, int port, const HostKey& key);
  /// Writes the file atomically when something was pinned. The file is read again first, so that
  /// whatever else was written to it meanwhile stays, comments and order included.
  Status save();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    HostKey key;
    int line = 0;
    bool revoked = false;
  };
  struct Scope {  ///< where an entry that is not for plain names applies
    std::string names;
    std::size_t entry = 0;
  };
  struct Pin {
    std::string name;
    HostKey key;
  };

  void parse(std::string_view text);
  void parse_line(std::string_view line, int number);
  void apply(const Pin& pin);
  [[nodiscard]] std::vector<std::size_t> find(const std::string& name) const;

  std::filesystem::path path_;
  std::vector<std::string> lines_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
  std::vector<Scope> patterns_;
  std::vector<Scope> hashed_;
  std::vector<Pin> unsaved_;
};

}  // namespace podwright
