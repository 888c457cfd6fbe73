#include "repo/deb_file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/text.hpp"

namespace podwright {

namespace {

struct Deleter {
  void operator()(archive* one) const { archive_read_free(one); }
};
using Reader = std::unique_ptr<archive, Deleter>;

/// The largest control archives of Debian have some hundred KiB.
constexpr la_int64_t most_bytes = 64 << 20;

/// The content of the first member that `wanted` accepts; empty: there is none, or it cannot be read.
template <class Wanted>
std::string member(archive* reader, Wanted wanted) {
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || !wanted(std::string_view(name))) continue;
    std::string content;
    char block[65536];
    for (;;) {
      const auto got = archive_read_data(reader, block, sizeof block);
      if (got < 0) return {};
      if (got == 0) break;
      if (static_cast<la_int64_t>(content.size()) + got > most_bytes) return {};
      content.append(block, static_cast<std::size_t>(got));
    }
    return content;
  }
  return {};
}

}  // namespace

Result<std::string> control_of_deb(const std::filesystem::path& file) {
  const auto broken = [&](std::string_view why) {
    return fail(Fault::validation, fmt::format("{} is no Debian package: {}", file.string(), why), "fetch it again");
  };
  const Reader outer(archive_read_new());
  archive_read_support_format_ar(outer.get());
  archive_read_support_filter_none(outer.get());
  if (archive_read_open_filename(outer.get(), file.c_str(), 65536) != ARCHIVE_OK) return broken("it cannot be read");
  const auto packed = member(outer.get(), [](std::string_view name) { return name.starts_with("control.tar"); });
  if (packed.empty()) return broken("it has no control.tar");
  const Reader inner(archive_read_new());
  archive_read_support_format_tar(inner.get());
  // What dpkg knows, and not filter_all(): libarchive unpacks some kinds with whatever program of that name is in PATH.
  archive_read_support_filter_gzip(inner.get());
  archive_read_support_filter_xz(inner.get());
  archive_read_support_filter_zstd(inner.get());
  if (archive_read_open_memory(inner.get(), packed.data(), packed.size()) != ARCHIVE_OK) return broken("its control.tar cannot be read");
  const auto content = member(inner.get(), [](std::string_view name) { return name == "./control" || name == "control"; });
  const auto control = trim(content);
  if (control.empty()) return broken("it has no control file");
  // An entry behind it would be a package of its own in the index that this becomes part of.
  if (std::ranges::any_of(lines(control), [](auto line) { return line.empty() || line == "\r"; })) return broken("its control file has an empty line");
  return std::string(control) + "\n";
}

}  // namespace podwright
