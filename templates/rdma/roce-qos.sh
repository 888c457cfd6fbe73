#!/bin/sh
# Lossless traffic class for RoCE on every Ethernet port with RDMA. Written by podwright.
priority={{roce_priority}} dscp={{roce_dscp}} tos={{roce_tos}}

# 0,0,0,1,0,0,0,0: a flag for each of the eight priorities
flags=
for p in 0 1 2 3 4 5 6 7; do
  if [ "$p" = "$priority" ]; then flags=$flags,1; else flags=$flags,0; fi
done
flags=${flags#,}

failed=0
for port in /sys/class/infiniband/*/ports/1; do
  [ "$(cat "$port/link_layer" 2>/dev/null)" = Ethernet ] || continue
  device=${port%/ports/1}
  for net in "$device"/device/net/*; do
    interface=${net##*/}
    [ -e "/sys/class/net/$interface" ] || continue
    if command -v mlnx_qos >/dev/null 2>&1; then
      mlnx_qos -i "$interface" --trust dscp --pfc "$flags" >/dev/null || failed=1
    else
      dcb app replace dev "$interface" dscp-prio "$dscp:$priority" || failed=1
      dcb pfc set dev "$interface" prio-pfc all:off "$priority:on" || failed=1
    fi
    # ECN for the notification point (receiver) and the reaction point (sender) of the priority
    for end in roce_np roce_rp; do
      enable=$net/ecn/$end/enable/$priority
      [ ! -e "$enable" ] || echo 1 >"$enable" || failed=1
    done
  done
  # Of connections made by rdma_cm, and of all others
  if command -v cma_roce_tos >/dev/null 2>&1; then
    cma_roce_tos -d "${device##*/}" -t "$tos" >/dev/null || failed=1
  fi
  if [ -e "$device/tc/1/traffic_class" ]; then echo "$tos" >"$device/tc/1/traffic_class" || failed=1; fi
done
exit $failed
