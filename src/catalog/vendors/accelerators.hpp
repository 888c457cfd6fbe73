/// Accelerators by their PCI ids.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// nvidia | amd | ascend | intel for a device that is an accelerator for training or inference; empty
/// for everything else, the display chips of management controllers included. Ids are hexadecimal
/// digits without 0x, the class is of six.
std::string_view accelerator_vendor(std::string_view vendor, std::string_view device,
                                    std::string_view klass);

/// "H100 SXM5 80GB"; "10de:ffff" for one that is not in the table.
std::string accelerator_model(std::string_view vendor, std::string_view device);

}  // namespace podwright
