"""Locks of the former schema, whose tools were packages of the recipe's archives: read, and no more believed."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError, Problems
from assembler.lockfile.errors import LockError
from assembler.lockfile.toml import format_lock, parse_lock
from tests.lockfile.test_toml import LOCK, STATE

BODY = f"""\
schema = 2
assembler = "0.1.0"
recipe_sha256 = "{"a" * 64}"
source_date_epoch = 1795227046
architecture = "amd64"
build_architecture = "amd64"

[[archives]]
{STATE}
[packages]
"hello_2.10-5_amd64" = {{ roles = ["initrd", "rootfs", "vm"], why = "requested", archive = "trixie", size = 53040, \
sha256 = "{"e" * 64}", path = "pool/main/h/hello/hello_2.10-5_amd64.deb" }}
"libc6_2.41-12_amd64" = {{ roles = ["rootfs"], why = "for hello", archive = "trixie", source = "glibc", \
size = 2847988, sha256 = "{"f" * 64}", path = "pool/main/g/glibc/libc6_2.41-12_amd64.deb" }}
"pigz_2.8-1_amd64" = {{ roles = ["tools"], why = "requested", archive = "trixie", size = 65372, \
sha256 = "{"4" * 64}", path = "pool/main/p/pigz/pigz_2.8-1_amd64.deb" }}
"qemu-utils_1_amd64" = {{ roles = ["vm"], why = "requested", archive = "trixie", size = 1, \
sha256 = "{"5" * 64}", path = "pool/main/q/qemu/qemu-utils_1_amd64.deb" }}

[build]
recipe_sha256 = "{"9" * 64}"
assembler = "0.1.0"

[build.outputs]

[build.layers]
"""
TEXT = f'# A comment.\n\nintegrity = "{hashlib.sha256(BODY.encode()).hexdigest()}"\n{BODY}'


def test_tools_are_apart_now() -> None:
    found = parse_lock(TEXT, "x.lock.toml")
    assert found == replace(LOCK, files=(), images=())
    assert parse_lock(format_lock(found), "x.lock.toml") == found


def test_a_program_of_image_and_tools_is_in_both() -> None:
    both = BODY.replace('["rootfs"]', '["rootfs", "tools"]')
    found = parse_lock(f'integrity = "{hashlib.sha256(both.encode()).hexdigest()}"\n{both}', "x.lock.toml")
    assert [package.name for package in found.tools.packages] == ["libc6", "pigz"]
    assert {package.name: package.roles for package in found.packages}["libc6"] == ("rootfs",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("53040", "53041", "the lock has been edited"),
        ("schema = 2", "schema = 1", "another schema than 3: it says 1"),
        ('build_architecture = "amd64"\n', "", "tools.architecture"),
        ("[packages]", "[[packages]]", "packages"),
        ('roles = ["tools"]', "roles = 1", "roles"),
        ('roles = ["tools"]', 'roles = ["toolz"]', "roles"),
    ],
)
def test_edits_are_found(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises((LockError, Problems)) as caught:
        parse_lock(TEXT.replace(old, new), "x.lock.toml")
    assert message in str(caught.value)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 20), st.text(max_size=5))
def test_damage_never_ends_in_a_traceback(start: int, length: int, instead: str) -> None:
    try:
        parse_lock(TEXT[:start] + instead + TEXT[start + length :], "x")
    except AssembleError as error:
        message = str(error)
    else:
        message = "x"
    assert message.startswith("x")
