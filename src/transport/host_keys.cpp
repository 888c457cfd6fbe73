#include "transport/host_keys.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "transport/host_patterns.hpp"

namespace podwright {

namespace {

std::string name_of(std::string_view address, int port) {
  std::string name = port == 22 ? std::string(address) : fmt::format("[{}]:{}", address, port);
  std::ranges::transform(name, name.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  return name;
}

bool is_hashed(std::string_view names) { return names.starts_with("|1|"); }
bool is_pattern(std::string_view names) {
  return names.find_first_of("*?!") != std::string_view::npos;
}

/// `|1|salt|hash`: hash is HMAC-SHA1 of the name under the salt.
bool hash_matches(std::string_view hashed, const std::string& name) {
  const auto parts = split(hashed, '|');
  if (parts.size() != 4) return false;
  const auto salt = base64_decode(parts[2]);
  const auto wanted = base64_decode(parts[3]);
  if (!salt || !wanted) return false;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha1(), salt->data(), static_cast<int>(salt->size()),
       reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data(), &size);
  return std::string_view(reinterpret_cast<const char*>(digest.data()), size) == *wanted;
}

std::string without_name(std::string_view names, std::string_view name) {
  std::string kept;
  for (const auto each : split(names, ',')) {
    if (name_of(each, 22) == name) continue;
    if (!kept.empty()) kept += ',';
    kept += each;
  }
  return kept;
}

}  // namespace

std::string HostKey::fingerprint() const {
  const auto blob = base64_decode(base64);
  if (!blob) return "(not a key)";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  unsigned int size = 0;
  EVP_Digest(blob->data(), blob->size(), digest.data(), &size, EVP_sha256(), nullptr);
  auto text = base64_encode(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Result<HostKeyStore> HostKeyStore::load(const std::filesystem::path& path) {
  HostKeyStore store;
  store.path_ = path;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return store;
  const auto text = read_file(path);
  if (!text) return fail(text.error());
  store.parse(*text);
  return store;
}

void HostKeyStore::parse(std::string_view text) {
  lines_.clear();
  entries_.clear();
  by_name_.clear();
  patterns_.clear();
  hashed_.clear();
  for (const auto line : lines(text)) {
    lines_.emplace_back(line);
    parse_line(line, static_cast<int>(lines_.size()));
  }
}

void HostKeyStore::parse_line(std::string_view line, int number) {
  auto fields = words(line);
  if (fields.empty() || fields.front().starts_with('#')) return;
  bool revoked = false;
  if (fields.front().starts_with('@')) {
    // Certificates of hosts are not understood by the SSH library: an authority vouches for nobody.
    if (fields.front() != "@revoked") return;
    revoked = true;
    fields.erase(fields.begin());
  }
  if (fields.size() < 3) return;
  const auto index = entries_.size();
  const auto names = fields[0];
  entries_.push_back({.key = {.type = std::string(fields[1]), .base64 = std::string(fields[2])},
                      .line = number,
                      .revoked = revoked});
  if (is_hashed(names)) {
    hashed_.push_back({std::string(names), index});
  } else if (is_pattern(names)) {
    patterns_.push_back({std::string(names), index});
  } else {
    for (const auto name : split(names, ',')) by_name_[name_of(name, 22)].push_back(index);
  }
}

std::vector<std::size_t> HostKeyStore::find(const std::string& name) const {
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  std::vector<std::size_t> indices;
  for (const auto& scope : patterns_) {
    if (patterns_match(split(scope.names, ','), name)) indices.push_back(scope.entry);
  }
  for (const auto& scope : hashed_) {
    if (hash_matches(scope.names, name)) indices.push_back(scope.entry);
  }
  return indices;
}

std::vector<HostKey> HostKeyStore::keys(std::string_view address, int port) const {
  std::vector<HostKey> keys;
  for (const auto index : find(name_of(address, port))) {
    if (!entries_[index].revoked) keys.push_back(entries_[index].key);
  }
  return keys;
}

std::vector<std::string> HostKeyStore::types(std::string_view address, int port) const {
  std::vector<std::string> types;
  for (const auto index : find(name_of(address, port))) {
    const auto& entry = entries_[index];
    if (entry.revoked) continue;
    if (std::ranges::find(types, entry.key.type) == types.end()) types.push_back(entry.key.type);
  }
  return types;
}

KeyVerdict HostKeyStore::check(std::string_view address, int port, const HostKey& key) const {
  KeyVerdict verdict;
  for (const auto index : find(name_of(address, port))) {
    const auto& entry = entries_[index];
    const bool same = entry.key == key;
    if (entry.revoked) {
      if (same) return {.match = KeyMatch::revoked, .stored = entry.key, .line = entry.line};
      continue;
    }
    if (same) {
      verdict = {.match = KeyMatch::match, .stored = entry.key, .line = entry.line};
    } else if (verdict.match == KeyMatch::unknown ||
               (verdict.match == KeyMatch::changed && verdict.stored.type != key.type)) {
      verdict = {.match = KeyMatch::changed, .stored = entry.key, .line = entry.line};
    }
  }
  return verdict;
}

void HostKeyStore::pin(std::string_view address, int port, const HostKey& key) {
  unsaved_.push_back({.name = name_of(address, port), .key = key});
  apply(unsaved_.back());
}

void HostKeyStore::apply(const Pin& pin) {
  auto text = fmt::format("{} {} {}", pin.name, pin.key.type, pin.key.base64);
  const auto old = find(pin.name);
  if (old.empty()) {
    lines_.push_back(std::move(text));
    parse_line(lines_.back(), static_cast<int>(lines_.size()));
    return;
  }
  // Replacing is rare; editing the lines and reading them again keeps every index right.
  for (const auto index : old) {
    const auto& entry = entries_[index];
    if (entry.revoked) continue;
    auto& line = lines_[static_cast<std::size_t>(entry.line) - 1];
    const auto names = words(line).front();
    if (is_pattern(names)) continue;
    const auto kept = is_hashed(names) ? std::string() : without_name(names, pin.name);
    line = kept.empty() ? std::string() : kept + line.substr(line.find(names) + names.size());
  }
  std::string joined;
  for (const auto& line : lines_) {
    const bool emptied =
        line.empty() && std::ranges::any_of(old, [&](std::size_t index) {
          return &lines_[static_cast<std::size_t>(entries_[index].line) - 1] == &line;
        });
    if (!emptied) joined += line + '\n';
  }
  parse(joined + text + '\n');
}

Status HostKeyStore::save() {
  if (unsaved_.empty()) return {};
  auto fresh = load(path_);
  if (!fresh) return fail(fresh.error());
  for (const auto& pin : unsaved_) fresh->apply(pin);
  std::string text;
  for (const auto& line : fresh->lines_) text += line + '\n';
  if (auto written = write_file(path_, text, 0644); !written) return written;
  *this = std::move(*fresh);
  return {};
}

}  // namespace podwright
