/// Huawei Ascend: npu-smi, hccn_tool, and the version.info files of driver and firmware.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct AscendChip {
  std::int64_t npu = 0;
  std::int64_t chip = 0;
  std::string name;    ///< "910B3"
  std::string health;  ///< "OK", "Warning", "Alarm", "Critical", "UNKNOWN"
  std::string slot;    ///< empty: "NA", on systems on a chip
  std::optional<double> power_w, temperature_c, aicore_percent;
  std::optional<std::int64_t> memory_used_mb, memory_mb, hbm_used_mb, hbm_mb;
};

struct AscendProcess {
  std::int64_t npu = 0;
  std::int64_t pid = 0;
  std::string name;
};

struct NpuSmi {
  std::string version;
  std::vector<AscendChip> chips;
  std::vector<AscendProcess> processes;
};
/// The table of `npu-smi info`.
Result<NpuSmi> parse_npu_smi_info(std::string_view text);

/// What hccn_tool told of one device, of whichever questions were asked.
struct HccnDevice {
  std::string link;        ///< "UP", "DOWN"
  std::string net_health;  ///< "Success", "Socket failed", …
  std::string address, netmask;
  std::map<std::string, std::int64_t> statistics;  ///< "roce_rx_err_pkt_num" and so on
  std::map<std::string, std::string> optical;      ///< "present", "Tx Power0" and so on
  std::optional<std::int64_t> link_up_count;
  std::vector<std::string> link_events;            ///< "Tue Aug  1 14:44:40 2022 LINK DOWN", the latest first
  std::string fec;
  std::vector<std::string> complaints;
};
/// Answers of hccn_tool, one or many; "hccn_tool -i N -…" before an answer says whose it is, else it is device 0's.
Result<std::map<std::int64_t, HccnDevice>> parse_hccn(std::string_view text);

/// "key=value" lines, one file after the other: "cat …/version.info" names the next one, else there is one
/// called "".
Result<std::map<std::string, std::map<std::string, std::string>>> parse_version_info(std::string_view text);

}  // namespace podwright::parsing
