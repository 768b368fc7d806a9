"""The node does its work: two boots of one machine, everything asked in one go, each answer judged by a test.

It has two network cards: one behind QEMU's NAT, for SSH, and one on `wire.py`, whose DHCP server names a DNS and an NTP
server that are there as well. The first boot starts with a clock two days behind. The second has another seed, of the
same instance, whose network-config gives the first card an address of its own, and another key.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assembler.formats import qcow2
from assembler.formats.iso import write_iso
from assembler.layers.cloudinit import LABEL, NETWORK_CONFIG, USER_DATA
from assembler.layers.cloudinit import seed as seed_files
from assembler.vm.isofile import read_files
from assembler.vm.machine import Machine
from assembler.vm.node import Built, hardware
from assembler.vm.qemu import Emulator, Hardware
from assembler.vm.seed import read_key, with_keys
from tests.boot.wire import ADDRESS, GUEST, NAME, Wire, plugged_in

pytestmark = pytest.mark.boot

LOGIN = 1200
"""Seconds until the prompt; about 25 under emulation on an idle machine."""
RUNNING = 1200
"""Seconds until every unit is started; cloud-init takes the most of it."""
BEHIND = 2 * 86400
"""Seconds by which the clock of the first boot is behind."""

STATE = 4 << 30
"""Bytes of the state disk, which the first boot reads from end to end."""

STATIC = """
version: 2
ethernets:
  nat:
    match: {macaddress: "52:54:00:12:34:56"}
    addresses: [10.0.2.77/24]
    routes: [{to: 198.51.100.0/24, via: 10.0.2.2}]
"""
"""For the card that QEMU gives this address."""

SYSCTLS = {
    "dev.tty.ldisc_autoload": "0",
    "fs.protected_fifos": "2",
    "fs.protected_hardlinks": "1",
    "fs.protected_regular": "2",
    "fs.protected_symlinks": "1",
    "fs.suid_dumpable": "0",
    "kernel.dmesg_restrict": "1",
    "kernel.kptr_restrict": "1",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.yama.ptrace_scope": "1",
    "net.core.bpf_jit_harden": "1",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv6.conf.all.accept_redirects": "0",
}

LISTENING = {("tcp", "22", "sshd"), ("udp", "68", "systemd-network")}
"""What listens beyond the loopback: protocol, port, program. The second is the DHCP client."""

PRIVILEGED = """\
2755 root:shadow /usr/bin/chage
4755 root:root /usr/bin/chfn
4755 root:root /usr/bin/chsh
2755 root:shadow /usr/bin/expiry
4755 root:root /usr/bin/gpasswd
4755 root:root /usr/bin/mount
4755 root:root /usr/bin/newgrp
4755 root:root /usr/bin/passwd
2755 root:_ssh /usr/bin/ssh-agent
4755 root:root /usr/bin/su
4755 root:root /usr/bin/umount
4754 root:messagebus /usr/lib/dbus-1.0/dbus-daemon-launch-helper
2755 root:tty /usr/lib/mc/cons.saver
4755 root:root /usr/lib/openssh/ssh-keysign
4755 root:root /usr/sbin/mount.nfs
2755 root:shadow /usr/sbin/unix_chkpwd"""
"""Every file that gives its user or group to whoever runs it."""

QUESTIONS = {
    "state": "cat /run/livecd/state; blkid -s UUID -o value -L K8S_STATE; findmnt -no SOURCE,TARGET /mnt",
    "uuid": "blkid -s UUID -o value $(blkid -L K8S_STATE)",
    "hostname": "hostname",
    "addresses": "ip -4 -br address show scope global",
    "routes": "ip -4 route show proto static",
    "links": "networkctl list --no-legend --no-pager",
    "resolv.conf": "readlink -f /etc/resolv.conf; grep ^nameserver /etc/resolv.conf",
    "name": f"getent ahostsv4 {NAME}",
    "no name": "getent hosts nothing.assembler.test",
    "synchronised": "for i in $(seq 60); do timedatectl show -p NTPSynchronized | grep yes && break; sleep 2; done",
    "clock": "date +%s",
    "time server": "timedatectl show-timesync -p ServerAddress --value",
    "first entry": "journalctl -b -o json --output-fields=MESSAGE --no-pager | head -n 1",
    "boots": "journalctl --list-boots -o json --no-pager",
    "former message": "journalctl -b -1 -t assembler-test -o cat --no-pager",
    "machine-id": "cat /etc/machine-id",
    "host keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "iscsi name": "grep ^InitiatorName= /etc/iscsi/initiatorname.iscsi",
    "containerd": "systemctl is-active containerd",
    "layers": (
        "cd /var/lib/containerd && mkdir -p t/l t/u t/w t/m && cd t && touch l/x && "
        "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m && rm m/x && umount m && stat -c %F u/x"
    ),
    "not there": "systemctl is-active var-lib-docker.mount var-lib-containers.mount var-lib-rancher.mount | sort -u",
    "cloud-init": "cloud-init status --long",
    "instance": "cat /var/lib/cloud/data/instance-id",
    "keys": "cut -d ' ' -f 2 /root/.ssh/authorized_keys",
    "synced": "systemctl show -p ExecStartPost cloud-init-network cloud-config cloud-final",
    "locale": "cat /etc/default/locale /etc/locale.conf; date +%Z",
    "kept": "cat /root/kept /var/lib/kept",
    "fsck": "cat /run/livecd/fsck.log",
    "medium": "cat /run/livecd/medium; sha256sum /run/initramfs/medium/live/SHA256SUMS",
    "sockets": "ss -H -tulpn | awk '{ print $1, $5, $7 }'",
    "privileged": "find / -xdev -type f -perm /6000 -printf '%m %u:%g %p\\n' | sort -k 3",
    "mounts": "findmnt -rno TARGET,OPTIONS",
    "sshd": "sshd -T",
    "sysctls": "sysctl " + " ".join(sorted(SYSCTLS)),
    "su": "runuser -u nobody -- /usr/bin/passwd -S nobody",
}


@dataclass(frozen=True)
class Boot:
    console: str
    overall: tuple[int, str]
    failed: str
    answers: Mapping[str, tuple[int, str]]
    begun: float
    asked: float
    """When the clock was asked for, in seconds since the epoch, on the host."""

    def said(self, question: str) -> str:
        status, text = self.answers[question]
        assert status == 0, f"{QUESTIONS[question]}: {text}"
        return text


@dataclass(frozen=True)
class Session:
    first: Boot
    second: Boot
    ssh: subprocess.CompletedProcess[str]
    stranger: subprocess.CompletedProcess[str]
    wire: Wire


def ssh(port: int, key: Path, command: str) -> subprocess.CompletedProcess[str]:
    argv = ["ssh", "-F", "none", "-p", str(port), "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    argv += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={key}.hosts", "-o", "ConnectTimeout=240"]
    return subprocess.run([*argv, "root@127.0.0.1", command], capture_output=True, text=True, timeout=300, check=False)


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def with_network(node: Built, out: Path) -> Path:
    """Write to `out` the node's seed with STATIC, which is still that of the same machine; returns `out`."""
    user_data = read_files(node.seed, ["/user-data"])["/user-data"]
    files = seed_files({USER_DATA: user_data, NETWORK_CONFIG: STATIC.encode()}, hostname="k8s-livecd")
    write_iso(out, {f"/{name}": data for name, data in files.items()}, label=LABEL, epoch=0, joliet=True)
    return out


@contextmanager
def logged_in(machine: Machine) -> Iterator[Machine]:
    with machine:
        machine.expect(r"^k8s-livecd login: $", LOGIN)
        machine.login("root", "root", timeout=600)
        yield machine


def ask(machine: Machine, begun: float) -> Boot:
    # Until then cloud-init writes to the console, between the lines of other answers.
    machine.run("systemctl is-system-running --wait", RUNNING)
    overall = machine.run("systemctl is-system-running")
    failed = machine.run("systemctl --failed --no-legend --plain; journalctl -b -p 3 -o cat --no-pager | tail -n 40")[1]
    answers = {}
    asked = 0.0
    for question, command in QUESTIONS.items():
        if question == "clock":
            asked = time.time()
        answers[question] = machine.run(command, timeout=600)
    return Boot(machine.console.text, overall, failed, answers, begun, asked)


@pytest.fixture(scope="module")
def session(
    node: Built, emulator: Emulator, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Session:
    directory = tmp_path_factory.mktemp("services")
    key, strange = make_key(directory / "key"), make_key(directory / "stranger")
    seed = with_keys(node.seed, [read_key(key.with_suffix(".pub"))], directory / "seed.iso")
    state = directory / "var.qcow2"
    qcow2.create(state, STATE)
    port = free_port()
    with plugged_in() as wire:

        def machine(seed: Path) -> Hardware:
            cards = hardware(node, seed=seed, state=state, processors=2, ssh_port=port)
            return replace(cards, wires=((wire.port, wire.qemu_port),))

        begun = time.time()
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun - BEHIND))
        with logged_in(Machine(emulator, replace(machine(seed), clock=clock))) as running:
            first = ask(running, begun)
            # While the machine is idle, so that it does not take long.
            by_key, by_other = ssh(port, key, "id -un; hostname"), ssh(port, strange, "id -un")
            running.run(
                "logger -t assembler-test said before the reboot; echo kept | tee /root/kept /var/lib/kept; sync"
            )
            running.shutdown(600)
        begun = time.time()
        static = with_network(node, directory / "static.iso")
        other = with_keys(static, [read_key(strange.with_suffix(".pub"))], directory / "other.iso")
        with logged_in(Machine(emulator, machine(other))) as running:
            second = ask(running, begun)
            running.shutdown(600)
    return Session(first, second, by_key, by_other, wire)


def test_every_unit_is_running(session: Session) -> None:
    assert session.first.overall == (0, "running"), session.first.failed
    assert session.second.overall == (0, "running"), session.second.failed


def test_ssh_with_the_key_of_the_seed(session: Session) -> None:
    assert session.ssh.stdout == "root\nk8s-livecd\n", session.ssh.stderr


def test_ssh_with_another_key_is_refused(session: Session) -> None:
    assert session.stranger.returncode != 0
    assert "Permission denied" in session.stranger.stderr


def test_hostname(session: Session) -> None:
    assert session.first.said("hostname") == "k8s-livecd"


def test_every_wired_interface_has_its_address_by_dhcp(session: Session) -> None:
    addresses = session.first.said("addresses")
    assert f" {GUEST}/24" in addresses
    assert " 10.0.2.15/24" in addresses
    links = [line.split() for line in session.first.said("links").splitlines()]
    assert [link[3:] for link in links if link[2] == "ether"] == [["routable", "configured"]] * 2


def test_the_network_config_of_a_seed_is_followed(session: Session) -> None:
    addresses = session.second.said("addresses")
    assert " 10.0.2.77/24" in addresses
    assert "10.0.2.15" not in addresses
    assert f" {GUEST}/24" in addresses, "the other card uses DHCP as before"
    assert "198.51.100.0/24 via 10.0.2.2" in session.second.said("routes")


def test_the_same_machine_takes_another_key(session: Session) -> None:
    """One whose instance-id is as it was."""
    assert session.first.said("instance") == session.second.said("instance") != ""
    (first,) = session.first.said("keys").split()
    assert first in session.second.said("keys").split()
    assert len(session.second.said("keys").split()) == 2


def test_names_are_resolved_through_the_stub(session: Session) -> None:
    assert session.first.said("resolv.conf").splitlines() == [
        "/run/systemd/resolve/stub-resolv.conf",
        "nameserver 127.0.0.53",
    ]
    assert session.first.said("name").split()[0] == str(ADDRESS)
    assert f"dns {NAME}" in session.wire.answered
    assert session.first.answers["no name"][0] != 0


def test_time_is_set_from_the_server_that_dhcp_names(session: Session) -> None:
    boot = session.first
    began_at = int(json.loads(boot.said("first entry"))["__REALTIME_TIMESTAMP"]) / 1e6
    assert began_at < boot.begun - BEHIND / 2, "the clock was not behind to begin with"
    assert boot.said("synchronised") == "NTPSynchronized=yes"
    assert boot.said("time server") == "192.0.2.1"
    assert "ntp" in session.wire.answered
    assert abs(int(boot.said("clock")) - boot.asked) < 30


def test_changes_are_on_the_state_disk_which_is_formatted_once(session: Session) -> None:
    first, second = session.first, session.second
    assert "MODE=disk" in first.said("state")
    assert "is blank and becomes the state disk" in first.console
    assert "MODE=disk" in second.said("state")
    assert "is blank and becomes the state disk" not in second.console
    assert "changes are kept on vda: it is labelled K8S_STATE" in second.console
    assert first.said("uuid") == second.said("uuid") != ""


def test_files_survive_a_reboot(session: Session) -> None:
    assert session.first.answers["kept"][0] != 0
    assert session.second.said("kept") == "kept\nkept"


def test_journal_survives_a_reboot(session: Session) -> None:
    assert len(json.loads(session.first.said("boots"))) == 1
    assert len(json.loads(session.second.said("boots"))) == 2
    assert session.second.said("former message") == "said before the reboot"


@pytest.mark.parametrize("question", ["machine-id", "host keys", "iscsi name"])
def test_identity_is_made_once(session: Session, question: str) -> None:
    assert session.first.said(question)
    assert session.first.said(question) == session.second.said(question)


def test_what_cloud_init_has_written_is_on_the_disk(session: Session) -> None:
    """systemd knows how the command after each stage ended."""
    ended = session.first.said("synced").split("\n\n")
    assert [("path=/usr/bin/sync" in one, "code=exited ; status=0" in one) for one in ended] == [(True, True)] * 3


def test_containerd(session: Session) -> None:
    assert session.first.said("containerd") == "active"


def test_layers_of_containers_lie_beside_the_overlay_of_the_root(session: Session) -> None:
    assert session.first.said("layers") == "character special file"
    assert session.first.answers["not there"][1] == "inactive"


def test_cloud_init_has_no_complaint(session: Session) -> None:
    status, text = session.first.answers["cloud-init"]
    assert status == 0, text
    assert "DataSourceNoCloud" in text


def test_locale_and_timezone(session: Session) -> None:
    assert session.first.answers["locale"][1].splitlines()[-1] == "UTC"
    assert "LANG=C.UTF-8" in session.first.answers["locale"][1]


def beyond_loopback(sockets: str) -> set[tuple[str, str, str]]:
    """Protocol, port and program of what listens on more than the loopback, of lines of "sockets"."""
    found = set()
    for line in sockets.splitlines():
        protocol, address, *users = line.split()
        host, _, port = address.rpartition(":")
        if not host.startswith(("127.", "[::1]")):
            found.add((protocol, port, "".join(users).partition('"')[2].partition('"')[0]))
    return found


@pytest.mark.parametrize("which", ["first", "second"])
def test_only_ssh_and_the_dhcp_client_listen(session: Session, which: str) -> None:
    boot: Boot = getattr(session, which)
    found = beyond_loopback(boot.said("sockets"))
    # IPv6's DHCP client listens where a router tells of a DHCP server.
    assert found - {("udp", "546", "systemd-network")} == LISTENING, boot.said("sockets")


def test_files_that_lend_privileges(session: Session) -> None:
    assert session.first.said("privileged") == PRIVILEGED


def test_sysctls(session: Session) -> None:
    lines = dict(line.split(" = ", 1) for line in session.first.said("sysctls").splitlines())
    assert lines == SYSCTLS


def test_x11_is_not_forwarded(session: Session) -> None:
    assert "x11forwarding no" in session.first.said("sshd").splitlines()


def test_the_state_disk_was_unmounted_at_the_end(session: Session) -> None:
    assert "not everything could be unmounted" not in session.first.console
    assert re.search(r"clean, \d+/\d+ files", session.second.said("fsck")), "no journal had to be replayed"


def test_the_medium_is_the_one_that_was_started(session: Session) -> None:
    values = dict(line.split("=", 1) for line in session.first.said("medium").splitlines() if "=" in line)
    assert session.first.said("medium").splitlines()[-1].split()[0] == values["SHA256SUMS"]
    assert f"livecd.medium={values['SHA256SUMS']}" in session.first.console


def test_medium_and_squashfs_lend_nothing(session: Session) -> None:
    mounts = dict(line.split(" ", 1) for line in session.first.said("mounts").splitlines())
    for path in ("/run/initramfs/medium", "/run/initramfs/rootfs"):
        assert {"ro", "nodev", "nosuid"} <= set(mounts[path].split(","))
    # Yet what is in the root may: nobody reads /etc/shadow by it.
    assert session.first.said("su").startswith("nobody L ")
