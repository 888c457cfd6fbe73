#include "engine/distribute.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <deque>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/chains.hpp"
#include "engine/courier.hpp"
#include "engine/fan_out.hpp"
#include "engine/pace.hpp"
#include "engine/relays.hpp"

namespace podwright {

namespace {

/// The slowest link and disk that a transfer is given time for, in bytes a second.
constexpr std::uint64_t slowest_link = 1U << 20U;
constexpr std::uint64_t slowest_disk = 20U << 20U;
/// Where a relay lies while it is started; it removes itself then.
constexpr std::string_view relay_folder = "/var/lib/podwright";
constexpr std::uint64_t room_to_spare = 16U << 20U;
constexpr std::size_t most_paths = 100;

std::chrono::seconds time_for(std::uint64_t bytes, std::uint64_t speed) {
  return std::chrono::seconds(60) + std::chrono::seconds(bytes / speed);
}

/// Prints what read_about() reads.
std::string about(const std::string& folder) {
  return fmt::format("set -- ${{SSH_CONNECTION:-}}\n"
                     "echo \"address ${{3:-}}\"\n"
                     "machine=$(uname -m); echo \"machine $machine\"\n"
                     "! command -v gzip >/dev/null || echo unpacks\n"
                     "d={}\n"
                     "while [ ! -d \"$d\" ]; do d=${{d%/*}}; d=${{d:-/}}; done\n"
                     "set -- $(df -Pk \"$d\")\n"  // seven words of heading, then six
                     "echo \"room ${{11:-}}\"\n",
                     sh::quote(folder));
}

void read_about(std::string_view out, Station& station) {
  for (const auto line : lines(out)) {
    const auto parts = words(line);
    if (parts.empty()) continue;
    const auto value = parts.size() > 1 ? std::string(parts[1]) : std::string();
    if (parts[0] == "address") station.address = value;
    else if (parts[0] == "machine") station.machine = value;
    else if (parts[0] == "unpacks") station.unpacks = true;
    else if (parts[0] == "bare") station.bare = true;
    else if (const auto kilobytes = to_int(value); parts[0] == "room" && kilobytes) station.room = static_cast<std::uint64_t>(*kilobytes) * 1024;
  }
}

FramedScript question(const Distribution& job, const NodeId& node, const std::set<std::string>& wanted) {
  FramedScript script(job.phase);
  const auto folder = sh::quote(job.folder);
  script.add({.comment = "the machine", .script = about(job.folder)});
  std::string list;
  std::uint64_t bytes = 0;
  for (const auto& sha256 : wanted) {
    list += sha256 + "\n";
    bytes += job.parcels.at(sha256).size;
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

Station read_station(const FramedResult& answer) {
  Station station;
  if (const auto found = answer.frames.find(0); found != answer.frames.end()) read_about(found->second.out, station);
  if (const auto found = answer.frames.find(1); found != answer.frames.end()) {
    for (const auto line : lines(found->second.out)) {
      const auto parts = words(line);
      if (parts.size() == 2 && parts[0] == parts[1]) station.has.emplace(parts[0]);
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
std::string receiver(const std::string& folder, const std::string& sha256) {
  const auto path = sh::quote(folder + "/" + sha256);
  const auto script = fmt::format(
      "umask 077; mkdir -p {0} && cat > {1}.part || {{ rm -f {1}.part; exit 1; }}; "
      "[ \"$(sha256sum < {1}.part)\" = {2} ] && mv {1}.part {1} || {{ rm -f {1}.part; "
      "echo 'the bytes arrived damaged' >&2; exit 1; }}",
      sh::quote(folder), path, sh::quote(sha256 + "  -"));
  return "sh -c " + sh::quote(script);
}

/// A file for one node, no faster than all together may go.
class PacedFile : public Feed {
 public:
  PacedFile(std::string_view bytes, Pace& pace) : left_(bytes), pace_(pace) {}
  std::string_view next() override { return left_.substr(0, static_cast<std::size_t>(pace_.allow(left_.size()))); }
  void taken(std::size_t bytes) override {
    left_.remove_prefix(bytes);
    pace_.spent(bytes);
  }
  bool ended() override { return left_.empty(); }

 private:
  std::string_view left_;
  Pace& pace_;
};

/// Whether what is to be sent is more than the relays themselves. It goes by a relay even to one node then:
/// that proves each chunk, and takes up what an earlier transfer left.
bool relays_pay(std::uint64_t bytes, std::size_t nodes, std::size_t relay) {
  return bytes >= 4 * relay || bytes * (nodes - 1) > relay * nodes;
}

/// Puts relays on nodes of one kind, as `uname -m` names it. `before` is sh that is run first; what it prints
/// are the stations. A lean relay where it runs, else a static one.
Crew place_relays(Site& site, std::vector<NodeId> nodes, const std::string& machine, std::string before = "", std::string phase = "") {
  constexpr int other_machine = 10;
  Crew crew;
  for (const auto kind : {RelayKind::lean_program, RelayKind::static_program}) {
    const auto program = relay_program(machine, kind);
    if (program.empty() || nodes.empty()) continue;
    const auto path = fmt::format("{}/relay-{}", relay_folder, random_hex(8));
    const auto script = before + fmt::format("[ \"${{machine:-$(uname -m)}}\" = {2} ] || exit {3}\n"
                                             "umask 077; [ -d {0} ] || mkdir -p {0}; gzip -dc > {1} && chmod 700 {1} && {1} --runs || {{ rm -f {1}; exit 1; }}",
                                             relay_folder, path, sh::quote(machine), other_machine);
    std::vector<Request> requests;
    for (const auto& node : nodes) {
      requests.push_back({.node = node,
                          .command = "sh -c " + sh::quote(script),
                          .attached = program,
                          .deadline = time_for(program.size() * nodes.size(), slowest_link),
                          .max_output = 4096});
    }
    nodes.clear();
    for (auto& [node, reply] : run_requests(site, requests, phase)) {
      if (!reply) {
        crew.failed.emplace(node, std::move(reply.error()));
        continue;
      }
      if (!before.empty()) read_about(reply->out, crew.stations[node]);
      if (reply->exit_status == 0) crew.relays.emplace(node, path);
      else if (reply->exit_status != other_machine) nodes.push_back(node);
      if (reply->exit_status == 1) site.events.debug(fmt::format("{}: a relay cannot run there: {}", node, clean_output(trim(reply->err))));
    }
    before.clear();
    phase.clear();
  }
  return crew;
}

/// A transfer as it goes on.
class Transfer {
 public:
  Transfer(Site& site, Distribution job) : site_(site), job_(std::move(job)) {}
  Distributed run();

 private:
  void ask(const std::set<NodeId>& nodes);
  void ask_again();
  void open_files();
  void look_for_room();
  void by_relays();
  void by_ssh();
  void failed(const NodeId& node, Error error) {
    error.node = node;
    lacking_.erase(node);
    result_.failed.insert_or_assign(node, std::move(error));
  }
  [[nodiscard]] std::uint64_t slowest() const { return job_.rate == 0 ? slowest_link : std::min(slowest_link, job_.rate); }
  [[nodiscard]] std::uint64_t bytes_of(const std::set<std::string>& files) const {
    std::uint64_t bytes = 0;
    for (const auto& sha256 : files) bytes += job_.parcels.at(sha256).size;
    return bytes;
  }

  Site& site_;
  Distribution job_;
  std::map<NodeId, Station> stations_;
  std::map<NodeId, std::set<std::string>> lacking_;  ///< by nodes that have not failed
  std::map<NodeId, Error> lost_;  ///< their connection broke while they received
  std::map<std::string, MappedFile> files_;
  Distributed result_;
};

void Transfer::ask(const std::set<NodeId>& nodes) {
  std::vector<FramedJob> jobs;
  for (const auto& node : nodes) {
    const auto& wanted = job_.wanted.at(node);
    if (wanted.empty()) continue;
    if (const auto known = job_.crew.stations.extract(node); known && known.mapped().bare) {
      stations_.insert_or_assign(node, known.mapped());
      lacking_[node] = wanted;
    } else {
      jobs.push_back({node, question(job_, node, wanted)});
    }
  }
  if (jobs.empty()) return;
  for (const auto& [node, answer] : run_framed(site_, std::move(jobs), job_.phase + ": what is there")) {
    if (answer.error) {
      failed(node, *answer.error);
      continue;
    }
    const auto& station = stations_.insert_or_assign(node, read_station(answer)).first->second;
    auto& lacks = lacking_[node];
    const auto looked = answer.frames.find(2);
    const auto wants = job_.wants && looked != answer.frames.end() ? job_.wants(node, looked->second) : job_.wanted.at(node);
    std::ranges::set_difference(wants, station.has, std::inserter(lacks, lacks.end()));
    if (lacks.empty()) lacking_.erase(node);
  }
}

/// Nodes that were lost midway, once: one that rebooted, or whose cable was out, is back by now.
void Transfer::ask_again() {
  if (lost_.empty() || site_.stop.stop_requested()) return;
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
    if (!station.room || *station.room >= bytes + room_to_spare) continue;
    failed(node, {.fault = Fault::remote,
                  .what = fmt::format("{} has room for {}, and {} are to come", job_.folder, human_bytes(*station.room), human_bytes(bytes)),
                  .hint = "make room on its file system"});
  }
}

void Transfer::open_files() {
  std::map<std::string, Error> unreadable;
  std::set<std::string> wanted;
  for (const auto& [node, lacks] : lacking_) wanted.insert(lacks.begin(), lacks.end());
  if (job_.provide && !wanted.empty()) unreadable = job_.provide(wanted, job_.parcels);
  for (const auto& [node, lacks] : lacking_) {
    for (const auto& sha256 : lacks) {
      if (files_.contains(sha256) || unreadable.contains(sha256)) continue;
      auto file = MappedFile::open(job_.parcels.at(sha256).path);
      if (file) files_.emplace(sha256, std::move(*file));
      else unreadable.emplace(sha256, file.error());
    }
  }
  if (unreadable.empty()) return;
  for (const auto& [node, lacks] : std::map(lacking_)) {
    const auto found = std::ranges::find_if(lacks, [&](const auto& sha256) { return unreadable.contains(sha256); });
    if (found != lacks.end()) failed(node, unreadable.at(*found));
  }
}

void Transfer::by_relays() {
  // Nodes that lack the same go together.
  std::map<std::set<std::string>, std::vector<NodeId>> groups;
  for (const auto& node : site_.nodes) {
    const auto found = lacking_.find(node);
    if (found == lacking_.end()) continue;
    auto& station = stations_.at(node);
    // The address that we reach it at is one that it has; sudo hides it.
    const auto* known = site_.inventory.find(node);
    if (station.address.empty() && known != nullptr) station.address = known->address;
    station.address = plain_address(station.address);
    const auto why_not = !station.unpacks                                                         ? "it has no gzip"
                         : relay_program(station.machine, RelayKind::static_program).empty() ? "there is no relay for " + station.machine
                         : station.address.empty() && !job_.direct                           ? "its IP address is not known"
                                                                                             : std::string();
    if (!why_not.empty()) {
      site_.events.debug(fmt::format("{} cannot relay: {}", node, why_not));
      continue;
    }
    groups[found->second].push_back(node);
  }
  for (auto& [lacks, nodes] : groups) {
    if (site_.stop.stop_requested()) return;
    const auto bytes = bytes_of(lacks);
    if (!relays_pay(bytes, job_.direct ? 1 : nodes.size(), relay_program(stations_.at(nodes.front()).machine, RelayKind::lean_program).size())) continue;

    std::map<NodeId, std::string> placed;
    std::map<std::string, std::vector<NodeId>> without;  // by machine
    for (const auto& node : nodes) {
      if (auto ready = job_.crew.relays.extract(node)) placed.insert(std::move(ready));
      else without[stations_.at(node).machine].push_back(node);
    }
    for (const auto& [machine, some] : without) placed.merge(place_relays(site_, some, machine).relays);
    std::erase_if(nodes, [&](const NodeId& node) { return !placed.contains(node); });
    Convoy convoy{.phase = job_.phase,
                  .folder = job_.folder,
                  .rate = job_.rate,
                  .chunk = job_.chunk != 0 ? job_.chunk : chunk_size(bytes),
                  .deadline = 2 * time_for(bytes, slowest())};
    for (const auto& sha256 : lacks) {
      const auto content = files_.at(sha256).bytes();
      const auto& parcel = job_.parcels.at(sha256);
      const bool known = job_.chunk != 0 && (content.empty() || !parcel.hashes.empty());
      const auto digest = known ? ChunkedDigest{.sha256 = sha256, .chunks = parcel.hashes} : chunked_sha256(content, convoy.chunk);
      if (digest.sha256 != sha256) {
        for (const auto& node : nodes) {
          failed(node, {.fault = Fault::internal,
                        .what = fmt::format("{} changed while it was being sent", parcel.path.string()),
                        .hint = "try again when nobody writes to it"});
        }
        nodes.clear();
        break;
      }
      convoy.contents.push_back({.name = parcel.name, .sha256 = sha256, .bytes = content, .hashes = digest.chunks});
    }
    if (nodes.empty()) continue;
    for (const auto& chain : chains(site_.inventory, nodes, bytes, job_.direct ? nodes.size() : job_.chains)) {
      auto& stops = convoy.chains.emplace_back();
      for (const auto& node : chain) stops.push_back({.node = node, .address = stations_.at(node).address, .program = placed.at(node)});
    }
    const auto arrived = run_convoy(site_, convoy);
    result_.sent_by_head += arrived.fed;
    for (const auto& [node, received] : arrived.received) result_.received[node] += received;
    for (const auto& node : nodes) {
      const auto found = arrived.failed.find(node);
      if (found == arrived.failed.end()) {
        lacking_.erase(node);
      } else if (std::ranges::find(arrived.unable, node) == arrived.unable.end()) {
        lost_.insert_or_assign(node, found->second);
        lacking_.erase(node);
      } else {
        site_.events.debug(fmt::format("{}: {}; it is served over SSH", node, found->second.what));
      }
    }
  }
}

void Transfer::by_ssh() {
  std::set<std::string> rest;
  for (const auto& [node, lacks] : lacking_) rest.insert(lacks.begin(), lacks.end());
  if (rest.empty()) return;
  const auto phase = job_.phase + ": over SSH";
  site_.events.emit(events::PhaseStarted{phase, rest.size()});
  const auto begun = std::chrono::steady_clock::now();
  std::size_t done = 0;
  Pace pace(job_.rate);
  for (const auto& sha256 : rest) {
    if (site_.stop.stop_requested()) break;
    std::vector<Request> requests;
    std::deque<PacedFile> paced;
    const auto bytes = files_.at(sha256).bytes();
    for (const auto& [node, lacks] : lacking_) {
      if (!lacks.contains(sha256)) continue;
      auto& request = requests.emplace_back(Request{.node = node, .command = receiver(job_.folder, sha256), .max_output = 4096});
      if (job_.rate == 0) request.attached = bytes;
      else request.feed = &paced.emplace_back(bytes, pace);
    }
    for (auto& request : requests) request.deadline = time_for(bytes.size() * requests.size(), slowest());
    const auto& name = job_.parcels.at(sha256).name;
    for (auto& [node, reply] : site_.transport.run(requests, nullptr, site_.stop)) {
      if (reply && reply->exit_status == 0) {
        lacking_.at(node).erase(sha256);
        result_.received[node] += bytes.size();
        result_.sent_by_head += bytes.size();
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

Distributed Transfer::run() {
  std::set<NodeId> all;
  for (const auto& [node, wanted] : job_.wanted) {
    if (const auto lost = job_.crew.failed.find(node); lost != job_.crew.failed.end()) failed(node, lost->second);
    else all.insert(node);
  }
  ask(all);
  open_files();
  look_for_room();
  by_relays();
  dismiss(site_, std::exchange(job_.crew.relays, {}));
  ask_again();
  if (!site_.stop.stop_requested()) by_ssh();
  for (const auto& [node, lacks] : std::map(lacking_)) {
    if (!lacks.empty()) failed(node, {.fault = Fault::cancelled, .what = "stopped before it had everything"});
  }
  return std::move(result_);
}

}  // namespace

Crew muster(Site& site, const std::string& phase, const std::string& folder, const std::vector<std::string>& paths, std::uint64_t bytes) {
  utsname own{};
  if (uname(&own) != 0) return {};
  const std::string machine(static_cast<const char*>(own.machine));
  const auto relay = relay_program(machine, RelayKind::lean_program).size();
  if (relay == 0 || site.nodes.empty() || !relays_pay(bytes, site.nodes.size(), relay)) return {};
  auto before = about(folder);
  // As an argument of sh it has to stay short.
  if (paths.size() <= most_paths) {
    before += fmt::format("for path in {}", sh::quote(folder));
    for (const auto& path : paths) before += " " + sh::quote(path);
    before += "; do [ ! -e \"$path\" ] || break; path=; done; [ -n \"$path\" ] || echo bare\n";
  }
  return place_relays(site, site.nodes, machine, before, phase + ": getting ready");
}

void dismiss(Site& site, const std::map<NodeId, std::string>& relays) {
  std::vector<Request> requests;
  for (const auto& [node, path] : relays) requests.push_back({.node = node, .command = "rm -f " + sh::quote(path), .max_output = 4096});
  if (!requests.empty()) (void)site.transport.run(requests, nullptr, {});
}

Distributed distribute(Site& site, Distribution job) { return Transfer(site, std::move(job)).run(); }

}  // namespace podwright
