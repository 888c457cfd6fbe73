#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# A driver's kernel module is really built by DKMS, and the step is not done before the module is there. Minutes
# of compiling; no GPU is needed for it.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../integration/lib.sh"

lab_up 2
cat >"$WORK/dkms.toml" <<'END'
[profile]
name = "dkms"
summary = "NVIDIA's kernel module as Debian packages it"
requires = { os = ["debian 12"] }
include = ["driver/nvidia-debian"]
END

pw_json plan -n cu01 --profile "$WORK/dkms.toml" --set debian_kernel=6.1.0-56-amd64
check_status "a kernel that this driver does not compile with is refused" 2
check_json "with the rule" '.error.what | contains("nvidia.debian-kernel")'

pw_json apply -n cu01 --yes --profile "$WORK/dkms.toml"
check_status "the driver is installed" 0
check_json "headers, package and module are steps of their own" \
  '.nodes.cu01.changed | index("package/nvidia-open-kernel-dkms") != null'
check "DKMS says that the module is installed" \
  contains "$(on cu01 'dkms status')" 'nvidia-current-open/535.261.03, 6.1.0-47-amd64, x86_64: installed'
check "modinfo reads the version that the profile pins" \
  equal "$(on cu01 'modinfo -F version /lib/modules/6.1.0-47-amd64/updates/dkms/nvidia-current-open.ko')" 535.261.03
check "for that very kernel" \
  contains "$(on cu01 'modinfo -F vermagic /lib/modules/6.1.0-47-amd64/updates/dkms/nvidia-current-open.ko')" "6.1.0-47-amd64 "
check "nouveau is kept away" contains "$(on cu01 'cat /etc/modprobe.d/60-podwright-nouveau.conf')" "blacklist nouveau"
pw_json plan -n cu01 --profile "$WORK/dkms.toml"
check_json "and then nothing is left to do" '.summary.steps == 0'
