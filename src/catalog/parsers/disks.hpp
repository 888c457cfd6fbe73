/// Disks: smartctl, nvme-cli, lsblk.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct DiskHealth {
  std::string device;  ///< "/dev/nvme0"
  std::string model;
  std::string serial;
  std::string firmware;
  std::optional<bool> passed;  ///< the device's own verdict
  std::optional<std::int64_t> critical_warning;  ///< bits of NVMe's SMART log; 0 is well
  std::optional<std::int64_t> spare_percent, spare_threshold_percent, used_percent;
  std::optional<std::int64_t> media_errors;
  std::optional<std::int64_t> reallocated, pending, uncorrectable;  ///< ATA attributes 5, 197, 198
  std::optional<double> temperature_c;
  std::vector<std::string> complaints;  ///< "Unable to detect device type", …
};
/// One document of `smartctl -a -j` after the other, each beginning on a line of its own.
Result<std::vector<DiskHealth>> parse_smartctl_json(std::string_view text);

}  // namespace podwright::parsing
