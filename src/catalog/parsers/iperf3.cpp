// iperf3's JSON. Traps: it exits with 0 on most errors and then prints zeros where results would be; the error
// is a key of the document.
#include "catalog/parsers/iperf3.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"
#include "catalog/parsers/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

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

/// The first line that says something, kept short.
std::string first_line(std::string_view text) {
  constexpr std::size_t most = 200;
  for (const auto line : lines(text)) {
    if (!trim(line).empty()) return parsing::beginning(trim(line), most);
  }
  return {};
}

/// What one test says of itself, where it says it.
template <class T>
void take(Json& into, const char* key, const Json& document, const std::vector<const char*>& path) {
  const auto* at = &document;
  for (const auto* step : path) {
    if (!at->is_object() || !at->contains(step)) return;
    at = &at->at(step);
  }
  if constexpr (std::is_same_v<T, std::string>) {
    if (at->is_string()) into[key] = at->get<std::string>();
  } else {
    if (at->is_number()) into[key] = at->get<T>();
  }
}

Result<Json> parse(std::string_view text) {
  const auto read = read_json_documents(text);
  if (read.cut_off) {
    return fail(Fault::remote, fmt::format("iperf3: the document breaks off in line {}", lines(text).size()));
  }
  if (read.documents.empty()) return nothing_found("iperf3", "document of `iperf3 -J`", text);
  Json tests = Json::array();
  for (const auto& document : read.documents) {
    const bool reverse = iperf3_reverse(document);
    const auto direction = reverse ? "server to client" : "client to server";
    const auto rate = iperf3_rate(document, direction);
    if (!rate) {
      const auto begins = text.find("\"error\"");
      const auto line = begins == std::string_view::npos ? 1 : lines(text.substr(0, begins + 1)).size();
      return fail(rate.error().fault, fmt::format("line {}: {}", line, rate.error().what), rate.error().hint);
    }
    Json test = {{"direction", direction}, {"gbps", *rate}};
    take<std::string>(test, "host", document, {"start", "connecting_to", "host"});
    take<std::string>(test, "protocol", document, {"start", "test_start", "protocol"});
    take<std::int64_t>(test, "streams", document, {"start", "test_start", "num_streams"});
    take<double>(test, "seconds", document, {"end", "sum_received", "seconds"});
    take<std::int64_t>(test, "retransmits", document, {"end", "sum_sent", "retransmits"});
    tests.push_back(std::move(test));
  }
  return Json{{"tests", std::move(tests)}};
}

const Registered iperf3{Parser{.kind = "iperf3", .summary = "TCP or UDP bandwidth, one test or several", .command = "iperf3 -J -c 10.1.0.12", .parse = parse}};

}  // namespace

JsonDocuments read_json_documents(std::string_view text) {
  JsonDocuments read;
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

/// Gbit/s that the receiver of one test counted.
Result<double> iperf3_rate(const Json& document, std::string_view direction) {
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

bool iperf3_reverse(const Json& document) {
  const auto* at = &document;
  for (const auto* key : {"start", "test_start"}) {
    if (!at->is_object() || !at->contains(key)) return false;
    at = &at->at(key);
  }
  return at->is_object() && at->contains("reverse") && at->at("reverse") == 1;
}

}  // namespace podwright::parsing
