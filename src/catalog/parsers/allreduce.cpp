#include "catalog/parsers/allreduce.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view mark = "podwright-allreduce ";

Result<Json> parse(std::string_view text) {
  std::vector<std::string> all;
  for (const auto line : lines(text)) all.emplace_back(line);
  const auto run = read_allreduce(all);
  if (!run.ended) return nothing_found("mpi-allreduce", "result", text);
  Json sizes = Json::array();
  for (const auto& size : run.sizes) {
    sizes.push_back({{"bytes", size.bytes},
                     {"time_us", size.time_us},
                     {"busbw_gbytes_per_s", size.busbw},
                     {"wrong", size.wrong}});
  }
  return Json{{"ranks", run.ranks},
              {"hosts", run.hosts},
              {"correct", run.correct},
              {"busbw_gbytes_per_s", run.busbw},
              {"sizes", std::move(sizes)}};
}

const Registered allreduce{Parser{.kind = "mpi-allreduce", .summary = "podwright's own MPI allreduce, which the hand-off brings", .command = "mpirun /opt/podwright/bin/allreduce", .parse = parse}};

}  // namespace

Allreduce read_allreduce(const std::vector<std::string>& lines) {
  Allreduce run;
  for (const std::string_view line : lines) {
    // srun puts "0: " before a line, mpirun "[1,0]<stdout>:"
    const auto at = line.find(mark);
    if (at == std::string_view::npos) {
      run.messages.emplace_back(line);
      continue;
    }
    const auto parts = words(line.substr(at + mark.size()));
    if (parts.size() == 6 && parts[0] == "rank" && parts[2] == "of" && parts[4] == "on") {
      run.hosts.emplace(parts[5].substr(0, parts[5].find('.')));
    } else if (parts.size() == 8 && parts[0] == "size") {
      const auto bytes = to_int(parts[1]);
      const auto time = to_double(parts[3]);
      const auto rate = to_double(parts[5]);
      const auto wrong = to_int(parts[7]);
      if (bytes && time && rate && wrong) {
        run.sizes.push_back({.bytes = static_cast<std::uint64_t>(*bytes), .time_us = *time, .busbw = *rate, .wrong = *wrong});
      }
    } else if (parts.size() == 9 && parts[0] == "result" && parts[1] == "ranks" &&
               parts[5] == "correct" && parts[7] == "busbw_gbytes_per_s") {
      const auto ranks = to_int(parts[2]);
      const auto rate = to_double(parts[8]);
      run.ended = ranks.has_value() && rate.has_value();
      run.ranks = ranks.value_or(0);
      run.correct = parts[6] == "yes";
      run.busbw = rate.value_or(0);
    }
  }
  return run;
}

}  // namespace podwright::parsing
