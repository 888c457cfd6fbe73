/// Names of Arm processors, which say only numbers of themselves in /proc/cpuinfo.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// "0x41" -> "ARM"; the number itself when it is not known.
std::string arm_implementer(std::string_view implementer);

/// ("0x41", "0xd4f") -> "Neoverse-V2"; "ARM part 0x123" when it is not known; empty for no part.
std::string arm_core(std::string_view implementer, std::string_view part);

}  // namespace podwright
