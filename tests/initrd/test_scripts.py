"""The parts of the initramfs that can be tried on files: no root, no machine. tests/boot/ does the rest."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.image.contents import sums
from assembler.initrd.compose import APPLETS, read_scripts
from tests.boot.state_disks import (
    FOREIGN,
    MIB,
    SIGNATURES,
    SIZE,
    Maker,
    blkid,
    ours,
    put,
    raid_10,
    xfs_with_our_label,
    zero,
)
from tests.initrd.shell import SCRIPTS, shell
from tests.support.host_commands import need

LARGE = 2 << 30


def blank(path: Path, size: int | None = None) -> bool:
    done = shell('is_blank "$1" "$2"', str(path), str(size or path.stat().st_size))
    assert not done.stderr
    assert done.returncode in {0, 1}
    return done.returncode == 0


def test_shellcheck() -> None:
    done = subprocess.run(
        [need("shellcheck", "shellcheck"), "-x", "init", "shutdown"],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_part_is_sourced_and_there() -> None:
    sourced = re.findall(r"^\. \$LIB/(\S+)$", (SCRIPTS / "init").read_text(), re.MULTILINE)
    assert sorted(["init", "shutdown", *(f"lib/{name}" for name in sourced)]) == sorted(read_scripts(SCRIPTS))


def test_busybox_has_every_applet() -> None:
    known = subprocess.run(
        [need("busybox", "busybox-static"), "--list"], capture_output=True, text=True, check=True
    ).stdout
    assert set(APPLETS) <= set(known.split())


@pytest.mark.parametrize("size", [256 * MIB, SIZE + 512, LARGE - 4096])
def test_zeros_are_blank(tmp_path: Path, size: int) -> None:
    assert blank(zero(tmp_path / "disk", size))


@pytest.mark.parametrize(
    "maker", [*FOREIGN.values(), ours, raid_10, xfs_with_our_label], ids=lambda maker: maker.__name__
)
def test_what_anybody_may_want_back_is_not_blank(tmp_path: Path, maker: Maker) -> None:
    path = maker(tmp_path / "disk")
    key, value = SIGNATURES.get(maker.__name__, ("", ""))
    if key:
        assert blkid(path)[key] == value
    assert not blank(path)


@pytest.mark.parametrize(
    ("what", "offset", "size"),
    [
        ("the first byte", 0, LARGE),
        ("ReiserFS", 64 << 10, LARGE),
        ("the end of the first 4 MiB", 4 * MIB - 1, LARGE),
        ("ext4's group 1, blocks of 4 KiB", 32768 * 4096 + 0x38, LARGE),
        ("a file system in a mapping that begins at 200 MiB", 200 * MIB + 0x438, LARGE),
        ("between the parts in which it is read", 64 * MIB + 192 * MIB - 1, LARGE),
        ("an odd place", 1234567891, LARGE),
        ("the second GPT", LARGE - 512, LARGE),
        ("the last byte", LARGE - 1, LARGE),
        ("the last byte of a small disk", SIZE - 1, SIZE),
        ("the last byte of an odd disk", SIZE + 511, SIZE + 512),
        ("the last byte before what is odd", SIZE - 1, SIZE + 512),
    ],
)
def test_one_byte_anywhere(tmp_path: Path, what: str, offset: int, size: int) -> None:
    path = zero(tmp_path / "disk", size)
    put(path, offset, b"\x01")
    assert not blank(path), what


@settings(max_examples=20, deadline=None)
@given(st.integers(0, SIZE + 4095), st.integers(1, 255), st.integers(0, 8).map(lambda n: n * 512))
def test_one_byte_wherever(tmp_path_factory: pytest.TempPathFactory, offset: int, value: int, odd: int) -> None:
    size = SIZE + odd
    path = zero(tmp_path_factory.getbasetemp() / "anywhere", size)
    put(path, min(offset, size - 1), bytes([value]))
    assert not blank(path)


def test_what_is_not_read_in_time_is_not_known(tmp_path: Path) -> None:
    """A clock that goes on by a minute with each part of the disk: of the size that is left nothing is known."""
    path, clock = zero(tmp_path / "disk", LARGE), tmp_path / "clock"
    clock.write_text("0")
    body = f"""
        now() {{ cat {clock}; }}
        badblocks() {{ command badblocks "$@"; status=$?; echo $(($(cat {clock}) + 60)) >{clock}; return $status; }}
        timeout() {{ shift; "$@"; }}
        info() {{ echo "$1"; }}
        is_blank "$1" "$2" "$3"
        echo "$? $BLANK_READ"
    """
    size = str(LARGE)
    assert shell(body, str(path), size, "120").stdout.splitlines() == [
        f"{path}: 64 MiB of 2048 MiB read, all zero so far",
        f"{path}: 128 MiB of 2048 MiB read, all zero so far",
        f"2 {128 * MIB}",
    ]
    # None at all, and no limit: then only the end counts.
    assert shell(body, str(path), size, "0").stdout == "2 0\n"
    clock.write_text("0")
    done = shell(body, str(path), size, "").stdout.splitlines()
    assert (len(done), done[-1]) == (33, f"0 {LARGE}")


def test_data_is_data_and_a_disk_that_hangs_is_not_known(tmp_path: Path) -> None:
    path = zero(tmp_path / "disk", LARGE)
    put(path, MIB, b"x")
    body = 'is_blank "$1" "$2" 100; echo $?\n badblocks() { sleep 9; }; timeout() { sleep 1.1; return 143; }\n'
    body += 'is_blank "$1" "$2" 1; echo $?'
    assert shell(body, str(path), str(LARGE)).stdout == "1\n2\n"


@pytest.mark.parametrize("said", ["", "Pass completed, 0 bad blocks found.", "No such file or directory", "7"])
def test_only_a_clean_pass_is_taken_for_one(tmp_path: Path, said: str) -> None:
    path = zero(tmp_path / "disk")
    assert shell('TOLD=$2; badblocks() { echo "$TOLD"; }; is_blank "$1" 335544320', str(path), said).returncode == 1


def test_what_cannot_be_read_is_not_blank(tmp_path: Path) -> None:
    assert not blank(tmp_path / "gone", SIZE)
    assert not blank(zero(tmp_path / "short", SIZE - 512), SIZE)
    assert not blank(zero(tmp_path / "empty", 0), SIZE)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40).map(lambda n: n * 512), st.integers(1, 300).map(lambda n: n * 16 + 32), st.data())
def test_zeros_sees_every_byte(
    tmp_path_factory: pytest.TempPathFactory, offset: int, length: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "zeros"
    total = offset + length + 512
    at = data.draw(st.integers(0, total - 1))
    content = bytearray(total)
    content[at] = data.draw(st.integers(1, 255))
    path.write_bytes(content)
    done = shell('zeros "$1" "$2" "$3"', str(path), str(offset), str(length))
    assert (done.returncode == 0) == (not offset <= at < offset + length)


PROBED = 'probe "$1"; is_ext4 && echo ext4; is_unsigned && echo unsigned; contents'


@pytest.mark.parametrize(
    ("maker", "seen"),
    [
        (zero, ["unsigned", "no known signature"]),
        (ours, ["ext4", "ext4 labelled K8S_STATE"]),
        (FOREIGN["ext4"], ["ext4", "ext4 labelled precious"]),
        (FOREIGN["torn_ext4"], ["unsigned", "no known signature"]),
        (FOREIGN["gpt"], ["a partition table (gpt)"]),
        (FOREIGN["mbr"], ["a partition table (dos)"]),
        (FOREIGN["lvm"], ["LVM2_member"]),
        (raid_10, ["linux_raid_member labelled host:precious"]),
        (xfs_with_our_label, ["xfs labelled K8S_STATE"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_probing(tmp_path: Path, maker: Maker, seen: list[str]) -> None:
    assert shell(PROBED, str(maker(tmp_path / "disk"))).stdout.splitlines() == seen


def test_two_signatures_are_nobodys(tmp_path: Path) -> None:
    path = ours(tmp_path / "disk")
    with path.open("rb") as stream:
        start = stream.read(4096)
    FOREIGN["luks1"](path)
    put(path, 1024, start[1024:2048])
    seen = shell(PROBED, str(path)).stdout.splitlines()
    assert "ext4" not in seen
    assert "unsigned" not in seen


@pytest.mark.parametrize(
    ("cmdline", "expected"),
    [
        ("ro quiet", "K8S_NODE auto 30 /sbin/init  yes"),
        ("livecd.state=/dev/vdb livecd.wait=5 rescue", "K8S_NODE /dev/vdb 5 /sbin/init yes "),
        ("livecd.label=X livecd.state=LABEL=a=b livecd.rescue", "X LABEL=a=b 30 /sbin/init yes "),
        ("init=/bin/bash -- livecd.state=none", "K8S_NODE auto 30 /bin/bash  "),
        (
            "livecd.wait=soon",
            "warning: livecd.wait=soon is not a number of seconds; waiting 30 K8S_NODE auto 30 /sbin/init  ",
        ),
        ("livecd.state=$(reboot) livecd.label=* init=relative", "* $(reboot) 30 /sbin/init  "),
        ("findiso=/a/node.iso", "K8S_NODE auto 30 /sbin/init  /a/node.iso"),
        ("iso-scan/filename=/node.iso livecd.toram findiso=", "K8S_NODE auto 30 /sbin/init  /node.isoyes"),
        ("toram livecd.toram=no", "K8S_NODE auto 30 /sbin/init  yes"),
        ("livecd.state=auto,required livecd.state_wait=90", "K8S_NODE auto,required 30/90 /sbin/init  "),
        (
            "livecd.state_wait=-1",
            "warning: livecd.state_wait=-1 is not a number of seconds K8S_NODE auto 30 /sbin/init  ",
        ),
    ],
)
def test_parameters(tmp_path: Path, cmdline: str, expected: str) -> None:
    (tmp_path / "livecd.conf").write_text("label=K8S_NODE\nstate=auto\nstate_label=K8S_STATE\nwait=30\n")
    (tmp_path / "cmdline").write_text(cmdline + "\n")
    text = (SCRIPTS / "lib/parameters.sh").read_text()
    text = text.replace("/etc/livecd.conf", str(tmp_path / "livecd.conf")).replace(
        "/proc/cmdline", str(tmp_path / "cmdline")
    )
    body = 'warn() { printf "warning: %s " "$1"; }\nread_parameters\n'
    body += 'echo "$LABEL $STATE $WAIT${STATE_WAIT:+/$STATE_WAIT} $INIT $RESCUE $QUIET$ISO_FILE$TORAM"\n'
    done = shell(text + body, parts=())
    assert (done.stdout.rstrip("\n"), done.stderr) == (expected, "")


def test_modules_are_loaded_and_those_that_the_recipe_wants_are_missed(tmp_path: Path) -> None:
    text = (SCRIPTS / "lib/modules.sh").read_text()
    for path in ("/etc/livecd.modules", "/etc/livecd.wanted", "/sys/module", "/run/livecd"):
        text = text.replace(path, f"{tmp_path}{path}")
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "run/livecd").mkdir()
    (tmp_path / "etc/livecd.modules").write_text("loop\ndummy\ngone\n")
    modprobe = f'modprobe() {{ echo "$@"; [ "$2" = gone ] || mkdir -p "{tmp_path}/sys/module/$2"; }}\n'
    body = f'{modprobe}warn() {{ echo "warning: $1"; }}\nload_modules\n'
    loaded = ["-q loop", "-q dummy", "-q gone"]
    assert shell(text + body, parts=()).stdout.splitlines() == loaded
    (tmp_path / "etc/livecd.wanted").write_text("dummy\ngone\n")
    said = "warning: The module gone is not loaded. /run/livecd/log and dmesg may say why."
    assert shell(text + body, parts=()).stdout.replace(str(tmp_path), "").splitlines() == [*loaded, said]


# --- the medium ----------------------------------------------------------


def differs(directory: Path, identity: str) -> str:
    """Why the volume at `directory` is not the medium that was started; empty when it is."""
    text = (SCRIPTS / "lib/medium.sh").read_text().replace("/run/livecd/log", "/dev/null")
    done = shell(f'{text}MEDIUM=$3\ndiffers "$1" "$2"\n', str(directory), f"{directory}.sums", identity, parts=())
    assert not done.stderr
    return done.stdout.strip()


@pytest.fixture
def volume(tmp_path: Path) -> tuple[Path, str]:
    """What a medium holds, and its identity."""
    files: dict[str, bytes | Path] = {"/live/filesystem.squashfs": b"hsqs", "/live/images/images.txt": b"of images"}
    for path, data in files.items():
        place = tmp_path / "volume" / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(data, bytes)
        place.write_bytes(data)
    written = sums(files)
    (tmp_path / "volume/live/SHA256SUMS").write_bytes(written)
    return tmp_path / "volume", hashlib.sha256(written).hexdigest()


def test_the_medium_that_was_started(volume: tuple[Path, str]) -> None:
    directory, identity = volume
    assert differs(directory, identity) == ""
    assert "is not the one that was started" in differs(directory, "0" * 64)


@pytest.mark.parametrize("path", ["live/filesystem.squashfs", "live/images/images.txt"])
@pytest.mark.parametrize("how", ["changed", "longer", "gone"])
def test_a_medium_that_holds_something_else(volume: tuple[Path, str], path: str, how: str) -> None:
    directory, identity = volume
    file = directory / path
    data = file.read_bytes()
    file.unlink()
    if how != "gone":
        file.write_bytes(b"X" + data[1:] if how == "changed" else data + b"\0")
    assert "damaged or has been changed" in differs(directory, identity)


def test_a_medium_whose_list_or_links_lie(volume: tuple[Path, str]) -> None:
    directory, identity = volume
    listed = directory / "live/SHA256SUMS"
    listed.write_bytes(listed.read_bytes() + b"\n")
    assert "is not the one that was started" in differs(directory, identity)
    # One that does not name the squashfs is no list of a medium.
    listed.write_bytes(b"".join(listed.read_bytes().splitlines(keepends=True)[1:2]))
    assert "does not name live/filesystem.squashfs" in differs(
        directory, hashlib.sha256(listed.read_bytes()).hexdigest()
    )
    listed.unlink()
    assert "it has no live/SHA256SUMS" in differs(directory, identity)
    os.mkfifo(listed)
    assert "it has no live/SHA256SUMS" in differs(directory, identity), "nobody ever writes to it"


@pytest.mark.parametrize("path", ["live", "live/SHA256SUMS", "live/filesystem.squashfs"])
def test_links_do_not_lead_out_of_the_medium(volume: tuple[Path, str], path: str) -> None:
    directory, identity = volume
    (directory / path).rename(directory.parent / "elsewhere")
    (directory / path).symlink_to(directory.parent / "elsewhere")
    assert "it has no live/SHA256SUMS" in differs(directory, identity)


@pytest.mark.parametrize(("word", "good"), [("0" * 64, True), ("0" * 63, False), ("G" * 64, False), ("A" * 64, False)])
def test_identities(word: str, good: bool) -> None:  # noqa: FBT001  a table
    assert (shell('is_sha256 "$1"', word, parts=("medium",)).returncode == 0) == good
