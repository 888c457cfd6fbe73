/// The kernel's log in all forms that it comes in, and what of it matters to training.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

/// A line of the log: dmesg, dmesg -T, dmesg --decode, /dev/kmsg, journalctl -k, syslog.
struct KernelLine {
  int number = 0;
  std::string_view text;                ///< without stamp, host and "kernel:"
  std::optional<double> uptime;         ///< seconds since boot: "[ 12.3]" and /dev/kmsg
  std::string stamp;                    ///< as written, where it is a date: "Feb 23 16:24:18" has no year
};
KernelLine read_kernel_line(int number, std::string_view line);

/// What a message means.
struct KernelEvent {
  std::string kind;    ///< xid | sxid | gpu-lost | aer | pcie-limited | mce | edac | lockup | hung-task | oom | nvme | disk | link | panic | thermal
  std::string device;  ///< "0000:9b:00.0", "mlx5_0", "nvme2n1"; may be empty
  std::optional<std::int64_t> code;  ///< of xid and sxid
  bool fatal = false;
  std::string meaning;  ///< may be empty
  std::string action;   ///< may be empty
  std::string text;
  std::optional<double> uptime;
  std::string stamp;
};
/// Nothing for a message without meaning to us.
std::optional<KernelEvent> event_of(const KernelLine& line);

std::vector<KernelEvent> kernel_events(std::string_view text);

}  // namespace podwright::parsing
