/// NVIDIA's error numbers in the kernel's log: Xid of GPUs, SXid of NVSwitches.
#pragma once

#include <cstdint>
#include <string_view>

namespace podwright {

enum class NvidiaErrorClass {
  application,  ///< the program at fault dies; the GPU goes on
  gpu,          ///< the GPU is not to be used before it was reset, or at all
  link,         ///< NVLink or NVSwitch
  firmware,     ///< driver or firmware; a reset clears it
  note,         ///< for information: corrected, or told of another error
};
std::string_view to_string(NvidiaErrorClass klass);

struct NvidiaError {
  std::int64_t code = 0;
  NvidiaErrorClass klass = NvidiaErrorClass::gpu;
  bool fatal = false;  ///< jobs must not run on the node before somebody has acted
  std::string_view meaning;
  std::string_view action;
};

/// Source: NVIDIA, "XID Errors", https://docs.nvidia.com/deploy/xid-errors (r580, analyzing-xid-catalog), and
/// the GPU debug guidelines. An Xid that is not in the table is unknown: null.
const NvidiaError* nvidia_xid(std::int64_t code);
/// Source: NVIDIA, Fabric Manager User Guide (DU-09883-001 v1.3), appendix D, "NVSwitch SXid errors".
const NvidiaError* nvidia_sxid(std::int64_t code);

}  // namespace podwright
