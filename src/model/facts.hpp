/// What a node is, as read from it. Values only; absent things are empty or zero.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace podwright {

struct OsFacts {
  std::string id;        ///< "debian", of os-release
  std::string version;   ///< "12"
  std::string codename;  ///< "bookworm"
  std::string name;      ///< "Debian GNU/Linux 12 (bookworm)"
};

struct CpuFacts {
  std::string model;
  std::string vendor;
  int sockets = 0;
  int cores_per_socket = 0;
  int threads_per_core = 0;
  int logical = 0;  ///< processors that are online
  std::string governor;     ///< of all CPUs when they agree, else "mixed"; empty: no cpufreq
  std::string clocksource;
};

struct NumaNode {
  int id = 0;
  std::uint64_t memory_bytes = 0;
  std::string cpus;  ///< "0-15,32-47"
};

struct PciDevice {
  std::string slot;    ///< "0000:3b:00.0"
  std::string vendor;  ///< "10de", four hexadecimal digits
  std::string device;
  std::string klass;   ///< "030200", six hexadecimal digits
  std::string driver;  ///< bound kernel driver; empty: none
  int numa = -1;
  std::string link_speed;  ///< "16.0 GT/s PCIe"
  int link_width = 0;
  std::string max_link_speed;
  int max_link_width = 0;
};

/// An accelerator: GPU or NPU.
struct Accelerator {
  std::string vendor;  ///< nvidia | amd | ascend | intel
  std::string model;   ///< by PCI id, or as the driver calls it
  std::string slot;
  int numa = -1;
  std::string device_file;  ///< "/dev/nvidia0" where it exists
};

struct Hca {
  std::string name;   ///< "mlx5_0"
  std::string board;
  std::string firmware;
  std::string link_layer;  ///< InfiniBand | Ethernet
  std::string state;       ///< "4: ACTIVE"
  double rate_gbps = 0;
  std::string netdev;
  int numa = -1;
};

struct Nic {
  std::string name;
  std::string mac;
  std::string state;     ///< up | down
  double speed_gbps = 0; ///< 0: unknown (virtual links say nothing)
  int mtu = 0;
  std::string driver;
  std::vector<std::string> addresses;  ///< "10.0.0.1/24", IPv4 and IPv6
};

struct Disk {
  std::string name;  ///< "nvme0n1"
  std::uint64_t bytes = 0;
  std::string model;
  bool rotational = false;
};

struct Mount {
  std::string path;
  std::string source;
  std::string fstype;
  std::string options;
  std::uint64_t bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t available_bytes = 0;  ///< to users: less than bytes - used where root has a reserve
  int inodes_used_percent = -1;  ///< -1: the file system has none
  bool hung = false;             ///< did not answer in time (a dead file server): sizes are unknown
};

struct Facts {
  std::string node;
  std::string hostname;
  OsFacts os;
  std::string kernel;
  std::string arch;         ///< x86_64, aarch64
  std::string boot_id;
  std::string machine_id;
  std::string virtualization; ///< "none", "kvm", "systemd-nspawn"
  int cgroup_version = 0;     ///< 2: the unified hierarchy; 1: the old one; 0: none mounted
  std::string product;        ///< DMI product name
  std::string bios;
  CpuFacts cpu;
  std::uint64_t memory_bytes = 0;
  std::uint64_t swap_bytes = 0;
  std::vector<NumaNode> numa;
  std::vector<PciDevice> pci;
  std::vector<Accelerator> gpus;
  std::vector<Hca> hcas;
  std::vector<Nic> nics;
  std::vector<Disk> disks;
  std::vector<Mount> mounts;
  std::string package_manager;                     ///< apt | dnf | yum | zypper | ""
  std::map<std::string, std::string> packages;     ///< installed: name -> version
  /// "chrony.service" (every alias of it, too) -> "active", "inactive", "failed", "activating"
  std::map<std::string, std::string> services;
  std::map<std::string, std::string> sysctl;
  /// Loaded kernel modules that say their version: "nvidia" -> "570.86.15".
  std::map<std::string, std::string> drivers;
  /// The node's clock when it was read, seconds since 1970 UTC. The engine compares it with its own
  /// clock when the answer arrives.
  double clock_epoch = 0;
  double time_offset_seconds = 0;  ///< node's clock minus the operator's, within a round trip
  bool time_synchronized = false;
  /// Probes that failed or ran out of time: probe id -> reason. What they would have told is absent.
  std::map<std::string, std::string> missing;
};

}  // namespace podwright
