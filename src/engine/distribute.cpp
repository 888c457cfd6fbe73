#include "engine/distribute.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <deque>
#include <future>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/chains.hpp"
#include "engine/courier.hpp"
#include "engine/fan_out.hpp"
#include "engine/relays.hpp"
#include "relay/pace.hpp"
#include "relay/wire.hpp"

namespace podwright {

namespace {

/// The slowest link and disk that a transfer is given time for, in bytes a second.
constexpr std::uint64_t slowest_link = 1U << 20U;
constexpr std::uint64_t slowest_disk = 20U << 20U;
constexpr std::size_t most_paths = 100;
/// Whoever waits for the digests of more is told so: a second or two, in bytes.
constexpr std::uint64_t long_to_digest = 2U << 30U;

std::chrono::seconds time_for(std::uint64_t bytes, std::uint64_t speed) {
  return std::chrono::seconds(60) + std::chrono::seconds(bytes / speed);
}

const std::string& sha256_of(const std::pair<const std::string, Parcel>& parcel) {
  return parcel.second.sha256.empty() ? parcel.first : parcel.second.sha256;
}

FramedScript question(const Distribution& job, const NodeId& node, const std::set<std::string>& wanted) {
  FramedScript script(job.phase);
  const auto folder = sh::quote(job.folder);
  script.add({.comment = "the machine",
              .script = station_script() + fmt::format("d={}\n"
                                                       "while [ ! -d \"$d\" ]; do d=${{d%/*}}; d=${{d:-/}}; done\n"
                                                       "set -- $(df -Pk \"$d\")\n"  // seven words of heading, then six
                                                       "echo \"room ${{11:-}}\"\n",
                                                       folder)});
  std::string list;
  std::uint64_t bytes = 0;
  for (const auto& content : wanted) {
    list += job.prefix + content + "\n";
    bytes += job.parcels.at(content).size;
  }
  script.add({.comment = "what is there",
              .script = fmt::format("cd {} 2>/dev/null || exit 0\n"
                                    "while read -r name; do [ ! -f \"$name\" ] || sha256sum \"$name\"; done <<'END'\n{}END\n",
                                    folder, list),
              .deadline = time_for(bytes, slowest_disk)});
  if (const auto look = job.look.find(node); look != job.look.end()) {
    script.add({.comment = "where they belong", .script = look->second, .deadline = time_for(bytes, slowest_disk)});
  }
  return script;
}

Station read_station(const FramedResult& answer, const Distribution& job) {
  Station station;
  if (const auto found = answer.frames.find(0); found != answer.frames.end()) {
    for (const auto line : lines(found->second.out)) read_station(line, station);
  }
  if (const auto found = answer.frames.find(1); found != answer.frames.end()) {
    for (const auto line : lines(found->second.out)) {
      const auto parts = words(line);
      if (parts.size() != 2 || !parts[1].starts_with(job.prefix)) continue;
      const std::string content(parts[1].substr(job.prefix.size()));
      if (const auto parcel = job.parcels.find(content); parcel != job.parcels.end() && parts[0] == sha256_of(*parcel)) station.has.insert(content);
    }
  }
  return station;
}

/// An IP address in the words that the kernel uses for it, or nothing.
std::string plain_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> shown{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), bytes.data()) == 1 && inet_ntop(family, bytes.data(), shown.data(), shown.size()) != nullptr) return shown.data();
  }
  return {};
}

/// Reads the file on stdin; in place only once its digest is right.
std::string receiver(const Distribution& job, const std::string& content) {
  const auto path = sh::quote(job.folder + "/" + job.prefix + content);
  const auto script = fmt::format(
      // Another transfer may be writing to what has no number.
      "umask 077; part={1}.part-$$; mkdir -p {0} && cat > \"$part\" || {{ rm -f \"$part\"; exit 1; }}; "
      "[ \"$(sha256sum < \"$part\")\" = {2} ] && mv \"$part\" {1} || {{ rm -f \"$part\"; "
      "echo 'the bytes arrived damaged' >&2; exit 1; }}",
      sh::quote(job.folder), path, sh::quote(sha256_of(*job.parcels.find(content)) + "  -"));
  return "sh -c " + sh::quote(script);
}

/// A file for one node, no faster than all together may go.
class PacedFile : public Feed {
 public:
  PacedFile(const InputFile& file, relay::Pace& pace) : file_(file), pace_(pace) {}
  std::string_view next() override {
    if (piece_left_ == 0 && !ended()) {
      piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, file_.size() - offset_)));
      if (auto read = file_.read(offset_, piece_); !read) unreadable_ = read.error();
      else piece_left_ = piece_.size();
    }
    return std::string_view(piece_).substr(piece_.size() - piece_left_, static_cast<std::size_t>(pace_.allow(piece_left_)));
  }
  void taken(std::size_t bytes) override {
    piece_left_ -= bytes;
    offset_ += bytes;
    pace_.spent(bytes);
  }
  bool ended() override { return offset_ == file_.size(); }
  std::optional<Error> given_up() override { return unreadable_; }

 private:
  static constexpr std::size_t piece_size = std::size_t{64} << 10U;
  const InputFile& file_;
  relay::Pace& pace_;
  std::uint64_t offset_ = 0;
  std::string piece_;
  std::size_t piece_left_ = 0;
  std::optional<Error> unreadable_;
};

/// Whether what is to be sent is more than the relays themselves. It goes by a relay even to one node then:
/// that proves each chunk, and takes up what an earlier transfer left.
bool relays_pay(std::uint64_t bytes, std::size_t nodes, std::size_t relay) {
  return bytes >= 4 * relay || bytes * (nodes - 1) > relay * nodes;
}

/// Files in chunks, with the digest of each.
struct Contents {
  std::uint64_t chunk = 0;
  std::vector<Load::Content> files{};
};

/// Files that are read while a convoy gets ready.
class Reading {
 public:
  template <class Read>
  explicit Reading(Read read) : contents_(std::async(std::launch::async, std::move(read)).share()) {}
  [[nodiscard]] bool ended() const { return contents_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  /// Waits for it.
  [[nodiscard]] const Result<Contents>& get() const { return contents_.get(); }

 private:
  std::shared_future<Result<Contents>> contents_;
};

/// A transfer as it goes on.
class Transfer {
 public:
  Transfer(Site& site, Distribution job) : site_(site), job_(std::move(job)) {}
  Distributed run();

 private:
  bool digested();
  void ask(const std::set<NodeId>& nodes);
  void ask_again();
  void unasked();
  void open_files();
  void look_for_room();
  void by_relays();
  void by_relays(const std::set<std::string>& lacks, const std::vector<NodeId>& nodes);
  void by_ssh();
  void to_its_place();
  Result<Contents> read_contents(const std::set<std::string>& files, std::uint64_t chunk) const;
  std::optional<Load> load(const Reading& reading, const std::vector<NodeId>& nodes, const std::map<NodeId, Station>& ready, const std::set<NodeId>& awaited);
  void convey(Convoy convoy, const Reading& reading, std::uint64_t bytes);
  void failed(const NodeId& node, Error error) {
    error.node = node;
    lacking_.erase(node);
    result_.failed.insert_or_assign(node, std::move(error));
  }
  [[nodiscard]] std::string address_of(const NodeId& node, const Station& station) const;
  [[nodiscard]] bool addresses_are_known(const std::map<NodeId, Station>& ready, const std::set<NodeId>& awaited) const;
  [[nodiscard]] std::uint64_t slowest() const { return job_.rate == 0 ? slowest_link : std::min(slowest_link, job_.rate); }
  [[nodiscard]] std::uint64_t bytes_of(const std::set<std::string>& files) const {
    std::uint64_t bytes = 0;
    for (const auto& content : files) bytes += job_.parcels.at(content).size;
    return bytes;
  }

  Site& site_;
  Distribution job_;
  std::map<NodeId, Station> stations_;
  std::map<NodeId, std::set<std::string>> lacking_;  ///< by nodes that have not failed
  std::map<NodeId, Error> lost_;  ///< their connection broke while they received
  std::set<NodeId> placed_;       ///< have everything, and in its place
  std::set<NodeId> unable_;       ///< cannot take part in a convoy
  std::map<std::string, InputFile> files_;
  Distributed result_;
};

/// What only some transfers need: to digest a whole file takes as long as to send it, on fast networks.
bool Transfer::digested() {
  if (!job_.unread || !job_.unread->digest) return true;
  const auto phase = job_.phase + ": digests";
  const auto begun = std::chrono::steady_clock::now();
  const bool told = job_.unread->bytes >= long_to_digest;
  if (told) site_.events.emit(events::PhaseStarted{phase, job_.parcels.size()});
  const auto digest = std::exchange(job_.unread->digest, nullptr)(job_);
  const auto elapsed = std::chrono::steady_clock::now() - begun;
  if (told) site_.events.emit(events::PhaseFinished{phase, bool(digest), std::chrono::duration_cast<std::chrono::milliseconds>(elapsed)});
  if (digest) return true;
  for (const auto& [node, wanted] : job_.wanted) {
    if (!result_.failed.contains(node) && !placed_.contains(node)) failed(node, digest.error());
  }
  return false;
}

void Transfer::ask(const std::set<NodeId>& nodes) {
  if (!digested()) return;
  std::vector<FramedJob> jobs;
  for (const auto& node : nodes) {
    const auto& wanted = job_.wanted.at(node);
    if (!wanted.empty()) jobs.push_back({node, question(job_, node, wanted)});
  }
  if (jobs.empty()) return;
  for (const auto& [node, answer] : run_framed(site_, jobs, job_.phase + ": what is there")) {
    if (answer.error) {
      failed(node, *answer.error);
      continue;
    }
    const auto& station = stations_.insert_or_assign(node, read_station(answer, job_)).first->second;
    const auto looked = answer.frames.find(2);
    const auto wants = job_.wants && looked != answer.frames.end() ? job_.wants(node, looked->second) : job_.wanted.at(node);
    if (!wants) {
      failed(node, wants.error());
      continue;
    }
    std::set<std::string> lacks;
    std::ranges::set_difference(*wants, station.has, std::inserter(lacks, lacks.end()));
    if (!lacks.empty()) lacking_.insert_or_assign(node, std::move(lacks));
  }
}

/// Nodes that were lost midway, once: one that rebooted, or whose cable was out, is back by now.
void Transfer::ask_again() {
  if (lost_.empty()) return;
  if (site_.stop.stop_requested()) {
    for (const auto& [node, error] : lost_) failed(node, error);
    return;
  }
  std::set<NodeId> nodes;
  for (const auto& [node, error] : lost_) nodes.insert(node);
  ask(nodes);
  for (const auto& [node, error] : std::exchange(lost_, {})) {
    if (result_.failed.contains(node)) failed(node, error);
  }
  by_relays();
  for (const auto& [node, error] : lost_) failed(node, error);
}

void Transfer::look_for_room() {
  for (const auto& [node, lacks] : std::map(lacking_)) {
    const auto& station = stations_.at(node);
    const auto bytes = bytes_of(lacks);
    if (!station.room || *station.room >= bytes + relay::room_to_spare) continue;
    failed(node, no_room(job_.folder, *station.room, bytes));
  }
}

void Transfer::open_files() {
  std::map<std::string, Error> unreadable;
  std::set<std::string> wanted;
  for (const auto& [node, lacks] : lacking_) wanted.insert(lacks.begin(), lacks.end());
  if (job_.provide && !wanted.empty()) unreadable = job_.provide(wanted, job_.parcels);
  for (const auto& [node, lacks] : lacking_) {
    for (const auto& content : lacks) {
      if (files_.contains(content) || unreadable.contains(content)) continue;
      auto file = InputFile::open(job_.parcels.at(content).path);
      if (file) files_.emplace(content, std::move(*file));
      else unreadable.emplace(content, file.error());
    }
  }
  if (unreadable.empty()) return;
  for (const auto& [node, lacks] : std::map(lacking_)) {
    const auto found = std::ranges::find_if(lacks, [&](const auto& content) { return unreadable.contains(content); });
    if (found != lacks.end()) failed(node, unreadable.at(*found));
  }
}

/// An address that its neighbours can use. The one that we reach it at is one that it has; sudo hides it.
std::string Transfer::address_of(const NodeId& node, const Station& station) const {
  const auto* known = site_.inventory.find(node);
  return plain_address(station.address.empty() && known != nullptr ? known->address : station.address);
}

Result<Contents> Transfer::read_contents(const std::set<std::string>& files, std::uint64_t chunk) const {
  Contents contents{.chunk = chunk};
  for (const auto& content : files) {
    const auto& file = files_.at(content);
    const auto& parcel = job_.parcels.at(content);
    const bool known = job_.chunk == chunk && (file.size() == 0 || !parcel.hashes.empty());
    const auto digest = known ? ChunkedDigest{.sha256 = content, .chunks = parcel.hashes} : chunked_sha256(file, chunk);
    if (!digest) return fail(digest.error());
    if (digest->sha256 != content) {
      return fail(Fault::internal, fmt::format("{} changed while it was being sent", parcel.path.string()), "try again when nobody writes to it");
    }
    contents.files.push_back({.name = parcel.name, .content = content, .file = &file, .hashes = digest->chunks});
  }
  return contents;
}

/// Whether those that are not there yet will have the addresses that they are expected to have: so far all had.
bool Transfer::addresses_are_known(const std::map<NodeId, Station>& ready, const std::set<NodeId>& awaited) const {
  const auto expected = [&](const NodeId& node) {
    const auto known = stations_.find(node);
    return address_of(node, known == stations_.end() ? Station{} : known->second);
  };
  return std::ranges::none_of(awaited, [&](const NodeId& node) { return expected(node).empty(); }) &&
         std::ranges::all_of(ready, [&](const auto& each) { return address_of(each.first, each.second) == expected(each.first); });
}

/// For those of these nodes that wait or are awaited, once the files were read; from then on all of them lack something.
std::optional<Load> Transfer::load(const Reading& reading, const std::vector<NodeId>& nodes, const std::map<NodeId, Station>& ready, const std::set<NodeId>& awaited) {
  if (!reading.ended()) return std::nullopt;
  const auto& contents = reading.get();
  if (!contents) return Load{};
  if (!awaited.empty() && !job_.direct && !addresses_are_known(ready, awaited)) return std::nullopt;
  Load load{.folder = job_.folder, .prefix = job_.prefix, .chunk = contents->chunk, .contents = contents->files};
  std::set<std::string> lacks;
  std::uint64_t bytes = 0;
  for (const auto& content : load.contents) {
    lacks.insert(content.content);
    bytes += content.file->size();
  }
  std::vector<NodeId> reachable;
  for (const auto& node : nodes) {
    lacking_[node] = lacks;
    if (const auto found = ready.find(node); found != ready.end()) stations_[node] = found->second;
    else if (awaited.contains(node)) stations_.try_emplace(node);
    else continue;
    if (job_.direct || !address_of(node, stations_.at(node)).empty()) reachable.push_back(node);
    else site_.events.debug(fmt::format("{} cannot relay: its IP address is not known", node));
  }
  // On each leaf those that wait come first: nobody waits for them.
  std::stable_partition(reachable.begin(), reachable.end(), [&](const NodeId& node) { return ready.contains(node); });
  for (const auto& chain : chains(site_.inventory, reachable, bytes, job_.direct ? reachable.size() : job_.chains)) {
    auto& stops = load.chains.emplace_back();
    for (const auto& node : chain) stops.push_back({.node = node, .address = address_of(node, stations_.at(node))});
  }
  return load;
}

/// What it does not do is left in `lacking_`; nothing, where it was called off.
void Transfer::convey(Convoy convoy, const Reading& reading, std::uint64_t bytes) {
  convoy.rate = job_.rate;
  convoy.deadline = 2 * time_for(bytes, slowest()) + job_.place_deadline;
  convoy.load = [&](const auto& ready, const auto& awaited) { return load(reading, convoy.nodes, ready, awaited); };
  convoy.address = [this](const NodeId& node, const Station& station) { return address_of(node, station); };
  convoy.place = job_.place;
  auto arrived = run_convoy(site_, convoy);
  for (auto& [node, error] : arrived.failed) failed(node, std::move(error));
  if (arrived.called_off) return;
  result_.sent_by_head += arrived.fed;
  for (const auto& [node, received] : arrived.received) result_.received[node] += received;
  for (const auto& node : arrived.done) {
    lacking_.erase(node);
    placed_.insert(node);
  }
  for (auto& [node, error] : arrived.lost) {
    lacking_.erase(node);
    lost_.insert_or_assign(node, std::move(error));
  }
  if (!convoy.bare_of.empty()) {  // nothing of them is known: they are asked now
    for (const auto& node : arrived.left_out) lacking_.erase(node);
  }
  for (const auto& node : convoy.nodes) {
    if (lacking_.contains(node)) unable_.insert(node);
  }
}

void Transfer::by_relays() {
  // Nodes that lack the same go together.
  std::map<std::set<std::string>, std::vector<NodeId>> groups;
  for (const auto& node : site_.nodes) {
    if (const auto found = lacking_.find(node); found != lacking_.end() && !unable_.contains(node)) groups[found->second].push_back(node);
  }
  for (const auto& [lacks, nodes] : groups) {
    if (!site_.stop.stop_requested()) by_relays(lacks, nodes);
  }
}

void Transfer::by_relays(const std::set<std::string>& lacks, const std::vector<NodeId>& nodes) {
  const auto bytes = bytes_of(lacks);
  const auto relay = relay_program(stations_.at(nodes.front()).machine, RelayKind::lean_program).size();
  if (!relays_pay(bytes, job_.direct ? 1 : nodes.size(), relay)) return;
  const Reading reading([&, chunk = job_.chunk != 0 ? job_.chunk : chunk_size(bytes)] { return read_contents(lacks, chunk); });
  convey({.phase = job_.phase, .nodes = nodes}, reading, bytes);
  if (reading.get()) return;
  for (const auto& node : nodes) failed(node, reading.get().error());
}

/// Relays go to all nodes while the files are read. Where a node has something already, nothing comes of that.
void Transfer::unasked() {
  const auto& unread = *job_.unread;
  utsname own{};
  const auto relay = uname(&own) == 0 ? relay_program(static_cast<const char*>(own.machine), RelayKind::lean_program).size() : 0;
  const auto bytes = unread.bytes;
  const Reading reading([&]() -> Result<Contents> {
    if (auto read = unread.read(job_); !read) return fail(read.error());
    std::set<std::string> all;
    for (const auto& [node, wanted] : job_.wanted) all.insert(wanted.begin(), wanted.end());
    for (const auto& content : all) {
      auto file = InputFile::open(job_.parcels.at(content).path);
      if (!file) return fail(file.error());
      files_.emplace(content, std::move(*file));
    }
    return read_contents(all, job_.chunk);
  });
  // As arguments of sh they have to stay short.
  if (relay != 0 && unread.paths.size() <= most_paths && !site_.nodes.empty() && relays_pay(bytes, job_.direct ? 1 : site_.nodes.size(), relay)) {
    // Its deadline allows for what is read meanwhile.
    convey({.phase = job_.phase, .nodes = site_.nodes, .bare_of = unread.paths, .left_over = job_.folder + "/" + job_.prefix}, reading, 2 * bytes);
  }
  if (reading.get()) return;
  for (const auto& node : site_.nodes) {
    if (!result_.failed.contains(node)) failed(node, reading.get().error());
  }
}

void Transfer::by_ssh() {
  std::set<std::string> rest;
  for (const auto& [node, lacks] : lacking_) rest.insert(lacks.begin(), lacks.end());
  if (rest.empty() || !digested()) return;
  const auto phase = job_.phase + ": over SSH";
  site_.events.emit(events::PhaseStarted{phase, rest.size()});
  const auto begun = std::chrono::steady_clock::now();
  std::size_t done = 0;
  relay::Pace pace(job_.rate);
  for (const auto& content : rest) {
    if (site_.stop.stop_requested()) break;
    std::vector<Request> requests;
    std::deque<PacedFile> paced;
    const auto& file = files_.at(content);
    for (const auto& [node, lacks] : lacking_) {
      if (!lacks.contains(content)) continue;
      requests.push_back({.node = node, .command = receiver(job_, content), .feed = &paced.emplace_back(file, pace), .max_output = 4096});
    }
    for (auto& request : requests) request.deadline = time_for(file.size() * requests.size(), slowest());
    const auto& name = job_.parcels.at(content).name;
    for (auto& [node, reply] : site_.transport.run(requests, nullptr, site_.stop)) {
      if (reply && reply->exit_status == 0) {
        lacking_.at(node).erase(content);
        result_.received[node] += file.size();
        result_.sent_by_head += file.size();
        continue;
      }
      failed(node, reply ? Error{.fault = Fault::remote,
                                 .what = fmt::format("{} could not be sent: {}", name, clean_output(trim(reply->err))),
                                 .hint = fmt::format("is there room in {}?", job_.folder)}
                         : reply.error());
      site_.events.emit(events::NodeFailed{node, result_.failed.at(node)});
    }
    site_.events.emit(events::Progress{phase, ++done, rest.size(), name});
  }
  const auto elapsed = std::chrono::steady_clock::now() - begun;
  site_.events.emit(events::PhaseFinished{phase, done == rest.size(), std::chrono::duration_cast<std::chrono::milliseconds>(elapsed)});
}

/// What is done already where relays did it.
void Transfer::to_its_place() {
  std::vector<Request> requests;
  if (!job_.place) return;
  for (const auto& [node, wanted] : job_.wanted) {
    if (result_.failed.contains(node) || placed_.contains(node)) continue;
    requests.push_back({.node = node, .input = "{ export LC_ALL=C\n" + job_.place(node) + "\n} </dev/null\n", .deadline = job_.place_deadline});
  }
  if (requests.empty()) return;
  for (const auto& [node, reply] : run_requests(site_, requests, job_.phase + ": to its place")) {
    if (!reply) failed(node, reply.error());
    else if (reply->exit_status != 0) failed(node, not_placed(reply->err));
  }
}

Distributed Transfer::run() {
  if (job_.unread) unasked();
  std::set<NodeId> to_ask;
  for (const auto& [node, wanted] : job_.wanted) {
    if (!result_.failed.contains(node) && !lacking_.contains(node) && !placed_.contains(node) && !lost_.contains(node)) to_ask.insert(node);
  }
  if (!to_ask.empty()) {
    ask(to_ask);
    open_files();
    look_for_room();
    by_relays();
  }
  ask_again();
  if (!site_.stop.stop_requested()) by_ssh();
  for (const auto& [node, lacks] : std::map(lacking_)) {
    if (!lacks.empty()) failed(node, {.fault = Fault::cancelled, .what = "stopped before it had everything"});
  }
  if (!site_.stop.stop_requested()) to_its_place();
  return std::move(result_);
}

}  // namespace

Distributed distribute(Site& site, Distribution job) { return Transfer(site, std::move(job)).run(); }

}  // namespace podwright
