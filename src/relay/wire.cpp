#include "relay/wire.hpp"

#include <algorithm>
#include <charconv>

namespace podwright::relay {

namespace {

constexpr std::size_t longest_line = 1U << 20U;
constexpr std::uint64_t largest_hashes = 1U << 28U;

}  // namespace

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> all;
  while (!line.empty()) {
    const auto end = std::min(line.find(' '), line.size());
    if (end > 0) all.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return all;
}

bool parse(std::string_view word, std::uint64_t& into) {
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), into);
  return problem == std::errc() && end == word.data() + word.size();
}

std::string ranges(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    auto last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(numbers[i]);
    if (last > i) text += '-' + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

bool parse_ranges(std::string_view text, std::uint32_t limit, std::vector<std::uint32_t>& into) {
  std::uint64_t next = 0;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const auto dash = part.find('-');
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    if (!parse(part.substr(0, dash), first)) return false;
    if (dash == std::string_view::npos) last = first;
    else if (!parse(part.substr(dash + 1), last)) return false;
    if (first < next || last < first || last >= limit) return false;
    for (auto number = first; number <= last; ++number) into.push_back(static_cast<std::uint32_t>(number));
    next = last + 1;
  }
  return true;
}

bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

std::uint64_t chunk_count(std::uint64_t size, std::uint64_t chunk) { return size / chunk + (size % chunk != 0); }

std::string encode(const Setup& setup) {
  std::string text;
  const auto line = [&text](std::string_view name, const std::string& value) {
    text.append(name).append(" ").append(value).append("\n");
  };
  line("token", setup.token);
  line("listen", setup.listen);
  line("folder", setup.folder);
  line("prefix", setup.prefix);
  line("chunk", std::to_string(setup.chunk));
  line("rate", std::to_string(setup.rate));
  line("deadline", std::to_string(setup.deadline.count()));
  for (const auto& address : setup.allowed) line("allow", address);
  std::vector<std::uint32_t> there;
  for (const auto& object : setup.objects) {
    if (object.have) there.push_back(static_cast<std::uint32_t>(&object - setup.objects.data()));
    line("object", object.name + " " + std::to_string(object.size));
  }
  line("have", ranges(there));
  for (const auto peer : setup.peers) line("pending", std::to_string(peer));
  if (setup.indexed) line("indexed", "yes");
  line("hashes", std::to_string(setup.hashes.size()));
  text += setup.hashes;
  text += "go\n";
  return text;
}

bool Decoder::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (raw_left_ > 0) {
      const auto piece = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(raw_left_, bytes.size())));
      if (reading_hashes_) {
        setup_.hashes += piece;
      } else {
        on_data(object_, offset_, piece);
        offset_ += piece.size();
      }
      raw_left_ -= piece.size();
      bytes.remove_prefix(piece.size());
      if (raw_left_ == 0) reading_hashes_ = false;
      continue;
    }
    const auto end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() > longest_line) return false;
    if (end == std::string_view::npos) return true;
    bytes.remove_prefix(end + 1);
    if (!on_whole_line(line_)) return false;
    line_.clear();
  }
  return true;
}

bool Decoder::on_whole_line(std::string_view line) {
  if (!ready_) return on_setup_line(line);
  const auto parts = words(line);
  if (parts.empty()) return false;
  if (parts[0] != "data") {
    on_line(line);
    return true;
  }
  std::uint64_t object = 0;
  if (parts.size() != 4 || !parse(parts[1], object) || !parse(parts[2], offset_) || !parse(parts[3], raw_left_)) return false;
  object_ = static_cast<std::uint32_t>(object);
  return object < setup_.objects.size();
}

bool Decoder::on_setup_line(std::string_view line) {
  const auto space = line.find(' ');
  const auto name = line.substr(0, space);
  const auto value = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  std::uint64_t number = 0;
  if (line == "alive" || line == "end") {
    on_line(line);
  } else if (name == "token") {
    setup_.token = value;
  } else if (name == "listen") {
    setup_.listen = value;
  } else if (name == "folder") {
    setup_.folder = value;
  } else if (name == "prefix") {
    setup_.prefix = value;
  } else if (name == "chunk") {
    return parse(value, setup_.chunk) && setup_.chunk > 0;
  } else if (name == "rate") {
    return parse(value, setup_.rate);
  } else if (name == "deadline") {
    if (!parse(value, number)) return false;
    setup_.deadline = std::chrono::seconds(number);
  } else if (name == "allow") {
    setup_.allowed.emplace_back(value);
  } else if (name == "pending") {
    if (!parse(value, number)) return false;
    setup_.peers.push_back(static_cast<std::uint32_t>(number));
  } else if (name == "object") {
    const auto parts = words(value);
    if (parts.size() != 2 || !parse(parts[1], number)) return false;
    // It becomes a file's name.
    if (parts[0].size() != 2 * digest_size || parts[0].find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
    setup_.objects.push_back({.name = std::string(parts[0]), .size = number});
  } else if (name == "have") {
    std::vector<std::uint32_t> there;
    if (!parse_ranges(value, static_cast<std::uint32_t>(setup_.objects.size()), there)) return false;
    for (const auto index : there) setup_.objects[index].have = true;
  } else if (name == "indexed") {
    setup_.indexed = true;
  } else if (name == "hashes") {
    if (!parse(value, raw_left_) || raw_left_ > largest_hashes) return false;
    reading_hashes_ = raw_left_ > 0;
  } else if (name == "go") {
    if (setup_.chunk == 0 || setup_.token.empty() || setup_.folder.empty()) return false;
    std::uint64_t chunks = 0;
    for (const auto& object : setup_.objects) chunks += chunk_count(object.size, setup_.chunk);
    if (setup_.indexed) {
      if (setup_.objects.empty()) return false;
      const auto& index = setup_.objects.front();
      const auto own = chunk_count(index.size, setup_.chunk);
      if (index.size > largest_hashes || index.size != (chunks - own) * digest_size) return false;
      chunks = own;
    }
    if (setup_.hashes.size() != chunks * digest_size) return false;
    ready_ = true;
    on_setup(setup_);
  } else {
    return false;
  }
  return true;
}

}  // namespace podwright::relay
