// iperf3: TCP bandwidth, one direction after the other. Traps: `-J` exits with 0 on most errors and
// then prints zeros where results would be; the error is a key of the document. A server with `-1`
// serves one test and ends, so two tests need two; and either side ends by itself, whatever becomes
// of the other.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/json.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"

namespace podwright {

namespace {

/// What a client waits for its server to listen: other nodes' sessions may be opened first. The
/// second server takes over at once.
constexpr int first_patience = 10;
constexpr int second_patience = 3;
/// Beyond the seconds of a test: connecting, exchanging results.
constexpr int slack = 3;
/// One stream of iperf3 fills about this much on the processors of common nodes.
constexpr double gbps_per_stream = 12.5;
constexpr int most_streams = 8;
constexpr int streams_at_unknown_rate = 4;

constexpr std::string_view tools_or_leave =
    "for tool in iperf3 timeout; do\n"
    "  command -v \"$tool\" >/dev/null 2>&1 || { echo \"$tool is not installed\" >&2; exit 127; }\n"
    "done\n";

/// iperf3 takes whole seconds only.
int whole(double seconds) { return std::max(1, static_cast<int>(std::ceil(seconds))); }

/// Binding needs an address of the node itself; a name would be looked up on the node, and may lead
/// elsewhere.
std::string bind_option(const Endpoint& endpoint) {
  const auto& address = endpoint.address;
  const bool numeric =
      !address.empty() && address.find_first_not_of("0123456789.") == std::string::npos;
  const bool ipv6 = address.find(':') != std::string::npos;
  return numeric || ipv6 ? " -B " + sh::quote(address) : std::string{};
}

int streams(const Endpoint& from, const Endpoint& to) {
  const double rate = std::min(from.rate_gbps, to.rate_gbps);
  if (rate <= 0) return streams_at_unknown_rate;
  return std::clamp(static_cast<int>(std::ceil(rate / gbps_per_stream)), 1, most_streams);
}

std::string server(const Endpoint& at, int port, double seconds) {
  const auto command = fmt::format("iperf3 -s -1{} -p {} >/dev/null", bind_option(at), port);
  return fmt::format("{}timeout {} {} || exit $?\ntimeout {} {}\n", tools_or_leave,
                     first_patience + whole(seconds) + slack, command,
                     second_patience + whole(seconds) + slack, command);
}

std::string client(const Endpoint& from, const Endpoint& to, int port, double seconds) {
  return fmt::format(R"({tools}measure() {{
  patience=$1
  shift
  begin=$(date +%s)
  while :; do
    answer=$(timeout {limit} iperf3 -J -i 0 --connect-timeout 1000 -c {to}{bind} -p {port} -t {seconds} -P {streams} "$@" 2>&1)
    status=$?
    case $answer in
      *'unable to connect'*|*'server is busy'*)
        if [ $(($(date +%s) - begin)) -lt "$patience" ]; then
          sleep 0.2 2>/dev/null || sleep 1
          continue
        fi ;;
    esac
    break
  done
  printf '%s\n' "$answer"
  case $answer in *'"error"'*) return 1 ;; esac
  return "$status"
}}
measure {first} && measure {second} -R
)",
                     fmt::arg("tools", tools_or_leave), fmt::arg("limit", whole(seconds) + slack),
                     fmt::arg("to", sh::quote(to.address)), fmt::arg("bind", bind_option(from)),
                     fmt::arg("port", port), fmt::arg("seconds", whole(seconds)),
                     fmt::arg("streams", streams(from, to)), fmt::arg("first", first_patience),
                     fmt::arg("second", second_patience));
}

/// The documents of an output in which several follow each other, and what is between them.
struct Documents {
  std::vector<Json> documents;
  std::string rest;
  bool cut_off = false;  ///< the last one has no end
};

/// The length of the JSON object that `text` begins with, or npos when its end is missing.
std::size_t object_length(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

Documents read_documents(std::string_view text) {
  Documents read;
  while (!text.empty()) {
    const auto begin = text.find('{');
    read.rest += text.substr(0, begin);
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const auto length = object_length(text);
    if (length == std::string_view::npos) {
      read.cut_off = true;
      break;
    }
    auto document = Json::parse(text.substr(0, length), nullptr, false);
    if (document.is_discarded()) {  // a brace in a warning
      text.remove_prefix(1);
      continue;
    }
    read.documents.push_back(std::move(document));
    text.remove_prefix(length);
  }
  return read;
}

/// The first line that says something, kept short.
std::string first_line(std::string_view text) {
  constexpr std::size_t most = 200;
  for (const auto line : lines(text)) {
    if (!trim(line).empty()) return std::string(trim(line).substr(0, most));
  }
  return {};
}

/// Gbit/s that the receiver of one test counted.
Result<double> rate_of(const Json& document, std::string_view direction) {
  if (const auto error = document.find("error"); error != document.end()) {
    const auto text = error->is_string() ? error->get<std::string>() : error->dump();
    if (text.starts_with("interrupt")) {
      return fail(Fault::timeout, fmt::format("iperf3, {}: the connection stalled", direction),
                  "look for a link that drops packets, or for large packets that are lost on the "
                  "way (MTU)");
    }
    return fail(Fault::remote, fmt::format("iperf3, {}: {}", direction, first_line(text)),
                "check that nothing filters the port between the two nodes, and that both are up");
  }
  const auto end = document.find("end");
  const auto missing = [&](std::string_view what) {
    return fail(Fault::remote, fmt::format("iperf3, {}: its answer has no {}", direction, what));
  };
  if (end == document.end() || !end->is_object()) return missing("\"end\"");
  const auto received = end->find("sum_received");
  if (received == end->end() || !received->is_object()) return missing("\"sum_received\"");
  const auto bits = received->find("bits_per_second");
  if (bits == received->end() || !bits->is_number()) return missing("\"bits_per_second\"");
  const auto rate = bits->get<double>();
  if (!std::isfinite(rate) || rate <= 0) {
    return fail(Fault::remote,
                fmt::format("iperf3, {}: connected, but nothing was received", direction),
                "large packets may be lost: compare the MTU of both nodes and of the switches");
  }
  return rate / 1e9;
}

bool is_reverse(const Json& document) {
  const auto* at = &document;
  for (const auto* key : {"start", "test_start"}) {
    if (!at->is_object() || !at->contains(key)) return false;
    at = &at->at(key);
  }
  return at->is_object() && at->contains("reverse") && at->at("reverse") == 1;
}

Result<Measurement::Rates> parse(const Observed& observed) {
  constexpr std::string_view there = "client to server";
  constexpr std::string_view back = "server to client";
  const auto read = read_documents(observed.out);
  const auto said = first_line(observed.err.empty() ? read.rest : observed.err);
  if (read.documents.empty()) {
    if (observed.timed_out)
      return fail(Fault::timeout, "iperf3 gave no answer before its deadline");
    if (observed.exit_status == 127) {
      return fail(
          Fault::remote, said.empty() ? "iperf3 is not installed" : said,
          "install the package iperf3 on every node, or name another tool in [[measurement]]");
    }
    if (read.cut_off) {
      return fail(Fault::remote,
                  fmt::format("iperf3's answer breaks off after {} bytes", observed.out.size()));
    }
    return fail(Fault::remote, fmt::format("iperf3 ended with exit status {} and no answer{}{}",
                                           observed.exit_status, said.empty() ? "" : ": ", said));
  }
  const auto forward = rate_of(read.documents.front(), there);
  if (!forward) return fail(forward.error());
  if (read.documents.size() < 2) {
    if (read.cut_off)
      return fail(Fault::remote, fmt::format("iperf3, {}: its answer breaks off", back));
    if (observed.timed_out) {
      return fail(Fault::timeout, fmt::format("iperf3, {}: no answer before the deadline", back));
    }
    return fail(Fault::remote,
                fmt::format("iperf3, {}: no answer{}{}", back, said.empty() ? "" : ": ", said));
  }
  const auto backward = rate_of(read.documents[1], back);
  if (!backward) return fail(backward.error());
  if (is_reverse(read.documents.front()) || !is_reverse(read.documents[1])) {
    return fail(Fault::remote, "iperf3's answers are not one of each direction");
  }
  return Measurement::Rates{.gbps_forward = *forward, .gbps_backward = *backward};
}

const Registered iperf3{
    Measurement{.tool = "iperf3",
                .kind = "pairwise",
                .summary = "TCP bandwidth between two nodes, one direction after the other",
                .package = "iperf3",
                .server = server,
                .client = client,
                .parse = parse}};

}  // namespace

}  // namespace podwright
