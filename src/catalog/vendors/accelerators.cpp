#include "catalog/vendors/accelerators.hpp"

#include <algorithm>

namespace podwright {

namespace {

struct Model {
  std::string_view vendor;
  std::string_view device;
  std::string_view name;
};

// Sources: the PCI ID repository (pci-ids.ucw.cz), version 2026.08.22; for Ascend, which registers no
// ids, the PCIE_BDF_* constants of the log collector that comes with its driver.
constexpr Model models[] = {
    // NVIDIA
    {"10de", "15f7", "Tesla P100 PCIe 12GB"},
    {"10de", "15f8", "Tesla P100 PCIe 16GB"},
    {"10de", "15f9", "Tesla P100 SXM2 16GB"},
    {"10de", "1db1", "Tesla V100 SXM2 16GB"},
    {"10de", "1db3", "Tesla V100 FHHL 16GB"},
    {"10de", "1db4", "Tesla V100 PCIe 16GB"},
    {"10de", "1db5", "Tesla V100 SXM2 32GB"},
    {"10de", "1db6", "Tesla V100 PCIe 32GB"},
    {"10de", "1db8", "Tesla V100 SXM3 32GB"},
    {"10de", "1df5", "Tesla V100 SXM2 16GB"},
    {"10de", "1df6", "Tesla V100S PCIe 32GB"},
    {"10de", "1eb8", "Tesla T4"},
    {"10de", "20b0", "A100 SXM4 40GB"},
    {"10de", "20b1", "A100 PCIe 40GB"},
    {"10de", "20b2", "A100 SXM4 80GB"},
    {"10de", "20b3", "A100 SXM 64GB"},
    {"10de", "20b5", "A100 PCIe 80GB"},
    {"10de", "20b7", "A30 PCIe"},
    {"10de", "20b8", "A100X"},
    {"10de", "20b9", "A30X"},
    {"10de", "20bd", "A800 SXM4 40GB"},
    {"10de", "20f1", "A100 PCIe 40GB"},
    {"10de", "20f3", "A800 SXM4 80GB"},
    {"10de", "20f5", "A800 PCIe 80GB"},
    {"10de", "20f6", "A800 PCIe 40GB"},
    {"10de", "20fd", "AX800"},
    {"10de", "2235", "A40"},
    {"10de", "2236", "A10"},
    {"10de", "2237", "A10G"},
    {"10de", "230c", "H20 NVL16"},
    {"10de", "230e", "H20 NVL16"},
    {"10de", "2313", "H100 CNX"},
    {"10de", "2321", "H100 NVL 94GB"},
    {"10de", "2322", "H800 PCIe"},
    {"10de", "2324", "H800"},
    {"10de", "2328", "H20B"},
    {"10de", "2329", "H20"},
    {"10de", "232c", "H20 HBM3e"},
    {"10de", "2330", "H100 SXM5 80GB"},
    {"10de", "2331", "H100 PCIe"},
    {"10de", "2335", "H200 SXM 141GB"},
    {"10de", "2336", "H100"},
    {"10de", "2337", "H100 SXM5 64GB"},
    {"10de", "2338", "H100 SXM5 96GB"},
    {"10de", "2339", "H100 SXM5 94GB"},
    {"10de", "233a", "H800 NVL 94GB"},
    {"10de", "233b", "H200 NVL"},
    {"10de", "233d", "H100 96GB"},
    {"10de", "2342", "GH200 120GB / 480GB"},
    {"10de", "2348", "GH200 144GB HBM3e"},
    {"10de", "25b6", "A2 / A16"},
    {"10de", "26b5", "L40"},
    {"10de", "26b7", "L20"},
    {"10de", "26b8", "L40G"},
    {"10de", "26b9", "L40S"},
    {"10de", "26ba", "L20"},
    {"10de", "27b6", "L2"},
    {"10de", "27b8", "L4"},
    {"10de", "2901", "B200"},
    {"10de", "2909", "B200 168GB"},
    {"10de", "2920", "B100"},
    {"10de", "2941", "GB200"},
    {"10de", "29bc", "B100"},
    {"10de", "2bb5", "RTX PRO 6000 Blackwell Server Edition"},
    {"10de", "3182", "B300 SXM6"},
    {"10de", "31a1", "GB300 MaxQ"},
    {"10de", "31c2", "GB300"},
    {"10de", "31c3", "GB300"},
    // AMD
    {"1002", "66a0", "Radeon Instinct MI60 / MI50"},
    {"1002", "66a1", "Radeon Instinct MI50"},
    {"1002", "738c", "Instinct MI100"},
    {"1002", "738e", "Instinct MI100"},
    {"1002", "7408", "Instinct MI250X"},
    {"1002", "740c", "Instinct MI250X / MI250"},
    {"1002", "740f", "Instinct MI210"},
    {"1002", "74a0", "Instinct MI300A"},
    {"1002", "74a1", "Instinct MI300X"},
    {"1002", "74a2", "Instinct MI308X"},
    {"1002", "74a5", "Instinct MI325X"},
    {"1002", "74a9", "Instinct MI300X HF"},
    {"1002", "74b5", "Instinct MI300X (virtual function)"},
    {"1002", "74b9", "Instinct MI325X (virtual function)"},
    {"1002", "74bd", "Instinct MI300X HF (virtual function)"},
    {"1002", "75a0", "Instinct MI350X"},
    {"1002", "75a3", "Instinct MI355X"},
    {"1002", "75a8", "Instinct MI350P"},
    // Huawei Ascend
    {"19e5", "d100", "Ascend 310"},
    {"19e5", "d105", "Ascend 310B"},
    {"19e5", "d500", "Ascend 310P"},
    {"19e5", "d801", "Ascend 910"},
    {"19e5", "d802", "Ascend 910B"},
    {"19e5", "d803", "Ascend 910C"},
    // Intel: Habana, and the GPUs of data centres (others of its GPUs are graphics of desktops)
    {"1da3", "0001", "Habana Goya"},
    {"1da3", "0030", "Habana Greco"},
    {"1da3", "1000", "Gaudi"},
    {"1da3", "1010", "Gaudi"},
    {"1da3", "1020", "Gaudi 2"},
    {"1da3", "1060", "Gaudi 3"},
    {"1da3", "1063", "Gaudi 3"},
    {"8086", "0bd4", "Data Center GPU Max 1550VG"},
    {"8086", "0bd5", "Data Center GPU Max 1550"},
    {"8086", "0bd6", "Data Center GPU Max 1550"},
    {"8086", "0bd7", "Data Center GPU Max 1350"},
    {"8086", "0bd8", "Data Center GPU Max 1350"},
    {"8086", "0bd9", "Data Center GPU Max 1100"},
    {"8086", "0bda", "Data Center GPU Max 1100"},
    {"8086", "0bdb", "Data Center GPU Max 1100"},
    {"8086", "56c0", "Data Center GPU Flex 170"},
    {"8086", "56c1", "Data Center GPU Flex 140"},
};

const Model* find_model(std::string_view vendor, std::string_view device) {
  const auto found = std::ranges::find_if(
      models, [&](const Model& model) { return model.vendor == vendor && model.device == device; });
  return found == std::end(models) ? nullptr : found;
}

}  // namespace

std::string_view accelerator_vendor(std::string_view vendor, std::string_view device,
                                    std::string_view klass) {
  const bool display = klass.starts_with("0300") || klass.starts_with("0302") || klass.starts_with("0380");
  const bool processing = klass.starts_with("12") || klass.starts_with("0b40");
  if (vendor == "10de") return display ? "nvidia" : "";
  if (vendor == "1002") return display || processing ? "amd" : "";
  // Huawei's 1711 is the display chip of its management controller; the NPUs are dNNN.
  if (vendor == "19e5") return processing && device.starts_with('d') ? "ascend" : "";
  if (vendor == "1da3") return processing ? "intel" : "";
  if (vendor == "8086") return find_model(vendor, device) != nullptr ? "intel" : "";
  return "";
}

std::string accelerator_model(std::string_view vendor, std::string_view device) {
  if (const auto* model = find_model(vendor, device)) return std::string(model->name);
  return std::string(vendor) + ":" + std::string(device);
}

}  // namespace podwright
