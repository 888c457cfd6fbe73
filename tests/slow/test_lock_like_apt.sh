#!/usr/bin/env bash
# Whether `podwright lock` chooses what apt itself would: fifty-odd varied sets of packages of the Debian
# that this machine runs, each closure compared with `apt-get -s install --no-install-recommends` on the
# same minimal base. Needs this machine's apt lists and the network; no lab.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PODWRIGHT=${PODWRIGHT:-$ROOT/build/podwright}
WORK=$(mktemp -d /tmp/podwright-like-apt.XXXXXX)
export WORK
trap 'rm -rf "$WORK"' EXIT
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
[[ -z ${http_proxy:-} ]] || export http_proxy
export XDG_CACHE_HOME=${PODWRIGHT_TEST_CACHE:-$WORK/cache}

python3 - <<'PY'
import glob, json, os, re, subprocess, sys

work, podwright = os.environ["WORK"], os.environ["PODWRIGHT"]
SETS = """
chrony munge slurm-client slurmctld
slurmd slurm-client munge openmpi-bin libopenmpi-dev
python3-torch
slurmdbd mariadb-server
prometheus prometheus-node-exporter prometheus-alertmanager
nfs-kernel-server nfs-common
default-mta
exim4
postfix
gcc g++ make cmake
git
vim
nginx
apache2
postgresql
openjdk-17-jre-headless
python3-numpy python3-scipy
python3-pip python3-venv
ruby
rustc cargo
docker.io
podman
chrony rdma-core ibverbs-utils perftest infiniband-diags
iperf3 pdsh clustershell
ansible
nodejs npm
qemu-system-x86
libvirt-daemon-system
tmux screen htop
dkms linux-headers-amd64
linux-image-amd64
build-essential devscripts
rsyslog logrotate
sssd libnss-sss libpam-sss
nslcd libpam-ldapd
slapd
krb5-user
samba
bind9
dnsmasq tftpd-hpa
ipmitool freeipmi
lmod
hwloc numactl
mpich
libhdf5-openmpi-dev
gdb strace
debhelper
snmpd
cups
texlive-base
ffmpeg
r-base-core
octave
dbus-x11
network-manager
firewalld
etckeeper
collectd
zabbix-agent
""".strip().splitlines()


def lock(packages):
    with open(f"{work}/set.toml", "w") as file:
        file.write('[profile]\nname = "set"\nsummary = "a set of packages"\n')
        for name in packages:
            file.write(f'\n[[package]]\nname = "{name}"\n')
    run = subprocess.run([podwright, "--profile", f"{work}/set.toml", "lock", "--os", "debian:12:amd64", "-o", f"{work}/set.lock.toml"],
                         capture_output=True, text=True, cwd=work)
    if run.returncode != 0:
        return None, run.stderr
    return dict(re.findall(r'^  \{ name = "([^"]+)", version = "([^"]+)", arch', open(f"{work}/set.lock.toml").read(), re.M)), ""


base, error = lock([])
if base is None:
    sys.exit(f"the minimal system cannot be locked: {error}")
known = {}
for file in glob.glob("/var/lib/apt/lists/*debian*_main_binary-amd64_Packages*"):
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], capture_output=True, text=True).stdout
    for stanza in text.split("\n\n"):
        found = re.match(r"Package: (\S+)(?:.*\n)*?Version: (\S+)", stanza)
        if found:
            known[found.groups()] = stanza
with open(f"{work}/status", "w") as status:
    for one in base.items():
        stanza = re.sub(r"^(Filename|Size|MD5sum|SHA256|SHA1):.*\n", "", known[one] + "\n", flags=re.M)
        status.write(stanza.strip() + "\nStatus: install ok installed\n\n")
# Only Debian's own sources: what else this machine's apt knows plays no part.
uris = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages", "Origin: Debian"],
                      capture_output=True, text=True).stdout.split("\n")
with open(f"{work}/sources.list", "w") as sources:
    # In the order of distributions/debian.toml, which is that of Debian's installer: apt's choice between equals
    # depends on it.
    for line in sorted(set(uris), key=lambda line: ("-security" in line, "-updates" in line, line)):
        if line.endswith(" main"):
            sources.write(f"deb {line}\n")
os.makedirs(f"{work}/parts")
os.makedirs(f"{work}/aptcache/archives/partial")
apt = ["apt-get", "-s", "-q", "--no-install-recommends", "-o", f"Dir::State::status={work}/status", "-o", f"Dir::Etc::sourcelist={work}/sources.list",
       "-o", f"Dir::Etc::sourceparts={work}/parts", "-o", f"Dir::Etc::preferencesparts={work}/parts", "-o", f"Dir::Cache={work}/aptcache",
       "-o", f"Dir::State::extended_states={work}/extended", "-o", "APT::Install-Suggests=false"]
same = 0
for line in SETS:
    names = line.split()
    out = subprocess.run(apt + ["install"] + names, capture_output=True, text=True)
    theirs = dict(re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", out.stdout, re.M))
    ours, error = lock(names)
    ours = None if ours is None else {name: version for name, version in ours.items() if base.get(name) != version}
    if ours == theirs and theirs:
        same += 1
        print(f"ok     - {line} ({len(ours)})")
        continue
    print(f"not ok - {line}: {error.strip()[-300:] if ours is None else ''}")
    if ours is not None:
        print("         apt alone:", sorted(set(theirs.items()) - set(ours.items()))[:10])
        print("         lock alone:", sorted(set(ours.items()) - set(theirs.items()))[:10])
print(f"{same} of {len(SETS)} as apt-get -s")
sys.exit(0 if same == len(SETS) and same >= 50 else 1)
PY
