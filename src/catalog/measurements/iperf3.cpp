// iperf3: TCP bandwidth, one direction after the other. Traps: `-J` exits with 0 on most errors and
// then prints zeros where results would be; the error is a key of the document. A server with `-1`
// serves one test and ends, so two tests need two; and either side ends by itself, whatever becomes
// of the other.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/parsers/iperf3.hpp"
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

int streams(const PairJob& job) {
  if (const auto* wanted = find_value(job.options, "streams"); wanted != nullptr && wanted->integer() != nullptr) {
    return static_cast<int>(std::clamp<std::int64_t>(*wanted->integer(), 1, 128));
  }
  const double rate = std::min(job.from.rate_gbps, job.to.rate_gbps);
  if (rate <= 0) return streams_at_unknown_rate;
  return std::clamp(static_cast<int>(std::ceil(rate / gbps_per_stream)), 1, most_streams);
}

std::string server(const PairJob& job) {
  const double seconds = job.seconds;
  const auto command = fmt::format("iperf3 -s -1{} -p {} >/dev/null", bind_option(job.to), job.port);
  return fmt::format("{}timeout {} {} || exit $?\ntimeout {} {}\n", tools_or_leave,
                     first_patience + whole(seconds) + slack, command,
                     second_patience + whole(seconds) + slack, command);
}

std::string client(const PairJob& job) {
  const double seconds = job.seconds;
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
                     fmt::arg("to", sh::quote(job.to.address)), fmt::arg("bind", bind_option(job.from)),
                     fmt::arg("port", job.port), fmt::arg("seconds", whole(seconds)),
                     fmt::arg("streams", streams(job)), fmt::arg("first", first_patience),
                     fmt::arg("second", second_patience));
}

/// The first line that says something, kept short.
std::string first_line(std::string_view text) {
  constexpr std::size_t most = 200;
  for (const auto line : lines(text)) {
    if (!trim(line).empty()) return std::string(trim(line).substr(0, most));
  }
  return {};
}

Result<Measurement::Rates> parse(const Observed& observed) {
  constexpr std::string_view there = "client to server";
  constexpr std::string_view back = "server to client";
  const auto read = parsing::read_json_documents(observed.out);
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
  const auto forward = parsing::iperf3_rate(read.documents.front(), there);
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
  const auto backward = parsing::iperf3_rate(read.documents[1], back);
  if (!backward) return fail(backward.error());
  if (parsing::iperf3_reverse(read.documents.front()) || !parsing::iperf3_reverse(read.documents[1])) {
    return fail(Fault::remote, "iperf3's answers are not one of each direction");
  }
  return Measurement::Rates{.gbps_forward = *forward, .gbps_backward = *backward};
}

const Registered iperf3{
    Measurement{.tool = "iperf3",
                .kind = "pairwise",
                .summary = "TCP bandwidth between two nodes, one direction after the other",
                .package = "iperf3",
                .options = {{.name = "streams",
                             .type = FieldType::integer,
                             .doc = "parallel connections; else one for each 12.5 Gbit/s of the line rate, 8 at most"}},
                .server = server,
                .client = client,
                .parse = parse}};

}  // namespace

}  // namespace podwright
