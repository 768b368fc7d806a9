"""What is right by the schema, and cannot work on the node: an error where a unit would fail, a warning elsewhere."""

from dataclasses import replace

import pytest

from assembler.seed.image import Image
from tests.seed.told import told


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("packages: [jq]", "2:1 packages: there is no apt-get in the image: cloud-final.service would fail"),
        ("package_upgrade: true", "2:1 package_upgrade: there is no apt-get in the image"),
        ("package_reboot_if_required: true\npackage_update: true", "3:1 package_update: there is no apt-get"),
        ("puppet: {install: true}", "2:1 puppet: there is no puppet in the image, and no apt-get that installs it"),
        ("byobu_by_default: enable", "2:1 byobu_by_default: there is no byobu in the image, and no apt-get"),
        ("snap: {commands: [[snap, install, x]]}", "2:1 snap: there is no snap in the image: cloud-config.service"),
        ("ntp: {ntp_client: chrony}", "2:7 ntp.ntp_client: there is no chronyd in the image"),
        ("locale: de_DE.UTF-8", "2:1 locale: there is no locale-gen in the image: cloud-config.service would fail"),
        ("keyboard: {layout: de}", "2:1 keyboard: there is no setupcon in the image: cloud-config.service would fail"),
        ("swap: {size: 1G}", "2:1 swap: '/swap.img' would lie on an overlay, where nothing can be swapped to"),
        ("swap: {size: auto, filename: /var/swap}", "2:20 swap.filename: '/var/swap' would lie on an overlay"),
        ("mounts: [[/srv/swap, none, swap]]", "2:10 mounts[0]: '/srv/swap' would lie on an overlay"),
        ("mounts: [[/dev/vdb, /mnt]]", "2:10 mounts[0]: nothing can be mounted on /mnt of a live node: the state disk"),
        ("mounts: [[/dev/vdb, /srv], [LABEL=x, /]]", "2:28 mounts[1]: nothing can be mounted on / of a live node"),
    ],
)  # fmt: skip
def test_what_makes_a_unit_fail(livecd: Image, config: str, expected: str) -> None:
    (line,) = told(livecd, f"#cloud-config\n{config}\n")
    assert line.startswith(f"ud:{expected}")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("users: [{name: a, sudo: 'ALL=(ALL) ALL'}]", "2:19 users[0].sudo: there is no sudo in the image: the user"),
        ("users:\n- default", "3:3 users[0]: there is no sudo in the image: cloud-init's default user has a sudo rule"),
        ("user: {name: a}", "2:1 user: there is no sudo in the image: cloud-init's default user"),
        ("users: [{name: a, doas: [permit a]}]", "2:19 users[0].doas: there is no doas in the image"),
        ("users: [{name: a, shell: /bin/zsh}]", "2:19 users[0].shell: there is no '/bin/zsh' in the image: the user"),
        ("users: [{name: a, shell: bash}]", "2:19 users[0].shell: there is no 'bash' in the image"),
        ("users: [{name: a, passwd: secret}]", "2:19 users[0].passwd: this is no hash of a password"),
        ("users: a", "2:1 users: nobody could log in as these users"),
        ("ssh_import_id: [gh:a]", "2:1 ssh_import_id: there is no ssh-import-id in the image: no key would come"),
        ("rsyslog: {configs: ['*.* @192.0.2.1']}", "2:1 rsyslog: there is no rsyslogd in the image"),
        ("fs_setup: [{device: /dev/vdb, filesystem: xfs}]", "2:31 fs_setup[0].filesystem: there is no mkfs.xfs"),
        ("disk_setup: {/dev/vdb: {table_type: gpt}}", "2:25 disk_setup./dev/vdb.table_type: there is no sgdisk"),
        ("runcmd: [ls, sudo systemctl restart ssh]", "2:14 runcmd[1]: there is no sudo in the image"),
        ("bootcmd: [[/usr/bin/apt-get, update]]", "2:11 bootcmd[0]: there is no apt-get in the image"),
        ("wireguard: {interfaces: [{name: a, config_path: /a, content: b}]}", "2:1 wireguard: cloud-init would pass"),
        ("manage_resolv_conf: true", "2:1 manage_resolv_conf: cloud-init would pass over this"),
    ],
)  # fmt: skip
def test_what_is_only_passed_over(livecd: Image, config: str, expected: str) -> None:
    (line,) = told(livecd, f"#cloud-config\n{config}\n")
    assert line.startswith(f"warning: ud:{expected}")


@pytest.mark.parametrize(
    "config",
    [
        "package_update: false",
        "ntp: {servers: [192.0.2.1]}",
        "ntp: {enabled: false, ntp_client: chrony}",
        "locale: C.UTF-8",
        "swap: {filename: /mnt/swap.img, size: 1G}",
        "swap: {filename: /swap.img, size: 0}",
        "mounts: [[LABEL=swap, none, swap], [/dev/vdb1, /var/lib/data, ext4], [/dev/vdc, /mnt/data]]",
        "users: [{name: a, shell: /usr/bin/bash, passwd: $6$a$b}, {name: b, shell: /usr/sbin/nologin, passwd: '!'}]",
        "user: {name: a, sudo: null}",
        "fs_setup: [{device: /dev/vdb, filesystem: ext4}]",
        "runcmd: [aptitude, [sudoku]]",
        "ca_certs: {trusted: [a]}",
        "timezone: Europe/Berlin",
        "wireguard: {interfaces: [{name: a, config_path: /a, content: b}]}\ncloud_config_modules: [wireguard]",
    ],
)
def test_what_works(livecd: Image, config: str) -> None:
    assert told(livecd, f"#cloud-config\n{config}\n") == []


def test_what_the_recipe_brings_is_there(livecd: Image) -> None:
    text = """#cloud-config
packages: [jq]
users: [default, {name: a, shell: /bin/zsh, sudo: a}, {name: b, shell: /opt/shell}]
locale: de_DE.UTF-8
runcmd: [sudo a, snap b]
"""
    assert len(told(livecd, text)) == 8
    more = replace(livecd, packages=livecd.packages | {"apt", "sudo", "zsh"})
    assert [line.partition(": there")[0] for line in told(more, text)] == [
        "warning: ud:3:65 users[2].shell",
        "warning: ud:5:18 runcmd[1]",
    ]
    own = replace(more, paths=frozenset(["/opt/shell", "/usr/local/bin/snap"]))
    assert told(own, text) == []
    # A step of the recipe may have made anything.
    assert told(replace(livecd, executed=True, paths=frozenset(["/opt/shell"])), text) == []


def test_a_root_that_is_a_disk_takes_a_swap_file(livecd: Image) -> None:
    text = "#cloud-config\nswap: {size: 1G}\nmounts: [[/a, none, swap]]\n"
    assert len(told(livecd, text)) == 2
    assert told(replace(livecd, overlay=False), text) == []


def test_without_a_state_disk_mnt_is_memory(livecd: Image) -> None:
    text = (
        "#cloud-config\nswap: {size: 1G, filename: /mnt/swap}\nmounts: [[/mnt/b, none, swap], [/dev/a, none, swap]]\n"
    )
    assert told(livecd, text) == []
    lines = told(replace(livecd, state=False), text)
    assert [line.partition(" would lie in memory")[0] for line in lines] == [
        "ud:2:18 swap.filename: '/mnt/swap'",
        "ud:3:10 mounts[0]: '/mnt/b'",
    ]


def test_a_unit_of_the_recipe_hides_a_mount(livecd: Image) -> None:
    text = "#cloud-config\nmounts: [[/dev/vdb, /var/lib/a-b/], [/dev/vdc, /srv]]\n"
    assert told(livecd, text) == []
    own = replace(livecd, paths=frozenset([r"/etc/systemd/system/var-lib-a\x2db.mount"]))
    (line,) = told(own, text)
    assert line.startswith(
        "warning: ud:2:10 mounts[0]: '/var/lib/a-b/' has a mount unit in the image, which hides this"
    )


def test_without_an_image_nothing_of_it_is_told() -> None:
    assert told(None, "#cloud-config\npackages: [jq]\nbananas: 1\n") == []


def test_an_image_without_time_and_certificates(livecd: Image) -> None:
    bare = replace(livecd, packages=frozenset({"cloud-init"}))
    text = "#cloud-config\ntimezone: Etc/UTC\nca_certs: {remove_defaults: true}\nntp:\n"
    assert [line.partition(": ")[0] for line in told(bare, text)] == [
        "ud:2:1 timezone",
        "ud:3:1 ca_certs",
        "ud:4:1 ntp",
    ]


def test_the_way_out_is_told(livecd: Image) -> None:
    text = (
        "#cloud-config\nntp: {ntp_client: chrony}\nusers: [{name: a, shell: /bin/zsh}]\nwireguard: {interfaces: [{}]}\n"
    )
    errors = told(livecd, text)
    assert 'packages_add = ["chrony"] in [rootfs]' in errors[0]
    assert any('packages_add = ["zsh"] in [rootfs], and shell: /bin/zsh' in line for line in errors)
    assert any("does not name the module wireguard (name it in a file of /etc/cloud" in line for line in errors)
