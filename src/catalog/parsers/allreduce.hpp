/// What podwright's own MPI program prints (templates/mpi/allreduce.c).
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct AllreduceSize {
  std::uint64_t bytes = 0;
  double time_us = 0;
  double busbw = 0;  ///< GB/s
  std::int64_t wrong = 0;
};
struct Allreduce {
  std::set<std::string> hosts;        ///< of the ranks, without their domain
  std::vector<AllreduceSize> sizes;
  std::vector<std::string> messages;  ///< what launcher and MPI said besides
  bool ended = false;                 ///< the result was printed
  bool correct = false;
  std::int64_t ranks = 0;
  double busbw = 0;  ///< of the largest size, GB/s
};

/// Whatever can be read of it: a run that broke off has messages and no end.
Allreduce read_allreduce(const std::vector<std::string>& lines);

}  // namespace podwright::parsing
