#include "bundle/packed.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "base/open_file.hpp"
#include "base/text.hpp"
#include "bundle/blocks.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// The tar's bytes, as they come out of zstd: read and unpacked ahead, in a thread of its own.
class Source {
 public:
  explicit Source(const std::function<void(std::string_view)>& file_bytes) {
    if (file_bytes) file_bytes_ = std::make_unique<BlockTaker>(file_bytes);
  }
  ~Source() {
    ready_.abandon();
    if (thread_.joinable()) thread_.join();
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  Status open(const fs::path& file) {
    in_.reset(std::fopen(file.c_str(), "rbe"));
    if (!in_) return fail(Fault::usage, file.string() + " cannot be read", "is that the bundle's path?");
    // 128 MiB: what zstd's own tool takes without being told to.
    ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, 27);
    thread_ = std::thread([this] { work(); });
    return {};
  }

  /// The next bytes; empty at the end, or with a problem.
  std::string_view next() {
    auto block = ready_.take();
    if (!block) {
      problem_ = found_;
      return {};
    }
    last_ = std::move(block);
    given_ += last_->size;
    return last_->bytes();
  }
  /// Once next() was empty.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// What was given behind byte `position`: the rest of the last block.
  [[nodiscard]] std::string_view unused(std::uint64_t position) const {
    if (!last_) return {};
    const auto last = last_->bytes();
    const auto start = given_ - last.size();
    return position <= start ? last : last.substr(std::min<std::size_t>(position - start, last.size()));
  }

  static la_ssize_t on_read(archive*, void* self, const void** bytes) {
    const auto block = static_cast<Source*>(self)->next();
    *bytes = block.data();
    return static_cast<Source*>(self)->problem_.empty() ? static_cast<la_ssize_t>(block.size()) : -1;
  }

 private:
  void work() {
    for (;;) {
      auto block = pool_.get();
      found_ = unpack_into(*block);
      if (block->size == 0 || !ready_.put(std::move(block))) break;
    }
    ready_.end();
  }

  /// Fills the block with what comes next. Left empty: that was all, or there is a problem.
  std::string unpack_into(Block& block) {
    for (;;) {
      if (packed_.pos == packed_.size) {
        raw_ = pool_.get();
        raw_->size = std::fread(raw_->memory.get(), 1, block_size, in_.get());
        packed_ = {raw_->memory.get(), raw_->size, 0};
        if (packed_.size == 0) {
          if (std::ferror(in_.get()) != 0) return "it cannot be read to its end";
          if (in_frame_) return "it is cut off";
          return any_ ? "" : "it is empty";
        }
        if (file_bytes_) file_bytes_->put(raw_);
      }
      ZSTD_outBuffer out{block.memory.get(), block_size, 0};
      const auto more = ZSTD_decompressStream(zstd_.get(), &out, &packed_);
      if (ZSTD_isError(more) != 0) {
        return any_ && !in_frame_ ? "there are bytes behind its end that do not belong to it"
                                  : fmt::format("it is damaged, or no zstd archive ({})", ZSTD_getErrorName(more));
      }
      any_ = true;
      in_frame_ = more != 0;
      block.size = out.pos;
      if (out.pos > 0) return "";
    }
  }

  BlockPool pool_{};
  std::unique_ptr<BlockTaker> file_bytes_{};
  BlockQueue ready_{};
  std::string found_{};  ///< of the thread, until it has ended the queue
  SharedBlock last_{};
  std::uint64_t given_ = 0;
  std::string problem_{};
  // Of the thread.
  OpenFile in_{};
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> zstd_{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  SharedBlock raw_{};
  ZSTD_inBuffer packed_{nullptr, 0, 0};
  bool in_frame_ = false;
  bool any_ = false;
  std::thread thread_{};
};

}  // namespace

bool is_plain_member(std::string_view path) {
  if (path.empty() || path.size() > 4096 || path.front() == '/') return false;
  if (std::ranges::any_of(path, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; })) return false;
  return std::ranges::none_of(split(path, '/'), [](auto part) { return part.empty() || part == "." || part == ".."; });
}

Status unpack(const fs::path& file, const MemberSink& sink, const UnpackLimits& limits, const std::stop_token& stop) {
  Source source(sink.file_bytes);
  if (auto opened = source.open(file); !opened) return opened;
  const auto refuse = [&](const std::string& why) {
    return fail(Fault::validation, fmt::format("{}: {}", file.string(), why),
                "nothing of it was used; fetch the bundle again, or ask whoever made it");
  };
  const std::unique_ptr<archive, int (*)(archive*)> tar(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(tar.get());
  const auto broken = [&]() {
    if (!source.problem().empty()) return refuse(source.problem());
    const char* said = archive_error_string(tar.get());
    return refuse(fmt::format("it is damaged: {}", said == nullptr ? "unknown reason" : clean_output(said)));
  };
  if (archive_read_open(tar.get(), &source, nullptr, &Source::on_read, nullptr) != ARCHIVE_OK) return broken();

  std::set<std::string> seen;
  std::uint64_t total = 0;
  std::uint64_t count = 0;
  archive_entry* entry = nullptr;
  for (;;) {
    if (stop.stop_requested()) return fail(Fault::cancelled, "interrupted");
    const int next = archive_read_next_header(tar.get(), &entry);
    if (next == ARCHIVE_EOF) break;
    if (next != ARCHIVE_OK) return broken();
    const char* name = archive_entry_pathname(entry);
    std::string path = name == nullptr ? "" : name;
    const auto shown = clean_output(path);
    if (++count > limits.members) return refuse(fmt::format("it has more than {} members", limits.members));
    while (path.starts_with("./")) path.erase(0, 2);
    const auto type = archive_entry_filetype(entry);
    if (type == AE_IFDIR) {
      while (path.ends_with('/')) path.pop_back();
      if (path.empty() || path == "." || is_plain_member(path)) continue;
      return refuse(fmt::format("\"{}\" would lie outside of the bundle", shown));
    }
    if (!is_plain_member(path)) return refuse(fmt::format("\"{}\" would lie outside of the bundle", shown));
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
      return refuse(fmt::format("\"{}\" is a link", shown));
    }
    if (type != AE_IFREG) return refuse(fmt::format("\"{}\" is neither a file nor a folder", shown));
    if (archive_entry_sparse_count(entry) > 0) return refuse(fmt::format("\"{}\" has holes", shown));
    if (!seen.insert(path).second) return refuse(fmt::format("\"{}\" is in it twice", shown));
    const auto size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > limits.bytes - total) {
      return refuse(fmt::format("\"{}\" makes it larger than {}", shown, human_bytes(limits.bytes)));
    }
    total += static_cast<std::uint64_t>(size);
    if (auto begun = sink.begin(path, static_cast<std::uint64_t>(size)); !begun) return begun;
    std::uint64_t got = 0;
    for (;;) {
      const void* block = nullptr;
      std::size_t length = 0;
      la_int64_t offset = 0;
      const int data = archive_read_data_block(tar.get(), &block, &length, &offset);
      if (data == ARCHIVE_EOF) break;
      if (data != ARCHIVE_OK) return broken();
      if (static_cast<std::uint64_t>(offset) != got || got + length > static_cast<std::uint64_t>(size)) {
        return refuse(fmt::format("\"{}\" has holes", shown));
      }
      got += length;
      if (auto taken = sink.bytes({static_cast<const char*>(block), length}); !taken) return taken;
    }
    if (got != static_cast<std::uint64_t>(size)) return refuse(fmt::format("\"{}\" is cut off", shown));
    if (auto ended = sink.end(); !ended) return ended;
  }
  if (!source.problem().empty()) return refuse(source.problem());
  // A tar ends with zeros. Whatever else follows was put there by somebody.
  std::uint64_t zeros = 0;
  const auto read = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_filter_bytes(tar.get(), 0), 0));
  auto rest = source.unused(read);
  if (rest.empty()) rest = source.next();
  for (; !rest.empty(); rest = source.next()) {
    zeros += rest.size();
    if (zeros > (std::uint64_t{2} << 20U) || std::ranges::any_of(rest, [](char c) { return c != '\0'; })) {
      return refuse("there are bytes behind its end that do not belong to it");
    }
  }
  if (!source.problem().empty()) return refuse(source.problem());
  return {};
}

}  // namespace podwright
