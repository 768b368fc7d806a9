"""What a machine makes when it first starts; tests/boot/ starts some."""

import os
import subprocess
from pathlib import Path

import pytest

from assembler.configure import identity
from assembler.configure.engine import Settings, configure
from assembler.configure.leftovers import left_over
from assembler.tree.changes import Changes, Entry
from assembler.tree.staging import Kind, Tree
from tests.debian.unpacked import package

FIRST_BOOT = Path(identity.__file__).with_name("first-boot")
WANTED = "/etc/systemd/system/multi-user.target.wants/first-boot.service"


def tree_with(*names: str, systemd: bool = True) -> Tree:
    """The configured tree of packages with these names."""
    tree = Tree()
    tree.mkdir("/usr/lib/systemd/system" if systemd else "/usr/lib", parents=True)
    configure(tree, [package(tree, name) for name in names], Settings(0, "amd64"))
    return tree


@pytest.mark.parametrize("name", sorted(identity.PACKAGES))
def test_whatever_needs_an_identity_makes_it_on_the_first_boot(name: str) -> None:
    tree = tree_with("else", name)
    assert tree.at(identity.PROGRAM).mode == 0o755
    assert tree.read(identity.PROGRAM) == FIRST_BOOT.read_bytes()
    unit = tree.read_text("/usr/lib/systemd/system/first-boot.service")
    assert f"ExecStart={identity.PROGRAM}\n" in unit
    lines = [line.removeprefix("Before=") for line in unit.splitlines() if line.startswith("Before=")]
    before = set(" ".join(lines).split())
    assert {"ssh.service", "iscsid.service", "open-iscsi.service", "munge.service", "varnish.service"} <= before
    assert tree.at(WANTED).target == "/usr/lib/systemd/system/first-boot.service"


def test_others_get_nothing() -> None:
    assert not tree_with("else").lexists(WANTED)
    assert not tree_with("openssh-server", systemd=False).exists("/usr/lib/assembler")


def test_first_boot_is_clean_shell() -> None:
    subprocess.run(["shellcheck", "-o", "all", "-e", "SC2250", FIRST_BOOT], check=True)
    assert os.access(FIRST_BOOT, os.X_OK)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "etc/ssh").mkdir(parents=True)
    (tmp_path / "etc/iscsi").mkdir()
    return tmp_path


def first_boot(root: Path, *, path: str = "") -> None:
    subprocess.run([FIRST_BOOT, root], check=True, env={"PATH": path or os.environ["PATH"]}, capture_output=True)


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mode & 0o7777, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def test_host_keys_are_made_once_and_replaced_when_lost(machine: Path) -> None:
    first_boot(machine)
    made = snapshot(machine / "etc/ssh")
    kinds = ("ecdsa", "ed25519", "rsa")
    assert {Path(name).name for name in made} == {
        f"ssh_host_{kind}_key{suffix}" for kind in kinds for suffix in ("", ".pub")
    }
    assert all(mode == 0o600 for name, (mode, _) in made.items() if not name.endswith(".pub"))
    first_boot(machine)
    assert snapshot(machine / "etc/ssh") == made
    lost = {str(machine / f"etc/ssh/ssh_host_ed25519_key{suffix}") for suffix in ("", ".pub")}
    for name in lost:
        Path(name).unlink()
    first_boot(machine)
    after = snapshot(machine / "etc/ssh")
    assert {name for name in made if after[name] != made[name]} == lost


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with an iscsi-iname that gives another name each time, and no need to wait for keys.

    Debian's own iscsi-iname comes with services that no development machine wants; the boot tests run it.
    """
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in (
        ("iscsi-iname", '[ "$1" = -p ] && echo "$2:$(od -An -N6 -tx1 /dev/urandom | tr -d " ")"'),
        ("ssh-keygen", ""),
    ):
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return f"{directory}:{os.defpath}"


@pytest.mark.parametrize("shipped", [None, "GenerateName=yes\n", "", "InitiatorName=\n"])
def test_initiator_name_is_made_once(machine: Path, path: str, shipped: str | None) -> None:
    name = machine / "etc/iscsi/initiatorname.iscsi"
    if shipped is not None:
        name.write_text(shipped)
    first_boot(machine, path=path)
    made = name.read_text()
    assert made.startswith("InitiatorName=iqn.1993-08.org.debian:01:")
    assert name.stat().st_mode & 0o7777 == 0o600
    first_boot(machine, path=path)
    assert name.read_text() == made
    assert [path.name for path in name.parent.iterdir()] == [name.name]


def test_an_initiator_name_of_the_users_stays(machine: Path, path: str) -> None:
    name = machine / "etc/iscsi/initiatorname.iscsi"
    name.write_text("# mine\nInitiatorName=iqn.2026-01.org.example:n1\n")
    first_boot(machine, path=path)
    assert name.read_text() == "# mine\nInitiatorName=iqn.2026-01.org.example:n1\n"


@pytest.fixture
def programs(path: str) -> str:
    """The same PATH with a dropbearkey, an nvme and a zgenhostid, each of which gives another text each time."""
    directory = Path(path.partition(":")[0])
    for name, text in (
        ("dropbearkey", '[ "$1 $3" = "-t -f" ] && cat /proc/sys/kernel/random/uuid >"$4" && echo "$2" >>"$4"'),
        ("nvme", '[ "$1" = gen-hostnqn ] && echo "nqn.$(cat /proc/sys/kernel/random/uuid)"'),
        ("zgenhostid", '[ "$1" = -o ] && [ ! -e "$2" ] && head -c 4 /dev/urandom >"$2"'),
    ):
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return path


def test_keys_of_dropbear_and_names_of_nvme_are_made_once_each(machine: Path, programs: str) -> None:
    for directory in ("etc/dropbear", "etc/nvme"):
        (machine / directory).mkdir()
    first_boot(machine, path=programs)
    keys, names = snapshot(machine / "etc/dropbear"), snapshot(machine / "etc/nvme")
    kinds = ("rsa", "ecdsa", "ed25519")
    assert {Path(name).name for name in keys} == {f"dropbear_{kind}_host_key" for kind in kinds}
    for name, (mode, data) in keys.items():
        assert (mode, data.split()[-1].decode()) == (0o600, Path(name).name.split("_")[1])
    assert {Path(name).name: mode for name, (mode, _) in names.items()} == {"hostnqn": 0o644, "hostid": 0o644}
    (machine / "etc/dropbear/dropbear_rsa_host_key").unlink()
    (machine / "etc/nvme/hostid").write_text("")
    first_boot(machine, path=programs)
    after = {**snapshot(machine / "etc/dropbear"), **snapshot(machine / "etc/nvme")}
    changed = {Path(name).name for name, was in {**keys, **names}.items() if after[name] != was}
    assert changed == {"dropbear_rsa_host_key", "hostid"}


def test_the_number_of_the_host_is_made_once(machine: Path, programs: str) -> None:
    (machine / "etc/zfs").mkdir()
    number = machine / "etc/hostid"
    number.with_name("hostid.new").write_text("of a run that was interrupted")
    first_boot(machine, path=programs)
    made = number.read_bytes()
    assert (len(made), number.stat().st_mode & 0o777) == (4, 0o644)
    first_boot(machine, path=programs)
    assert number.read_bytes() == made
    assert identity.is_made_on_node("/etc/hostid")


def test_public_keys_of_dropbear_are_made_with_the_private_ones(machine: Path, programs: str) -> None:
    """As newer versions make them; neither is in an image."""
    (machine / "etc/dropbear").mkdir()
    program = Path(programs.partition(":")[0]) / "dropbearkey"
    program.write_text(f'{program.read_text()}[ ! -e "$4.pub" ] && sed "s/^/public /" "$4" >"$4.pub"\n')
    stale = machine / "etc/dropbear/dropbear_rsa_host_key.new.pub"
    stale.write_text("of a run that was interrupted")
    first_boot(machine, path=programs)
    keys = {Path(name).name: data for name, (_, data) in snapshot(machine / "etc/dropbear").items()}
    assert len(keys) == 6
    for kind in ("rsa", "ecdsa", "ed25519"):
        name = f"dropbear_{kind}_host_key"
        public = keys[name].replace(b"\n", b"\npublic ").removesuffix(b"public ")
        assert keys[f"{name}.pub"] == b"public " + public
        assert left_over(f"/etc/dropbear/{name}")
        assert left_over(f"/etc/dropbear/{name}.pub")


@pytest.fixture
def services(programs: str) -> str:
    """The same PATH with the programs that make secrets of services, and a chown that notes what it is told."""
    directory = Path(programs.partition(":")[0])
    uuid = "cat /proc/sys/kernel/random/uuid"
    for name, text in (
        ("chown", f'echo "$1 $2" >>"{directory}/owners"'),
        ("mungekey", f'[ "$1 $2" = "-c -k" ] && [ ! -e "$3" ] && {uuid} >"$3"'),
        ("nsd-control-setup", f'for i in server control; do [ -s "$2/nsd_$i.key" ] || {uuid} >"$2/nsd_$i.key"; done'),
        ("rabbitmqctl", ""),
        ("openssl", f'[ "$*" = "rand -base64 -out $4 42" ] && {uuid} >"$4"'),
        ("xrdp-keygen", f'[ "$1" = xrdp ] && {uuid} >"$2"'),
    ):
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return programs


SECRETS = {
    "etc/munge/munge.key": ("munge:munge", 0o400),
    "etc/postsrsd.secret": ("root:root", 0o600),
    "etc/varnish/secret": ("root:root", 0o600),
    "etc/xrdp/rsakeys.ini": ("xrdp:root", 0o600),
    "var/lib/phpmyadmin/blowfish_secret.inc.php": ("root:www-data", 0o640),
    "var/lib/rabbitmq/.erlang.cookie": ("rabbitmq:rabbitmq", 0o400),
}


def test_secrets_of_services_are_made_once_each_for_their_owners(machine: Path, services: str) -> None:
    for path in (*SECRETS, "etc/nsd/x", "usr/share/phpmyadmin/x", "usr/sbin/x", "lib/systemd/system/x"):
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
    (machine / "usr/sbin/postsrsd").touch()
    unit = machine / "lib/systemd/system/varnish.service"
    unit.write_text("ExecStart=/usr/sbin/varnishd \\\n  -S /etc/varnish/secret\n")
    (machine / "etc/munge/munge.key.new").write_text("of a run that was interrupted")
    first_boot(machine, path=services)
    made = snapshot(machine)
    owners = (machine / "bin/owners").read_text().splitlines()
    for path, (owner, mode) in SECRETS.items():
        assert made[str(machine / path)][0] == mode
        assert len(made[str(machine / path)][1]) >= 32
        assert f"{owner} {machine / path}.new" in owners
        assert left_over(f"/{path}")
    assert "$cfg['blowfish_secret'] = '" in (machine / "var/lib/phpmyadmin/blowfish_secret.inc.php").read_text()
    assert {path.name for path in (machine / "etc/nsd").iterdir()} == {"nsd_server.key", "nsd_control.key"}
    assert not list(machine.rglob("*.new"))
    first_boot(machine, path=services)
    assert {path: value for path, value in snapshot(machine).items() if path in made} == made
    lost = machine / "etc/munge/munge.key"
    lost.unlink()
    first_boot(machine, path=services)
    assert lost.read_bytes() not in {b"", made[str(lost)][1]}


def test_where_nothing_of_that_is_installed_nothing_is_made(machine: Path, services: str) -> None:
    first_boot(machine, path=services)
    assert snapshot(machine) == {
        name: value
        for name, value in snapshot(machine).items()
        if "/ssh/" in name or "iscsi" in name or "/bin/" in name
    }


CERTIFICATE = "/etc/systemd/system/basic.target.wants/snakeoil-certificate.service"


@pytest.mark.parametrize(
    ("group", "key", "made"), [(True, False, True), (False, False, False), (True, True, False)], ids=str
)
def test_the_certificate_of_ssl_cert_is_made_by_nodes_that_have_none(*, group: bool, key: bool, made: bool) -> None:
    """And not before the package is configured, which makes the group that may read it."""
    tree = tree_with("ssl-cert")
    tree.write("/usr/sbin/make-ssl-cert", b"", parents=True)
    tree.write("/etc/group", b"ssl-cert:x:101:\n" if group else b"root:x:0:\n", parents=True)
    if key:
        tree.write("/etc/ssl/private/ssl-cert-snakeoil.key", b"", parents=True)
    identity.prepare(tree, {"ssl-cert"})
    assert tree.lexists(CERTIFICATE) is made
    if made:
        unit = tree.read_text("/usr/lib/systemd/system/snakeoil-certificate.service")
        assert "Before=configure-packages.service\nBefore=basic.target" in unit


def test_the_key_of_rndc_is_made_when_named_starts() -> None:
    place = "/usr/lib/systemd/system/named.service.d/50-rndc-key.conf"
    tree = tree_with("bind9")
    identity.prepare(tree, {"bind9"})
    assert not tree.lexists(place)
    tree.write("/usr/lib/systemd/system/named.service", b"")
    identity.prepare(tree, {"bind9"})
    assert b"rndc-confgen -a" in tree.read(place)
    tree.remove(place)
    tree.write("/etc/bind/rndc.key", b"key", parents=True)
    identity.prepare(tree, {"bind9"})
    assert not tree.lexists(place)


def file(content: bytes) -> Entry:
    return Entry(kind=Kind.FILE, mode=0o600, uid=0, gid=0, mtime=0, content=content)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"-----BEGIN PRIVATE KEY-----\n", True),
        (b"# key\n-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", True),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", True),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", True),
        (b"-----BEGIN PUBLIC KEY-----\n", False),
        (b"-----BEGIN CERTIFICATE-----\n", False),
        (b'print("-----BEGIN PRIVATE KEY-----")\n', False),
        (b"#" * ((1 << 20) - 28) + b"\n-----BEGIN PRIVATE KEY-----", True),
        (b"#" * ((1 << 20) - 27) + b"\n-----BEGIN PRIVATE KEY-----", False),
    ],
)
def test_private_keys_that_came_into_being_are_found(text: bytes, *, found: bool) -> None:
    changes = Changes(put={"/etc/odd/key": file(text), "/usr/share/odd/example": file(text)})
    errors = list(identity.shared_keys(changes, {"/usr/share/odd/example"}))
    assert [error.where.path for error in errors] == (["/etc/odd/key"] if found else [])
    assert all("rootfs.first_boot" in error.hint for error in errors)
