"""The seed: what is kept, what is added, and what cloud-init would stumble over.

That cloud-init 25.1 itself merges the MIME messages made here as intended is seen in the boot tests.
"""

import email
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError, Problems
from assembler.layers.cloudinit import from_recipe, seed
from assembler.recipe.load import load
from assembler.seed.keys import public_key
from assembler.seed.texts import SeedError

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOXony4Qv3ebzXeKIEsLABn9H2NA9c+9wbEJmn82i3DE you@example.org"


def made(
    user_data: str = "", *, keys: tuple[str, ...] = (), meta_data: str = "", network_config: str = ""
) -> dict[str, bytes]:
    given = {"user-data": user_data, "meta-data": meta_data, "network-config": network_config}
    encoded = {name: text.encode() for name, text in given.items() if text}
    return seed(encoded, hostname="h", ssh_authorized_keys=keys)


def problems(user_data: str = "", *, meta_data: str = "", network_config: str = "") -> str:
    with pytest.raises(Problems) as caught:
        made(user_data, meta_data=meta_data, network_config=network_config)
    return str(caught.value)


def parts(message: bytes) -> list[tuple[str, str, Any]]:
    found = []
    for part in email.message_from_bytes(message).walk():
        if not part.is_multipart():
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found.append((part.get_content_type(), payload.decode(), part["Merge-Type"]))
    return found


def test_empty_seed() -> None:
    files = made()
    assert list(files) == ["meta-data", "user-data"]
    assert files["user-data"] == b"#cloud-config\n{}\n"
    meta = yaml.safe_load(files["meta-data"])
    assert meta["local-hostname"] == "h"
    assert meta["instance-id"].startswith("iid-")


@pytest.mark.parametrize("hostname", ["on", "123", "1e3", "null"])
def test_host_names_stay_strings(hostname: str) -> None:
    assert yaml.safe_load(seed({}, hostname=hostname)["meta-data"])["local-hostname"] == hostname


def test_files_are_kept_byte_for_byte() -> None:
    given = {
        "user-data": b"#cloud-config\r\n# c\r\nruncmd: [a]",
        "meta-data": b"{instance-id: 1}\n\n",
        "network-config": b"# c\nnetwork: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n",
    }
    assert seed(given, hostname="h") == given


def identifier(user_data: str, *, keys: tuple[str, ...] = (), network_config: str = "", hostname: str = "h") -> str:
    given = {"user-data": user_data.encode(), "network-config": network_config.encode()}
    files = seed(given, hostname=hostname, ssh_authorized_keys=keys)
    return str(yaml.safe_load(files["meta-data"])["instance-id"])


def test_the_same_machine_keeps_its_instance_id() -> None:
    first = identifier("#cloud-config\nruncmd: [a]\nhostname: x\n")
    assert first == identifier("#cloud-config\nruncmd: [a]\nhostname: x\n", keys=(ED25519,))
    assert first == identifier("#cloud-config\nruncmd: [a]\nhostname: x\n", network_config="version: 2\n")
    # What user-data says counts, not how it is written, and not root's keys.
    assert first == identifier("#cloud-config\n# a comment\nhostname: 'x'\nruncmd:\n  - a\n")
    assert first == identifier(f"#cloud-config\nruncmd: [a]\nhostname: x\nssh_authorized_keys: ['{ED25519}']\n")


def test_another_machine_has_another_instance_id() -> None:
    texts = [
        "",
        "#cloud-config\nruncmd: [a]\n",
        "#cloud-config\nruncmd: [b]\n",
        "#cloud-config\nruncmd: [a]\nhostname: x\n",
        "#cloud-config\nusers: [{name: a}]\n",
        "#cloud-config\n{1: a, '1': b, 2001-01-01: c, e: !!set {f}, g: !!binary aGk=}\n",
        "#!/bin/sh\necho\n",
        "#!/bin/sh\necho 1\n",
        "## template: jinja\n#cloud-config\nruncmd: [a]\n",
        "#cloud-config-archive\n- '#cloud-config\n\n  runcmd: [a]'\n",
        "#cloud-config-archive\n- '#cloud-config\n\n  runcmd: [a]'\n- '#!/bin/sh'\n",
    ]
    assert len({identifier(text, hostname=name) for text in texts for name in ("h", "i")}) == 2 * len(texts)


def test_what_a_seed_without_user_data_has_is_an_empty_cloud_config() -> None:
    assert identifier("") == identifier("#cloud-config\n{}\n") == identifier("", keys=(ED25519,))


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_real_keys(kind: str, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", tmp_path / "key"], check=True)
    text = (tmp_path / "key.pub").read_text()
    assert public_key(text) == text.strip()
    with pytest.raises(SeedError, match=r"private SSH key \(give the public one"):
        public_key((tmp_path / "key").read_text())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh-ed2551 AAAA", r"'ssh-ed2551' is no type .*\(did you mean ssh-ed25519\?\)"),
        ("hello", r"'hello' is no type"),
        ("ssh-ed25519", "damaged"),
        ("ssh-ed25519 AAA!", "damaged: its base64"),
        (ED25519[:60], "damaged"),
        (ED25519.replace("ssh-ed25519 ", "ssh-rsa "), "damaged: it holds no ssh-rsa key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "damaged: it holds no ssh-ed25519 key"),
    ],
)
def test_wrong_keys(text: str, expected: str) -> None:
    with pytest.raises(SeedError, match=expected):
        public_key(text)
    with pytest.raises(Problems, match=expected):
        made(keys=(text, ED25519))


@pytest.mark.parametrize(
    "user_data",
    [
        "",
        "#cloud-config\n{}\n",
        "#cloud-config\n# a comment that stays\nruncmd:\n  - a\n",
        "#cloud-config\nwrite_files:\n- content: |+\n    text\n\n\n",
        "#cloud-config\r\nruncmd:\r\n  - é",
        "  \n#Cloud-Config\na: b",
    ],
)
def test_keys_become_lines_of_a_cloud_config(user_data: str) -> None:
    result = made(user_data, keys=(ED25519, ED25519))["user-data"].decode()
    before = yaml.safe_load(user_data) or {}
    assert yaml.safe_load(result) == {**before, "ssh_authorized_keys": [ED25519], "disable_root": False}
    if before:
        assert result.startswith(user_data)


@pytest.mark.parametrize(
    ("user_data", "kind"),
    [
        ("#cloud-config\nssh_authorized_keys: [x]\n", "text/cloud-config"),
        ("#cloud-config\ndisable_root: false\n", "text/cloud-config"),
        ("#cloud-config\n{a: b}\n", "text/cloud-config"),
        ("#cloud-config\na: b\n...\n", "text/cloud-config"),
        ("#!/bin/sh\necho é€\n", "text/x-shellscript"),
        ("## template: jinja\n#cloud-config\na: {{ b }}\n", "text/jinja2"),
        ("#include\nhttps://example.org/x\n", "text/x-include-url"),
        ("#include-once\nhttps://example.org/x\n", "text/x-include-once-url"),
        ("#cloud-boothook\necho\n", "text/cloud-boothook"),
        ("#cloud-config-archive\n- type: text/cloud-config\n  content: 'a: b'\n", "text/cloud-config-archive"),
        ("#part-handler\n", "text/part-handler"),
    ],
)
def test_keys_become_a_part_of_their_own_elsewhere(user_data: str, kind: str) -> None:
    result = made(user_data, keys=(ED25519,))["user-data"]
    first, second = parts(result)
    assert first == (kind, user_data, None)
    assert second[0] == "text/cloud-config"
    assert yaml.safe_load(second[1]) == {"ssh_authorized_keys": [ED25519], "disable_root": False}
    # Without this cloud-init would replace the user's keys by ours.
    assert second[2] == "list(append)+dict(recurse_list)+str()"
    assert made(user_data, keys=(ED25519,))["user-data"] == result
    # What was made may be given again.
    again = seed({"user-data": result}, hostname="h", ssh_authorized_keys=[ED25519])["user-data"]
    assert [part[0] for part in parts(again)] == [kind, "text/cloud-config", "text/cloud-config"]


def test_keys_that_root_could_not_use() -> None:
    user_data = b"#cloud-config\ndisable_root: true\n"
    assert seed({"user-data": user_data}, hostname="h")["user-data"] == user_data
    with pytest.raises(Problems, match="user-data disable_root: disable_root keeps root from logging in"):
        seed({"user-data": user_data}, hostname="h", ssh_authorized_keys=[ED25519])


# --- user-data that cloud-init would not take --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user_data", "expected"),
    [
        ("# cloud-config\na: b", "user-data:1: '# cloud-config' is no header .*did you mean #cloud-config"),
        ("#cloudconfig\na: b", "user-data:1: .*did you mean #cloud-config"),
        ("a: b", "user-data:1: 'a: b' is no header that cloud-init knows"),
        ("\ufeff#cloud-config\na: b", "without a byte order mark"),
        ("#cloud-config\n", r"the cloud-config is empty \(write {} below its header\)"),
        ("#cloud-config\n# nothing\n", "the cloud-config is empty"),
        ("#cloud-config\n- a\n", "a cloud-config is not a YAML mapping"),
        ("#cloud-config\ntext\n", "a cloud-config is not a YAML mapping"),
        ("#cloud-config\na:\n\t- b\n", r"user-data:3:1: not valid YAML: .*YAML allows no tabs"),
        ("#cloud-config\na: [b\n", "user-data:3:1: not valid YAML: "),
        ("#cloud-config\na: b: c\n", "user-data:2:5: not valid YAML: "),
        ("#cloud-config\na: b\nruncmd: [x]\na: c\n", "user-data:4:1 a: the key is given twice: only the last"),
        ("#cloud-config\na: [{b: 1, c: 2, b: 3}]\n", "user-data:2:18 b: the key is given twice"),
        ("#cloud-config\na: !!python/object:os.system x\n", "user-data:2:4: not valid YAML: "),
        ("#cloud-config\na: *b\n", "user-data:2:4: not valid YAML: "),
        ("#cloud-config\na: b\n---\nc: d\n", "user-data:3:1: not valid YAML: "),
        ("#cloud-config\na: \x01\n", "user-data: not valid YAML: "),
        ("#cloud-config\na: 2024-02-31\n", "user-data: not valid YAML: "),
        ("#cloud-config\na: " + "[" * 5000, "nested too deeply"),
        ("#!/bin/sh\r\necho\r\n", "user-data:1: the script's lines end with CR LF"),
        ("## template: jinja\nfoo\n", "user-data:2: 'foo' is no header"),
        ("#cloud-config-archive\na: b\n", "a cloud-config-archive is a YAML list"),
        ("MIME-Version: 1.0\nContent-Type: multipart/mixed\n\nx\n", "the MIME message has no parts"),
        (
            'Content-Type: multipart/mixed; boundary="B"\n\n--B\nContent-Type: text/cloud-config\n\na: [\n--B--\n',
            "user-data, part text/cloud-config:1:5: not valid YAML",
        ),
        (
            'Content-Type: multipart/mixed; boundary="B"\n\n--B\nContent-Type: text/plain\n\nhello\n--B--\n',
            "user-data, part text/plain:1: 'hello' is no header",
        ),
    ],
)
def test_user_data_that_is_rejected(user_data: str, expected: str) -> None:
    assert re.search(expected, problems(user_data))


def bomb(levels: int, line: str) -> str:
    """A YAML document whose every level is ten of the one before."""
    levels_ = (line.format(n, n, ", ".join([f"*x{n - 1}"] * 10)) for n in range(1, levels))
    return "#cloud-config\nx0: &x0 {a: b}\n" + "".join(levels_)


@pytest.mark.parametrize(
    ("user_data", "expected"),
    [
        *((f"#cloud-config\na: !!{tag}\n", "what its tag says|not valid YAML: ") for tag in (
            "timestamp x", "bool x", 'int ""', "int _", 'float ""', "float _", "binary é", "omap x", "pairs [1]",
            "timestamp 2001-12-14t21:59:43.10+99:99", "int 0x", "int 1:x",
        )),
        ("#cloud-config\na: " + "9" * 10_000, "2:4: not valid YAML: a number is too long"),
        ("#cloud-config\na: 0x" + "9" * 10_000, "2:4: not valid YAML: a number is too long"),
        ("#cloud-config\na: " + ":".join(["59"] * 20_000), "a number is too long"),
        ("#cloud-config\na: &a [*a]\n", "2:4: not valid YAML: the value holds an alias of itself"),
        ("#cloud-config\na: &a {b: {c: *a}}\n", "the value holds an alias of itself"),
        ("#cloud-config\na: &a\n  <<: *a\n", "the value holds an alias of itself"),
        (bomb(9, "x{}: &x{} [{}]\n"), "its aliases stand for more than 50000 values"),
        (bomb(60, "x{}: &x{} [{}]\n"), "its aliases stand for more than 50000 values"),
        (bomb(9, "x{}: &x{}\n  <<: [{}]\n"), "its aliases stand for more than 50000 values"),
        ("#cloud-config\na: [" + "1," * 50_001 + "]", "it has more than 50000 values"),
        ("#cloud-config\n" + "- " * 100_000, "nested too deeply: 64 levels are read"),
        ("#cloud-config\n" + "? " * 100_000, "nested too deeply"),
        (
            "".join(f"Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n" for n in range(2000)),
            "the MIME message is nested too deeply",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n" + "Content-Type: message/rfc822\n\n" * 2000,
            "the MIME message is nested too deeply",
        ),
    ],
)  # fmt: skip
def test_little_that_stands_for_much(user_data: str, expected: str) -> None:
    began = time.process_time()
    assert re.search(expected, problems(user_data))
    assert time.process_time() - began < 10


def test_aliases_that_are_fine() -> None:
    text = "#cloud-config\nx0: &x0 {a: b}\n" + "".join(f"x{n}: &x{n} [*x{n - 1}, *x0]\n" for n in range(1, 50))
    assert made(text)["user-data"] == text.encode()


_PIECES = st.sampled_from(
    ["a", "b: ", "- ", "? ", "!!int ", "!!bool ", "!!timestamp ", "!!float ", "!!set ", "!!binary ", "&a ", "*a",
     "<<: ", "{", "}", "[", "]", ", ", "|\n ", "\n", "\n  ", "'", '"', "0x", "1:2", "2001-01-01", "_", "~",
     "%YAML 1.1\n", "---\n",     "...\n", "\t",
     "\x85", "Content-Type: ", "multipart/mixed; boundary=x\n\n--x\n", "message/rfc822\n\n", "version: ",
     "config: ", "ethernets: ", "type: ", "match: ", "routes: ", "instance-id: ", "=?utf-8?b?x?="]
)  # fmt: skip


@given(st.sampled_from(["user-data", "meta-data", "network-config"]), st.lists(_PIECES, max_size=25).map("".join))
@settings(deadline=None, max_examples=400)
def test_nothing_ends_in_a_traceback(name: str, text: str) -> None:
    given_files = {"user-data": b"#cloud-config\n{}\n"} | {name: f"#cloud-config\n{text}".encode()}
    with suppress(AssembleError):
        seed(given_files, hostname="h")
    with suppress(AssembleError):
        seed(given_files | {name: text.encode()}, hostname="h")


def test_binary_user_data() -> None:
    for data, expected in (
        (b"#cloud-config\na: \xff", "user-data:2: byte 0xff is not UTF-8"),
        (b"\n#cloud-config\na: \xff", "user-data:3: byte 0xff is not UTF-8"),
        (b"\x1f\x8b", "compressed"),
    ):
        with pytest.raises(Problems, match=expected):
            seed({"user-data": data}, hostname="h")


@pytest.mark.parametrize(
    "user_data",
    [
        "#cloud-config\nbase: &b {x: 1}\nother: {<<: *b, x: 2}\nthird: {<<: *b}\n",
        "#cloud-config\n1: a\n'1': b\n",
        "## template: jinja\n#cloud-config\n{% if x %}\na: [\n{% endif %}\n",
    ],
)
def test_user_data_that_is_fine(user_data: str) -> None:
    assert made(user_data)["user-data"] == user_data.encode()
    assert ED25519.encode() in made(user_data, keys=(ED25519,))["user-data"] or "jinja" in user_data


@given(st.one_of(st.text(max_size=60), st.text(alphabet="#cloud-config\n\t :-[]{}&*!|>'\"%ab1", max_size=60)))
def test_nothing_but_problems_is_raised(text: str) -> None:
    for user_data in (text, "#cloud-config\n" + text):
        for files in ({"user-data": user_data}, {"meta-data": text}, {"network-config": text}):
            encoded = {name: value.encode("utf-8", "surrogatepass") for name, value in files.items()}
            with suppress(Problems):
                seed(encoded, hostname="h", ssh_authorized_keys=[ED25519])


# --- meta-data and network-config --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta_data", "expected"),
    [
        ("local-hostname: x\n", "meta-data:1:1 instance-id: meta-data has no instance-id"),
        ("instance-id: [1]\n", "instance-id is not a string"),
        ("instance-id: ''\n", "instance-id is not a string"),
        ("- a\n", "meta-data is not a YAML mapping"),
        ("instance-id: a\ninstance-id: b\n", "meta-data:2:1 instance-id: the key is given twice"),
    ],
)
def test_meta_data_that_is_rejected(meta_data: str, expected: str) -> None:
    assert expected in problems(meta_data=meta_data)


@pytest.mark.parametrize(
    ("network_config", "expected"),
    [
        ("ethernets: {}\n", "network-config:1:1 version: network-config has no version (version: 2 (or 1))"),
        ("version: 3\n", "version 3 is not known"),
        ("version: true\nconfig: []\n", "version True is not known"),
        ("network: [1]\n", "network-config:1:1 network: network is not a YAML mapping"),
        ("network: {version: 2, ethernet: {}}\n", "network.ethernet: unknown key (did you mean ethernets?)"),
        ("version: 2\nethernets: [eth0]\n", "network-config:2:1 ethernets: ethernets is not a YAML mapping"),
        ("version: 2\nethernets: {eth0: dhcp}\n", "network-config:2:13 ethernets.eth0: a device is not a YAML mapping"),
        (
            'version: 2\nethernets: {lan: {match: {name: "en*"}}}\n',
            "network-config:2:19 ethernets.lan.match: cloud-init finds this device by its key alone",
        ),
        ("version: 2\nethernets: {e: {match: en0}}\n", "ethernets.e.match: match is not a YAML mapping"),
        ("version: 2\nethernets: {e: {addresses: 10.0.0.1}}\n", "ethernets.e.addresses: not a YAML list"),
        (
            "version: 2\nethernets: {e: {addresses: [10.0.0.1/24, 10.0.0/24]}}\n",
            "ethernets.e.addresses[1]: cloud-init takes addresses only: '10.0.0/24' does not appear to be",
        ),
        (
            "version: 2\nethernets: {e: {routes: [{to: default, via: 10.0.0.1}]}}\n",
            "'default' does not appear to be an IPv4 or IPv6 network (0.0.0.0/0 or ::/0)",
        ),
        ("version: 2\nbonds: {b: {routes: [{to: 10.0.0.0/8}]}}\n", "bonds.b.routes[0].via: cloud-init takes addresses"),
        ("version: 1\n", "network-config:1:1 config: config is not a list"),
        ("version: 1\nconfig: [{name: eth0}]\n", "config[0]: it has no type"),
        ("version: 1\nconfig: [{type: phisical}]\n", "type 'phisical' is not known (did you mean physical?)"),
    ],
)
def test_network_config_that_is_rejected(network_config: str, expected: str) -> None:
    assert expected in problems(network_config=network_config)


def test_all_that_is_wrong_in_a_network_config() -> None:
    text = "version: 2\nethernets: {e: {addresses: ['::1', x], routes: 1}, f: 1}\nbond: {}\n"
    assert [line.partition(": ")[0] for line in problems(network_config=text).split("\n")] == [
        "network-config:2:36 ethernets.e.addresses[1]",
        "network-config:2:40 ethernets.e.routes",
        "network-config:2:52 ethernets.f",
        "network-config:3:1 bond",
    ]


@pytest.mark.parametrize(
    "network_config",
    [
        "version: 1\nconfig: [{type: physical, name: eth0, subnets: [{type: dhcp}]}]\n",
        "network:\n  version: 2\n  renderer: networkd\n  bonds: {b0: {interfaces: [a, b]}}\n",
        "version: 2\nethernets: {lan: {match: {driver: e1000*}, set-name: lan}}\n",
        "version: 2\nethernets: {e: {addresses: [10.0.0.2/24, '::2/64'], routes: [{to: '::/0', via: '::1'}]}}\n",
        "network: {config: disabled}\n",
    ],
)
def test_network_config_that_is_fine(network_config: str) -> None:
    assert made(network_config=network_config)["network-config"] == network_config.encode()


def test_all_problems_at_once() -> None:
    found = problems("hello", meta_data="x: y", network_config="version: 9")
    assert [line.split(" ")[0] for line in found.split("\n")] == ["user-data:1:", "network-config:1:1", "meta-data:1:1"]


# --- bytes -------------------------------------------------------------------------------------------------------


def test_the_same_bytes_on_every_host() -> None:
    """What is made for the same input stays as it is: another instance-id has cloud-init do everything again."""
    assert made()["meta-data"] == b'instance-id: "iid-409fa406c1d571b89e56"\nlocal-hostname: "h"\n'
    boundary = "=33373ad1cb65a1810f2150b121eab6f9"
    part = "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n"
    assert made("#!/bin/sh\necho\n", keys=(ED25519,))["user-data"].decode() == (
        f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0\n'
        f'\n--{boundary}\nContent-Type: text/x-shellscript; charset="utf-8"\n{part}\nIyEvYmluL3NoCmVjaG8K\n'
        f'\n--{boundary}\nContent-Type: text/cloud-config; charset="utf-8"\n{part}'
        "Merge-Type: list(append)+dict(recurse_list)+str()\n\n"
        "I2Nsb3VkLWNvbmZpZwpzc2hfYXV0aG9yaXplZF9rZXlzOgogIC0gInNzaC1lZDI1NTE5IEFBQUFD\n"
        "M056YUMxbFpESTFOVEU1QUFBQUlPWG9ueTRRdjNlYnpYZUtJRXNMQUJuOUgyTkE5Yys5d2JFSm1u\n"
        "ODJpM0RFIHlvdUBleGFtcGxlLm9yZyIKZGlzYWJsZV9yb290OiBmYWxzZQo=\n"
        f"\n--{boundary}--\n"
    )


def test_how_far_user_data_is_looked_at_for_mime() -> None:
    """Headers of a message are in its first 4096 characters."""
    mark = "\nMIME-Version:"
    for length, is_mime in ((4096, True), (4097, False)):
        said = problems("X: ".ljust(length - len(mark), "x") + f"{mark} 1.0\nContent-Type: multipart/mixed\n\n")
        assert ("the MIME message has no parts" in said) == is_mime


def test_long_names_and_reasons_are_cut() -> None:
    text = 'Content-Type: multipart/mixed; boundary="B"\n\n--B\nContent-Type: text/plain\n'
    name = f'Content-Disposition: attachment; filename="{"f" * 61}"\n\nhello\n--B--\n'
    assert f"user-data, part {'f' * 60}:1: 'hello' is no header" in problems(text + name)
    said = problems(network_config=f"version: 2\nethernets: {{e: {{addresses: [{'x' * 300}]}}}}\n")
    assert len(said.partition("cloud-init takes addresses only: ")[2]) == 200


# --- from a recipe -----------------------------------------------------------------------------------------------


def test_from_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "ud").write_text("#cloud-config\na: b\n")
    (tmp_path / "r.toml").write_text(
        f"name = 'x'\nrootfs.hostname = 'node7'\n[cloudinit]\nuser_data = 'ud'\nssh_authorized_keys = ['{ED25519}']\n"
    )
    files = from_recipe(load(tmp_path / "r.toml"), ["ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAABAECAwQ= other"])
    config = yaml.safe_load(files["user-data"])
    assert config["a"] == "b"
    assert [key.split()[-1] for key in config["ssh_authorized_keys"]] == ["you@example.org", "other"]
    assert yaml.safe_load(files["meta-data"])["local-hostname"] == "node7"


def test_errors_name_the_file_on_the_host(tmp_path: Path) -> None:
    (tmp_path / "ud").write_text("#cloud-config\na: [\n")
    (tmp_path / "r.toml").write_text("name = 'x'\ncloudinit.user_data = 'ud'\n")
    with pytest.raises(Problems) as caught:
        from_recipe(load(tmp_path / "r.toml"))
    assert str(caught.value).startswith(f"{tmp_path}/ud:3:1: not valid YAML: ")


def test_examples_are_fine_and_hold_no_key() -> None:
    directory = Path(__file__).parents[2] / "recipes/cloud-init"
    given = {name: (directory / name).read_bytes() for name in ("user-data", "meta-data", "network-config")}
    assert seed(given, hostname="h") == given
    assert "ssh_authorized_keys" not in yaml.safe_load(given["user-data"])
