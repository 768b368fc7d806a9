"""Files that somebody else names: what is read, and how that is looked at."""

import os
import stat
import threading
from pathlib import Path

import pytest

from assembler.carried import RECIPES
from assembler.reading import LONGEST_NAME, MissingError, OutsideError, Reach, UnreadableError, read


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    (directory / "sub").mkdir(parents=True)
    (directory / "sub/file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "project-2").mkdir()
    (tmp_path / "project-2/file").write_bytes(b"beside")
    return directory


def reach(project: Path, *allowed: Path) -> Reach:
    return Reach.of(project / "r.toml", None, allowed)


def test_the_own_directory_and_what_is_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reach(project).read(project / "sub/file", limit=6) == (b"inside", True)
    assert reach(project).read(project / "sub/../sub/./file", limit=6) == (b"inside", True)
    monkeypatch.chdir(project)
    assert Reach.of(Path("r.toml")).read(Path("sub/file"), limit=6) == (b"inside", True)


def test_what_comes_with_the_assembler(project: Path) -> None:
    data, own = reach(project).read(RECIPES / "livecd.toml", limit=1 << 20)
    assert own
    assert b"name" in data


@pytest.mark.parametrize(
    "name",
    ["../secret", "sub/../../secret", "../project-2/file", "../nothing", "..", "/etc/passwd", "/root/.nothing", "/"],
)
def test_what_is_elsewhere(project: Path, name: str) -> None:
    with pytest.raises(OutsideError):
        reach(project).read(project / name, limit=100)


def test_links_count_by_what_they_lead_to(project: Path, tmp_path: Path) -> None:
    (project / "in").symlink_to("sub/file")
    (project / "out").symlink_to("../secret")
    (project / "directory").symlink_to(tmp_path)
    (project / "far").symlink_to("/etc")
    (project / "twice").symlink_to("out")
    assert reach(project).read(project / "in", limit=100) == (b"inside", True)
    for name in ("out", "twice", "directory/secret", "far/passwd", "far/../etc/passwd", "directory/project-2/file"):
        with pytest.raises(OutsideError):
            reach(project).read(project / name, limit=100)
    assert reach(project).read(project / "directory/project/in", limit=100) == (b"inside", True)


def test_links_that_lead_nowhere(project: Path) -> None:
    (project / "loop").symlink_to("loop")
    (project / "a").symlink_to("b")
    (project / "b").symlink_to("a")
    (project / "gone").symlink_to("missing")
    for name in ("loop", "a", "loop/x", "a/x"):
        with pytest.raises(UnreadableError):
            reach(project).read(project / name, limit=100)
    with pytest.raises(MissingError):
        reach(project).read(project / "gone", limit=100)


def test_what_is_allowed_besides(project: Path, tmp_path: Path) -> None:
    (project / "out").symlink_to("../secret")
    assert reach(project, tmp_path / "secret").read(project / "out", limit=100) == (b"outside", False)
    assert reach(project, project / "out").read(project / "../secret", limit=100) == (b"outside", False)
    assert reach(project, tmp_path / "project-2").read(project / "../project-2/file", limit=100) == (b"beside", False)
    with pytest.raises(OutsideError):
        reach(project, tmp_path / "project-2").read(tmp_path / "secret", limit=100)
    assert Reach.of(project / "r.toml", tmp_path).read(project / "../secret", limit=100) == (b"outside", True)


def test_only_regular_files(project: Path) -> None:
    os.mkfifo(project / "pipe")
    (project / "sub/null").symlink_to("/dev/null")
    everything = Reach.of(project / "r.toml", Path("/"))
    for name in ("pipe", "sub", "sub/null", "/dev/zero", "/dev/tty", "/proc/self/fd/0"):
        with pytest.raises(UnreadableError) as caught:
            everything.read(project / name, limit=100)
        assert not isinstance(caught.value, OutsideError)


@pytest.mark.parametrize(
    "name",
    ["/proc/self/environ", "/proc/self/cmdline", "/proc/version", "/sys/kernel/vmcoreinfo", "/proc/thread-self/maps"],
)
def test_nothing_of_the_kernel(name: str) -> None:
    """Not even for those who allow everything: it is other processes' memory, and another thing each time."""
    with pytest.raises(UnreadableError):
        Reach.of(Path("/r.toml"), Path("/")).read(Path(name), limit=1 << 20)
    with pytest.raises(UnreadableError):
        read(Path(name), limit=1 << 20)


def test_sizes_are_bounded(project: Path) -> None:
    with pytest.raises(UnreadableError, match="6 bytes; at most 5 are read"):
        reach(project).read(project / "sub/file", limit=5)
    with (project / "holes").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(UnreadableError, match="at most 100 are read"):
        reach(project).read(project / "holes", limit=100)


def test_names_are_bounded(project: Path) -> None:
    for name in ("a" * (LONGEST_NAME + 1), "a/" * LONGEST_NAME, "a" * 300, "a\0b"):
        with pytest.raises(UnreadableError):
            reach(project).read(project / name, limit=100)


def test_nothing_can_be_put_in_between(project: Path, tmp_path: Path) -> None:
    """While somebody exchanges a directory for a link out of the project, nothing from outside is ever read."""
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "file").write_bytes(b"outside")
    (tmp_path / "link").symlink_to(outside)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            (project / "sub").rename(tmp_path / "kept")
            (tmp_path / "link").rename(project / "sub")
            (project / "sub").rename(tmp_path / "link")
            (tmp_path / "kept").rename(project / "sub")

    thread = threading.Thread(target=exchange)
    thread.start()
    read_well = 0
    try:
        for _ in range(1500):
            try:
                assert reach(project).read(project / "sub/file", limit=100) == (b"inside", True)
                read_well += 1
            except UnreadableError:
                continue
    finally:
        stop.set()
        thread.join()
    assert read_well


def test_a_file_that_the_user_names_may_be_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert read(tmp_path / "link", limit=1) == b"x"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(UnreadableError):
        read(Path("/dev/null"), limit=1)


def test_names_that_no_file_has(project: Path) -> None:
    for look in (
        lambda path: Reach.of(path / "r.toml"), lambda path: Reach.of(project / "r.toml", path),
        lambda path: reach(project).find(path), lambda path: reach(project).read(path, limit=1),
        lambda path: read(path, limit=1),
    ):  # fmt: skip
        with pytest.raises(UnreadableError) as caught:
            look(project / "a\0b")
        assert caught.value.what == "cannot be read"
        assert "null" in caught.value.why
