"""The recipe of the mission's node, and the files that it puts there."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from assembler.layers.cloudinit import from_recipe
from assembler.recipe.load import LoadedRecipe, load

RECIPES = Path(__file__).parents[2] / "recipes"
FIRST_BOOT = RECIPES / "files/first-boot"


@pytest.fixture(scope="module")
def loaded() -> LoadedRecipe:
    return load(RECIPES / "livecd.toml")


def content(loaded: LoadedRecipe, path: str) -> str:
    index = [file.path for file in loaded.recipe.rootfs.files].index(path)
    text = loaded.recipe.rootfs.files[index].content
    return loaded.files[f"rootfs.files[{index}].source"].data.decode() if text is None else text


def test_the_nodes_packages(loaded: LoadedRecipe) -> None:
    wanted = """
        mc procps socat htop ncdu fdisk nano iputils-ping tcpdump net-tools mtr-tiny cloud-init ufw
        openssh-server systemd systemd-sysv systemd-resolved systemd-timesyncd udev dbus bash coreutils
        util-linux iproute2 ethtool kmod conntrack iptables nftables libseccomp2 e2fsprogs ca-certificates
        tzdata nfs-common open-iscsi cryptsetup curl containerd runc containernetworking-plugins
        """
    # login is no longer essential in trixie, and the console's getty has nothing to start without it.
    assert sorted(loaded.recipe.rootfs.packages) == sorted([*wanted.split(), "login"])
    assert loaded.recipe.kernel.package == "linux-image-cloud-amd64"
    assert not loaded.recipe.rootfs.recommends


def test_the_node(loaded: LoadedRecipe) -> None:
    rootfs = loaded.recipe.rootfs
    assert rootfs.hostname == "k8s-livecd"
    assert rootfs.root_password == "root"
    assert rootfs.locale == "C.UTF-8"
    assert rootfs.timezone == "Etc/UTC"
    assert loaded.recipe.livecd.state == "auto"
    assert content(loaded, "/etc/machine-id") == ""
    assert "PermitRootLogin prohibit-password" in content(loaded, "/etc/ssh/sshd_config.d/10-root.conf")
    assert {"systemd-networkd.service", "ssh.service", "containerd.service", "first-boot.service"} <= set(rootfs.enable)


def test_arguments() -> None:
    loaded = load(RECIPES / "livecd.toml", {"ROOT_PASSWORD": "secret", "HOSTNAME": "node7", "SSH_ROOT_LOGIN": "no"})
    assert loaded.recipe.rootfs.root_password == "secret"
    assert loaded.recipe.rootfs.hostname == "node7"
    assert "PermitRootLogin no\n" in content(loaded, "/etc/ssh/sshd_config.d/10-root.conf")
    assert yaml.safe_load(from_recipe(loaded)["meta-data"])["local-hostname"] == "node7"
    assert loaded.inputs_sha256 == load(RECIPES / "livecd.toml").inputs_sha256


def test_cloud_init_looks_at_the_seed_only(loaded: LoadedRecipe) -> None:
    config = yaml.safe_load(content(loaded, "/etc/cloud/cloud.cfg.d/90-livecd.cfg"))
    assert config["datasource_list"] == ["NoCloud", "None"]
    assert config["growpart"] == {"mode": "off"}
    assert config["ssh_deletekeys"] is False
    assert "network" not in config, "cloud-init takes that before the seed's network-config"


def test_seed_holds_no_key(loaded: LoadedRecipe) -> None:
    files = from_recipe(loaded)
    assert set(files) == {"user-data", "meta-data"}
    assert "ssh_authorized_keys" not in yaml.safe_load(files["user-data"])


# --- first-boot --------------------------------------------------------------------------------------------------


def test_first_boot_is_clean_shell() -> None:
    subprocess.run(["shellcheck", "-o", "all", "-e", "SC2250", FIRST_BOOT], check=True)
    assert os.access(FIRST_BOOT, os.X_OK)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "etc/ssh").mkdir(parents=True)
    (tmp_path / "etc/iscsi").mkdir()
    return tmp_path


def first_boot(root: Path, *, path: str = os.defpath) -> None:
    subprocess.run([FIRST_BOOT, root], check=True, env={"PATH": path}, capture_output=True)


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
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (
        ("iscsi-iname", '[ "$1" = -p ] && echo "$2:$(od -An -N6 -tx1 /dev/urandom | tr -d " ")"'),
        ("ssh-keygen", ""),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.defpath}"


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
