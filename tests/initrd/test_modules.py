import gzip
import lzma

import pytest
import zstandard

from assembler.initrd.modules import Kernel
from assembler.kernel.module import ModuleError
from assembler.tree.content import Slice
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


def named(name: str, files: dict[str, bytes], *, alias: str = "", builtin: str = "") -> list[str]:
    return [each.name for each in kernel(files, builtin, alias).closure([name])]


def test_names_of_modules_have_underscores_everywhere() -> None:
    files = {"kernel/a-b.ko": module(depends="c-d"), "kernel/c_d.ko": module(), "kernel/not-one.o": module()}
    assert named("a-b", files) == named("a_b", files) == ["c_d", "a_b"]
    found = kernel(files, "kernel/in-it.ko\n")
    assert found.builtin("in_it")
    assert found.builtin("in-it")
    assert not found.builtin("a-b")
    assert found.closure(["in-it"], ["not-one", "not_one"]) == ()
    with pytest.raises(ModuleError) as caught:
        found.closure(["not-one"])
    assert caught.value.what == "the kernel has no module not-one"
    assert caught.value.where.path == DIRECTORY
    assert caught.value.hint == "the live system needs it; choose another kernel"


def test_a_module_may_be_wanted_twice() -> None:
    files = {"a.ko": module(depends="c"), "b.ko": module(depends="c"), "c.ko": module()}
    found = kernel(files)
    assert [each.name for each in found.closure(["b", "a", "b"], ["c", "a"])] == ["c", "b", "a"]
    assert [each.needs for each in found.closure(["a"])] == [(), ("c",)]


def test_which_aliases_name_a_module() -> None:
    """Those of modules.alias that are the very word; a module of that name comes before them."""
    files = {"a.ko": module(softdep="pre: x"), "b.ko": module(), "c-c.ko": module(), "d.ko": module()}
    alias = "alias x c-c\nalias x b\nalias x b\nalias y d\nalias x\noptions x d\nalias x d more\nalias x* d\n"
    assert named("a", files, alias=alias) == ["b", "c_c", "a"]
    assert named("a", files | {"x.ko": module()}, alias=alias) == ["x", "a"]
    assert named("a", files) == ["a"]


def test_what_is_needed_is_there_or_built_in() -> None:
    files = {"kernel/a.ko": module(depends="b,,c-c")}
    assert named("a", files | {"b.ko": module()}, builtin="kernel/c_c.ko\n") == ["b", "a"]
    with pytest.raises(ModuleError) as caught:
        named("a", files | {"b.ko": module()})
    assert (caught.value.what, caught.value.where.path) == ("the module c_c is missing", f"{DIRECTORY}/kernel/a.ko")


def test_the_longest_row_of_modules() -> None:
    def row(count: int) -> list[str]:
        last = count - 1
        files = {f"m{at}.ko": module(depends=f"m{at + 1}" if at < last else "") for at in range(count)}
        return named("m0", files)

    assert row(201) == [f"m{at}" for at in range(200, -1, -1)]
    with pytest.raises(ModuleError) as caught:
        row(202)
    assert caught.value.what == "modules need each other without end"
    assert caught.value.why == "more than 200 in a row"
    assert caught.value.where.path == f"{DIRECTORY}/m201.ko"


def test_the_largest_module() -> None:
    large = 256 << 20
    for size in (large, large + 1):
        tree = Tree()
        inode = tree.write(f"{DIRECTORY}/a.ko", b"", parents=True)
        inode.content = Slice("/nowhere", 0, size)
        with pytest.raises((ModuleError, OSError)) as caught:
            Kernel(tree, RELEASE).closure(["a"])
        if size == large:
            assert isinstance(caught.value, OSError), "it is read"
        else:
            assert isinstance(caught.value, ModuleError)
            assert caught.value.what == "the module is too large"
            assert caught.value.why == f"{large + 1} bytes; at most {large} are read"


def test_all_modules_together(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"m{at}.ko": module() for at in range(3)}
    most = 3 * len(module())
    monkeypatch.setattr("assembler.initrd.modules._LARGEST", most)
    assert len(kernel(files).closure(files_of(files))) == 3
    monkeypatch.setattr("assembler.initrd.modules._LARGEST", most - 1)
    with pytest.raises(ModuleError) as caught:
        kernel(files).closure(files_of(files))
    assert caught.value.what == "the modules for the initrd are too large"
    assert caught.value.why == f"more than {most - 1} bytes"


def files_of(files: dict[str, bytes]) -> list[str]:
    return [name.removesuffix(".ko") for name in files]


def test_which_module_of_two() -> None:
    for files, path in (
        (["kernel/a.ko", "updates/a.ko"], "updates/a.ko"),
        (["kernel/a.ko", "updatesx/a.ko"], "kernel/a.ko"),
        (["a.ko", "kernel/a.ko.xz"], "a.ko"),
    ):
        (found,) = kernel({name: module() for name in files if name.endswith(".ko")}).closure(["a"])
        assert found.path == f"{DIRECTORY}/{path}"
