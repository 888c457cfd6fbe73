#include "catalog/vendors/arm_cores.hpp"

namespace podwright {

namespace {

struct Implementer {
  std::string_view id;
  std::string_view name;
};

struct Core {
  std::string_view implementer;
  std::string_view part;
  std::string_view name;
};

// Source: util-linux, sys-utils/lscpu-arm.c, which collects MIDR values from the Arm reference manuals
// and the kernel's arch/arm64/include/asm/cputype.h. Server parts only.
constexpr Implementer implementers[] = {
    {"0x41", "ARM"},    {"0x43", "Cavium"}, {"0x46", "Fujitsu"}, {"0x48", "HiSilicon"},
    {"0x4e", "NVIDIA"}, {"0x50", "APM"},    {"0x51", "Qualcomm"}, {"0x61", "Apple"},
    {"0x6d", "Microsoft"}, {"0x70", "Phytium"}, {"0xc0", "Ampere"},
};

constexpr Core cores[] = {
    {"0x41", "0xd03", "Cortex-A53"},   {"0x41", "0xd07", "Cortex-A57"},
    {"0x41", "0xd08", "Cortex-A72"},   {"0x41", "0xd0c", "Neoverse-N1"},
    {"0x41", "0xd40", "Neoverse-V1"},  {"0x41", "0xd49", "Neoverse-N2"},
    {"0x41", "0xd4a", "Neoverse-E1"},  {"0x41", "0xd4f", "Neoverse-V2"},
    {"0x41", "0xd83", "Neoverse-V3AE"}, {"0x41", "0xd84", "Neoverse-V3"},
    {"0x41", "0xd8e", "Neoverse-N3"},  {"0x43", "0x0af", "ThunderX2-99xx"},
    {"0x46", "0x001", "A64FX"},        {"0x46", "0x003", "MONAKA"},
    {"0x48", "0xd01", "TaiShan-v110"}, {"0x48", "0xd02", "TaiShan-v120"},
    {"0x4e", "0x004", "Carmel"},       {"0x6d", "0xd49", "Azure-Cobalt-100"},
    {"0x70", "0x662", "FTC662"},       {"0x70", "0x663", "FTC663"},
    {"0x70", "0x862", "FTC862"},       {"0xc0", "0xac3", "Ampere-1"},
    {"0xc0", "0xac4", "Ampere-1a"},
};

}  // namespace

std::string arm_implementer(std::string_view implementer) {
  for (const auto& known : implementers) {
    if (known.id == implementer) return std::string(known.name);
  }
  return std::string(implementer);
}

std::string arm_core(std::string_view implementer, std::string_view part) {
  if (part.empty()) return {};
  for (const auto& known : cores) {
    if (known.implementer == implementer && known.part == part) return std::string(known.name);
  }
  return arm_implementer(implementer) + " part " + std::string(part);
}

}  // namespace podwright
