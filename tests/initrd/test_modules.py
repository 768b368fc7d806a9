import gzip
import lzma

import pytest
import zstandard

from assembler.initrd.modules import Kernel
from assembler.kernel.module import ModuleError
from assembler.tree.staging import Tree
from tests.initrd.elves import module

RELEASE = "6.1-test"
DIRECTORY = f"/usr/lib/modules/{RELEASE}"


def kernel(files: dict[str, bytes], builtin: str = "", alias: str = "") -> Kernel:
    tree = Tree()
    tree.mkdir(DIRECTORY, parents=True)
    for name, data in files.items():
        tree.write(f"{DIRECTORY}/{name}", data, parents=True)
    tree.write(f"{DIRECTORY}/modules.builtin", builtin.encode())
    if alias:
        tree.write(f"{DIRECTORY}/modules.alias", alias.encode())
    return Kernel(tree, RELEASE)


def test_what_is_needed_comes_first() -> None:
    found = kernel(
        {
            "kernel/fs/isofs.ko": module(depends="cdrom"),
            "kernel/cdrom.ko": module(depends=""),
            "kernel/usb-storage.ko": module(depends="usbcore,scsi_mod", alias=["usb:v0*", "usb:v1*"]),
            "kernel/usbcore.ko": module(depends="usb-common"),
            "kernel/usb-common.ko": module(),
            "kernel/scsi_mod.ko": module(),
        }
    ).closure(["isofs"], ["usb_storage"])
    assert [m.name for m in found] == ["cdrom", "isofs", "usb_common", "usbcore", "scsi_mod", "usb_storage"]
    assert found[-1].needs == ("usb_common", "usbcore", "scsi_mod")
    assert found[-1].aliases == ("usb:v0*", "usb:v1*")
    assert found[-1].path == f"{DIRECTORY}/kernel/usb-storage.ko"


def test_built_in_is_skipped_and_optional_may_be_absent() -> None:
    builtin = "kernel/fs/ext4/ext4.ko\nkernel/crc-t10dif.ko\n"
    found = kernel({"kernel/a.ko": module(depends="crc-t10dif")}, builtin)
    assert [m.name for m in found.closure(["ext4", "a"], ["nvme"])] == ["a"]


def test_required_and_absent_is_an_error() -> None:
    with pytest.raises(ModuleError, match="the kernel has no module overlay"):
        kernel({}).closure(["overlay"])
    with pytest.raises(ModuleError, match=r"kernel/a\.ko: the module gone is missing"):
        kernel({"kernel/a.ko": module(depends="gone")}).closure([], ["a"])
    with pytest.raises(ModuleError, match=r"/usr/lib/modules/6\.2: the kernel's modules are missing"):
        Kernel(Tree(), "6.2")


def test_soft_dependencies_by_name_and_alias_and_in_circles() -> None:
    files = {
        "kernel/ext4.ko": module(softdep="pre: crc32c post: later"),
        "kernel/crc32c_generic.ko": module(softdep="pre: crc32c_intel"),
        "kernel/crc32c_intel.ko": module(softdep="pre: crc32c_generic gone"),
        "kernel/later.ko": module(softdep="ext4"),
    }
    alias = "# from depmod\nalias crc32c crc32c_intel\nalias crc32c crc32c-generic\nalias pci:v* ahci\n"
    found = [m.name for m in kernel(files, alias=alias).closure(["ext4"])]
    assert sorted(found) == ["crc32c_generic", "crc32c_intel", "ext4", "later"]
    assert found.index("ext4") > found.index("crc32c_generic")
    assert found[-1] == "later"


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", lambda data: data),
        (".xz", lambda data: lzma.compress(data, check=lzma.CHECK_CRC32)),
        (".zst", zstandard.ZstdCompressor().compress),
        (".gz", gzip.compress),
    ],
)
def test_compressed_modules(suffix: str, compress: object) -> None:
    data = module(depends="") + b"~Module signature appended~\n"
    assert callable(compress)
    (found,) = kernel({f"kernel/a.ko{suffix}": compress(data)}).closure(["a"])
    assert found.data == data


def test_damaged_modules_are_errors() -> None:
    for name in ("a.ko.xz", "a.ko.zst", "a.ko.gz"):
        with pytest.raises(ModuleError, match="cannot be decompressed"):
            kernel({f"kernel/{name}": b"no module"}).closure(["a"])
    with pytest.raises(ModuleError, match="ends too early"):
        kernel({"kernel/a.ko.xz": lzma.compress(module())[:-20]}).closure(["a"])


def test_updates_override() -> None:
    files = {"kernel/a.ko": module(version="old"), "updates/dkms/a.ko": module(version="new"), "zz/a.ko": module()}
    (found,) = kernel(files).closure(["a"])
    assert found.path == f"{DIRECTORY}/updates/dkms/a.ko"
