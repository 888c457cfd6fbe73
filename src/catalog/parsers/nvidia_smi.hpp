/// `nvidia-smi -q`, as text and as XML: one reading of both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

/// What nvidia-smi leaves out ("N/A") is empty or nothing.
struct NvidiaGpu {
  std::string slot;  ///< "0000:83:00.0"
  std::string name;
  std::string uuid;
  std::string serial;
  std::string vbios;
  std::optional<std::int64_t> minor;  ///< of /dev/nvidiaN
  std::optional<bool> persistence;
  std::string mig_mode;     ///< "Enabled", "Disabled"
  std::string mig_pending;
  std::size_t mig_devices = 0;
  std::string ecc_mode;
  std::string ecc_pending;
  /// Sums over SRAM, DRAM and the older places; nothing where ECC is not counted.
  std::optional<std::int64_t> corrected_volatile, uncorrected_volatile, corrected_aggregate, uncorrected_aggregate;
  std::optional<bool> sram_threshold_exceeded;
  std::optional<bool> channel_repair_pending, tpc_repair_pending, unrepairable_memory;
  std::optional<std::int64_t> retired_single_bit, retired_double_bit;  ///< pages, before Ampere
  std::optional<bool> retirement_pending;
  std::optional<std::int64_t> remapped_correctable, remapped_uncorrectable;  ///< rows, from Ampere on
  std::optional<bool> remap_pending, remap_failed;
  std::optional<std::int64_t> pcie_generation, pcie_generation_max, pcie_width, pcie_width_max, pcie_replays;
  std::vector<std::string> slowdowns;  ///< the active clocks event reasons: "HW Thermal Slowdown"
  std::optional<double> temperature_c, margin_c, slowdown_at_c, max_operating_c, memory_c, memory_max_c;
  std::optional<double> power_w, power_limit_w, power_limit_default_w;
  std::optional<std::int64_t> sm_mhz, sm_max_mhz, application_graphics_mhz, default_graphics_mhz, application_memory_mhz,
      default_memory_mhz;
  std::optional<std::uint64_t> memory_bytes, memory_used_bytes;
  std::string compute_mode;
  std::string fabric_state;   ///< "Completed"; empty: no NVSwitch
  std::string fabric_status;  ///< "Success"
  std::string recovery_action;  ///< "None", "GPU Reset", "Node Reboot", "Drain P2P", "Drain and Reset"
  std::optional<bool> reset_required;
  struct Process {
    std::int64_t pid = 0;
    std::string type;  ///< "C", "G", "C+G"
    std::string name;
    std::optional<std::uint64_t> memory_bytes;
  };
  std::vector<Process> processes;
  /// Fields that the driver could not read: "GPU is lost", "Unknown Error", "ERR!".
  std::vector<std::string> unreadable;
};

struct NvidiaSmi {
  std::string driver;
  std::string cuda;
  std::int64_t attached = 0;  ///< what it says; fewer in `gpus` means that some could not be asked
  std::vector<NvidiaGpu> gpus;
  std::vector<std::string> complaints;  ///< "Unable to determine the device handle for GPU0000:9B:00.0: GPU is lost"
};

/// Both fail with the line at fault. A text that breaks off within a GPU is refused, too.
Result<NvidiaSmi> parse_nvidia_smi_q(std::string_view text);
Result<NvidiaSmi> parse_nvidia_smi_xml(std::string_view text);

}  // namespace podwright::parsing
