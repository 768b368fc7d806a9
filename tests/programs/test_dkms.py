"""dkms adds the source of modules to its tree, as the real one does where it compiles nothing."""

import pytest

from assembler.programs.context import ExecutionContext
from assembler.programs.dkms import settings
from assembler.shell.streams import Refused
from tests.support.scripts import run
from tests.tree.disk import tree_of

CONF = """\
# A module.
PACKAGE_NAME="odd"
PACKAGE_VERSION="1.0" # the first
kernelver=${kernelver:-$(uname -r)}
MAKE[0]="make -C ${kernel_source_dir} KVER=$kernelver"
BUILT_MODULE_NAME[0]="$PACKAGE_NAME"
DEST_MODULE_LOCATION[0]=/updates
BUILT_MODULE_NAME[1]='odder'
DEST_MODULE_LOCATION[1]="/kernel/drivers/net"
AUTOINSTALL=yes
"""
STATUS = "dkms status -m odd -v 1.0 -k 6.1 >/told"


def carried_out(conf: str, script: str = "dkms add -m odd -v 1.0", *, framework: str = "# tree=/x\n") -> list[str]:
    tree = tree_of({
        "/usr/src/odd-1.0/dkms.conf": conf, "/etc/dkms/framework.conf": framework,
        "/etc/dkms/framework.conf.d/all.conf": 'autoinstall_all_kernels="yes"\n', "/var/lib/dkms/": "",
    })  # fmt: skip
    assert run(f"{script}\n", tree, context=ExecutionContext(tree, "amd64", package="odd-dkms"), options="e") == 0
    assert tree.at("/var/lib/dkms/odd/1.0/source").target == "/usr/src/odd-1.0"
    assert tree.at("/var/lib/dkms/odd/1.0/build").mode == 0o755
    return tree.read_text("/told").splitlines() if tree.exists("/told") else []


def test_a_module_is_added_and_known() -> None:
    assert carried_out(CONF, f"dkms add -m odd -v 1.0 >/dev/null; {STATUS}") == ["odd/1.0: added"]
    assert settings(CONF)["BUILT_MODULE_NAME", 0] == "odd"


@pytest.mark.parametrize(
    "other",
    [
        "POST_ADD=run.sh",
        'if [ "$kernelver" ]; then AUTOINSTALL=no; fi',
        "MAKE[1]=`touch /x`",
        'MAKE[1]="$(touch /x)"',
        "MAKE=(one two)",
        "AUTOINSTALL=perhaps",
        'BUILT_MODULE_NAME[2]="third.ko"\nDEST_MODULE_LOCATION[2]=/extra',
        "BUILT_MODULE_NAME[2]=third",
        "BUILT_MODULE_NAME[3]=fourth\nDEST_MODULE_LOCATION[3]=/extra",
        "BUILT_MODULE_NAME[2]=odd\nDEST_MODULE_LOCATION[2]=/extra",
        "BUILT_MODULE_NAME[2]=$other\nDEST_MODULE_LOCATION[2]=/extra",
        "DEST_MODULE_LOCATION[1]=/lib",
        'PACKAGE_VERSION=""',
        "MAKE=one \\\n  two",
    ],
)
def test_a_configuration_that_does_more_is_refused(other: str) -> None:
    with pytest.raises(Refused):
        carried_out(f"{CONF}{other}\n")


@pytest.mark.parametrize(
    "script",
    ["dkms add odd/1.0", "dkms build -m odd -v 1.0", "dkms add -m odd", STATUS, "dkms add -m odd -v 2.0",
     "dkms add -m odd -v 1.0; dkms add -m odd -v 1.0", "touch /etc/dkms/odd.conf; dkms add -m odd -v 1.0",
     f"dkms add -m odd -v 1.0; mkdir /var/lib/dkms/odd/1.0/6.1; {STATUS}"],
)  # fmt: skip
def test_all_else_is_refused(script: str) -> None:
    with pytest.raises(Refused):
        carried_out(CONF, script)


def test_settings_of_its_own_are_refused() -> None:
    with pytest.raises(Refused):
        carried_out(CONF, framework="dkms_tree=/elsewhere\n")
