"""The environments of the two builds of reproduce are as different as they say."""

import os
import pwd
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from assembler.audit import environments
from assembler.audit.environments import YEAR, Environment

ROOT = Path(__file__).parents[2]
FIRST = environments.plain(Path("/a"), Path("/r"), python="python", search="/usr/bin", processors=2)
SECOND = environments.varied(Path("/b"), Path("/s"), python="python", search="", user=65534)


def test_everything_differs() -> None:
    for field in fields(Environment):
        assert getattr(FIRST, field.name) != getattr(SECOND, field.name), field.name
    assert FIRST.environment.keys() == SECOND.environment.keys()
    assert all(SECOND.environment[name] != value for name, value in FIRST.environment.items())


def test_programs_and_stores() -> None:
    assert (FIRST.program, FIRST.umask) == (("python", "-P", "-m", "assembler"), 0o022)
    assert SECOND.program == ("python", "-P", "-m", "assembler.cli.varied", "31536000", "20260101")
    assert (SECOND.umask, SECOND.processors) == (0o077, 1)
    assert (FIRST.store, SECOND.store) == (Path("/a/store"), Path("/b/store"))
    assert (FIRST.environment["HOME"], SECOND.environment["PATH"]) == ("/a/home", "/b/nothing")
    searched = environments.varied(Path("/b"), Path("/s"), python="python", search="/p", user=None)
    assert searched.environment["PATH"] == "/p"


def test_what_differs_is_told() -> None:
    found = environments.differences(FIRST, SECOND)
    assert found["umask"] == ("022", "077")
    assert found["user"] == (str(os.geteuid()), "65534")
    assert found["TZ"] == ("UTC", "<+1245>-12:45")
    same = environments.varied(Path("/b"), Path("/s"), python="python", search="/usr/bin", user=None)
    assert not {"user", "PATH"} & environments.differences(FIRST, same).keys()


LOOK = """
import os, sys, time
from assembler.cli import varied
varied.shift_clock(int(sys.argv[1]))
varied.shuffle_directories(int(sys.argv[2]))
from datetime import UTC, datetime
from pathlib import Path
assert abs(datetime.now(UTC).timestamp() - time.time()) < 1, "all clocks agree"
assert abs(time.time_ns() / 1e9 - time.time()) < 1
assert time.gmtime()[0] == datetime.now(UTC).year
assert time.gmtime(0)[0] == 1970, "only now is another time"
directory = Path(sys.argv[3])
assert sorted(os.listdir(directory)) == sorted(path.name for path in directory.iterdir())
with os.scandir(directory) as entries:
    print(*(entry.name for entry in entries))
print(*os.listdir(directory))
print(len(list(directory.rglob("*"))), sum(len(files) for _, _, files in os.walk(directory)))
print(time.time())
"""


def test_a_disturbed_process(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}").write_bytes(b"")

    def look(seconds: int, seed: int) -> list[str]:
        command = [sys.executable, "-c", LOOK, str(seconds), str(seed), str(tmp_path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    now, ahead = look(0, 1), look(YEAR, 2)
    assert now[:2] != ahead[:2]
    assert sorted(now[0].split()) == sorted(ahead[1].split()) == [f"{number:02}" for number in range(40)]
    assert now[2] == ahead[2] == "40 40"
    assert YEAR <= float(ahead[3]) - float(now[3]) < YEAR + 60


SEEN = """
import datetime, os, sys, time
from assembler.cli import main, varied
main.call = lambda arguments: print(*arguments, datetime.datetime.now(datetime.UTC).year, time.time()) or 3
status = varied.main(["31536000", "7", "a.toml", "--json"])
print(len(os.sched_getaffinity(0)))
sys.exit(status)
"""


def test_a_varied_command() -> None:
    """It is the command line, a year ahead, with one processor; its status is handed on."""
    before = datetime.now(UTC)
    done = subprocess.run([sys.executable, "-P", "-c", SEEN], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 3, done.stderr
    name, option, year, now, processors = done.stdout.split()
    assert (name, option, processors) == ("a.toml", "--json", "1")
    assert int(year) in {before.year + 1, before.year + 2}
    assert 0 <= float(now) - before.timestamp() - YEAR < 60


def test_nobody_is_the_hosts_nobody() -> None:
    assert pwd.getpwnam("nobody").pw_uid == environments.NOBODY
