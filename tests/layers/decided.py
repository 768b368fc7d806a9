"""Which steps each key of the recipe decides: a table, the recipe that it is of, and the files that this names.

A new key of the recipe wants an entry here.
"""

from collections.abc import Mapping

from assembler.recipe.additions import Group, User

RECIPE = f"""
name = "x"
debian.archives = [{{ uris = ["https://a"], suites = ["a"], components = ["a"], architectures = ["a"] }}]
debian.debs = [
  {{ path = "a.deb", sha256 = "{"a" * 64}" }},
  {{ url = "https://example.org/a.deb", sha256 = "{"b" * 64}" }},
]
debian.pins = [{{ packages = ["a"], pin = "version 1", priority = 5 }}]
[kernel]
package = "linux-image-a"
[rootfs]
packages = ["base"]
hostname = "a"
root_password = "$6$salt${"a" * 86}"
rules = ["a-rules.toml"]
files = [
  {{ path = "/etc/a", content = "a" }},
  {{ path = "/etc/named", source = "a-named" }},
  {{ path = "/etc/private", content = "a", mode = "0600" }},
  {{ path = "/etc/private-named", source = "a-private", mode = "0600" }},
  {{ path = "/etc/link", link = "a" }},
]
directories = [{{ path = "/srv/a" }}]
[initrd]
files = [
  {{ path = "/etc/a", content = "a" }},
  {{ path = "/etc/named", source = "a-named" }},
  {{ path = "/etc/link", link = "a" }},
]
[artifacts]
formats = ["tar.gz", "tar.zst", "qcow2"]
[kubernetes]
version = "1.36"
manifests = ["a-manifest"]
[cloudinit]
user_data = "a-user-data"
network_config = "a-network-config"
"""
VANILLA = """
name = "x"
kernel = { source = "vanilla", package = "linux-source-6.12", fragments = ["a.config"] }
"""
FILES = {
    "a-preseed": "", "a-script": "a", "a-rules.toml": "", "a-named": "a", "a-private": "a",
    "a-manifest": "{apiVersion: v1, kind: A}",
    "a-user-data": "#cloud-config\n{}\n", "a-network-config": "version: 2\n", "a.config": "CONFIG_NET=y\n",
}  # fmt: skip

KERNEL, TREE, SBOM, K8S = "kernel.image", "rootfs.tree", "rootfs.sbom", "kubernetes.tree"
INITRD, SQUASHFS, ISO, SEED = "livecd.initrd", "livecd.squashfs", "livecd.iso", "cloudinit.seed"
DISKS = {"rootfs.qcow2", "kubernetes.qcow2"}
FILE = "rootfs.files[{}].{}"
INITRD_FILE = "initrd.files[{}].{}"

DECIDES: Mapping[str, tuple[object, set[str]]] = {
    # The ISO holds the recipe, so nearly everything decides it; the lock has what is installed, and for which time.
    "name": ("y", {SBOM, ISO}),
    "arch": ("arm64", {ISO}),
    "epoch": (5, {ISO}),
    "args": ({"A": "a"}, set()),
    "debian.release": ("bookworm", {ISO}),
    "debian.sources": ("Types: deb\nSuites: sid\nComponents: main\n", {ISO}),
    **{f"debian.archives[0].{key}": (["b"], {ISO}) for key in ("uris", "suites", "components", "architectures")},
    "debian.archives[0].signed_by": ("b" * 40, {ISO}),
    "debian.archives[0].check_valid_until": (False, {ISO}),
    "debian.archives[0].path": ("b", {ISO}),
    "debian.archives[0].files": ({"b.deb": "a" * 64}, {ISO}),
    "debian.debs[0].path": ("b.deb", {ISO}),
    "debian.debs[1].url": ("https://example.org/b.deb", {ISO}),
    **{f"debian.debs[{index}].sha256": ("c" * 64, {ISO}) for index in (0, 1)},
    "debian.pins[0].packages": (["b"], {ISO}),
    "debian.pins[0].pin": ("version 2", {ISO}),
    "debian.pins[0].priority": (6, {ISO}),
    "debian.mirror": ("https://example.org/", {ISO}),
    "debian.mirror_security": ("https://example.org/", {ISO}),
    "kernel.package": ("linux-image-b", {ISO}),
    "kernel.source": ("vanilla", {KERNEL, ISO}),
    "kernel.url": ("https://example.org/", {ISO}),
    "kernel.sha256": ("0" * 64, {ISO}),
    "kernel.version": ("6.12", {ISO}),
    "kernel.base": ("tinyconfig", {ISO}),
    "kernel.toolchain": ("host", {ISO}),
    "kernel.fragments": (["a.config"], {ISO}),
    "rootfs.packages": (["base", "waiting"], {ISO}),
    "rootfs.recommends": (True, {ISO}),
    "rootfs.scripts": ("computed", {TREE, ISO}),
    "rootfs.byte_code": (False, {TREE, ISO}),
    "rootfs.rules": (["b-rules.toml"], set()),
    "rootfs.first_boot": (["waiting"], {TREE, ISO}),
    "rootfs.ids.users": ({"daemon": 150}, {TREE, ISO}),
    "rootfs.ids.groups": ({"daemon": 150}, {TREE, ISO}),
    "rootfs.hostname": ("b", {TREE, ISO, SEED}),
    # It is on the medium in the root file system alone.
    "rootfs.root_password": ("$6$salt$" + "b" * 86, {TREE}),
    "rootfs.locale": ("C", {TREE, ISO}),
    "rootfs.timezone": ("Europe/Berlin", {TREE, ISO}),
    "rootfs.exclude": (["/usr/share/doc/*"], {TREE, ISO}),
    "rootfs.include": (["/usr/share/doc/*"], {TREE, ISO}),
    "rootfs.enable": (["a.service"], {TREE, ISO}),
    "rootfs.disable": (["a.service"], {TREE, ISO}),
    "rootfs.mask": (["a.service"], {TREE, ISO}),
    FILE.format(0, "path"): ("/etc/b", {TREE, ISO}),
    FILE.format(0, "content"): ("b", {TREE, ISO}),
    FILE.format(0, "mode"): ("0755", {TREE, ISO}),
    FILE.format(0, "owner"): ("daemon", {TREE, ISO}),
    FILE.format(0, "group"): ("daemon", {TREE, ISO}),
    FILE.format(1, "source"): ("b-named", set()),
    FILE.format(2, "content"): ("b", {TREE}),
    FILE.format(3, "source"): ("b-private", set()),
    FILE.format(4, "link"): ("b", {TREE, ISO}),
    FILE.format(0, "template"): (True, {TREE, ISO}),
    FILE.format(0, "url"): ("https://example.org/", {TREE, ISO}),
    FILE.format(0, "sha256"): ("0" * 64, {TREE, ISO}),
    "rootfs.directories[0].path": ("/srv/b", {TREE, ISO}),
    "rootfs.directories[0].mode": ("0700", {TREE, ISO}),
    "rootfs.directories[0].owner": ("daemon", {TREE, ISO}),
    "rootfs.directories[0].group": ("daemon", {TREE, ISO}),
    "rootfs.locales": (["C.UTF-8"], {TREE, ISO}),
    "rootfs.keymap": ("de", {TREE, ISO}),
    "rootfs.groups": ({"a": Group()}, {TREE, ISO}),
    "rootfs.users": ({"daemon": User(comment="a")}, {TREE, ISO}),
    "rootfs.remove": (["/usr/bin/x"], {TREE, ISO}),
    "artifacts.formats": (["qcow2", "tar.gz", "tar.zst"], {ISO}),
    "artifacts.disk_size": ("1G", {*DISKS, ISO}),
    "kubernetes.version": ("1.35", {K8S, ISO}),
    "kubernetes.cni_plugins.source": ("debian", {K8S, ISO}),
    "kubernetes.*.source": ("debian", {ISO}),
    "kubernetes.*.version": ("1.2", {ISO}),
    "kubernetes.*.url": ("https://example.org/", {ISO}),
    "kubernetes.*.sha256": ("0" * 64, {ISO}),
    "kubernetes.images": ("kubeadm", {ISO}),
    "kubernetes.extra_images": (["example.org/a:1"], {ISO}),
    "kubernetes.manifests": (["b-manifest"], set()),
    "initrd.modules": (["loop"], {INITRD, ISO}),
    "initrd.firmware": (["b"], {INITRD, ISO}),
    "initrd.from_image": (["/etc/passwd"], {INITRD, ISO}),
    "initrd.microcode": ("none", {INITRD, ISO}),
    INITRD_FILE.format(0, "path"): ("/etc/b", {INITRD, ISO}),
    INITRD_FILE.format(0, "content"): ("b", {INITRD, ISO}),
    INITRD_FILE.format(0, "mode"): ("0755", {INITRD, ISO}),
    INITRD_FILE.format(1, "source"): ("b-named", set()),
    INITRD_FILE.format(2, "link"): ("b", {INITRD, ISO}),
    "livecd.label": ("B", {INITRD, ISO}),
    "livecd.state": ("none", {INITRD, ISO}),
    "livecd.state_label": ("B", {INITRD, ISO}),
    "livecd.compression": ("gzip", {SQUASHFS, ISO}),
    "livecd.compression_level": (9, {SQUASHFS, ISO}),
    "livecd.medium_size": ("1G", {ISO}),
    "livecd.cmdline": (["quiet"], {ISO}),
    "livecd.timeout": (2, {ISO}),
    "cloudinit.user_data": ("b-user-data", set()),
    "cloudinit.meta_data": ("", set()),
    "cloudinit.network_config": ("b-network-config", set()),
    "cloudinit.ssh_authorized_keys": (
        ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"],
        {SEED},
    ),
}
"""For each key of the recipe another value, and the steps that it decides by themselves: what is made of these follows.
Patterns stand for what nothing before them does."""
NAMED: Mapping[str, tuple[bytes, set[str]]] = {
    "rootfs.rules[0]": (b'[[rule]]\npackage = "none"\nscript = "postinst"\nreason = "b"\n', {TREE, ISO}),
    "rootfs.files[1].source": (b"b", {TREE, ISO}),
    "rootfs.files[3].source": (b"b", {TREE}),
    "kubernetes.manifests[0]": (b"{apiVersion: v1, kind: B}", {K8S, ISO}),
    "initrd.files[1].source": (b"b", {INITRD, ISO}),
    "cloudinit.user_data": (b"#cloud-config\n{a: b}\n", {SEED}),
    "cloudinit.network_config": (b"version: 2\nethernets: {}\n", {SEED}),
}
"""The same for what is in the files that keys of the recipe name."""
AT_LENGTH = ("rootfs.trees*", "rootfs.certificates", "rootfs.units", "rootfs.sysctl", "rootfs.modules")
"""Keys that are files when a recipe is loaded: see recipe/expand.py."""
EXECUTED = ("rootfs.debconf.*", "rootfs.run[[]*", "kernel.modules*")
"""Keys that are in the recipes of :mod:`tests.layers.test_executed` and :mod:`tests.layers.test_modules` instead."""
COMPILED: Mapping[str, tuple[object, set[str]]] = {
    "kernel.base": ("tinyconfig", {KERNEL, ISO}),
    "kernel.version": ("6.12.118", {KERNEL, ISO}),
    "kernel.toolchain": ("host", {KERNEL, ISO}),
    "kernel.sha256": ("0" * 64, {ISO}),
    "kernel.fragments": (["b.config"], set()),
}
"""With a kernel that is compiled."""
