"""What the schema of Debian's own cloud-init refuses, and what is said of it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import yaml

from assembler.seed.image import Image
from tests.seed.told import told

TRUTH = "YAML reads yes, no, on, off, true and false as truth values: put it in quotes"
LINE = 'YAML reads "key: value" as a mapping: put the whole line in quotes'


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("bootcmds: [a]", "2:1 bootcmds: unknown key (did you mean bootcmd?)"),
        ("write_file: [{path: /a}]", "2:1 write_file: unknown key (did you mean write_files?)"),
        ("bananas: 1", "2:1 bananas: unknown key (cloud-init has no such key)"),
        (
            "write_files:\n  path: /etc/motd\n  content: x",
            "2:1 write_files: this is a mapping, not a list (begin each entry with a dash: - key: value)",
        ),
        ("bootcmd:\n  - [a]\n  - yes", f"4:5 bootcmd[1]: this is true, not a list or a string ({TRUTH})"),
        (
            "runcmd:\n- echo a\n- echo state: up",
            f"4:3 runcmd[1]: this is a mapping, not a list, a string or nothing ({LINE})",
        ),
        (
            "users:\n  - name: a\n    ssh_authorized_keys: ssh-rsa A",
            (
                "4:5 users[0].ssh_authorized_keys: this is a string, not a list "
                "(write a list: [a, b], or a line with a dash for each)"
            ),
        ),
        (
            "users:\n  - {name: a, lock_pwd: true}",
            "3:15 users[0].lock_pwd: unknown key (did you mean lock_passwd?)",
        ),
        (
            "write_files: [{path: /a, permissions: 0600}]",
            '2:26 write_files[0].permissions: this is a whole number, not a string (put it in quotes: "0644")',
        ),
        ("write_files: [{content: a}]", "2:15 write_files[0]: the key path is missing (add path:)"),
        ("bootcmd:", "2:1 bootcmd: this is nothing, not a list (remove the key, or give it a value)"),
        ("runcmd: []", "2:1 runcmd: this is empty (remove the key, or put something below it)"),
        (
            "write_files: [{path: /a, encoding: bas64}]",
            "2:26 write_files[0].encoding: 'bas64' is none of what it may be (did you mean base64?)",
        ),
        ("disable_root: maybe", "2:1 disable_root: this is a string, not true or false"),
        (
            "package_update: 'yes'",
            "2:1 package_update: this is a string, not true or false (write it without quotes)",
        ),
        (
            "network:\n  config: disabled",
            "2:1 network: unknown key (cloud-init takes it from a file of its own: cloudinit.network_config)",
        ),
        (
            "write_files:\n- content: |\n    x\npath: /a",
            "5:1 path: unknown key (indent it: it belongs into an entry of",
        ),
        ("users:\n- name: a\nshell: /bin/sh", "4:1 shell: unknown key (it belongs to an entry of users)"),
        ("mounts: [{device: /dev/vdb}]", "2:10 mounts[0]: this is a mapping, not a list (begin each entry with a dash"),
        ("ntp: {servers: 192.0.2.1}", "2:7 ntp.servers: this is a string, not a list"),
        ("power_state: {mode: off}", f"2:15 power_state.mode: this is false, not a string ({TRUTH})"),
        ("power_state: {mode: stop}", "2:15 power_state.mode: 'stop' is none of what it may be (one of halt, poweroff"),
    ],
)
def test_mistakes(livecd: Image, config: str, expected: str) -> None:
    assert any(line.startswith(f"ud:{expected}") for line in told(livecd, f"#cloud-config\n{config}\n")), told(
        livecd, f"#cloud-config\n{config}\n"
    )


def test_all_mistakes_at_once_and_in_their_order(livecd: Image) -> None:
    text = "#cloud-config\nruncmds: [a]\nusers:\n  - {name: a, grops: b}\nruncmd: {a: b}\n"
    assert [line.partition(": ")[0] for line in told(livecd, text)] == [
        "ud:2:1 runcmds",
        "ud:4:15 users[0].grops",
        "ud:5:1 runcmd",
    ]


def test_what_is_in_quotes_is_fine(livecd: Image) -> None:
    text = """#cloud-config
users:
  - {name: a, groups: [x, y], lock_passwd: true, ssh_authorized_keys: [b], shell: /bin/bash}
write_files:
  - {path: /etc/a, content: !!binary aGk=, permissions: "0600", owner: "root:root", append: true, defer: true}
runcmd: ["true", [echo, "a: b"], null]
mounts: [[LABEL=data, /srv/data, ext4, defaults, "0", "2"]]
power_state: {mode: reboot, delay: now, condition: true}
"""
    assert told(livecd, text) == []


def test_merge_keys_and_aliases_are_seen_through(livecd: Image) -> None:
    text = "#cloud-config\nusers:\n  - &a {name: a, shell: /bin/sh}\n  - {<<: *a, nam: b}\n"
    assert told(livecd, text) == ["ud:4:14 users[1].nam: unknown key (did you mean name?)"]


def test_parts_of_messages_and_archives(livecd: Image) -> None:
    part = "--B\nContent-Type: text/{}\n\n{}\n"
    head = 'Content-Type: multipart/mixed; boundary="B"\nMIME-Version: 1.0\n\n'
    parts = [("cloud-config", "runcmd: yes"), ("x-shellscript", "#!/bin/sh"), ("plain", "#cloud-config\nrun: 1")]
    found = told(livecd, head + "".join(part.format(*one) for one in parts) + "--B--\n")
    assert [line.partition(": ")[0] for line in found] == [
        "ud, part text/cloud-config:1:1 runcmd",
        "ud, part text/plain:2:1 run",
    ]
    items = "- '#!/bin/sh'\n- {type: text/cloud-config, content: 'run: 1'}\n- |\n  #cloud-config\n  a: 1\n"
    archive = f"#cloud-config-archive\n{items}"
    assert [line.partition(": ")[0] for line in told(livecd, archive)] == ["ud, item 2:1:1 run", "ud, item 3:2:1 a"]


@pytest.mark.parametrize(
    "text",
    [
        "## template: jinja\n#cloud-config\nruncmds: [{{ v1.instance_id }}]\n",
        "#include\nhttps://example.org/runcmds\n",
        "#!/bin/sh\nruncmds\n",
        "#cloud-boothook\nruncmds\n",
    ],
)
def test_what_nobody_knows_before_is_left_alone(livecd: Image, text: str) -> None:
    assert told(livecd, text) == []


def test_without_a_schema_what_was_checked_before_still_is(livecd: Image) -> None:
    bare = replace(livecd, schemas={}, modules=frozenset())
    assert told(bare, "#cloud-config\nruncmds: [a]\n") == []
    assert told(bare, "#cloud-config\na: [\n")[0].startswith("ud:3:1: not valid YAML")


def test_a_schema_that_is_not_understood_is_told(livecd: Image) -> None:
    strange = replace(livecd, schemas={"cloud-config-v1": {"properties": {"a": {"type": "text"}}}})
    assert told(strange, "#cloud-config\nruncmds: [a]\n") == [
        (
            "warning: ud: this is not held against the schema of the image's cloud-init: "
            "the schema is none of draft 4, at $.properties.a.type"
        )
    ]


def test_examples_of_cloud_init_itself_pass(livecd: Image, shipped: Mapping[str, bytes]) -> None:
    """Its documentation has examples; none of them is refused by its own schema."""
    seen = 0
    apt = replace(livecd, packages=livecd.packages | {"apt", "locales"}, overlay=False)
    for path, data in shipped.items():
        if "/doc/cloud-init/examples/" not in path or not data.startswith(b"#cloud-config\n"):
            continue
        try:
            yaml.safe_load(data)
        except yaml.YAMLError:
            continue
        errors = [line for line in told(apt, data.decode()) if not line.startswith("warning: ")]
        # One has a key twice, one is no user-data, and programs of others are not in the image.
        unexplained = [line for line in errors if "given twice" not in line and "there is no" not in line]
        assert unexplained == [] or "datasource" in path, (path, unexplained)
        seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "version: 1\nconfig:\n  - {type: physical, name: eth0, mac: a}\n",
            "nc:3:34 config[0].mac: unknown key (it takes",
        ),
        ("version: 1\nconfig:\n  - {type: physical}\n", "nc:3:5 config[0]: the key name is missing (add name:)"),
        (
            "network:\n  version: 1\n  config:\n  - {type: physical, name: a, subnets: [{type: dhpc}]}\n",
            "nc:4:42 network.config[0].subnets[0].type: 'dhpc' is none of what it may be (did you mean dhcp?)",
        ),
        (
            "version: 2\nethernets: {eth0: {dhcp4: sure}}\n",
            "nc:2:20 ethernets.eth0.dhcp4: 'sure' is none of what it may be (one of false, no, true, yes)",
        ),
        (
            "version: 2\nethernets: {eth0: {dhcp4: true, dhcp4-overrides: {use-dns: 'no'}}}\n",
            "nc:2:51 ethernets.eth0.dhcp4-overrides.use-dns: this is a string, not true or false",
        ),
    ],
)
def test_mistakes_in_network_configs(livecd: Image, text: str, expected: str) -> None:
    (line,) = told(livecd, network_config=text)
    assert line.startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nconfig: [{type: loopback, name: lo}, {type: physical, name: a, subnets: [{type: dhcp}]}]\n",
        (
            "version: 1\nconfig:\n- {type: physical, name: a, subnets: [{type: static, address: 192.0.2.2/24,\n"
            "  dns_nameservers: [192.0.2.1], routes: [{network: 198.51.100.0/24, gateway: 192.0.2.1, metric: 5}]}]}\n"
            "- {type: nameserver, interface: a, address: [192.0.2.1], search: [example.org]}\n"
        ),
        (
            "network: {version: 2, renderer: networkd, ethernets: {a: {match: {macaddress: 'x'}, set-name: b,\n"
            "  dhcp6: true, dhcp4: true, dhcp4-overrides: {route-metric: 5, use-dns: false}, optional: true,\n"
            "  wakeonlan: false,\n"
            "  accept-ra: false, mtu: 1400, nameservers: {addresses: ['::1'], search: [a]}, link-local: [ipv6]}}}\n"
        ),
        "version: 2\nethernets: {a: {addresses: [203.0.113.7/32], gateway4: 198.51.100.1}}\n",
        "network: {config: disabled}\n",
    ],
)
def test_network_configs_that_are_fine(livecd: Image, text: str) -> None:
    assert told(livecd, network_config=text) == []
