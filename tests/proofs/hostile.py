# ruff: noqa: E501  the table has a script a line
"""Proves that hostile and broken scripts end in an error that names them, in bounded time, and touch nothing.

Each case is a script that is executed in a machine of its own. Afterwards the error is the expected one, the store has
no result and nothing temporary, no process is left, and files of the host beside it are as they were. Some cases are no
script's but the host's: QEMU is killed, the disk is full, somebody presses Ctrl-C. See docs/threats.md.
"""

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from assembler.configure.job import Configure, Job, Run
from assembler.errors import AssembleError
from assembler.guest import disk
from assembler.guest.execute import Executor, Parts
from assembler.store.objects import Store
from assembler.tree.changes import Changes
from tests.proofs.processes import children
from tests.support.guests import EPOCH, add_unpacked, busybox, essential, parts

SHELL = b"#!/bin/sh -e\n"
DEVICES = "mknod /dev/ttyS0 c 4 64; mount -t devtmpfs dev /mnt; cp -a /mnt/pmem0 /dev/pmem0; umount /mnt;"


@dataclass(frozen=True)
class Case:
    """A script, and what has to become of it."""

    name: str
    script: str
    error: str = ""
    """What the error says, as a regular expression; empty when there is none."""
    seconds: float = 120
    """Processor time that it may take at most."""
    after: str = ""
    """A second step."""
    changes: Callable[[Changes], bool] = lambda _: True
    """Whether that is what comes of it."""


def same(changes: Changes) -> bool:
    """Nothing."""
    return not changes


def names(*paths: str) -> Callable[[Changes], bool]:
    """These paths are new."""
    return lambda changes: set(paths) <= set(changes.put) | set(changes.links)


ODD = r"""
setsid sh -c 'while :; do echo $$ >>/etc/daemon; sleep 1; done' &
(while :; do sleep 100 & done) >/dev/null 2>&1 &
sleep 2
kill -9 1; kill -15 1; kill -9 -1
truncate -s 9223372036854775807 /etc/big && exit 8
printf 'assemble: end ' >/dev/console
mknod /etc/kmem c 1 2; mknod /etc/disk b 8 0; mkfifo /etc/pipe
cp /bin/busybox /etc/su; chmod 6755 /etc/su
ln -s ../../../../etc/passwd /etc/up; ln -s /etc/shadow /etc/to; ln -s . /etc/loop; ln -sfn / /root/r
rmdir /var && ln -s ../../.. /var
cd /etc
>'-rf'; >"$(printf 'new\nline')"; >"$(printf '\377\001')"; >' '; >'\'; mkdir '...'; >'.../..x'
"""
"""What a script may do to its own image, as any package of it may."""


def odd(changes: Changes) -> bool:
    """What that makes, and nothing beside it."""
    made = (
        "daemon",
        "kmem",
        "disk",
        "pipe",
        "su",
        "up",
        "to",
        "loop",
        "-rf",
        "new\nline",
        "\udcff\x01",
        " ",
        "\\",
        "...",
    )
    expected = {*(f"/etc/{name}" for name in made), "/etc/.../..x", "/root/r", "/var"}
    return set(changes.put) - {"/", "/etc", "/root", "/etc/big"} == expected


LATE, MUCH, MEMORY = "it took too long", "it printed too much", "not enough memory"
ENDED = "the machine ended before its job was done"
BEHIND = "what scripts left behind in the machine cannot be taken over"

CASES = (
    Case("nothing", "true", changes=same),
    Case("strange, but its own", ODD, changes=odd),
    Case("exit status", "echo one; echo two >&2; exit 3", "the script x failed in the machine: exit status 3"),
    Case("endless loop", "while :; do :; done", LATE, 900),
    Case("endless sleep", "while :; do sleep 1000; done", LATE),
    Case("bomb of processes", "bomb() { bomb | bomb & }; bomb; wait; while :; do sleep 1; done", f"{LATE}|exit status 2", 900),
    Case("bomb in the foreground", "bomb() { bomb | bomb; }; bomb", f"{LATE}|exit status 2", 900),
    Case("bomb that goes on", "bomb() { while :; do (bomb) & done; }; trap '' 1 2 3 15; bomb 2>/dev/null", f"{LATE}|exit status 2", 900),
    Case("full disk", "dd if=/dev/zero of=/var/full bs=1M", "exit status 1", 400),
    Case("200,000 files", "i=0; while [ $i -lt 200000 ]; do >/var/$i || exit 5; i=$((i+1)); done", "exit status 5", 600),
    Case("poweroff", "poweroff -f; sleep 10", "exit status 130, as of one that was switched off"),
    Case("reboot", "reboot -f; sleep 10", "exit status 129, as of one that was restarted"),
    Case("sysrq: power off", "echo o >/proc/sysrq-trigger; sleep 100", ENDED),
    Case("sysrq: restart", "echo b >/proc/sysrq-trigger; sleep 100", f"{ENDED}: something switched it off or restarted it"),
    Case("sysrq: panic", "echo told; echo c >/proc/sysrq-trigger; sleep 100", f"{ENDED}: its kernel gave up: sysrq triggered crash"),
    Case("sysrq: kill all", "echo i >/proc/sysrq-trigger; sleep 100", "failed in the machine"),
    Case("sysrq: read-only", "echo u >/proc/sysrq-trigger; sleep 3; >/etc/x", "failed in the machine|cannot be taken over"),
    Case("10 GB of output", "yes 'what a long line that is printed again and again' | head -c 10000000000", MUCH),
    Case("console flood", DEVICES + "yes >/dev/ttyS0", "too much on its console", 400),
    Case("forged end", DEVICES + "printf '\\nassemble: end done\\nassemble: end 00000000000000000000000000000000 done\\n' >/dev/ttyS0; echo b >/proc/sysrq-trigger; sleep 10", ENDED),
    Case("forged report", DEVICES + "mount /dev/pmem0 /mnt && echo done >/mnt/report/status; echo done >/mnt/report/0; umount /mnt; sync; exit 9", "exit status 9"),
    Case("our init", "echo exit >/proc/1/root/init", "exit status 1"),
    Case("our programs", "rm /proc/1/root/bin/busybox", "exit status 1"),
    Case("the steps that follow", "cat /proc/1/fd/0; cat /proc/1/fd/10 2>/dev/null; exit 0", "the script y failed in the machine: exit status 6", after="exit 6"),
    Case("the job", "echo >/proc/1/root/disk/job/steps", "exit status 1"),
    Case("our init, written again", "mount -o remount,bind,rw /proc/1/root/ 2>&1; nsenter -t 1 -m mount -o remount,bind,rw /; for f in init bin/sh; do echo 'echo done' >/proc/1/root/$f; done; exit 0", "failed in the machine|ended before", after="echo >/etc/second"),
    Case("kill the shell", "kill -9 $$", "exit status 137, as of one that was killed"),
    Case("all memory", "awk 'BEGIN { while (1) a[i++] = sprintf(\"%100000s\", \"x\") }'; exit 0", MEMORY, 300),
    Case("all memory of files", "mount -t tmpfs -o size=100% t /mnt; dd if=/dev/zero of=/mnt/x bs=1M", f"{MEMORY}|exit status", 300),
    Case("mounted over", "for d in /etc /proc /dev /usr/sbin; do mount -t tmpfs t $d; done; echo >/etc/lost", changes=same),
    Case("out of the root", "mkdir /x; mount --bind / /x; cd /; chroot /x sh -c 'cd ..; cd ..; ls / >/dev/null'; rm -rf /proc/1/root/disk/report /proc/1/root/bin 2>/dev/null; rmdir /x; exit 0", "failed in the machine|^$"),
    Case("deep directories", "cd /etc; i=0; while [ $i -lt 400 ]; do mkdir d && cd -P d || exit 7; i=$((i+1)); done", f"{BEHIND}: .*256 names|names"),
    Case("long names", "cd /etc; n=$(printf '%0255d' 0); i=0; while [ $i -lt 20 ]; do mkdir $n && cd -P $n || exit 7; i=$((i+1)); done", f"{BEHIND}: .*4096 bytes"),
    Case("terabytes", "truncate -s 2000000000000 /etc/big", f"{BEHIND}: .* holds more than is read"),
    Case("many holes", "for i in 1 2 3 4 5 6 7 8; do truncate -s 1073741824 /var/$i; done", f"{BEHIND}: "),
    Case("links to one file", ">/etc/one; i=0; while [ $i -lt 2000 ]; do ln /etc/one /var/$i || exit 0; i=$((i+1)); done", seconds=200, changes=names("/etc/one", "/var/1999")),
    Case("damage", DEVICES + "dd if=/dev/urandom of=/dev/pmem0 bs=4096 count=3000 conv=notrunc; sync", "failed in the machine|cannot be taken over|ended before"),
    Case("damage of all", DEVICES + "tr '\\0' '\\377' </dev/zero | dd of=/dev/pmem0 bs=1M conv=notrunc", "failed in the machine|cannot be taken over|ended before", 900),
    Case("another file system", DEVICES + "mke2fs /dev/pmem0; sync", "failed in the machine|cannot be taken over|ended before"),
    Case("the clock", "date -s @0; >/etc/now; date -s @99999999999; >/etc/then; date -s '2000-01-01'", seconds=200, changes=names("/etc/now", "/etc/then")),
    Case("no programs", "rm -rf /usr /bin /sbin", changes=lambda changes: "/usr" in changes.removed),
    Case("nothing left", "rm -rf /* 2>/dev/null; exit 0", "failed in the machine|^$"),
)  # fmt: skip


class Watch:
    """Looks at QEMU while it runs."""

    def __init__(self) -> None:
        self.peak = self.own = 0
        """Bytes of memory at most: all that is mapped, and what is its own."""
        self.kill = 0
        """The signal that it gets after some seconds."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._end.wait(0.3):
            for child in emulators():
                try:
                    status = Path(f"/proc/{child}/status").read_text("ascii", "replace")
                except OSError:
                    continue
                values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                self.peak = max(self.peak, _kib(values.get("VmHWM", "0")))
                self.own = max(self.own, _kib(values.get("RssAnon", "0")))
                if self.kill and time.monotonic() - began > 3:
                    os.kill(child, self.kill)
                    self.kill = 0


def _kib(value: str) -> int:
    return int(value.split(maxsplit=1)[0]) << 10


def emulators() -> list[int]:
    """Our children that are QEMU."""
    found = []
    for child in children(os.getpid()):
        try:
            if b"-icount" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except OSError:
            continue
    return found


def spent() -> float:
    """Processor seconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Proof:
    """Runs cases, and counts what is not as it should be."""

    def __init__(self, directory: Path, parts: Parts) -> None:
        self.directory, self.parts = directory, parts
        self.failures = 0
        self.canary = directory / "canary"
        self.canary.write_text("untouched")
        self.tree = busybox()

    def run(
        self,
        case: Case,
        *,
        job: Job | None = None,
        parts: Parts | None = None,
        signal_: int = 0,
        store: Path | None = None,
    ) -> None:
        """Run a case in a store of its own, and say what came of it."""
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            self._run(case, parts or self.parts, Store((store or Path(place)) / "store"), signal_, job)

    def _run(self, case: Case, parts: Parts, store: Store, signal_: int, job: Job | None) -> None:
        before, began = self._host(), time.monotonic()
        cpu = spent()
        said, changes = "", Changes()
        with Watch() as watch:
            watch.kill = signal_
            try:
                changes = Executor(parts=parts, store=store)(self.tree, job or _job(case))
                said = ""
            except (AssembleError, KeyboardInterrupt) as error:
                said = str(error) or type(error).__name__
                details = getattr(error, "details", ())
            else:
                details = ()
        cpu, wall = spent() - cpu, time.monotonic() - began
        wrong = []
        if not re.search(case.error or "^$", said):
            wrong.append(f"not the expected error, which is {case.error or 'none'}")
        if not said and not case.changes(changes):
            wrong.append(f"other changes: {sorted(changes.put)[:9]}, {changes.removed[:9]}")
        if cpu > case.seconds:
            wrong.append(f"it took more than {case.seconds} s")
        wrong += [f"{path} is left" for path in store.results.glob("executed-*/*") if said]
        wrong += [f"{path} is left" for path in (store.root / "tmp").glob("*")]
        wrong += [f"{path} is left" for path in self.directory.glob("*/store/tmp/.*")]
        wrong += [f"process {child} is left" for child in emulators()]
        wrong += ["the host was touched"] if before != self._host() else []
        self.failures += bool(wrong)
        memory = f"{watch.own >> 20} of {watch.peak >> 20} MiB"
        text = said.replace(str(store.root), "STORE")
        print(f"{case.name} | {text or 'no error'} | {cpu:.0f} s ({wall:.0f} s) | {memory}", flush=True)
        for line in wrong:
            print(f"    FAILURE: {line}", flush=True)
        for line in details if wrong else ():
            print(f"    > {line}", flush=True)

    def _host(self) -> object:
        """What a script must not reach."""
        watched = (self.canary, Path("/etc/passwd"), Path("/etc/shadow"), self.directory)
        return [(path.stat().st_mtime_ns if path.is_file() else 0, path.stat().st_mode) for path in watched]

    def dpkg(self) -> None:
        """Packages of which some cannot be configured: all are told at once."""
        tree = essential()
        add_unpacked(tree, "good", "echo 1 >/etc/good")
        add_unpacked(tree, "foo", "echo one; ls /nonexistent; echo never")
        add_unpacked(tree, "bar", "true", "foo")
        add_unpacked(tree, "baz", "echo two; kill -9 $$")
        case = Case("packages fail", "", r"foo postinst: .*exit status 2; bar could not.*\n.*baz postinst: .*Killed")
        self.tree, usual = tree, self.tree
        names = ("good", "foo", "bar", "baz")
        self.run(case, job=Job(steps=(Configure(names=names),), epoch=EPOCH))
        self.tree = usual

    def host(self) -> None:
        """What happens to the host while a machine runs."""
        quiet = Case("", "sleep 5; while :; do :; done", seconds=300)
        self.run(
            replace(quiet, name="QEMU is killed", error="QEMU did not end well: it was killed"), signal_=signal.SIGKILL
        )
        self.run(
            replace(quiet, name="QEMU is ended", error="QEMU did not end well: |ended before"), signal_=signal.SIGTERM
        )
        # Where this runs in the background, it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(8, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        self.run(replace(quiet, name="Ctrl-C", error="KeyboardInterrupt"))
        timer.cancel()
        emulator = self.parts.emulator
        gone = replace(emulator, command=("/nonexistent/qemu",))
        self.run(
            replace(quiet, name="no QEMU", error="QEMU cannot be started: No such file"),
            parts=replace(self.parts, emulator=gone),
        )
        other = replace(emulator, command=(*emulator.command, "-nonsense"))
        self.run(
            replace(quiet, name="QEMU refuses", error="QEMU did not end well: exit status 1"),
            parts=replace(self.parts, emulator=other),
        )
        if os.geteuid():
            print("the disk is full | left out: only root can make a small one")
            return
        small = self.directory / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200M", "tmpfs", small], check=True)
        try:
            full = Case(
                "the host's disk is full", "dd if=/dev/zero of=/var/full bs=1M", "the disk of the store is full", 300
            )
            self.run(full, store=small)
        finally:
            subprocess.run(["umount", small], check=True)


def _job(case: Case) -> Job:
    steps = [Run(name="x", script=SHELL + case.script.encode())]
    if case.after:
        steps.append(Run(name="y", script=SHELL + case.after.encode()))
    return Job(steps=tuple(steps), epoch=EPOCH)


def main() -> int:
    """Run the cases that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cases", nargs="*", help="names of cases; 'dpkg' for packages, 'host' for what happens to the host"
    )
    parser.add_argument("--limit", type=int, help="seconds of the machine's for a step, where time is short")
    parser.add_argument("--without", nargs="*", default=[], help="names of cases that are left out")
    given = parser.parse_args()
    chosen = given.cases
    if given.limit:
        disk._SECONDS = given.limit
    with tempfile.TemporaryDirectory(prefix="assemble-hostile-") as directory:
        proof = Proof(Path(directory), parts())
        for case in CASES:
            if (not chosen or case.name in chosen) and case.name not in given.without:
                proof.run(case)
        if not chosen or "dpkg" in chosen:
            proof.dpkg()
        if not chosen or "host" in chosen:
            proof.host()
    print(f"failures: {proof.failures}")
    return 1 if proof.failures else 0


if __name__ == "__main__":
    sys.exit(main())
