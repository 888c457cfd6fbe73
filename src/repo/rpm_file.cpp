#include "repo/rpm_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <vector>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

// Names and numbers of rpm's lib/rpmtag.h and lib/rpmds.h.
enum Tag : std::uint32_t {
  name = 1000, version = 1001, release = 1002, epoch = 1003, summary = 1004, description = 1005, build_time = 1006,
  installed_size = 1009, vendor = 1011, license = 1014, packager = 1015, group = 1016, url = 1020, file_modes = 1030,
  file_flags = 1037, arch = 1022, source_rpm = 1044, archive_size = 1046, dir_indexes = 1116, base_names = 1117, dir_names = 1118
};
struct Relations {
  const char* element;
  std::uint32_t names, flags, versions;
};
constexpr std::array<Relations, 8> all_relations{{{"provides", 1047, 1112, 1113}, {"requires", 1049, 1048, 1050},
                                                  {"conflicts", 1054, 1053, 1055}, {"obsoletes", 1090, 1114, 1115},
                                                  {"suggests", 5049, 5051, 5050}, {"enhances", 5055, 5057, 5056},
                                                  {"recommends", 5046, 5048, 5047}, {"supplements", 5052, 5054, 5053}}};
constexpr std::uint32_t sense_less = 2, sense_greater = 4, sense_equal = 8;
constexpr std::uint32_t sense_pre = 64 | 512 | 1024;  // prereq, %pre, %post
constexpr std::uint32_t ghost = 64;
constexpr std::uint32_t most_entries = 65536, most_bytes = 256 << 20;  // rpm's own limits

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

struct Entry {
  std::uint32_t type, offset, count;
};

/// A header structure: an index of tags, and their data. Everything is checked against its bounds.
class Header {
 public:
  /// Reads one where the stream is, whose file has `file_size` bytes; nothing when it is none.
  static std::optional<Header> read(std::istream& in, std::uint64_t file_size) {
    std::string intro(16, '\0');
    if (!in.read(intro.data(), 16) || intro.compare(0, 4, "\x8e\xad\xe8\x01", 4) != 0) return {};
    const auto count = big_endian(intro, 8), size = big_endian(intro, 12);
    if (count > most_entries || size > most_bytes || size > file_size) return {};
    std::string index(std::size_t{count} * 16, '\0');
    Header header;
    header.data_.resize(size);
    if (!in.read(index.data(), static_cast<std::streamsize>(index.size())) || !in.read(header.data_.data(), size)) return {};
    for (std::size_t i = 0; i < count; ++i) {
      header.entries_[big_endian(index, i * 16)] = {big_endian(index, i * 16 + 4), big_endian(index, i * 16 + 8), big_endian(index, i * 16 + 12)};
    }
    return header;
  }

  [[nodiscard]] std::size_t size() const { return data_.size(); }

  [[nodiscard]] std::vector<std::string> texts(std::uint32_t tag) const {
    std::vector<std::string> all;
    const auto entry = entries_.find(tag);
    if (entry == entries_.end() || (entry->second.type != 6 && entry->second.type != 8 && entry->second.type != 9)) return all;
    std::size_t at = entry->second.offset;
    for (std::uint32_t i = 0; i < entry->second.count && at < data_.size(); ++i) {
      const auto end = data_.find('\0', at);
      if (end == std::string::npos) break;
      all.push_back(valid_utf8(std::string_view(data_).substr(at, end - at)));
      at = end + 1;
    }
    return all;
  }
  [[nodiscard]] std::string text(std::uint32_t tag) const {
    const auto all = texts(tag);
    return all.empty() ? "" : all.front();
  }
  [[nodiscard]] std::vector<std::uint32_t> numbers(std::uint32_t tag) const {
    std::vector<std::uint32_t> all;
    const auto entry = entries_.find(tag);
    if (entry == entries_.end()) return all;
    const std::size_t width = entry->second.type == 3 ? 2 : entry->second.type == 4 ? 4 : 0;
    for (std::uint32_t i = 0; width > 0 && i < entry->second.count; ++i) {
      const auto at = entry->second.offset + std::size_t{i} * width;
      if (at + width > data_.size()) break;
      all.push_back(width == 4 ? big_endian(data_, at)
                               : static_cast<std::uint32_t>(static_cast<unsigned char>(data_[at]) << 8U | static_cast<unsigned char>(data_[at + 1])));
    }
    return all;
  }
  [[nodiscard]] std::uint32_t number(std::uint32_t tag) const {
    const auto all = numbers(tag);
    return all.empty() ? 0 : all.front();
  }

 private:
  std::map<std::uint32_t, Entry> entries_;
  std::string data_;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // U+FFFE and U+FFFF are no characters of XML.
    if (const auto three = text.substr(i, 3); three == "\xEF\xBF\xBE" || three == "\xEF\xBF\xBF") {
      i += 2;
      continue;
    }
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default:
        // XML 1.0 has no way to write other control characters.
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

/// epoch="0" ver="1.0" rel="1"; without a release where there is none.
std::string evr(std::string_view text) {
  std::string_view epoch_text = "0";
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    epoch_text = text.substr(0, colon);
    text = text.substr(colon + 1);
  }
  const auto dash = text.rfind('-');
  auto all = fmt::format("epoch=\"{}\" ver=\"{}\"", escaped(epoch_text), escaped(text.substr(0, dash)));
  if (dash != std::string_view::npos) all += fmt::format(" rel=\"{}\"", escaped(text.substr(dash + 1)));
  return all;
}

const char* sense(std::uint32_t flags) {
  switch (flags & (sense_less | sense_greater | sense_equal)) {
    case sense_less: return "LT";
    case sense_greater: return "GT";
    case sense_equal: return "EQ";
    case sense_less | sense_equal: return "LE";
    case sense_greater | sense_equal: return "GE";
    default: return nullptr;
  }
}

/// What the header's texts may become. Files share the names of their folders, so that it may be more than there
/// is in the header; but entries may share all of their texts, and make gigabytes of some kB.
std::size_t most_text(const Header& header) { return (std::size_t{1} << 20U) + 16 * header.size(); }

std::string relations(const Header& header, const Relations& which) {
  const auto names = header.texts(which.names);
  const auto flags = header.numbers(which.flags);
  const auto versions = header.texts(which.versions);
  std::string entries;
  for (std::size_t i = 0; i < names.size() && entries.size() <= most_text(header); ++i) {
    // What rpm itself can do is rpm's to check.
    if (names[i].starts_with("rpmlib(")) continue;
    const auto flag = i < flags.size() ? flags[i] : 0;
    entries += fmt::format("      <rpm:entry name=\"{}\"", escaped(names[i]));
    const auto* compare = sense(flag);
    if (compare != nullptr && i < versions.size() && !versions[i].empty()) entries += fmt::format(" flags=\"{}\" {}", compare, evr(versions[i]));
    if (std::string_view(which.element) == "requires" && (flag & sense_pre) != 0) entries += " pre=\"1\"";
    entries += "/>\n";
  }
  return entries.empty() ? "" : fmt::format("    <rpm:{0}>\n{1}    </rpm:{0}>\n", which.element, entries);
}

std::string files(const Header& header) {
  const auto names = header.texts(base_names);
  const auto folders = header.texts(dir_names);
  const auto where = header.numbers(dir_indexes);
  const auto modes = header.numbers(file_modes);
  const auto flags = header.numbers(file_flags);
  std::string all;
  for (std::size_t i = 0; i < names.size() && i < where.size() && all.size() <= most_text(header); ++i) {
    if (where[i] >= folders.size()) continue;
    const bool is_folder = i < modes.size() && (modes[i] & 0170000U) == 0040000U;
    const bool is_ghost = i < flags.size() && (flags[i] & ghost) != 0;
    all += fmt::format("    <file{}>{}</file>\n", is_folder ? " type=\"dir\"" : is_ghost ? " type=\"ghost\"" : "", escaped(folders[where[i]] + names[i]));
  }
  return all;
}

}  // namespace

Result<std::string> primary_of_rpm(const fs::path& file, const std::string& sha256, const std::string& href) {
  const auto broken = [&](std::string_view why) {
    return fail(Fault::validation, fmt::format("{} is no rpm: {}", file.string(), why), "fetch it again");
  };
  std::ifstream in(file, std::ios::binary);
  std::error_code ignored;
  const auto size = fs::file_size(file, ignored);
  std::string lead(96, '\0');
  if (!in.read(lead.data(), 96) || lead.compare(0, 4, "\xed\xab\xee\xdb", 4) != 0) return broken("it does not begin like one");
  const auto signature = Header::read(in, size);
  if (!signature) return broken("its signature header cannot be read");
  in.seekg((static_cast<std::streamoff>(in.tellg()) + 7) / 8 * 8);
  const auto start = static_cast<std::uint64_t>(in.tellg());
  const auto header = Header::read(in, size);
  if (!header || header->text(name).empty()) return broken("its header cannot be read");
  const auto end = static_cast<std::uint64_t>(in.tellg());

  auto xml = fmt::format("<package type=\"rpm\">\n  <name>{}</name>\n  <arch>{}</arch>\n", escaped(header->text(name)), escaped(header->text(arch)));
  xml += fmt::format("  <version epoch=\"{}\" ver=\"{}\" rel=\"{}\"/>\n", header->number(epoch), escaped(header->text(version)), escaped(header->text(release)));
  xml += fmt::format("  <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\n", sha256);
  for (const auto& [element, tag] : {std::pair<const char*, Tag>{"summary", summary}, {"description", description}, {"packager", packager}, {"url", url}}) {
    xml += fmt::format("  <{0}>{1}</{0}>\n", element, escaped(header->text(tag)));
  }
  xml += fmt::format("  <time file=\"0\" build=\"{}\"/>\n", header->number(build_time));
  xml += fmt::format("  <size package=\"{}\" installed=\"{}\" archive=\"{}\"/>\n", size, header->number(installed_size), header->number(archive_size));
  xml += fmt::format("  <location href=\"{}\"/>\n  <format>\n", escaped(href));
  for (const auto& [element, tag] : {std::pair<const char*, Tag>{"license", license}, {"vendor", vendor}, {"group", group}, {"sourcerpm", source_rpm}}) {
    xml += fmt::format("    <rpm:{0}>{1}</rpm:{0}>\n", element, escaped(header->text(tag)));
  }
  xml += fmt::format("    <rpm:header-range start=\"{}\" end=\"{}\"/>\n", start, end);
  for (const auto& one : all_relations) xml += relations(*header, one);
  // All of them, so that what needs a file finds it without filelists.xml.
  xml += files(*header);
  if (xml.size() > most_text(*header)) return broken("its header names the same texts many times over");
  return xml + "  </format>\n</package>\n";
}

Result<std::map<std::string, std::string>> rpm_metadata(const LockedSystem& system, const std::map<std::string, std::string>& paths,
                                                        const std::string& folder, const fs::path& packages) {
  auto primary = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" "
                             "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{}\">\n", system.packages.size());
  for (const auto& package : system.packages) {
    const auto& path = paths.at(package.sha256);
    const auto one = primary_of_rpm(packages / package.sha256, package.sha256, path.substr(folder.size() + 1));
    if (!one) return fail(one.error());
    primary += *one;
  }
  primary += "</metadata>\n";
  const auto repomd = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n  <revision>0</revision>\n"
      "  <data type=\"primary\">\n    <checksum type=\"sha256\">{}</checksum>\n    <location href=\"repodata/primary.xml\"/>\n"
      "    <timestamp>0</timestamp>\n    <size>{}</size>\n  </data>\n</repomd>\n",
      sha256_hex(primary), primary.size());
  return std::map<std::string, std::string>{{folder + "/repodata/primary.xml", primary}, {folder + "/repodata/repomd.xml", repomd}};
}

}  // namespace podwright
