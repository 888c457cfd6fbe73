#include "repo/download.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/open_file.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// libcurl's global state, for as long as the process lives.
void start_curl() {
  static const auto started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw std::runtime_error("libcurl cannot be started");
}

struct EasyDeleter {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
};

/// Whether another attempt may end differently.
bool may_get_better(CURLcode code, long status) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    case CURLE_HTTP_RETURNED_ERROR:
      return status == 408 || status == 429 || status >= 500;
    default:
      return false;
  }
}

/// One file on its way.
class Transfer {
 public:
  Transfer(const Download& wanted, const DownloadOptions& options)
      : wanted_(wanted), options_(options), part_(wanted.path.string() + ".part") {}

  [[nodiscard]] const Download& wanted() const { return wanted_; }
  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  [[nodiscard]] Clock::time_point not_before() const { return not_before_; }

  /// Prepares the next attempt.
  Status begin() {
    ++attempt_;
    message_[0] = '\0';
    arrived_ = 0;
    std::error_code problem;
    if (auto made = make_directories(wanted_.path.parent_path()); !made) return made;
    // What changes on its server has no beginning that could be gone on with.
    if (wanted_.if_newer) fs::remove(part_, problem);
    const auto have = fs::file_size(part_, problem);
    from_ = problem ? 0 : have;
    file_.reset(std::fopen(part_.c_str(), "abe"));
    if (!file_) return fail(Fault::internal, fmt::format("{} cannot be written", part_.string()));
    easy_.reset(::curl_easy_init());
    if (!easy_) throw std::bad_alloc();
    auto* easy = easy_.get();
    const auto set = [&](CURLoption option, auto value) { ::curl_easy_setopt(easy, option, value); };
    set(CURLOPT_URL, wanted_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https,file");
    // Whoever asks for TLS relies on it.
    set(CURLOPT_REDIR_PROTOCOLS_STR, wanted_.url.starts_with("https:") ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 10L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "podwright");
    set(CURLOPT_ERRORBUFFER, message_.data());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(options_.stall_timeout.count() / 1000)));
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(from_));
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
    set(CURLOPT_WRITEDATA, this);
    struct stat there {};
    if (wanted_.if_newer) {
      set(CURLOPT_FILETIME, 1L);
      if (::stat(wanted_.path.c_str(), &there) == 0) {
        set(CURLOPT_TIMECONDITION, static_cast<long>(CURL_TIMECOND_IFMODSINCE));
        set(CURLOPT_TIMEVALUE_LARGE, static_cast<curl_off_t>(there.st_mtim.tv_sec));
      }
    }
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_PRIVATE, this);
    return {};
  }

  /// What became of the attempt: nothing (the file is there), an error, or another attempt.
  enum class End { done, again, failed };
  End finish(CURLcode code, Error& error) {
    long status = 0;
    ::curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    long unmet = 0;
    ::curl_easy_getinfo(easy_.get(), CURLINFO_CONDITION_UNMET, &unmet);
    curl_off_t changed = -1;
    ::curl_easy_getinfo(easy_.get(), CURLINFO_FILETIME_T, &changed);
    const bool flushed = std::fflush(file_.get()) == 0;
    file_.reset();
    easy_.reset();
    // The rest of a file that is complete already, or that has changed and become shorter.
    const bool range_refused = status == 416 || code == CURLE_RANGE_ERROR;
    if (from_ > 0 && range_refused) return take(error);
    if (code == CURLE_OK && !flushed) code = CURLE_WRITE_ERROR;
    if (code == CURLE_OK && (unmet != 0 || status == 304)) {
      std::error_code ignored;
      fs::remove(part_, ignored);
      return End::done;
    }
    if (code == CURLE_OK && wanted_.if_newer && changed > 0) {
      // It may change once more within the second that it says: then it is asked for as if it were older (RFC 9110, 8.8.2.2).
      const auto since = static_cast<time_t>(changed) + 1 < std::time(nullptr) ? changed : changed - 1;
      const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW}, {.tv_sec = static_cast<time_t>(since), .tv_nsec = 0}};
      ::utimensat(AT_FDCWD, part_.c_str(), times, 0);
    }
    if (code == CURLE_OK) return take(error);
    if (too_large_) {
      std::error_code ignored;
      fs::remove(part_, ignored);
      error = {.fault = Fault::validation,
               .what = fmt::format("{} is larger than the {} bytes that it should have", wanted_.url, wanted_.most_bytes),
               .hint = "the file behind the URL was replaced or damaged"};
      return End::failed;
    }
    error = explain(code, status);
    if (!may_get_better(code, status)) return End::failed;
    return again_or_failed();
  }

 private:
  /// The bytes are here; are they the right ones?
  End take(Error& error) {
    const auto digest = wanted_.sha256.empty() ? Result<std::string>("") : sha256_of_file(part_);
    if (!digest) {
      error = digest.error();
      return End::failed;
    }
    std::error_code problem;
    if (*digest != wanted_.sha256) {
      fs::remove(part_, problem);
      error = {.fault = Fault::validation,
               .what = fmt::format("{} has the SHA-256 {}, and {} was asked for", wanted_.url, *digest,
                                   wanted_.sha256),
               .hint = "the file behind the URL was replaced or damaged; check it against what its "
                       "vendor publishes, then correct `sha256`"};
      // A beginning that was kept from another version of the file: once more, from its start.
      return from_ > 0 ? again_or_failed() : End::failed;
    }
    fs::rename(part_, wanted_.path, problem);
    if (!problem) return End::done;
    error = {.fault = Fault::internal,
             .what = fmt::format("{} cannot be written: {}", wanted_.path.string(), problem.message())};
    return End::failed;
  }

  End again_or_failed() {
    if (attempt_ >= options_.attempts) return End::failed;
    not_before_ = Clock::now() + options_.first_wait * (1 << (attempt_ - 1));
    return End::again;
  }

  [[nodiscard]] Error explain(CURLcode code, long status) const {
    const std::string said = message_[0] != '\0' ? message_.data() : ::curl_easy_strerror(code);
    Error error{.fault = Fault::unreachable,
                .what = fmt::format("{} cannot be fetched: {}", wanted_.url, clean_output(said))};
    if (attempt_ > 1) error.what += fmt::format(" ({} attempts)", attempt_);
    switch (code) {
      case CURLE_WRITE_ERROR:
        error.fault = Fault::internal;
        error.hint = fmt::format("is there room in {}?", wanted_.path.parent_path().string());
        break;
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
        error.hint = "the server's certificate is not trusted here: is ca-certificates installed, is the clock right?";
        break;
      case CURLE_HTTP_RETURNED_ERROR:
        error.hint = status == 404 ? "the vendor may have moved it: correct the URL in the profile"
                                   : "the server refuses; is a login or a licence needed?";
        break;
      default:
        error.hint = "is this machine online? Behind a proxy, set https_proxy; else fetch the file elsewhere "
                     "and name its path as `source`";
    }
    return error;
  }

  static std::size_t on_bytes(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto length = size * count;
    if (transfer.from_ > 0 && !transfer.checked_range_) {
      transfer.checked_range_ = true;
      long status = 0;
      ::curl_easy_getinfo(transfer.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
      // A server without ranges sends the whole file: from the start, then.
      if (status == 200) {
        transfer.file_.reset(std::fopen(transfer.part_.c_str(), "wbe"));
        transfer.from_ = 0;
        if (!transfer.file_) return 0;
      }
    }
    transfer.arrived_ += length;
    if (const auto most = transfer.wanted_.most_bytes; most > 0 && transfer.from_ + transfer.arrived_ > most) {
      transfer.too_large_ = true;
      return 0;
    }
    return std::fwrite(bytes, 1, length, transfer.file_.get());
  }

  static int on_progress(void* self, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
    const auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.options_.stop.stop_requested()) return 1;
    if (transfer.options_.progress) {
      const auto before = transfer.from_;
      transfer.options_.progress(transfer.wanted_, before + static_cast<std::uint64_t>(done),
                                 total > 0 ? before + static_cast<std::uint64_t>(total) : 0);
    }
    return 0;
  }

  const Download& wanted_;
  const DownloadOptions& options_;
  fs::path part_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  OpenFile file_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::uint64_t from_ = 0;  ///< bytes that were there before this attempt
  std::uint64_t arrived_ = 0;  ///< in this attempt
  bool too_large_ = false;
  bool checked_range_ = false;
  int attempt_ = 0;
  Clock::time_point not_before_{};
};

bool is_there(const Download& file) {
  if (file.sha256.empty() || !fs::is_regular_file(file.path)) return false;
  const auto digest = sha256_of_file(file.path);
  return digest && *digest == file.sha256;
}

}  // namespace

std::map<std::string, Error> download(const std::vector<Download>& files, const DownloadOptions& options) {
  start_curl();
  std::map<std::string, Error> failed;
  std::deque<std::unique_ptr<Transfer>> waiting;
  std::set<fs::path> seen;
  for (const auto& file : files) {
    if (seen.insert(file.path).second && !is_there(file)) waiting.push_back(std::make_unique<Transfer>(file, options));
  }
  const std::unique_ptr<CURLM, MultiDeleter> multi(::curl_multi_init());
  if (!multi) throw std::bad_alloc();
  std::vector<std::unique_ptr<Transfer>> running;

  while (!waiting.empty() || !running.empty()) {
    if (options.stop.stop_requested()) break;
    const auto now = Clock::now();
    for (auto next = waiting.begin(); next != waiting.end() && running.size() < options.side_by_side;) {
      if ((*next)->not_before() > now) {
        ++next;
        continue;
      }
      auto transfer = std::move(*next);
      next = waiting.erase(next);
      if (auto begun = transfer->begin(); !begun) {
        failed.emplace(transfer->wanted().url, begun.error());
        continue;
      }
      ::curl_multi_add_handle(multi.get(), transfer->easy());
      running.push_back(std::move(transfer));
    }
    int active = 0;
    ::curl_multi_perform(multi.get(), &active);
    int left = 0;
    while (const auto* message = ::curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const auto code = message->data.result;
      const auto ended = std::ranges::find(running, message->easy_handle, &Transfer::easy);
      auto transfer = std::move(*ended);
      running.erase(ended);
      ::curl_multi_remove_handle(multi.get(), transfer->easy());
      Error error;
      const auto end = transfer->finish(code, error);
      if (end == Transfer::End::again) waiting.push_back(std::move(transfer));
      else if (end == Transfer::End::failed) failed.emplace(transfer->wanted().url, std::move(error));
    }
    ::curl_multi_poll(multi.get(), nullptr, 0, 50, nullptr);
  }
  for (const auto* rest : {&running}) {
    for (const auto& transfer : *rest) ::curl_multi_remove_handle(multi.get(), transfer->easy());
  }
  if (options.stop.stop_requested()) {
    const Error stopped{.fault = Fault::cancelled, .what = "interrupted before it was fetched"};
    for (const auto& transfer : running) failed.emplace(transfer->wanted().url, stopped);
    for (const auto& transfer : waiting) failed.emplace(transfer->wanted().url, stopped);
  }
  return failed;
}

}  // namespace podwright
