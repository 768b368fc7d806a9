"""Names of disks: what initramfs/lib/names.sh makes of what the kernel says is what udev makes of it."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.recipe.shapes import StateDisk
from tests.boot.state_disks import blkid, ext4, zero
from tests.initrd.shell import below, shell, tell

SIZE = 320 << 20
DISK = "pci0000:00/0000:00:04.0"

WORDS = [
    "LABEL=K8S_STATE", f"LABEL={'x' * 16}", f"LABEL={'x' * 17}", "LABEL=", "LABEL=a b", "LABEL=a/b", "LABEL", "label=x",
    "UUID=0a1b-2C3D", "UUID=xyz", "UUID=123", "UUID=11111111-2222-4333-8444-555555555555", f"UUID={'1' * 37}",
    "PARTLABEL=state", f"PARTLABEL={'x' * 36}", f"PARTLABEL={'x' * 37}", "PARTUUID=1b2c3d4e-01", "PARTUUID=state",
    "ID=virtio-STATE0", "ID=wwn-0x5000c500a1b2c3d4", "ID=a/b", "SERIAL=S-1", "serial=S-1", "Serial=S-1", "SERIAL=",
    "/dev/vda", "/dev/", "/dev", "dev/vda", "/dev/disk/by-id/usb-A_B_C-0:0-part1", "/dev/disk/by-path/pci-0000:00:04.0",
    "/dev/vda;x", "/dev/vda\n", "/dev/a b", "/dev/é", "sda", "", "*", "$(reboot)", "nvme0n1", "LABEL=a,b", "/etc/x",
]  # fmt: skip


def pattern() -> re.Pattern[str]:
    (shape,) = StateDisk.__metadata__  # type: ignore[attr-defined]
    return re.compile(shape.pattern)


def is_name(word: str) -> bool:
    return shell('is_name "$1"', word, parts=("names",)).returncode == 0


@pytest.mark.parametrize("word", WORDS)
def test_a_recipe_may_say_what_the_initrd_understands(word: str) -> None:
    for end, text in (("", word), (",required", f"{word},required")):
        assert (pattern().fullmatch(text) is not None) == is_name(text.removesuffix(end)), text


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["LABEL=", "UUID=", "PARTLABEL=", "PARTUUID=", "ID=", "SERIAL=", "/dev/", "/dev/disk/by-id/", ""]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
)
def test_whatever_is_written(kind: str, value: str) -> None:
    assert (pattern().fullmatch(kind + value) is not None) == (is_name(kind + value) or value in {"auto", "none"})


def test_what_is_no_name() -> None:
    assert pattern().fullmatch("none")
    assert pattern().fullmatch("auto,required")
    assert not pattern().fullmatch("none,required")


def ask(directory: Path, body: str, *arguments: str) -> list[str]:
    """What a body of shell says in the machine at `directory`."""
    done = shell(below(directory, "disks", "names") + body, *arguments, parts=())
    assert not done.stderr
    return done.stdout.splitlines()


def names(directory: Path, name: str) -> list[str]:
    """All names of a device below /dev/disk that come from what it is."""
    return ask(directory, 'names_in id "$1"; names_in path "$1"', name)


def vital(*descriptors: tuple[int, int, bytes]) -> bytes:
    """A page 83h of vital product data (SPC-4, 7.8.6): code set, type and identifier of each descriptor."""
    body = b"".join(bytes([codes, kind, 0, len(data)]) + data for codes, kind, data in descriptors)
    return bytes([0, 0x83]) + len(body).to_bytes(2, "big") + body


def ata(model: str, serial: str) -> bytes:
    """The page that the kernel's libata makes of a disk that says this of itself (ata_scsiop_inq_83)."""
    text = b"ATA     " + model.encode().ljust(40) + serial.encode().rjust(20)
    return vital((2, 0, serial.encode().rjust(20)), (2, 1, text))


def test_a_virtio_disk_and_its_partitions(tmp_path: Path) -> None:
    place = tell(tmp_path, "vdb", path=f"{DISK}/virtio1/block/vdb", says={"serial": "STATE 0/1"})
    tell(tmp_path, "vdb3", path=f"{DISK}/virtio1/block/vdb/vdb3", says={"partition": "3"})
    assert place.is_dir()
    assert names(tmp_path, "vdb") == ["virtio-STATE_0_1", "pci-0000:00:04.0", "virtio-pci-0000:00:04.0"]
    assert names(tmp_path, "vdb3")[:2] == ["virtio-STATE_0_1-part3", "pci-0000:00:04.0-part3"]


def test_a_disk_without_a_serial_number(tmp_path: Path) -> None:
    tell(tmp_path, "vda", path="platform/a003e00.virtio_mmio/virtio0/block/vda", says={"serial": ""})
    assert names(tmp_path, "vda") == []
    assert ask(tmp_path, 'best_name "$1"', "vda") == ["/dev/vda"]
    assert ask(tmp_path, 'goes_by "$1" "SERIAL=" || echo no', "vda") == ["no"]


def test_nvme(tmp_path: Path) -> None:
    says = {"wwid": "eui.0025388b91c0a1d2", "nsid": "1", "device/model": "Fast SSD 980  ", "device/serial": "S64 A1   "}
    tell(tmp_path, "nvme1n1", path=f"{DISK}/nvme/nvme1/nvme1n1", says=says)
    tell(tmp_path, "nvme1n1p2", path=f"{DISK}/nvme/nvme1/nvme1n1/nvme1n1p2", says={"partition": "2"})
    assert names(tmp_path, "nvme1n1") == [
        "nvme-Fast_SSD_980_S64_A1",
        "nvme-Fast_SSD_980_S64_A1_1",
        "nvme-eui.0025388b91c0a1d2",
        "pci-0000:00:04.0-nvme-1",
    ]
    assert names(tmp_path, "nvme1n1p2")[0] == "nvme-Fast_SSD_980_S64_A1-part2"


def test_sata(tmp_path: Path) -> None:
    says: dict[str, str | bytes] = {
        "vendor": "ATA     ",
        "model": "My Disk 3       ",
        "wwid": "naa.5000c500a1b2c3d5",
        "vpd_pg83": ata("My Disk 3", "W1A B"),
    }
    host = f"{DISK}/ata3/host2/target2:0:0/2:0:0:0"
    place = tell(tmp_path, "sdb", path=f"{host}/block/sdb", says={})
    tell_device(tmp_path, place, host, says)
    port = tmp_path / f"sys/devices/{DISK}/ata3/ata_port/ata3/port_no"
    port.parent.mkdir(parents=True)
    port.write_text("3\n")
    assert names(tmp_path, "sdb") == [
        "ata-My_Disk_3_W1A_B",
        "wwn-0x5000c500a1b2c3d5",
        "pci-0000:00:04.0-ata-3",
        "pci-0000:00:04.0-ata-3.0",
    ]
    assert ask(tmp_path, 'serial_of "$1"', "sdb") == ["W1A_B"]


def tell_device(directory: Path, place: Path, device: str, says: dict[str, str | bytes]) -> None:
    """What a SCSI disk's device says, to which ``device`` in the disk's directory leads."""
    for file, value in says.items():
        at = directory / "sys/devices" / device / file
        at.write_bytes(value if isinstance(value, bytes) else f"{value}\n".encode())
    (place / "device").symlink_to(directory / "sys/devices" / device)


def test_scsi(tmp_path: Path) -> None:
    disks = {
        "sda": vital((2, 0, b"SCSI 0")),
        "sdb": vital((2, 0, b"SCSI1"), (1, 3, bytes.fromhex("5000c500a1b2c3d4"))),
        "sdc": vital((1, 3, bytes.fromhex("600508b1001c4d2e9c1f3b6a7d8e9f00"))),
    }
    wwid = {"sda": "", "sdb": "naa.5000c500a1b2c3d4", "sdc": "naa.600508b1001c4d2e9c1f3b6a7d8e9f00"}
    for number, (name, page) in enumerate(disks.items()):
        host = f"{DISK}/virtio2/host5/target5:0:{number}/5:0:{number}:0"
        place = tell(tmp_path, name, path=f"{host}/block/{name}", says={})
        serial = b"\x00\x80\x00\x08SER 000%d" % number
        says: dict[str, str | bytes] = {
            "vendor": "QEMU    ", "model": "QEMU HARDDISK   ", "vpd_pg83": page, "vpd_pg80": serial, "wwid": wwid[name],
        }  # fmt: skip
        tell_device(tmp_path, place, host, says)
    assert names(tmp_path, "sda") == ["scsi-0QEMU_QEMU_HARDDISK_SCSI_0", "pci-0000:00:04.0-scsi-0:0:0:0"]
    assert names(tmp_path, "sdb") == [
        "scsi-35000c500a1b2c3d4",
        "wwn-0x5000c500a1b2c3d4",
        "pci-0000:00:04.0-scsi-0:0:1:0",
    ]
    assert names(tmp_path, "sdc")[:2] == [f"{kind}{wwid['sdc'][4:]}" for kind in ("scsi-3", "wwn-0x")]
    assert ask(tmp_path, 'serial_of "$1"', "sdc") == ["SER_0002"]
    assert ask(tmp_path, "for n in sda sdb sdc; do ! goes_by $n serial=SER_0001 || echo $n; done") == ["sdb"]


def test_usb(tmp_path: Path) -> None:
    host = f"{DISK}/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0"
    place = tell(tmp_path, "sda", path=f"{host}/block/sda", says={})
    tell_device(tmp_path, place, host, {"vendor": "SanDisk ", "model": "Cruzer Fit      "})
    port = tmp_path / f"sys/devices/{DISK}/usb2/2-1"
    (port / "idVendor").write_text("0781\n")
    (port / "serial").write_text("4C53\n")
    assert names(tmp_path, "sda") == ["usb-SanDisk_Cruzer_Fit_4C53-0:0"]


@pytest.fixture
def partitioned(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A machine with one file that stands for a partition, and what blkid says of it.

    blkid takes a partition's entry from its disk, which a file has not, so its answer is written down here.
    """
    path = ext4(tmp_path / "dev-vda1", "mine")
    (tmp_path / "dev").mkdir()
    path.rename(tmp_path / "dev/vda1")
    tell(tmp_path, "vda", path=f"{DISK}/virtio1/block/vda", size=SIZE, says={})
    tell(tmp_path, "vda1", path=f"{DISK}/virtio1/block/vda/vda1", size=SIZE, says={"partition": "1"})
    zero(tmp_path / "dev/vda")
    return tmp_path, blkid(tmp_path / "dev/vda1")


def test_what_is_on_it_and_what_its_table_calls_it(partitioned: tuple[Path, dict[str, str]]) -> None:
    directory, found = partitioned
    entry = "PART_ENTRY_NAME=state\nPART_ENTRY_UUID=1b2c3d4e-0000-4000-8000-000000000001"
    told = f"""
        blkid() {{
            command blkid "$@"
            local status=$?
            case $4 in */vda1) echo "{entry}" ;; esac
            return $status
        }}
        for device in $(devices); do
            for name; do ! goes_by $device "$name" || echo "$device $name"; done
        done
    """
    uuid = found["UUID"]
    right = [
        "LABEL=mine",
        "/dev/disk/by-label/mine",
        f"UUID={uuid}",
        f"UUID={uuid.upper()}",
        f"/dev/disk/by-uuid/{uuid}",
        "PARTLABEL=state",
        "/dev/disk/by-partlabel/state",
        "PARTUUID=1B2C3D4E-0000-4000-8000-000000000001",
        "/dev/disk/by-partuuid/1b2c3d4e-0000-4000-8000-000000000001",
        "/dev/vda1",
        "/dev/disk/by-path/pci-0000:00:04.0-part1",
    ]
    wrong = ["LABEL=Mine", "LABEL=", "UUID=", "PARTLABEL=State", "PARTLABEL=", "PARTUUID=1b2c3d4e", "/dev/vda2", "vda1"]
    wrong += ["/dev/disk/by-id/virtio-", "/dev/disk/by-colour/red", "SERIAL=vda1", "ID="]
    assert ask(directory, told, *right, *wrong) == [f"vda1 {name}" for name in right]


@pytest.mark.parametrize("root", ["LABEL=mine", "/dev/vda1", "/dev/disk/by-path/pci-0000:00:04.0-part1"])
def test_the_disk_that_the_system_itself_is_on_goes_by_the_same_names(
    partitioned: tuple[Path, dict[str, str]], root: str
) -> None:
    directory, found = partitioned
    text = below(directory, "disks", "names", "disk")
    for name in (root, f"UUID={found['UUID']}"):
        assert shell(f"{text}ROOT={name}\nroot_device", parts=()).stdout == "vda1\n"
    for name in ("LABEL=other", "/dev/none", "LABEL=", "vda1"):
        done = shell(f"{text}ROOT={name}\nroot_device", parts=())
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
