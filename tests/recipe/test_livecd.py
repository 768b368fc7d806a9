"""The recipe of the mission's node, and the files that it puts there."""

from pathlib import Path

import pytest
import yaml

from assembler.layers.cloudinit import from_recipe
from assembler.recipe.load import LoadedRecipe, load
from tests.boot.test_services import SYSCTLS

RECIPES = Path(__file__).parents[2] / "recipes"


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
    assert {"systemd-networkd.service", "ssh.service", "containerd.service"} <= set(rootfs.enable)


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


def test_what_a_node_does_without(loaded: LoadedRecipe) -> None:
    """What the booted node then listens on and is set to, tests/boot/test_services.py asks it."""
    assert {"rpcbind.service", "rpcbind.socket"} <= set(loaded.recipe.rootfs.disable)
    assert content(loaded, "/etc/ssh/sshd_config.d/20-no-x11.conf") == "X11Forwarding no\n"
    assert {"LLMNR=no", "MulticastDNS=no"} <= set(
        content(loaded, "/etc/systemd/resolved.conf.d/10-dns-only.conf").splitlines()
    )
    lines = content(loaded, "/etc/sysctl.d/10-hardening.conf").splitlines()
    assert dict(line.split(" = ") for line in lines if line and not line.startswith("#")).items() >= SYSCTLS.items()
