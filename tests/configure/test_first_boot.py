"""Packages left to the first boot: what the image gets, and what cannot be left to it. tests/boot/ boots one."""

import subprocess
from importlib import resources

import pytest

from assembler.configure import first_boot
from assembler.configure.engine import Settings, configure
from assembler.configure.first_boot import DIRECTORY, UNIT, FirstBootError, waiting
from assembler.errors import Problems
from assembler.tree.staging import Tree
from tests.debian.unpacked import package

SH = "#!/bin/sh\nset -e\n"


def test_a_package_stays_as_dpkg_unpacks_it() -> None:
    tree = Tree()
    tree.mkdir("/usr/lib/systemd/system", parents=True)
    packages = [
        package(
            tree, "odd", files={"/etc/odd.conf": "as shipped\n", "/usr/bin/odd": ""}, conffiles="/etc/odd.conf\n",
            preinst=SH + "mkdir -p /before\n", postinst=SH + "frobnicate\n", multi_arch="same",
        ),
        package(tree, "odder", depends="odd", preinst=SH + "frobnicate\n", postinst=SH + "mkdir -p /after\n"),
        package(tree, "even", files={"/etc/even.conf": ""}, conffiles="/etc/even.conf\n"),
    ]  # fmt: skip
    later = waiting(packages, ["odd"])
    assert later == {"odd": "rootfs.first_boot says so", "odder": "it needs odd"}
    report = configure(tree, packages, Settings(0, "amd64", first_boot=later))
    assert [(s.package, s.script, s.handling, s.reason) for s in report.scripts] == [
        ("odd", "preinst", "computed", ""),
        ("odder", "preinst", "first boot", "it needs odd"),
        ("odd", "postinst", "first boot", "rootfs.first_boot says so"),
        ("odder", "postinst", "first boot", "it needs odd"),
    ]
    assert tree.is_dir("/before")
    assert not tree.exists("/after")
    # As dpkg 1.22 leaves it: no conffile yet, and none known.
    assert not tree.exists("/etc/odd.conf")
    assert tree.read_text("/etc/odd.conf.dpkg-new") == "as shipped\n"
    stanzas = {stanza.split("\n")[0]: stanza for stanza in tree.read_text("/var/lib/dpkg/status").split("\n\n")}
    assert "\nStatus: install ok unpacked\n" in stanzas["Package: odd"]
    assert "\nConffiles:\n /etc/odd.conf newconffile\n" in stanzas["Package: odd"]
    assert "\nStatus: install ok unpacked\n" in stanzas["Package: odder"]
    assert "\nStatus: install ok installed\n" in stanzas["Package: even"]
    assert tree.read_text(f"{DIRECTORY}/packages") == "odd:amd64\nodder preinst\n"
    assert tree.at(f"{DIRECTORY}/configure-packages").mode == 0o755
    assert tree.is_file(f"/usr/lib/systemd/system/sysinit.target.wants/{UNIT}")


def test_what_has_an_alternative_does_not_wait() -> None:
    tree = Tree()
    packages = [
        package(tree, "odd"),
        package(tree, "even"),
        package(tree, "either", depends="odd | even"),
        package(tree, "both", depends="even, odd"),
        package(tree, "far", depends="both"),
    ]
    assert list(waiting(packages, ["odd"])) == ["odd", "both", "far"]
    assert list(waiting(packages, ["odd", "even"])) == ["odd", "both", "far", "even"]
    assert waiting(packages, []) == {}


@pytest.mark.parametrize(
    ("wanted", "what", "hint"),
    [
        (["core"], "cannot wait.*it has to be configured", "rules"),
        (["lib"], "cannot wait.*it has to be configured", "rules"),
        (["daemon"], "cannot wait.*it has to be configured", "rules"),
        (["linux-image-1"], "cannot wait", "rules"),
        (["tool"], "cannot wait.*linux-image-1, which needs it", "rules"),
        (["odd", "oddd"], "no such package", "did you mean odd"),
    ],
)
def test_what_cannot_wait(wanted: list[str], what: str, hint: str) -> None:
    tree = Tree()
    packages = [
        package(tree, "core", essential="yes", depends="lib"),
        package(tree, "lib"),
        package(tree, "systemd", depends="daemon"),
        package(tree, "daemon"),
        package(tree, "linux-image-1", depends="tool"),
        package(tree, "tool"),
        package(tree, "odd"),
    ]
    with pytest.raises(Problems, match=what) as caught:
        waiting(packages, wanted)
    (error,) = caught.value.errors
    assert error.where.key == f"rootfs.first_boot[{len(wanted) - 1}]"
    assert hint in error.hint


def test_an_image_without_systemd() -> None:
    tree = Tree()
    with pytest.raises(FirstBootError, match="without systemd"):
        configure(tree, [package(tree, "odd")], Settings(0, "amd64", first_boot={"odd": "because"}))


def test_the_program_is_sound_shell() -> None:
    program = (resources.files(first_boot) / "configure-packages").read_bytes()
    result = subprocess.run(["shellcheck", "-s", "sh", "-"], input=program, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout.decode()
    assert subprocess.run(["dash", "-n"], input=program, check=False).returncode == 0
