"""Which disk changes are kept on: decisions of initramfs/lib/state.sh in machines of files."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot.state_disks import FOREIGN, Maker, blkid, ext4, ours, put, run, xfs_with_our_label, zero
from tests.initrd.shell import below, shell, tell


@dataclass(frozen=True)
class Plugged:
    """A disk of the machine below."""

    name: str
    maker: Maker
    path: str = "pci0000:00/0000:00:03.0/virtio1"
    """Where the kernel has it, below /sys/devices."""
    removable: str = "0"
    serial: str = ""


ON_USB = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0"
OUTSIDE = "pci0000:00/0000:00:1d.0/0000:05:00.0/nvme/nvme0"


def put_in(directory: Path, disk: Plugged) -> None:
    """Put `disk` into the machine."""
    (directory / "dev").mkdir(parents=True, exist_ok=True)
    size = disk.maker(directory / "dev" / disk.name).stat().st_size
    says = {"removable": disk.removable, "queue/zoned": "none", **({"serial": disk.serial} if disk.serial else {})}
    tell(directory, disk.name, path=f"{disk.path}/block/{disk.name}", size=size, says=says)
    # A controller that PCI says can be unplugged.
    outside = directory / "sys/devices" / OUTSIDE
    if outside.exists():
        (outside.parent.parent / "removable").write_text("removable\n")


def decide(
    directory: Path,
    state: str,
    *disks: Plugged,
    late: Plugged | None = None,
    comes: str = "false",
    settings: str = "",
) -> list[str]:
    """What ``livecd.state=`` comes to in a machine with these disks, as sysfs has them; none is used for real.

    The disk `late` comes as soon as `comes` is true, in the shell where $1 is what has just been done: slept, read or
    said. The clock stands still but while the machine sleeps; $(now) is its second.
    """
    for disk in disks:
        put_in(directory, disk)
    link, comer = directory / "sys/class/block", late.name if late else ""
    link.mkdir(parents=True, exist_ok=True)
    if late:
        put_in(directory, late)
        (link / late.name).rename(directory / "late")
    (directory / "clock").write_text("0")
    body = f"""
        MEDIUM_DISK=none STATE_LABEL=K8S_STATE BLANK_TIMEOUT=120 WAIT=30 STATE_WAIT= STATE='{state}'
        {settings}
        now() {{ cat {directory}/clock; }}
        arrive() {{ if [ -L {directory}/late ] && {comes}; then mv {directory}/late {link}/{comer}; fi; }}
        sleep() {{ echo $(($(now) + 1)) >{directory}/clock; arrive slept; }}
        badblocks() {{ command badblocks "$@"; local status=$?; arrive read; return $status; }}
        timeout() {{ shift; "$@"; }}
        load_drivers() {{ :; }}
        settle() {{ :; }}
        info() {{ echo "$1" >>{directory}/said; arrive "said $1"; }}
        use_disk() {{ echo "use $1"; }}
        format_disk() {{ echo "format $1"; }}
        use_memory() {{ echo "memory: $1"; }}
        notice() {{ printf '%s\n' "$1"; }}
        fail() {{ echo "stop: $1"; exit 9; }}
        set_up_state
    """
    done = shell(below(directory, "disks", "names", "blank", "state") + body, parts=())
    assert not done.stderr
    assert done.returncode in {0, 9}
    return [line.replace(str(directory), "") for line in done.stdout.splitlines() if line]


def start(directory: Path, *disks: Plugged, settings: str = "") -> list[str]:
    """The same for ``auto``: what is used, or else why none is and what is said of each disk."""
    said = decide(directory, "auto", *disks, settings=settings)
    return [line for number, line in enumerate(said) if number == 0 or (line.startswith("  ") and line[2] != " ")]


def seconds(directory: Path) -> int:
    """How long the last machine has slept."""
    return int((directory / "clock").read_text())


# --- auto ----------------------------------------------------------


def test_a_state_disk_that_cannot_be_taken_out(tmp_path: Path) -> None:
    assert start(tmp_path, Plugged("vda", ext4), Plugged("vdb", ours)) == ["use vdb"]
    assert seconds(tmp_path) == 0


def test_a_blank_disk_that_cannot_be_taken_out(tmp_path: Path) -> None:
    assert start(tmp_path, Plugged("vda", ext4), Plugged("vdb", zero)) == ["format vdb"]


@pytest.mark.parametrize(
    "stick",
    [Plugged("sda", ours, ON_USB), Plugged("sda", ours, removable="1"), Plugged("nvme0n1", ours, OUTSIDE)],
    ids=["USB", "removable", "unpluggable controller"],
)
def test_a_strangers_stick_is_not_the_state_disk(tmp_path: Path, stick: Plugged) -> None:
    assert start(tmp_path / "1", stick, Plugged("vdb", ours)) == ["use vdb"]
    # Perhaps it is the node's after all, so nothing is formatted in its place.
    said = start(tmp_path / "2", stick, Plugged("vdb", zero))
    uuid = blkid(tmp_path / "2/dev" / stick.name)["UUID"]
    why = "is labelled K8S_STATE, yet on USB or removable"
    assert said == [
        "memory: No disk that livecd.state=auto takes is labelled K8S_STATE.",
        f"  {stick.name} (320 MiB): {why}; livecd.state=UUID={uuid} takes it as it is",
    ]


def test_secrets_are_not_written_to_a_strangers_blank_stick(tmp_path: Path) -> None:
    assert start(tmp_path / "1", Plugged("sda", zero, ON_USB), Plugged("vdb", zero)) == ["format vdb"]
    assert start(tmp_path / "2", Plugged("vda", zero, removable="1", serial="S1")) == [
        "memory: There is no disk labelled K8S_STATE, and none that is blank.",
        "  vda (320 MiB): is on USB or removable; livecd.state=/dev/disk/by-id/virtio-S1 takes it if it is blank",
    ]


def test_every_disk_is_told_of_in_order_with_what_takes_it(tmp_path: Path) -> None:
    disks = [
        Plugged(f"vd{letter}", FOREIGN[name])
        for letter, name in zip("abc", ("xfs", "lonely_byte", "ext4"), strict=True)
    ]
    said = start(tmp_path, *disks)
    uuid = blkid(tmp_path / "dev/vdc")["UUID"]
    assert said[1:] == [
        "  vda (320 MiB): holds xfs labelled precious",
        "  vdb (320 MiB): has no signature, yet is not blank: something on it is not zero",
        f"  vdc (320 MiB): holds ext4 labelled precious; livecd.state=UUID={uuid} takes it as it is",
    ]


def test_one_not_read_in_time(tmp_path: Path) -> None:
    late = "not read to its end, 0 MiB in 0 seconds; livecd.state={} reads on and takes it if it is blank"
    disks = (Plugged("vda", zero), Plugged("vdb", zero, serial="disk 2"))
    names = (late.format("/dev/disk/by-path/pci-0000:00:03.0"), late.format("/dev/disk/by-id/virtio-disk_2"))
    assert start(tmp_path, *disks, settings="BLANK_TIMEOUT=0")[1:] == [
        f"  {disk.name} (320 MiB): {name}" for disk, name in zip(disks, names, strict=True)
    ]


# --- a disk that comes late ----------------------------------------------------------

BLANK = Plugged("vda", zero)
LATE = Plugged("vdb", ours)


@pytest.mark.parametrize(
    "comes",
    [
        '[ "$1" = read ]',
        '[ "$(now)" = 4 ]',
        'case $1 in "said waiting"*) true ;; *) false ;; esac',
        # The last moment: the console has the message, and mke2fs is what follows.
        'case $1 in *"becomes the state disk") true ;; *) false ;; esac',
    ],
    ids=["while a blank disk is read", "while waiting", "as it begins to wait", "right before mke2fs"],
)
def test_a_state_disk_that_is_slow_to_come_is_not_replaced(tmp_path: Path, comes: str) -> None:
    assert decide(tmp_path, "auto", BLANK, late=LATE, comes=comes) == ["use vdb"]


def test_how_long_auto_waits_before_it_formats(tmp_path: Path) -> None:
    assert decide(tmp_path / "1", "auto", BLANK, late=LATE, comes='[ "$(now)" = 9 ]') == ["format vda"]
    assert seconds(tmp_path / "1") == 5
    longer = "STATE_WAIT=20"
    assert decide(tmp_path / "2", "auto", BLANK, late=LATE, comes='[ "$(now)" = 9 ]', settings=longer) == ["use vdb"]
    assert decide(tmp_path / "3", "auto", BLANK, settings="STATE_WAIT=0") == ["format vda"]
    assert seconds(tmp_path / "3") == 0


def test_nobody_waits_where_nothing_would_be_formatted_unless_told_to(tmp_path: Path) -> None:
    data = Plugged("vda", FOREIGN["xfs"])
    assert decide(tmp_path / "1", "auto", data)[0].startswith("memory: There is no disk labelled K8S_STATE")
    assert seconds(tmp_path / "1") == 0
    comes, wait = '[ "$(now)" = 50 ]', "STATE_WAIT=60"
    assert decide(tmp_path / "2", "auto", data, late=LATE, comes=comes, settings=wait) == ["use vdb"]


def test_what_comes_late_is_looked_at_and_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    stick = Plugged("sda", ours, ON_USB)
    said = decide(tmp_path / "1", "auto", BLANK, late=stick, comes='[ "$(now)" = 3 ]')
    assert said[0] == "memory: No disk that livecd.state=auto takes is labelled K8S_STATE."
    said = decide(tmp_path / "2", "auto", BLANK, late=Plugged("vdb", zero), comes='[ "$(now)" = 3 ]')
    assert said[0] == "memory: Several disks are blank (vda vdb), and which one is meant is not guessed."
    read = [line for line in (tmp_path / "2/said").read_text().splitlines() if line.startswith("reading")]
    assert [line.split()[1] for line in read] == ["vda", "vdb"]
    # In the last moment.
    comes = 'case $1 in *"becomes the state disk") true ;; *) false ;; esac'
    said = decide(tmp_path / "3", "auto", BLANK, late=stick, comes=comes)
    assert said[0] == "memory: No disk that livecd.state=auto takes is labelled K8S_STATE."


# --- required ----------------------------------------------------------


def test_a_system_that_must_not_start_without_its_state(tmp_path: Path) -> None:
    said = decide(tmp_path / "1", "auto,required", BLANK)
    assert said[0] == "stop: This system must not start without its state (livecd.state=auto,required)."
    assert said[1] == "No disk labelled K8S_STATE has appeared within 30 seconds. These devices are"
    assert "  vda: 320 MiB, no known signature" in said
    assert "    mke2fs -t ext4 -L K8S_STATE /dev/NAME" in said
    assert seconds(tmp_path / "1") == 30
    comes = '[ "$(now)" = 25 ]'
    assert decide(tmp_path / "2", "auto,required", BLANK, late=LATE, comes=comes) == ["use vdb"]
    assert decide(tmp_path / "3", "auto,required", LATE) == ["use vdb"]


@pytest.mark.parametrize(
    ("state", "disk", "why"),
    [
        ("/dev/vdz", BLANK, "The state disk /dev/vdz has not appeared within 30 seconds"),
        ("LABEL=K8S_STATE", BLANK, "The state disk LABEL=K8S_STATE has not appeared"),
        ("/dev/vda", BLANK, "holds no file system, and the kernel may have called another disk so before"),
        ("SERIAL=S1", Plugged("vda", FOREIGN["xfs"], serial="S1"), "holds xfs labelled precious"),
        ("auto", Plugged("vda", xfs_with_our_label), "holds xfs labelled K8S_STATE, not just ext4"),
        ("auto", Plugged("vda", ours, ON_USB), "No disk that livecd.state=auto takes"),
        ("mine", BLANK, "livecd.state=mine is none of auto, none"),
    ],
)
def test_it_stops_whatever_is_wrong(tmp_path: Path, state: str, disk: Plugged, why: str) -> None:
    said = decide(tmp_path, f"{state},required", disk)
    assert said[0] == f"stop: This system must not start without its state (livecd.state={state},required)."
    assert why in " ".join(said)
    assert not [line for line in said if line.startswith(("memory", "format", "use"))]


def test_two_of_its_own_are_too_many(tmp_path: Path) -> None:
    said = decide(tmp_path, "auto,required", Plugged("vda", ours, serial="A"), Plugged("vdb", ours))
    assert said[1].startswith("Several disks are labelled K8S_STATE (vda vdb)")
    uuids = [blkid(tmp_path / "dev" / name)["UUID"] for name in ("vda", "vdb")]
    assert [line for line in said if line.startswith("livecd.state=")] == [
        f"livecd.state=UUID={uuid} ({name})" for uuid, name in zip(uuids, ("vda", "vdb"), strict=True)
    ]


def test_the_very_disk_that_is_meant_gets_its_file_system(tmp_path: Path) -> None:
    disks = (BLANK, Plugged("vdb", zero, serial="S1"))
    for number, name in enumerate(("SERIAL=S1", "ID=virtio-S1", "/dev/disk/by-id/virtio-S1")):
        assert decide(tmp_path / str(number), f"{name},required", *disks) == ["format vdb"]


@pytest.mark.parametrize("state", ["auto,require", "LABEL=a,b", "auto,", "auto,required,required", "/dev/vda,ro"])
def test_what_may_have_meant_required_stops_as_well(tmp_path: Path, state: str) -> None:
    (said,) = decide(tmp_path, state, LATE)
    assert 'behind a comma, only "required" can stand' in said
    (said,) = decide(tmp_path / "none", "none,required", LATE)
    assert said.startswith("stop: livecd.state=none,required contradicts itself")


# --- what helps ----------------------------------------------------------


def commands(said: list[str]) -> list[str]:
    """What the notice says to run."""
    return [line.strip() for line in said if "mkfs.ext4 " in line]


def used(path: Path) -> Path:
    """A disk whose beginning has been wiped, as people do."""
    ext4(path)
    run("debugfs", "-w", "-R", "write /proc/self/exe f", str(path), good=(0, 1))
    put(path, 0, bytes(4096))
    put(path, 200 << 20, b"data")
    return path


@pytest.mark.parametrize("maker", [used, FOREIGN["gpt"], FOREIGN["mbr"], FOREIGN["xfs"], FOREIGN["backup_gpt"]])
@pytest.mark.parametrize("state", ["auto", "/dev/vda", "SERIAL=S1"])
def test_the_command_that_is_told_makes_the_state_disk(tmp_path: Path, maker: Maker, state: str) -> None:
    said = decide(tmp_path, state, Plugged("vda", maker, serial="S1"))
    assert said[0].startswith("memory: ")
    assert commands(said) == ["mkfs.ext4 -L K8S_STATE /dev/vda"]
    _, *options, device = commands(said)[0].split()
    # mkfs.ext4 is a link to mke2fs, which takes its type from that.
    run("mke2fs", "-q", "-F", "-t", "ext4", *options, f"{tmp_path}{device}")
    assert decide_again(tmp_path, state) == ["use vda"]


def decide_again(directory: Path, state: str) -> list[str]:
    """What it comes to at the next start, with the same disks as they are now."""
    return decide(directory, state)


def test_of_several_used_disks_none_is_proposed(tmp_path: Path) -> None:
    said = decide(tmp_path, "auto", Plugged("vda", used), Plugged("vdb", FOREIGN["xfs"]))
    assert commands(said) == ["mkfs.ext4 -L K8S_STATE /dev/NAME"]


def test_what_helps_where_several_disks_are_blank(tmp_path: Path) -> None:
    said = decide(tmp_path, "auto", Plugged("vda", zero, serial="A"), Plugged("vdb", zero, serial="B"))
    assert said[0] == "memory: Several disks are blank (vda vdb), and which one is meant is not guessed."
    named = [line.removeprefix("livecd.state=") for line in said if line.startswith("livecd.state=/")]
    assert named == ["/dev/disk/by-id/virtio-A", "/dev/disk/by-id/virtio-B"]
    assert decide_again(tmp_path, named[1]) == ["format vdb"]
    assert "mkfs.ext4 -L K8S_STATE /dev/vda" in commands(said)[0]
    assert not any("Give it a blank disk" in line for line in said)


def test_clones_are_told_apart_by_their_serial_numbers(tmp_path: Path) -> None:
    def clone(path: Path) -> Path:
        return ext4(path, "K8S_STATE", 320 << 20, "-U", "11111111-2222-4333-8444-555555555555")

    said = decide(tmp_path, "auto", Plugged("vda", clone, serial="A"), Plugged("vdb", clone, serial="B"))
    named = [line.removeprefix("livecd.state=") for line in said if line.startswith("livecd.state=/")]
    assert named == ["/dev/disk/by-id/virtio-A", "/dev/disk/by-id/virtio-B"]
    assert decide_again(tmp_path, named[0]) == ["use vda"]


def test_a_name_that_no_disk_has_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    said = decide(tmp_path, "ID=virtio-s1", Plugged("vda", zero, serial="S1"), settings="WAIT=3")
    assert "  /dev/disk/by-id/virtio-S1 (vda)" in said
    assert "livecd.state_wait=SECONDS" in " ".join(said)
    assert seconds(tmp_path) == 3


def test_a_label_that_is_named_is_what_the_command_makes(tmp_path: Path) -> None:
    said = decide(tmp_path, "LABEL=precious", Plugged("vda", FOREIGN["xfs"]))
    assert commands(said) == ["mkfs.ext4 -L precious /dev/vda"]


@pytest.mark.parametrize(
    ("left", "files", "said"),
    [
        (65536, 1000, ""),
        (65535, 5000, "THE STATE DISK vda IS FULL: 63 MiB are left."),
        (900000, 999, "THE STATE DISK vda IS FULL: 999 more files can be made."),
        (0, 0, "THE STATE DISK vda IS FULL: 0 MiB are left."),
    ],
)
def test_a_full_state_disk_is_told(tmp_path: Path, left: int, files: int, said: str) -> None:
    body = f"""
        df() {{ echo "Filesystem           1024-blocks    Used Available Capacity Mounted on"
                echo "/dev/vda                 1000000  100000    {left}  91% /state"; }}
        stat() {{ echo {files}; }}
        notice() {{ echo "$1"; }}
        check_room vda
    """
    done = shell(below(tmp_path, "state") + body, parts=())
    assert not done.stderr
    assert done.stdout.partition("\n")[0] == said
