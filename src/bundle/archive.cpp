#include "bundle/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

using Writer = std::unique_ptr<archive, decltype(&archive_write_free)>;
using Reader = std::unique_ptr<archive, decltype(&archive_read_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

tl::unexpected<Error> archive_failure(std::string_view doing, const fs::path& file, archive* of) {
  const char* reason = archive_error_string(of);
  return fail(Fault::internal, fmt::format("cannot {} {}: {}", doing, file.string(),
                                           reason == nullptr ? "unknown reason" : reason));
}

/// Whether unpacking the path somewhere would stay there.
bool stays_inside(const std::string& path) {
  return !path.empty() && path.front() != '/' &&
         std::ranges::none_of(split(path, '/'), [](auto part) { return part == ".."; });
}

}  // namespace

Status write_archive(const fs::path& file, const std::map<std::string, std::string>& entries) {
  const auto temporary = file.string() + ".tmp-" + random_hex(4);
  const Writer writer(archive_write_new(), &archive_write_free);
  archive_write_set_format_pax_restricted(writer.get());
  archive_write_add_filter_zstd(writer.get());
  const auto before = ::umask(0077);
  const int opened = archive_write_open_filename(writer.get(), temporary.c_str());
  ::umask(before);
  const auto failed = [&] {
    auto failure = archive_failure("write", file, writer.get());
    ::unlink(temporary.c_str());
    return failure;
  };
  if (opened != ARCHIVE_OK) return failed();
  for (const auto& [path, content] : entries) {
    const Entry entry(archive_entry_new(), &archive_entry_free);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    if (archive_write_header(writer.get(), entry.get()) != ARCHIVE_OK ||
        archive_write_data(writer.get(), content.data(), content.size()) !=
            static_cast<la_ssize_t>(content.size())) {
      return failed();
    }
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return failed();
  std::error_code problem;
  fs::rename(temporary, file, problem);
  if (problem) {
    ::unlink(temporary.c_str());
    return fail(Fault::internal, fmt::format("cannot write {}: {}", file.string(), problem.message()));
  }
  return {};
}

Result<std::map<std::string, std::string>> read_archive(const fs::path& file, std::size_t most_bytes) {
  const Reader reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(reader.get());
  // Not filter_all(): libarchive unpacks some kinds with whatever program of that name is in PATH.
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  if (archive_read_open_filename(reader.get(), file.c_str(), 65536) != ARCHIVE_OK) {
    return archive_failure("read", file, reader.get());
  }
  std::map<std::string, std::string> files;
  std::size_t total = 0;
  archive_entry* entry = nullptr;
  for (;;) {
    const int next = archive_read_next_header(reader.get(), &entry);
    if (next == ARCHIVE_EOF) return files;
    if (next != ARCHIVE_OK) return archive_failure("read", file, reader.get());
    const char* name = archive_entry_pathname(entry);
    const std::string path = name == nullptr ? "" : name;
    const auto refuse = [&](std::string_view why) {
      return fail(Fault::validation, fmt::format("{}: \"{}\" {}", file.string(), clean_output(path), why),
                  "the archive was not written by podwright, or was tampered with");
    };
    if (!stays_inside(path)) return refuse("would be written outside of the archive's folder");
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) {
      return refuse("is no regular file");
    }
    auto& content = files[path];
    char buffer[65536];
    for (;;) {
      const auto got = archive_read_data(reader.get(), buffer, sizeof buffer);
      if (got == 0) break;
      if (got < 0) return archive_failure("read", file, reader.get());
      total += static_cast<std::size_t>(got);
      if (total > most_bytes) return refuse("makes the archive larger than it may be");
      content.append(buffer, static_cast<std::size_t>(got));
    }
  }
}

}  // namespace podwright
