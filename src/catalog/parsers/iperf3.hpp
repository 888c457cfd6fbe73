/// The documents of `iperf3 -J`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace podwright::parsing {

/// The documents of an output in which several may follow each other, and what is between them.
struct JsonDocuments {
  std::vector<Json> documents;
  std::string rest;
  bool cut_off = false;  ///< the last one has no end
};
JsonDocuments read_json_documents(std::string_view text);

/// Gbit/s that the receiver of one test counted. `direction` is for the message.
Result<double> iperf3_rate(const Json& document, std::string_view direction);
bool iperf3_reverse(const Json& document);

}  // namespace podwright::parsing
