"""The lock's file: one text for each lock, and nothing but a lock is read as one."""

import hashlib
import os
import time
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.errors import AssembleError, Problems
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import (
    FILE_ROLES,
    FIRST_ACCOUNT,
    LAST_ACCOUNT,
    ROLES,
    TOOLS,
    Lock,
    LockedAccounts,
    LockedArchive,
    LockedBuild,
    LockedFile,
    LockedImage,
    LockedIndex,
    LockedLayer,
    LockedOutput,
    LockedPackage,
    LockedTool,
    LockedToolbox,
    LockedVersion,
)
from assembler.lockfile.toml import MAX_LOCK, format_lock, parse_lock, read_lock, write_lock
from assembler.lockfile.values import ACCOUNT, EPOCH_END, LARGEST


def word(more: str) -> st.SearchStrategy[str]:
    """Words that begin with a letter; plain text is much faster to draw than a regular expression."""
    return st.text(f"a09{more}", min_size=1, max_size=4).map("a{}".format)


NAMES = word("+.-")
VERSIONS = word("Z+.~:-")
WORDS = word("Z+.~-_")
SIZES = st.integers(0, LARGEST)
SHA256 = st.binary(min_size=32, max_size=32).map(bytes.hex)
FINGERPRINTS = st.binary(min_size=20, max_size=20).map(lambda data: data.hex().upper())
PATHS = st.lists(WORDS | st.sampled_from(["...", "a%3a1", '"', "\\", "#=", ".x"]), min_size=1, max_size=3).map("/".join)
DATES = st.integers(0, EPOCH_END - 1).map(lambda time: f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}")
INDICES = st.builds(LockedIndex, path=PATHS, size=SIZES, sha256=SHA256)
ARCHIVES = st.builds(
    LockedArchive,
    id=WORDS,
    root=WORDS | PATHS.map("https://{}".format),
    suite=WORDS,
    components=st.lists(WORDS, unique=True).map(tuple),
    inrelease_sha256=SHA256,
    date=DATES,
    valid_until=st.just("") | DATES,
    signed_by=st.lists(FINGERPRINTS, unique=True).map(lambda items: tuple(sorted(items))),
    indices=st.lists(INDICES, max_size=2).map(tuple),
)
URLS = PATHS.map("https://{}".format)
FILES = st.builds(
    LockedFile,
    name=NAMES,
    version=st.just("") | VERSIONS,
    url=URLS,
    size=SIZES,
    sha256=SHA256,
    learned=st.sampled_from(["recipe", "known", "first-use"]),
    witness=st.just(""),
    role=st.sampled_from(FILE_ROLES),
) | st.builds(
    LockedFile,
    name=NAMES,
    version=VERSIONS,
    url=URLS,
    size=SIZES,
    sha256=SHA256,
    learned=st.just("publisher"),
    witness=URLS,
    role=st.sampled_from(FILE_ROLES),
)
IMAGES = st.builds(
    LockedImage,
    name=st.builds(
        "{}{}/{}{}{}".format,
        WORDS,
        st.sampled_from(["", ":5000"]),
        WORDS,
        st.sampled_from(["", ":v1.0_x"]),
        st.just("") | SHA256.map("@sha256:{}".format),
    ),
    platform=st.sampled_from(["linux/amd64", "linux/arm/v7"]),
    index=SHA256,
    manifest=SHA256,
    size=SIZES,
    learned=st.sampled_from(["recipe", "first-use"]),
)
KUBERNETES = st.builds(
    LockedVersion, name=NAMES, version=NAMES.map("v1{}".format), learned=st.sampled_from(["recipe", "known"])
)
BUILDS = st.builds(
    LockedBuild,
    recipe_sha256=SHA256,
    assembler=VERSIONS,
    outputs=st.lists(
        st.builds(LockedOutput, name=WORDS, size=SIZES, sha256=SHA256), max_size=2, unique_by=lambda item: item.name
    ).map(lambda items: tuple(sorted(items, key=_name))),
    layers=st.lists(
        st.builds(LockedLayer, name=WORDS, sha256=SHA256), max_size=2, unique_by=lambda item: item.name
    ).map(lambda items: tuple(sorted(items, key=_name))),
)
TOOLCHAINS = st.lists(
    st.builds(LockedTool, name=word("+.-_"), version=VERSIONS), max_size=3, unique_by=lambda item: item.name
).map(lambda items: tuple(sorted(items, key=_name)))
ACCOUNTS = st.dictionaries(
    st.from_regex(ACCOUNT, fullmatch=True), st.integers(FIRST_ACCOUNT, LAST_ACCOUNT), max_size=3
).map(lambda items: tuple(sorted(items.items())))


def _name(item: LockedFile | LockedVersion | LockedImage | LockedOutput | LockedLayer | LockedTool) -> str:
    return item.name


@st.composite
def sources(draw: st.DrawFn, roles: Sequence[str]) -> tuple[tuple[LockedArchive, ...], tuple[LockedPackage, ...]]:
    """Archives, and packages that come from them."""
    archives = draw(st.lists(ARCHIVES, min_size=1, max_size=3, unique_by=lambda item: item.id))
    packages = st.builds(
        LockedPackage,
        name=NAMES,
        version=VERSIONS,
        architecture=word("-"),
        source=NAMES,
        source_version=VERSIONS,
        size=SIZES,
        sha256=SHA256,
        path=PATHS,
        archive=st.sampled_from([item.id for item in archives]),
        roles=st.sets(st.sampled_from(roles), min_size=1).map(lambda items: tuple(sorted(items))),
        why=st.sampled_from(["requested", "essential"]) | NAMES.map("for {}".format),
    )
    key = lambda item: (item.name, item.architecture, item.version)  # noqa: E731  used twice, here
    return (
        tuple(sorted(archives, key=lambda item: item.id)),
        tuple(sorted(draw(st.lists(packages, max_size=3, unique_by=key)), key=key)),
    )


@st.composite
def toolboxes(draw: st.DrawFn) -> LockedToolbox:
    archives, packages = draw(sources([TOOLS]))
    return LockedToolbox(architecture=draw(word("-")), archives=archives, packages=packages)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    archives, packages = draw(sources(ROLES))
    toolchain = draw(st.none() | toolboxes())
    return Lock(
        assembler=draw(VERSIONS),
        recipe_sha256=draw(SHA256),
        source_date_epoch=draw(st.integers(0, EPOCH_END - 1)),
        architecture=draw(word("-")),
        archives=archives,
        packages=packages,
        kubernetes=tuple(sorted(draw(st.lists(KUBERNETES, max_size=2, unique_by=_name)), key=_name)),
        files=tuple(sorted(draw(st.lists(FILES, max_size=2, unique_by=_name)), key=_name)),
        images=tuple(sorted(draw(st.lists(IMAGES, max_size=2, unique_by=_name)), key=_name)),
        tools=draw(toolboxes()),
        toolchain=toolchain,
        host_tools=() if toolchain else draw(TOOLCHAINS),
        libraries=draw(TOOLCHAINS),
        accounts=LockedAccounts(users=draw(ACCOUNTS), groups=draw(ACCOUNTS)),
        build=draw(st.none() | BUILDS),
    )


ARCHIVE = LockedArchive(
    id="trixie",
    root="debian",
    suite="trixie",
    components=("main",),
    inrelease_sha256="b" * 64,
    date="2026-09-12T07:55:41Z",
    valid_until="",
    signed_by=("C" * 40,),
    indices=(LockedIndex(path="main/binary-amd64/Packages.xz", size=9678380, sha256="d" * 64),),
)
TOOL = LockedPackage(
    name="pigz",
    version="2.8-1",
    architecture="amd64",
    source="pigz",
    source_version="2.8-1",
    size=65372,
    sha256="4" * 64,
    path="pool/main/p/pigz/pigz_2.8-1_amd64.deb",
    archive="trixie",
    roles=("tools",),
    why="requested",
)

LOCK = Lock(
    assembler="0.1.0",
    recipe_sha256="a" * 64,
    source_date_epoch=1795227046,
    architecture="amd64",
    archives=(ARCHIVE,),
    packages=(
        LockedPackage(
            name="hello",
            version="2.10-5",
            architecture="amd64",
            source="hello",
            source_version="2.10-5",
            size=53040,
            sha256="e" * 64,
            path="pool/main/h/hello/hello_2.10-5_amd64.deb",
            archive="trixie",
            roles=("initrd", "rootfs"),
            why="requested",
        ),
        LockedPackage(
            name="libc6",
            version="2.41-12",
            architecture="amd64",
            source="glibc",
            source_version="2.41-12",
            size=2847988,
            sha256="f" * 64,
            path="pool/main/g/glibc/libc6_2.41-12_amd64.deb",
            archive="trixie",
            roles=("rootfs",),
            why="for hello",
        ),
    ),
    files=(
        LockedFile(
            name="kubelet",
            version="1.36.4",
            url="https://dl.k8s.io/kubelet",
            size=7,
            sha256="1" * 64,
            learned="publisher",
            witness="https://dl.k8s.io/kubelet.sha256",
            role="kubernetes",
        ),
    ),
    images=(
        LockedImage(
            name="registry.k8s.io/pause:3.10.2",
            platform="linux/amd64",
            index="2" * 64,
            manifest="3" * 64,
            size=8,
            learned="first-use",
        ),
    ),
    tools=LockedToolbox(architecture="amd64", archives=(ARCHIVE,), packages=(TOOL,)),
)

STATE = f"""\
id = "trixie"
root = "debian"
suite = "trixie"
components = ["main"]
inrelease_sha256 = "{"b" * 64}"
date = "2026-09-12T07:55:41Z"
valid_until = ""
signed_by = [
  "{"C" * 40}",
]
indices = [
  {{ path = "main/binary-amd64/Packages.xz", size = 9678380, sha256 = "{"d" * 64}" }},
]
"""
BODY = f"""\
schema = 4
assembler = "0.1.0"
recipe_sha256 = "{"a" * 64}"
source_date_epoch = 1795227046
architecture = "amd64"

[[archives]]
{STATE}
[packages]
"hello_2.10-5_amd64" = {{ roles = ["initrd", "rootfs"], why = "requested", archive = "trixie", size = 53040, \
sha256 = "{"e" * 64}", path = "pool/main/h/hello/hello_2.10-5_amd64.deb" }}
"libc6_2.41-12_amd64" = {{ roles = ["rootfs"], why = "for hello", archive = "trixie", source = "glibc", \
size = 2847988, sha256 = "{"f" * 64}", path = "pool/main/g/glibc/libc6_2.41-12_amd64.deb" }}

[files]
"kubelet" = {{ role = "kubernetes", version = "1.36.4", size = 7, sha256 = "{"1" * 64}", learned = "publisher", \
witness = "https://dl.k8s.io/kubelet.sha256", url = "https://dl.k8s.io/kubelet" }}

[images]
"registry.k8s.io/pause:3.10.2" = {{ platform = "linux/amd64", index = "{"2" * 64}", manifest = "{"3" * 64}", \
size = 8, learned = "first-use" }}

# Run on the build machine, from the assembler's own source.
[tools]
architecture = "amd64"

[[tools.archives]]
{STATE}
[tools.packages]
"pigz_2.8-1_amd64" = {{ roles = ["tools"], why = "requested", archive = "trixie", size = 65372, \
sha256 = "{"4" * 64}", path = "pool/main/p/pigz/pigz_2.8-1_amd64.deb" }}
"""


TEXT = f"""\
# Every input of the image. Written by `assemble lock`: change the recipe, not this file.

integrity = "{hashlib.sha256(BODY.encode()).hexdigest()}"
{BODY}"""


@settings(deadline=None, max_examples=40)
@given(locks())
def test_what_is_written_is_read(lock: Lock) -> None:
    written = format_lock(lock)
    tomllib.loads(written)
    assert parse_lock(written, "x") == lock
    assert parse_lock(written.replace("\n", "\r\n"), "x") == lock


def test_the_text_of_a_lock() -> None:
    assert format_lock(LOCK) == TEXT
    assert parse_lock(TEXT, "x") == LOCK


def test_accounts() -> None:
    accounts = LockedAccounts(users=(("Debian-exim", 100), ("_chrony", 59999)), groups=(("adm-x", 101),))
    text = format_lock(replace(LOCK, accounts=accounts))
    assert text.endswith("""

[accounts.users]
"Debian-exim" = 100
"_chrony" = 59999

[accounts.groups]
"adm-x" = 101
""")
    assert parse_lock(text, "x").accounts == accounts
    alone = LockedAccounts(groups=accounts.groups)
    assert parse_lock(format_lock(replace(LOCK, accounts=alone)), "x").accounts == alone
    for old, new, message in (
        ("= 100\n", "= 99\n", "accounts.users.Debian-exim: it is smaller than 100"),
        ("= 59999\n", "= 60000\n", "accounts.users._chrony: it is larger than 59999"),
        ("= 100\n", '= "100"\n', "accounts.users.Debian-exim: it is not a number from 0 on"),
        ('"adm-x"', '"adm x"', "accounts.groups.its name: 'adm x' is not what belongs here"),
        ("accounts.groups", "accounts.group", "accounts.group: this key is not known"),
        ("= 101\n", "= 102\n", "integrity: the lock has been edited"),
    ):
        with pytest.raises((LockError, Problems)) as caught:
            parse_lock(text.replace(old, new), "x")
        assert message in str(caught.value)


def test_the_order_in_the_file_does_not_matter() -> None:
    head, packages = TEXT.split("[packages]\n")
    first, second, *rest = packages.splitlines()
    assert parse_lock("\n".join([f"{head}[packages]", second, first, *rest]), "x") == LOCK


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 4", "schema = 1", "another schema than 4: it says 1"),
        ("schema = 4\n", "", "another schema than 4: it says None"),
        ("\n[packages]", "\n<<<<<<< HEAD", "x.lock.toml:25:1: the lock is not TOML: Invalid statement"),
        ('id = "trixie"', "id = trixie", "x.lock.toml:11:6: the lock is not TOML"),
        (f'"{"a" * 64}"', '"abc"', "recipe_sha256: 'abc' is not what belongs here"),
        (f'"{"e" * 64}"', f'"{"E" * 64}"', 'packages."hello_2.10-5_amd64".sha256: '),
        ("size = 53040", 'size = "53040"', '"hello_2.10-5_amd64".size: it is not a number from 0 on'),
        ("size = 53040", "size = -1", '"hello_2.10-5_amd64".size: it is not a number from 0 on'),
        ("size = 53040", "size = true", '"hello_2.10-5_amd64".size: it is not a number from 0 on'),
        ("size = 53040, ", "", '"hello_2.10-5_amd64".size: it is missing'),
        ("source_date_epoch", "source_date_epok", "source_date_epok: this key is not known (did you mean source_date_"),
        ('source = "glibc"', 'sauce = "glibc"', '"libc6_2.41-12_amd64".sauce: this key is not known'),
        ('roles = ["rootfs"]', "roles = []", '"libc6_2.41-12_amd64".roles: it is wanted for nothing'),
        ('roles = ["rootfs"]', 'roles = ["root"]', ".roles: 'root' is not what belongs here"),
        ('roles = ["rootfs"]', 'roles = ["rootfs", "rootfs"]', ".roles: it is not a list of different strings"),
        ('roles = ["rootfs"]', 'roles = "rootfs"', ".roles: it is not a list"),
        ('"for hello", archive = "trixie"', '"for hello", archive = "sid"', "'sid' is not the id"),
        ("pool/main/h/hello/", "pool/../../../", ".path: 'pool/../../../hello_2.10-5_amd64.deb' is not"),
        ('path = "pool', 'path = "/pool', ".path: '/pool"),
        ("hello_2.10-5_amd64.deb", "hello%2f2.deb", ".path: "),
        ("hello_2.10-5_amd64.deb", "hello\\n2.deb", ".path: "),
        ('"hello_2.10-5_amd64" =', '"hello" =', 'packages."hello": it does not begin with a name, a version'),
        ("2026-09-12T07", "2026-09-31T07", "archives[0].date: there is no such day or time"),
        ("2026-09-12T07", "yesterday", "archives[0].date: "),
        ("C" * 40, "c" * 40, "archives[0].signed_by: "),
        ('components = ["main"]', "components = [1]", "archives[0].components: it is not a list of different strings"),
        ("[[archives]]", "[archives]", "archives: it is not a list"),
        ('"for hello"', '"because"', ".why: 'because' is not what belongs here"),
        ("size = 53040", "size = 53041", "integrity: the lock has been edited: its digest is "),
        (f'"{"e" * 64}"', f'"{"d" * 64}"', "integrity: the lock has been edited"),
        ('integrity = "', 'integrity = "a', "integrity: "),
        ("[packages]", "[[packages]]", "packages: it is not a table"),
        ("publisher", "hearsay", "files.\"kubelet\".learned: 'hearsay' is not what belongs here"),
        ('learned = "publisher"', 'learned = "known"', 'files."kubelet".witness: a checksum file belongs to what was'),
        ("https://dl.k8s.io/kubelet.", "file:///etc/passwd", '"kubelet".witness: '),
        ('"kubernetes"', '"boot"', 'files."kubelet".role: '),
        ("pause:3.10.2", "pause@3.10.2", 'images."registry.k8s.io/pause@3.10.2".its name: '),
        ("linux/amd64", "linux", '3.10.2".platform: '),
        ('learned = "first-use"', 'learned = "publisher"', '3.10.2".learned: '),
        ("[packages]\n", "[packages]\nx_1_all = 1\n", 'packages."x_1_all": it is not a table'),
    ],
)
def test_edits_are_found(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises((LockError, Problems)) as caught:
        parse_lock(TEXT.replace(old, new), "x.lock.toml")
    assert message in str(caught.value)
    assert "x.lock.toml" in str(caught.value)
    assert "assemble lock" in str(caught.value) or "did you mean" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("source_date_epoch = ", "source_date_epoch = 4294967296 # "),
        ("source_date_epoch = ", "source_date_epoch = 0x" + "f" * 5000 + " # "),
        ("source_date_epoch = ", "source_date_epoch = " + "9" * 5000 + " # "),
        ("schema = ", "schema = 0x" + "f" * 5000 + " # "),
        ("schema = ", "x = " + "[" * 5000 + "]" * 5000 + "\nschema = "),
        ("schema = ", ".".join(["a"] * 5000) + " = 1\nschema = "),
        ("[packages]", "[packages]\n" + "".join(f"a{number} = {{}}\n" for number in range(3000))),
        ("[packages]", "[" + ".".join(["a"] * 5000) + "]\n[packages]"),
        ("date = ", 'date = "9999-12-31T23:59:59Z" # '),
        ("date = ", 'date = "0001-01-01T00:00:00Z" # '),
        ("path = ", 'path = "' + "a/" * 50_000 + '", x = '),
        ("path = ", 'path = "pool/%2e%2E/x", x = '),
        ("size = ", "size = 1099511627777, x = "),
    ],
)
def test_nothing_takes_long_or_ends_in_a_traceback(before: str, after: str) -> None:
    began = time.process_time()
    with pytest.raises(AssembleError) as caught:
        parse_lock(TEXT.replace(before, after, 1), "x.lock.toml")
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 200_000


def test_a_lock_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="too large"):
        parse_lock("#" * (MAX_LOCK + 1), "x")
    with (tmp_path / "x").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(LockError, match="too large"):
        read_lock(tmp_path / "x")
    with pytest.raises(LockError, match="is not a file"):
        read_lock(Path("/dev/zero"))


def test_two_archives_of_one_name() -> None:
    archive = TEXT[TEXT.index("[[archives]]") : TEXT.index("[packages]")]
    with pytest.raises(Problems, match="two have the same id"):
        parse_lock(TEXT.replace("[packages]", f"{archive}[packages]"), "x")


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 20), st.text(max_size=5))
def test_damage_never_ends_in_a_traceback(start: int, length: int, instead: str) -> None:
    damaged = TEXT[:start] + instead + TEXT[start + length :]
    try:
        assert format_lock(parse_lock(damaged, "x"))
    except AssembleError as error:
        message = str(error)
    else:
        message = "x"
    assert message.startswith("x")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "x.lock.toml"
    assert read_lock(path) is None
    write_lock(path, LOCK)
    assert path.read_text() == TEXT
    assert path.stat().st_mode & 0o777 == 0o644
    write_lock(path, replace(LOCK, packages=()))
    assert read_lock(path) == replace(LOCK, packages=())
    assert os.listdir(tmp_path) == ["x.lock.toml"], "no temporary file stays"  # noqa: PTH208  names, in a test
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(LockError, match="not text in UTF-8"):
        read_lock(path)
    with pytest.raises(LockError, match="the lock is not a file: "):
        read_lock(tmp_path)
    with pytest.raises(LockError, match="the lock cannot be written: No such file or directory"):
        write_lock(tmp_path / "nowhere/x.lock.toml", LOCK)
