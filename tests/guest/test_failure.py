"""Failures are told by package, script and status, as dpkg and our init have them."""

import pytest

from assembler.configure.job import Configure, Job, Run, Unpack
from assembler.errors import AssembleError, Problems
from assembler.guest.failure import failure
from assembler.guest.machine import Said

CONFIGURE = Job(steps=(Run(name="before", script=b""), Configure(names=("libfoo", "foo", "bar", "baz"))), epoch=0)
FOO = """\
Setting up libfoo (1.0) ...
Setting up foo (1.0-2) ...
one
two: no such thing
dpkg: error processing package foo (--configure):
 installed foo package post-installation script subprocess returned error exit status 3
"""
BAR = """\
dpkg: dependency problems prevent configuration of bar:
 bar depends on foo; however:
  Package foo is not configured yet.

dpkg: error processing package bar (--configure):
 dependency problems - leaving unconfigured
"""
BAZ = """\
Setting up baz:amd64 (7) ...
dpkg: error processing package baz:amd64 (--configure):
 installed baz:amd64 package post-installation script subprocess was killed by signal (Killed)
"""
END = """\
Errors were encountered while processing:
 foo
 bar
"""


def failed(job: Job, result: str, log: str = "", said: Said | None = None) -> AssembleError:
    said = said or Said()
    said.result = result
    return failure(job, said, {1: log.encode()} if log else {}, "/logs/machine.log")


def test_a_package() -> None:
    error = failed(CONFIGURE, "failed 1 1", FOO + BAR + END)
    assert str(error) == (
        "/logs/machine.log foo postinst: a package's script failed in the machine: exit status 3; bar could not be "
        "configured for want of it (`assemble shell RECIPE --at foo` shows the tree as it found it; [rootfs] "
        'first_boot = ["foo"] leaves it to the node)'
    )
    assert error.details[:3] == ("Setting up foo (1.0-2) ...", "one", "two: no such thing")


def test_all_packages_at_once() -> None:
    error = failed(CONFIGURE, "failed 1 1", FOO + BAR + BAZ + END)
    assert isinstance(error, Problems)
    assert [each.where.package for each in error.errors] == ["foo postinst", "baz postinst"]
    assert "bar could not be configured" in error.errors[0].why
    assert "bar" not in error.errors[1].why
    assert error.errors[1].why.startswith("installed baz:amd64 package post-installation script subprocess was killed")


def test_what_needs_it_at_second_hand() -> None:
    further = """\
dpkg: dependency problems prevent configuration of third:
 third depends on other | bar (>= 2); however:
  Package bar is not configured yet.
 third depends on bar (>= 2); however:
  Package bar is not configured yet.

dpkg: error processing package third (--configure):
 dependency problems - leaving unconfigured
"""
    assert failed(CONFIGURE, "failed 1 1", FOO + BAR + further).why.endswith(
        "; bar, third could not be configured for want of it"
    )


def test_a_package_that_is_unpacked() -> None:
    log = """\
Preparing to unpack .../0/foo.deb ...
no
dpkg: error processing archive /proc/1/root/disk/job/0/foo.deb (--unpack):
 new foo package pre-installation script subprocess failed with exit status 9
"""
    job = Job(steps=(Run(name="x", script=b""), Unpack(packages=())), epoch=0)
    error = failed(job, "failed 1 1", log)
    assert (error.where.package, error.why) == ("foo preinst", "exit status 9")
    assert error.details[0].startswith("Preparing to unpack")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("3", "exit status 3"),
        ("130", "exit status 130, as of one that was switched off"),
        ("late", "it took too long, and was ended"),
        ("much", "it printed too much, and was ended"),
        ("memory", "there was not enough memory for it"),
        ("unknown", "it was ended by something else"),
        ("strange", "it was ended by something else"),
    ],
)
def test_a_script(status: str, why: str) -> None:
    error = failed(CONFIGURE, f"failed 0 {status}")
    assert (error.what, error.why, error.where.file) == (
        "the script before failed in the machine",
        why,
        "/logs/machine.log",
    )


def test_a_package_that_takes_too_long() -> None:
    said = Said(package="foo")
    error = failed(CONFIGURE, "failed 1 late", "Setting up foo (1) ...\nstill here\n", said)
    assert (error.what, error.where.package) == ("configuring packages failed in the machine", "foo")
    assert error.details == ("Setting up foo (1) ...", "still here")


@pytest.mark.parametrize("result", ["", "failed", "failed 1", "failed 7 1", "failed 0 1 2", "failed -1 1", "don", "\0"])
def test_what_is_no_result(result: str) -> None:
    said = Said(step=1, package="foo", panic="sysrq triggered crash")
    error = failed(CONFIGURE, result, said=said)
    assert error.what == "the machine ended before its job was done"
    assert error.why == "its kernel gave up: sysrq triggered crash; it was at configuring packages"


def test_a_step_that_does_not_exist() -> None:
    assert failed(CONFIGURE, "", said=Said(step=9)).why == "something switched it off or restarted it"


@pytest.mark.parametrize(
    "log",
    [
        "dpkg: error processing package foo (--configure):",
        "dpkg: error processing package foo (--configure):\n",
        BAR,
        "Setting up",
        "",
    ],
)
def test_logs_that_stop_short(log: str) -> None:
    assert "failed in the machine" in str(failed(CONFIGURE, "failed 1 1", log))
