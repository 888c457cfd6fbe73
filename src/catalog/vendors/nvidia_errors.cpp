#include "catalog/vendors/nvidia_errors.hpp"

#include <algorithm>
#include <iterator>

namespace podwright {

namespace {

using enum NvidiaErrorClass;

constexpr std::string_view restart = "the job that ran there failed; run it again, and look into the program when it comes back";
constexpr std::string_view support = "drain the node and report it to the vendor with nvidia-bug-report.sh";
constexpr std::string_view reset = "drain the node, then nvidia-smi --gpu-reset -i GPU, or reboot; report it to the vendor when it comes back";
constexpr std::string_view reboot = "drain the node and power it off and on; one that falls off again: reseat or replace it";
constexpr std::string_view nvlink = "drain the node, reset all of its GPUs together (with the fabric manager stopped) or reboot; replace the part when it comes back";
constexpr std::string_view nothing = "nothing to do by itself; look for another Xid beside it";

/// By number.
constexpr NvidiaError xids[] = {
    {8, application, false, "the GPU stopped processing a channel", restart},
    {11, application, false, "an invalid or corrupted push buffer", restart},
    {13, application, false, "a graphics engine exception, often an access out of bounds by the program", restart},
    {25, application, false, "an invalid or illegal push buffer", restart},
    {31, application, false, "a page fault of the program on the GPU", restart},
    {32, application, false, "an invalid or corrupted push buffer", restart},
    {37, note, false, "a driver firmware error", nothing},
    {38, note, false, "a driver firmware error", nothing},
    {39, application, false, "a copy engine exception", restart},
    {40, application, false, "a copy engine exception", restart},
    {41, application, false, "a copy engine exception", restart},
    {43, application, false, "the GPU stopped processing; the program was ended", restart},
    {44, application, false, "a fault of the graphics engine during a context switch", restart},
    {45, note, false, "clean-up after another error, or a program that was killed", nothing},
    {46, gpu, true, "the GPU stopped processing", reset},
    {48, gpu, true, "an uncorrectable (double bit) memory error", "drain the node and reset the GPU, so that rows are remapped; replace it when remapping fails (nv.remap)"},
    {54, gpu, true, "auxiliary power is not connected to the board", "power the node off and see to the power cables of the board"},
    {60, application, false, "a video processor exception", restart},
    {61, firmware, true, "an internal micro-controller breakpoint or warning", reset},
    {62, gpu, true, "the internal micro-controller has halted", reset},
    {63, note, false, "a row was remapped, or a page retired, after a memory error", "reset the GPU at the next occasion, so that the remapping takes effect (nv.remap)"},
    {64, gpu, true, "a row could not be remapped, or a page not retired", "drain the node and reset the GPU; replace it when remapping failed (nv.remap)"},
    {66, note, false, "an illegal access by the driver", nothing},
    {67, note, false, "an illegal access by the driver", nothing},
    {68, application, false, "a video decoder exception", restart},
    {69, application, false, "a graphics engine class error", restart},
    {74, link, true, "an NVLink error", nvlink},
    {78, firmware, false, "a virtual GPU did not start", "bring driver and firmware of host and guest to matching releases"},
    {79, gpu, true, "the GPU has fallen off the bus", reboot},
    {80, application, false, "corrupted data was sent to the GPU", restart},
    {92, gpu, false, "a high rate of single bit memory errors", "watch it; run dcgmi diag -r 3, and replace the GPU when the rate stays"},
    {93, note, false, "the InfoROM is written to more often than it was made for", support},
    {94, application, false, "a contained memory error: the programs that it hit were ended", "run the job again; reset the GPU when it is idle, so that the row is remapped"},
    {95, gpu, true, "an uncontained memory error: every program on the GPU is affected", reset},
    {106, note, false, "a test message", nothing},
    {107, note, false, "a test message", nothing},
    {109, gpu, true, "a context switch timed out", reset},
    {110, gpu, true, "a security fault", "drain the node and reboot; report it to the vendor when it comes back"},
    {119, firmware, true, "the GPU's system processor (GSP) does not answer", reset},
    {120, firmware, true, "an error of the GPU's system processor (GSP)", reset},
    {121, link, false, "a corrected error of the link between processor and GPU (C2C)", "reset the GPU at the next occasion"},
    {122, firmware, false, "an SPI PMU read failed", support},
    {123, firmware, false, "an SPI PMU write failed", support},
    {136, link, true, "a link could not be trained", nvlink},
    {137, link, false, "an NVLink fault of another GPU's program: an access that it may not make", restart},
    {140, gpu, true, "an uncorrected memory error without a page of its own", reset},
    {141, note, false, "an error of the CUDA fast path", nothing},
    {142, application, false, "a video encoder error", restart},
    {143, gpu, true, "the GPU could not be initialised", reset},
    {144, link, true, "an NVLink error (SAW)", nvlink},
    {145, link, true, "an NVLink error (RLW)", nvlink},
    {146, link, true, "an NVLink error (TLW)", nvlink},
    {147, link, true, "an NVLink error (TREX)", nvlink},
    {148, link, true, "an NVLink error (NVLPW_CTRL)", nvlink},
    {149, link, true, "an NVLink error (NETIR)", nvlink},
    {150, link, true, "an NVLink error (MSE)", nvlink},
    {151, firmware, true, "an error when keys were changed (confidential computing)", "restart the guest"},
    {154, note, false, "what the driver advises for recovery has changed: it stands in the message", "do what the message says: none, reset, reboot, or drain and reset"},
    {155, link, true, "an NVLink error that software defines", nvlink},
    {156, gpu, true, "a resource of the GPU was retired", reset},
    {157, gpu, true, "a resource of the GPU could not be retired", support},
    {158, gpu, true, "a fatal timeout of the GPU", reset},
    {160, note, false, "a channel was retired", nothing},
    {161, gpu, false, "a channel could not be retired", support},
    {162, note, false, "the power smoothing hardware works again", nothing},
    {163, note, false, "the power smoothing hardware is off", "watch the power of the rack; report it to the vendor"},
    {164, note, false, "the power smoothing hardware is near the end of its life", support},
    {165, gpu, false, "the power smoothing hardware has reached the end of its life", support},
    {167, gpu, true, "a fatal timeout of PCIe", reboot},
    {168, gpu, true, "errors in a write protected region", reset},
    {169, gpu, true, "an internal micro-controller has halted", reset},
    {171, note, false, "details of an uncorrectable DRAM error (Xid 48)", nothing},
    {172, note, false, "details of an uncorrectable SRAM error (Xid 48)", nothing},
};

constexpr std::string_view port = "drain the nodes on this NVSwitch and restart them; the part at fault is the switch, the GPU or the cable of the port in the message";
constexpr std::string_view fabric = "drain and restart the host: the whole NVLink fabric of it must be reset; replace the NVSwitch when it comes back";

constexpr NvidiaError sxids[] = {
    {10001, link, true, "a private error of the switch's host interface", port},
    {10002, link, true, "a timeout of the switch's host interface", port},
    {10003, link, true, "an interrupt of the switch that nobody handles", fabric},
    {10004, link, true, "the switch is too hot", "see to the cooling of the node: fans, air flow, inlet temperature"},
    {10005, note, false, "the switch has cooled down again", "see to the cooling of the node"},
    {11001, link, true, "ingress: an invalid command", port},
    {11004, link, true, "ingress: an access that the partition does not allow", "look at the fabric manager's partitions, then restart it"},
    {11009, link, true, "ingress: an invalid virtual channel set", port},
    {11012, note, false, "a corrected single bit error", nothing},
    {11013, link, true, "ingress: a double bit error in a header", port},
    {11018, link, true, "ingress: a double bit error (RID)", port},
    {11019, link, true, "ingress: a double bit error (RLAN)", port},
    {11020, link, true, "ingress: a control parity error", port},
    {11021, note, false, "a corrected single bit error", nothing},
    {11022, note, false, "a corrected single bit error", nothing},
    {11023, note, false, "a corrected single bit error", nothing},
    {12001, link, true, "egress: a crossbar overflow", port},
    {12002, link, true, "egress: a packet without a route", port},
    {12020, link, true, "egress: a sequence id error", fabric},
    {12021, note, false, "a corrected single bit error", nothing},
    {12022, link, true, "egress: a double bit error at the input", port},
    {12023, note, false, "a corrected single bit error", nothing},
    {12024, link, true, "egress: a double bit error at the output", port},
    {12025, link, true, "egress: a credit overflow", port},
    {12026, link, true, "egress: a wrong destination of a request", port},
    {12027, link, true, "egress: a wrong destination of a response", port},
    {12028, link, false, "egress: a private error of a request that is not posted", "look for the program that ended, and run it again"},
    {12030, link, true, "egress: a control parity error", port},
    {12031, link, true, "egress: a credit parity error", port},
    {12032, link, true, "egress: flits of the wrong type", port},
    {14017, link, true, "a timeout of tracking", port},
    {15001, link, true, "route: a buffer over- or underflow", port},
    {15006, link, true, "route: a transaction over- or underflow", port},
    {15008, note, false, "a corrected single bit error", nothing},
    {15009, link, true, "route: a double bit error (GLT)", port},
    {15010, link, true, "route: a parity error", port},
    {15011, note, false, "a corrected single bit error", nothing},
    {15012, link, true, "route: a double bit error of what came in", port},
    {15013, link, true, "route: a credit parity error", port},
    {19047, link, true, "a double bit error in a header (NCISOC)", port},
    {19048, link, true, "a double bit error in data (NCISOC)", port},
    {19049, note, false, "a corrected single bit error", nothing},
    {19054, link, true, "a double bit error (HDR RAM)", port},
    {19055, note, false, "a corrected single bit error", nothing},
    {19056, link, true, "a double bit error (DAT0 RAM)", port},
    {19057, note, false, "a corrected single bit error", nothing},
    {19058, link, true, "a double bit error (DAT1 RAM)", port},
    {19059, note, false, "a corrected single bit error", nothing},
    {19060, link, true, "a double bit error (CREQ RAM, header)", port},
    {19061, link, true, "a double bit error (CREQ RAM, data)", port},
    {19062, note, false, "a corrected single bit error", nothing},
    {19063, link, true, "a double bit error (response RAM, header)", port},
    {19064, link, true, "a double bit error (response RAM, data)", port},
    {19065, note, false, "a corrected single bit error", nothing},
    {19066, link, true, "a double bit error (COM RAM, header)", port},
    {19067, link, true, "a double bit error (COM RAM, data)", port},
    {19068, note, false, "a corrected single bit error", nothing},
    {19069, link, true, "a double bit error (RSP1 RAM, header)", port},
    {19070, link, true, "a double bit error (RSP1 RAM, data)", port},
    {19071, note, false, "a corrected single bit error", nothing},
    {19084, link, false, "a heartbeat timed out (AN1)", nothing},
    {20001, link, false, "a packet was sent again", "watch nvidia-smi nvlink -e; many of them: see to the link"},
    {20009, link, false, "a high rate of errors at a receiver", "watch nvidia-smi nvlink -e; see to the link when it stays"},
    {20012, link, false, "a broken or inconsistent connection", nvlink},
    {20034, link, true, "a link went down (LTSSM fault)", nvlink},
    {22003, link, true, "the switch's micro-controller has halted", fabric},
    {22011, link, true, "an external error of the switch's micro-controller", fabric},
    {22012, link, true, "a link interrupt of the switch's micro-controller", port},
    {22013, link, false, "a link request of the switch's micro-controller failed", nothing},
    {23001, link, true, "ingress: a buffer overflow of a source", fabric},
    {23002, link, true, "ingress: a buffer underflow of a source", fabric},
    {23003, link, true, "egress: a credit overflow of a destination", fabric},
    {23004, link, true, "egress: a credit underflow of a destination", fabric},
    {23005, link, true, "ingress: a packet burst error", fabric},
    {23006, link, true, "ingress: a packet sticky error", fabric},
    {23007, link, true, "ingress: possible bubbles", fabric},
    {23008, link, true, "ingress: a packet with an invalid destination", fabric},
    {23009, link, true, "ingress: a packet parity error", fabric},
    {23010, link, true, "ingress: a buffer overflow of a source", fabric},
    {23011, link, true, "ingress: a buffer underflow of a source", fabric},
    {23012, link, true, "egress: a credit overflow of a destination", fabric},
    {23013, link, true, "egress: a credit underflow of a destination", fabric},
    {23014, link, true, "ingress: a packet burst error", fabric},
    {23015, link, true, "ingress: a packet sticky error", fabric},
    {23016, link, true, "ingress: possible bubbles", fabric},
    {23017, link, true, "ingress: a credit parity error", fabric},
    {24001, note, false, "a corrected single bit error", nothing},
    {24002, note, false, "a corrected single bit error", nothing},
    {24003, note, false, "a corrected single bit error", nothing},
    {24004, link, true, "a double bit error of source tracking (TCEN0)", port},
    {24005, link, true, "a double bit error of source tracking (TCEN0 TD)", port},
    {24006, link, true, "a double bit error of source tracking (TCEN1)", port},
    {24007, link, true, "a timeout of source tracking", port},
};

template <std::size_t N>
const NvidiaError* find(const NvidiaError (&table)[N], std::int64_t code) {
  const auto found = std::ranges::find(table, code, &NvidiaError::code);
  return found == std::end(table) ? nullptr : &*found;
}

}  // namespace

std::string_view to_string(NvidiaErrorClass klass) {
  switch (klass) {
    case application: return "application";
    case gpu: return "gpu";
    case NvidiaErrorClass::link: return "link";
    case firmware: return "firmware";
    case note: return "note";
  }
  return "gpu";
}

const NvidiaError* nvidia_xid(std::int64_t code) { return find(xids, code); }
const NvidiaError* nvidia_sxid(std::int64_t code) { return find(sxids, code); }

}  // namespace podwright
