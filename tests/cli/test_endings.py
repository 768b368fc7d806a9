"""With --json, every ending but a good one is an event of its own, the last one. Real processes tell it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ASSEMBLE = [sys.executable, "-P", "-m", "assembler"]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("ASSEMBLE_MIRROR", raising=False)


def ends(command: Sequence[str], status: int) -> tuple[dict[str, Any], str]:
    """The last event of a process, which ends with `status`, and what it says on standard error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    return last(done.stdout), done.stderr


def last(text: str) -> dict[str, Any]:
    """The last event, which is the only error."""
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events].count("error") == 1
    assert events[-1]["event"] == "error"
    return dict(events[-1])


def program(text: str, *arguments: str) -> list[str]:
    """A process that does something to itself before it is ``assemble``."""
    code = f"import sys\nfrom assembler.cli import main\n{text}\nsys.exit(main.call(sys.argv[1:]))"
    return [sys.executable, "-P", "-c", code, *arguments]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["lock", "--json", "--nope"], "No such option: --nope"),
        (["--json"], "Missing argument 'RECIPE.toml'."),
        (["r.toml", "--json", "--jobs", "many"], "Invalid value for '--jobs': 'many' is not a valid integer range."),
        (["lock", "r.toml", "--check", "--diff", "--json"], "--check and --prove only look at the lock"),
    ],
)
def test_wrong_usage(arguments: list[str], what: str) -> None:
    event, said = ends([*ASSEMBLE, *arguments], 2)
    assert event["what"].startswith(what.partition(":")[0])
    assert what.rpartition(": ")[2][:20] in event["what"]
    assert event["hint"].endswith(" --help says what there is")
    assert said.startswith("Usage: assemble ")


def test_wrong_usage_for_people() -> None:
    done = subprocess.run([*ASSEMBLE, "lock", "--", "--json", "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_an_error() -> None:
    event, said = ends([*ASSEMBLE, "check", "r.toml", "--json"], 1)
    assert event["what"] == "the recipe is missing"
    assert event["where"] == {"file": "r.toml"}
    assert "r.toml: the recipe is missing" in said


def test_an_environment_that_is_wrong() -> None:
    command = ["env", "ASSEMBLE_LOCK_TIMEOUT=soon", *ASSEMBLE, "check", "r.toml", "--json"]
    assert ends(command, 1)[0]["what"] == "ASSEMBLE_LOCK_TIMEOUT is not a number of seconds"


def test_a_defect() -> None:
    Path("x.iso").write_bytes(bytes(1 << 20))
    broken = "import assembler.api.verify\nsys.modules['assembler.api.verify'].look_at = None"
    event, said = ends(program(broken, "verify", "x.iso", "--json"), 1)
    assert event["what"] == "this is a defect of the assembler"
    assert event["why"] == "TypeError: 'NoneType' object is not callable"
    assert "this is a defect of the assembler" in said


def test_no_memory() -> None:
    Path("large").write_bytes(bytes(60 << 20))
    Path("r.toml").write_text("name = 'x'\nrootfs.rules = ['large']\n")
    # Everything is loaded; then there are 20 MiB more.
    little = (
        "import resource, assembler.api\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (20 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))"
    )
    event, said = ends(program(little, "check", "r.toml", "--json"), 1)
    assert event["what"] == "out of memory"
    assert said.startswith("error: out of memory\n")


@pytest.fixture
def silent_mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that takes connections and never answers is the mirror."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setenv("ASSEMBLE_MIRROR", f"http://127.0.0.1:{listener.getsockname()[1]}/debian")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.mark.usefixtures("silent_mirror")
@pytest.mark.parametrize(
    ("number", "status", "what"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals(number: signal.Signals, status: int, what: str) -> None:
    Path("r.toml").write_text("name = 'x'")
    # A shell starts what runs in the background with SIGINT ignored, which would be inherited.
    command = ["env", "--default-signal=INT", *ASSEMBLE, "lock", "r.toml", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["step"] == "archives"
        time.sleep(0.2)
        process.send_signal(number)
        out, said = process.communicate()
        assert process.returncode == status
    assert last(out)["what"] == what
    assert "Traceback" not in said


def test_a_full_disk() -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
    event, _ = ends([*ASSEMBLE, "diff", "a", "b", "--html", "/dev/full", "--json"], 1)
    assert (event["what"], event["why"]) == ("the page cannot be written", "No space left on device")


@pytest.mark.parametrize("stream", ["full", "closed pipe"])
def test_standard_output_that_takes_nothing(stream: str) -> None:
    """The event is on standard error then, as there is nowhere else."""
    if stream == "full":
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        read, out = os.pipe()
        os.close(read)
    for name in ("a", "b"):
        Path(name).mkdir()
    done = subprocess.run(
        [*ASSEMBLE, "diff", "a", "b", "--json"], stdout=out, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(out)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    event = json.loads(done.stderr.splitlines()[0])
    assert event["event"] == "error"
    assert event["what"] == ("the disk is full" if stream == "full" else "nobody reads standard output")


def test_a_good_ending_has_no_error() -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
    done = subprocess.run([*ASSEMBLE, "diff", "a", "b", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()][-1] == "result"
    assert '"event": "error"' not in done.stdout
