/// Child processes of the operator's machine (a site's own probe command, ssh-agent helpers).
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace podwright {

struct ProcessOutput {
  int exit_status = 0;  ///< 128 + signal when killed
  std::string out;
  std::string err;
};

/// Runs `argv` with `input` on stdin, in a process group of its own that is ended at the deadline or
/// on stop. Fails when it cannot be started, at the deadline and on stop.
Result<ProcessOutput> run_process(const std::vector<std::string>& argv, std::string_view input,
                                  Millis deadline, const std::stop_token& stop = {});

}  // namespace podwright
