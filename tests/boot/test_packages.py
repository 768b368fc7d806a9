"""dpkg and apt at work in a node: what was executed when the image was built, what was left to its first boot, and a
package that is installed later.

The node's package archive is a directory of real packages, served on the loopback, which the node sees as 10.0.2.2.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assembler.debian.deb import open_package
from assembler.vm.machine import Machine
from assembler.vm.node import Built, built, hardware
from assembler.vm.qemu import Emulator
from tests.support.toolboxes import locked

pytestmark = pytest.mark.boot

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 600
"""Seconds to the login: emulated, on a busy machine, dpkg needs minutes for a package."""
INSTALLED = "mtools"
"""Is not in the image, and nothing there depends on it."""
VERIFIED = "base-files bash libc6 nginx nginx-common openssh-server systemd"
"""To read every file of every package takes an emulated machine many minutes."""
VERIFY = rf"dpkg --verify {VERIFIED} | grep -v -E ' /usr/share/(doc|man|info|locale)/'"
"""Without what the recipe excludes: a serial line is slow."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("packages") / "out"
    recipe = Path(__file__).with_name("packages.toml")
    subprocess.run(
        [sys.executable, "-P", "-m", "assembler", str(recipe), "--out", str(out)], cwd=REPOSITORY, check=True
    )
    return built(out)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with the packages of the tests' lock, in a flat archive."""
    directory = tmp_path_factory.mktemp("archive")
    store, lock = locked({"rootfs"})
    stanzas = []
    for package in lock.role("rootfs"):
        name = f"{package.name}_{package.architecture}.deb"
        (directory / name).symlink_to(store.path(package.sha256))
        fields = dict(open_package(store, package.sha256, package.name).fields)
        fields |= {"Filename": f"./{name}", "Size": str(package.size), "SHA256": package.sha256}
        stanzas.append("".join(f"{key}: {value}\n" for key, value in fields.items()))
    (directory / "Packages").write_text("\n".join(stanzas))
    handler = partial(_Quiet, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  the name it has there


@pytest.fixture(scope="module")
def answers(
    image: Built, emulator: Emulator, free_port: Callable[[], int], archive: int
) -> Mapping[str, tuple[int, str]]:
    questions = {
        # Until then cloud-init writes to the console, between the lines of other answers.
        "settled": "systemctl is-system-running --wait",
        "overall": "systemctl is-system-running",
        "times": "systemd-analyze critical-chain --no-pager; systemd-analyze blame --no-pager | head",
        "failed": "systemctl --failed --no-legend --plain; journalctl -b -p 3 -o cat --no-pager | tail -n 40",
        "log": "journalctl -b -o cat --no-pager -u configure-packages.service",
        "status": "dpkg-query -W -f '${Package} ${db:Status-Abbrev}\\n' | grep -v ' ii '",
        "nginx": "systemctl is-enabled nginx && systemctl is-active nginx && curl -sS http://127.0.0.1/ | grep title",
        "conffiles": "cat /etc/default/nginx; ls -l /etc/nginx/nginx.conf; find /etc -name '*.dpkg-*'",
        "audit": "dpkg --audit",
        "verify": VERIFY,
        "executed": "cat /etc/executed; stat -c '%U %G %a %h %s' /var/lib/executed/*; ls -d /usr/share/moved",
        "certificate": "systemctl is-active snakeoil-certificate; stat -c '%U %G %a' /etc/ssl/private/*; "
        "openssl x509 -noout -checkend 0 -in /etc/ssl/certs/ssl-cert-snakeoil.pem",
        "again": "systemctl restart configure-packages.service; systemctl show -p ConditionResult configure-packages",
        "source": f"echo 'deb [trusted=yes] http://10.0.2.2:{archive}/ ./' >/etc/apt/sources.list && apt-get -q update",
        "initrd": "grep -o test.added=1 /proc/cmdline && ls /sys/class/net && lsmod | grep ^dummy",
        "absent": f"dpkg-query -W {INSTALLED}",
        "install": f"DEBIAN_FRONTEND=noninteractive apt-get -q -y install {INSTALLED} && mtools --version",
        "check": "apt-get check",
        "audit after": "dpkg --audit",
        "verify after": VERIFY,
        "remove": f"DEBIAN_FRONTEND=noninteractive apt-get -q -y purge {INSTALLED} && ! test -e /usr/bin/mtools",
    }
    machine = hardware(image, seed=image.seed, state=None, processors=2, ssh_port=free_port())
    with Machine(emulator, machine) as running:
        running.expect(r"^k8s-livecd login: $", PATIENCE)
        running.login("root", "root", timeout=120)
        found = {name: running.run(question, timeout=300) for name, question in questions.items()}
        running.shutdown(180)
    return found


def test_the_node_is_running(answers: Mapping[str, tuple[int, str]]) -> None:
    assert answers["overall"] == (0, "running"), answers["failed"][1] + answers["log"][1]


def test_the_first_boot_configures_what_was_left_to_it(answers: Mapping[str, tuple[int, str]]) -> None:
    assert "configuring nginx-common nginx" in answers["log"][1]
    assert answers["status"] == (1, ""), answers["log"][1]
    assert answers["nginx"][1].splitlines()[:2] == ["enabled", "active"]
    assert "Welcome to nginx" in answers["nginx"][1]


def test_the_recipes_file_stays_in_a_conffiles_place(answers: Mapping[str, tuple[int, str]]) -> None:
    lines = answers["conffiles"][1].splitlines()
    assert lines[0] == "# the recipe's"
    assert "/etc/nginx/nginx.conf" in lines[1]
    assert lines[2:] == ["/etc/default/nginx.dpkg-dist"]


def test_what_a_step_of_the_recipe_did(answers: Mapping[str, tuple[int, str]], image: Built) -> None:
    size = Path(__file__).with_name("packages.toml").stat().st_size
    epoch = json.loads((image.iso.parent / "manifest.json").read_text())["source_date_epoch"]
    lines = [f"hello  there at {epoch} in / as root", *[f"executed executed 640 2 {size}"] * 2, "/usr/share/moved"]
    assert answers["executed"] == (0, "\n".join(lines))


def test_the_node_makes_the_certificate_of_a_package_that_was_executed(answers: Mapping[str, tuple[int, str]]) -> None:
    status, said = answers["certificate"]
    assert (status, said.splitlines()[:2]) == (0, ["active", "root ssl-cert 640"]), said


def test_what_the_recipe_adds_to_the_initrd(answers: Mapping[str, tuple[int, str]], image: Built) -> None:
    """With microcode in front of it, the kernel found all of it; the module has the options of the file there."""
    status, said = answers["initrd"]
    assert status == 0, said
    assert {"test.added=1", "dummy0", "dummy1", "dummy2"} <= set(said.split())
    with image.initrd.open("rb") as stream:
        assert b"kernel/x86/microcode/AuthenticAMD.bin" in stream.read(4096)


def test_once_is_enough(answers: Mapping[str, tuple[int, str]]) -> None:
    assert answers["again"] == (0, "ConditionResult=no")


@pytest.mark.parametrize("question", ["audit", "audit after"])
def test_dpkg_has_nothing_to_complain_of(answers: Mapping[str, tuple[int, str]], question: str) -> None:
    assert answers[question] == (0, "")


@pytest.mark.parametrize("question", ["verify", "verify after"])
def test_every_file_is_as_its_package_ships_it(answers: Mapping[str, tuple[int, str]], question: str) -> None:
    # What the recipe writes differs.
    status, found = answers[question]
    assert (status, [line.split()[-1] for line in found.splitlines()]) == (0, ["/etc/default/nginx"]), found


def test_apt_installs_and_removes(answers: Mapping[str, tuple[int, str]]) -> None:
    assert answers["absent"][0] == 1
    for question in ("source", "install", "check", "remove"):
        assert answers[question][0] == 0, answers[question][1]
