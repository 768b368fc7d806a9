"""Modules from outside the kernel, compiled for Debian's own with the compiler that made it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.kernel.external import Against, ModulesError, Wish, build
from assembler.kernel.headers import of_packages
from assembler.kernel.locked_tools import opened
from assembler.kernel.module import read_module
from assembler.kernel.toolchain import Toolchain
from assembler.lock.compilers import for_modules
from assembler.store.objects import Store
from tests.support.reporters import Recorder
from tests.support.toolboxes import cache, own_tools

pytestmark = pytest.mark.kernel

C = """
#include <linux/module.h>
static int __init begin(void) { WARN_ON(0); pr_info("%s %s\\n", __FILE__, TEXT); return 0; }
static void __exit end(void) { }
module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION(TEXT);
"""
MAKEFILE = """
KDIR := /lib/modules/$(shell uname -r)/build
obj-m := one.o
one-objs := first.o second.o
all:
\t$(MAKE) -C $(KDIR) M=$(CURDIR) modules
"""


@dataclass(frozen=True)
class Kernel:
    """Debian's kernel, and what modules are compiled with."""

    against: Against
    toolchain: Toolchain

    def wish(self, source: Path, name: str = "x") -> Wish:
        return Wish(
            name=name,
            source=source,
            against=self.against,
            architecture=AMD64,
            native=True,
            epoch=1_700_000_000,
            toolchain=self.toolchain,
        )


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    toolbox = own_tools((*for_modules(AMD64, AMD64, "gcc-14"), "linux-headers-cloud-amd64"))
    (headers,) = (toolbox.root / "usr/src").glob("linux-headers-*-cloud-amd64")
    release = headers.name.removeprefix("linux-headers-")
    with opened(toolbox, Store(cache()), AMD64, release) as toolchain:
        yield Kernel(of_packages(toolbox.root, release, tmp_path_factory.mktemp("x") / "build"), toolchain)


def source(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
        (directory / name).chmod(0o755 if text.startswith("#!") else 0o444)
    return directory


DKMS = {
    "dkms.conf": """
PACKAGE_NAME="several"
PACKAGE_VERSION="1.0~rc1"
BUILT_MODULE_NAME[0]="one"
BUILT_MODULE_LOCATION[0]="deep/er"
DEST_MODULE_NAME[0]="eins"
DEST_MODULE_LOCATION[0]="/kernel/drivers/x"
BUILT_MODULE_NAME[1]="two"
DEST_MODULE_LOCATION[1]="/extra"
STRIP[1]="no"
PATCH[0]="everywhere.patch"
PATCH[1]="never.patch"
PATCH_MATCH[1]="^2[.]4[.]"
BUILD_EXCLUSIVE_KERNEL="^[5-9]"
BUILD_EXCLUSIVE_KERNEL_MIN="5.10"
BUILD_EXCLUSIVE_ARCH="x86_64|aarch64"
BUILD_EXCLUSIVE_CONFIG="CONFIG_MODULES !CONFIG_NOTHING_IS_CALLED_SO"
PRE_BUILD="prepare.sh --with-version=$module_version
   --kernel=${kernelver}"
MAKE[0]="make -C deep/er KVER=$kernelver \\
  && make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build TEXT='two words' modules"
MAKE[1]="false"
MAKE_MATCH[1]="^2[.]4"
AUTOINSTALL="yes"
""",
    "prepare.sh": """#!/bin/bash
set -e
echo "$@" >arguments
grep -qx -- "--with-version=1.0~rc1 --kernel=$(uname -r)" arguments
printf '#include <stdio.h>\\nint main(void) { puts("made"); return 0; }\\n' >own.c
gcc -o own own.c
test "$(./own)" = made
! cat /etc/passwd
""",
    "Kbuild": 'obj-m := two.o\nccflags-y := -DTEXT="\\"$(TEXT)\\""\n',
    "two.c": C,
    "deep/er/Makefile": MAKEFILE + 'ccflags-y := -DTEXT="\\"of one\\"" -DFIRST=begin_of_one\n',
    "deep/er/first.c": C.replace("begin", "first_begin"),
    "deep/er/second.c": "int second_of_it(void); int second_of_it(void) { return 1; }\n",
    "patches/everywhere.patch": """--- a/two.c
+++ b/two.c
@@ -6,3 +6,4 @@
 module_exit(end);
 MODULE_LICENSE("GPL");
 MODULE_DESCRIPTION(TEXT);
+MODULE_AUTHOR("the patch");
""",
}


def test_a_source_for_dkms(kernel: Kernel, tmp_path: Path) -> None:
    """Twice, elsewhere and with other numbers of jobs: the same bytes, and nothing of either place in them."""
    made = []
    for number, where in enumerate(("a", "b/much/longer/place")):
        (tmp_path / where).mkdir(parents=True)
        reporter, store = Recorder(), Store(tmp_path / where / "store")
        out = tmp_path / where / "out"
        there = source(tmp_path / where / "source", DKMS)
        build(kernel.wish(there), out, store, jobs=number + 1, reporter=reporter)
        assert list((store.root / "tmp").iterdir()) == []
        assert list((store.root / "logs").iterdir()) == []
        assert reporter.steps[0][0] == "modules of x"
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]
    assert sorted(made[0]) == ["eins.ko", "two.ko"]
    two = read_module(made[0]["two.ko"])
    assert two.values("description") == ["two words"]
    assert two.values("author") == ["the patch"]
    assert two.values("vermagic")[0].startswith(f"{kernel.against.release} ")
    assert read_module(made[0]["eins.ko"]).values("description") == ["of one"]
    assert b".debug_info" in made[0]["two.ko"]
    assert b".debug_info" not in made[0]["eins.ko"]
    places = (str(tmp_path), str(cache()), str(kernel.toolchain.moved[0]))
    for data in made[0].values():
        assert not [place for place in places if place.encode() in data]


def test_a_source_without_dkms(kernel: Kernel, tmp_path: Path) -> None:
    """What kbuild takes as it is, with links and more than one directory."""
    there = source(tmp_path / "source", {
        "Makefile": 'obj-m := plain.o below/\nccflags-y := -DTEXT="\\"plain\\""\n',
        "plain.c": C,
        "below/Makefile": 'obj-m := below.o\nccflags-y := -DTEXT="\\"below\\""\n',
    })  # fmt: skip
    (there / "below/below.c").symlink_to("../plain.c")
    build(kernel.wish(there), tmp_path / "out", Store(tmp_path / "store"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["below.ko", "plain.ko"]
    # The source is as it was.
    assert sorted(path.name for path in there.iterdir()) == ["Makefile", "below", "plain.c"]


def test_what_does_not_compile_says_where(kernel: Kernel, tmp_path: Path) -> None:
    there = source(tmp_path / "source", {"Makefile": "obj-m := a.o\n", "a.c": C.replace("WARN_ON", "warn_of")})
    store = Store(tmp_path / "store")
    with pytest.raises(
        ModulesError, match=re.escape(f"x cannot be compiled for Linux {kernel.against.release}")
    ) as caught:
        build(kernel.wish(there), tmp_path / "out", store)
    assert any("a.c:3:" in line and "warn_of" in line for line in caught.value.details)
    assert "warn_of" in Path(caught.value.where.file).read_text()
    assert not (tmp_path / "out").exists()
    assert list((store.root / "tmp").iterdir()) == []


ONE = 'PACKAGE_NAME="a"\nPACKAGE_VERSION=1\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("BUILD_EXCLUSIVE_KERNEL='^2[.]'", "it is for kernels that match ^2[.]"),
        ("BUILD_EXCLUSIVE_KERNEL_MIN=99", "it is for Linux 99 and newer"),
        ("BUILD_EXCLUSIVE_KERNEL_MAX=2.6.32", "it is for Linux 2.6.32 and older"),
        ("OBSOLETE_BY=3.0", "it is for Linux 3.0 and older"),
        ("BUILD_EXCLUSIVE_ARCH=armv7l", "it is for machines that match armv7l"),
        ('BUILD_EXCLUSIVE_CONFIG="CONFIG_NET CONFIG_NOTHING"', "it is for kernels with CONFIG_NOTHING"),
        ('BUILD_EXCLUSIVE_CONFIG="!CONFIG_NET"', "it is for kernels without CONFIG_NET"),
        ("BUILD_DEPENDS[0]=b", "it needs the modules of b"),
        ("MAKE=true", "it made no a.ko"),
        ("MAKE='make nothing'", "MAKE failed: make nothing"),
        ("PRE_BUILD=missing.sh", "PRE_BUILD failed: missing.sh"),
        ("PRE_BUILD=steal.sh", "PRE_BUILD failed: steal.sh"),
        ("PATCH=missing.patch", "the patch missing.patch does not apply"),
        ("PACKAGE_NAME=../../x", "an odd PACKAGE_NAME"),
        ("PACKAGE_VERSION=", "no PACKAGE_NAME or no PACKAGE_VERSION"),
        ("MAKE='touch a.ko'", "a.ko is no module"),
        ("MAKE='ln -s /etc/passwd a.ko'", "a.ko cannot be read"),
        ("MAKE='ln -s dkms.conf a.ko' STRIP=no", "a.ko: the file is no ELF object"),
        ("BUILT_MODULE_NAME[0]='b c' MAKE='cp dkms.conf b\\ c.ko' STRIP=no", "is no module's name"),
    ],
)
def test_what_is_not_built(kernel: Kernel, tmp_path: Path, text: str, why: str) -> None:
    there = source(tmp_path / "source", {
        "dkms.conf": ONE + text + "\n",
        "steal.sh": "#!/bin/sh\ncat /etc/hostname || cat /root/.ssh/id_rsa\n",
    })  # fmt: skip
    store = Store(tmp_path / "store")
    with pytest.raises(ModulesError) as caught:
        build(kernel.wish(there), tmp_path / "out", store)
    assert why in str(caught.value)
    assert caught.value.hint or why in caught.value.why
    assert not (tmp_path / "out").exists()
    assert list((store.root / "tmp").iterdir()) == []


def test_modules_for_another_kernel_are_none_for_this_one(kernel: Kernel, tmp_path: Path) -> None:
    there = source(tmp_path / "source", {"Makefile": 'obj-m := a.o\nccflags-y := -DTEXT="\\"a\\""\n', "a.c": C})
    store = Store(tmp_path / "store")
    other = replace(kernel.against, release="6.1.2-other")
    with pytest.raises(ModulesError, match=re.escape(f"a.ko is for Linux '{kernel.against.release}'")):
        build(replace(kernel.wish(there), against=other), tmp_path / "out", store)
    with pytest.raises(ModulesError, match=r"the lock has no headers of Linux 6\.1\.2-other"):
        of_packages(kernel.toolchain.moved[0], "6.1.2-other", tmp_path / "build")
