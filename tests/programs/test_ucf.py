"""ucf and ucfr: the registry as the programs of Debian 13 leave it, and which files are kept or replaced."""

import hashlib

import pytest

from assembler.programs.options import UsageError
from assembler.programs.ucf import UcfError, ucf, ucfr
from assembler.tree.staging import Tree
from tests.tree.disk import tree_of

NEW = "/usr/share/nfs/nfs.conf"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def fresh() -> Tree:
    tree = tree_of(
        {
            NEW: "new\n",
            "/usr/share/x/b.conf": "b\n",
            "/etc/": "",
            "/var/lib/ucf/hashfile": "",
            "/var/lib/ucf/registry": "",
        }
    )
    tree.at(NEW).mtime = 1234
    tree.chmod(NEW, 0o640)
    return tree


def test_a_fresh_file_is_copied_cached_and_registered() -> None:
    tree = fresh()
    ucf(tree, ["--three-way", "--debconf-ok", NEW, "/etc/nfs.conf"])
    ucf(tree, ["/usr/share/x/b.conf", "/etc/default/b"])
    made = tree.at("/etc/nfs.conf")
    assert (tree.read("/etc/nfs.conf"), made.mode, made.mtime) == (b"new\n", 0o640, 1234)
    assert tree.read("/var/lib/ucf/cache/:etc:nfs.conf") == b"new\n"
    assert tree.names("/var/lib/ucf/cache") == [":etc:default:b", ":etc:nfs.conf"]
    lines = f"{md5('new' + chr(10))}  /etc/nfs.conf\n{md5('b' + chr(10))}  /etc/default/b\n"
    assert tree.read_text("/var/lib/ucf/hashfile") == lines
    ucf(tree, [NEW, "/etc/nfs.conf"])
    assert tree.read_text("/var/lib/ucf/hashfile") == lines


def test_large_files_are_cached_only_for_three_way_merges() -> None:
    tree = fresh()
    tree.write(NEW, bytes(25600))
    ucf(tree, [NEW, "/etc/one"])
    ucf(tree, ["--three-way", NEW, "/etc/two"])
    assert tree.names("/var/lib/ucf/cache") == [":etc:two"]


def test_an_unchanged_file_is_replaced_and_a_changed_one_kept() -> None:
    tree = fresh()
    ucf(tree, [NEW, "/etc/a"])
    ucf(tree, [NEW, "/etc/b"])
    tree.write("/etc/b", b"mine\n")
    tree.write(NEW, b"newer\n")
    ucf(tree, [NEW, "/etc/a"])
    ucf(tree, [NEW, "/etc/b"])
    assert (tree.read("/etc/a"), tree.read("/etc/b"), tree.read("/etc/b.ucf-dist")) == (
        b"newer\n",
        b"mine\n",
        b"newer\n",
    )
    assert tree.read_text("/var/lib/ucf/hashfile").split() == [md5("newer\n"), "/etc/a", md5("newer\n"), "/etc/b"]


def test_a_file_that_was_there_is_replaced_when_the_package_knows_it() -> None:
    tree = fresh()
    tree.write("/etc/old", b"old\n")
    tree.write("/usr/share/nfs/sums", f"{md5('old' + chr(10))}  1.0\n".encode())
    ucf(tree, ["--sum-file", "/usr/share/nfs/sums", NEW, "/etc/old"])
    assert tree.read("/etc/old") == b"new\n"
    tree.write("/etc/foreign", b"foreign\n")
    ucf(tree, [NEW, "/etc/foreign"])
    assert (tree.read("/etc/foreign"), tree.read("/etc/foreign.ucf-dist")) == (b"foreign\n", b"new\n")


def test_a_deleted_file_stays_deleted() -> None:
    tree = fresh()
    ucf(tree, [NEW, "/etc/a"])
    tree.remove("/etc/a")
    ucf(tree, [NEW, "/etc/a"])
    assert not tree.exists("/etc/a")


def test_the_registry_knows_whose_a_file_is() -> None:
    tree = fresh()
    ucfr(tree, ["openssh-server", "/etc/ssh/sshd_config"])
    ucfr(tree, ["ufw", "/etc/ufw/before.rules"])
    ucfr(tree, ["openssh-server", "/etc/ssh/sshd_config"])
    expected = "openssh-server \t /etc/ssh/sshd_config\nufw \t /etc/ufw/before.rules\n"
    assert tree.read_text("/var/lib/ucf/registry") == expected
    with pytest.raises(UcfError, match="openssh-server"):
        ucfr(tree, ["other", "/etc/ssh/sshd_config"])
    ucfr(tree, ["--force", "other", "/etc/ssh/sshd_config"])
    assert tree.read_text("/var/lib/ucf/registry").endswith("other \t /etc/ssh/sshd_config\n")


@pytest.mark.parametrize("words", [["/no/such/file", "/etc/a"], ["/etc/a"], ["--purge", "/etc/a"]])
def test_bad_calls_are_errors(words: list[str]) -> None:
    with pytest.raises((UcfError, UsageError)):
        ucf(fresh(), words)
    with pytest.raises(UsageError):
        ucfr(fresh(), ["one"])


def test_sums_of_earlier_versions_may_be_one_file_each() -> None:
    for name, kept in ((f"{NEW}.md5sum.d/1.0", False), ("/usr/share/x/sums", False), ("/nowhere", True)):
        tree = fresh()
        tree.write("/etc/nfs.conf", b"old\n")
        tree.write(name, f"{md5('older' + chr(10))}  1\n\n{md5('old' + chr(10))}  2\n".encode(), parents=True)
        options = [] if name.startswith(NEW) else ["--sum-file", "/usr/share/x/sums"]
        ucf(tree, [*options, NEW, "/etc/nfs.conf"])
        assert tree.read("/etc/nfs.conf") == (b"old\n" if kept else b"new\n"), name
        assert tree.exists("/etc/nfs.conf.ucf-dist") is kept


def test_sums_are_looked_for_where_the_caller_says() -> None:
    tree = fresh()
    tree.write("/etc/nfs.conf", b"old\n")
    tree.write("/usr/lib/s/nfs.conf.md5sum", f"{md5('old' + chr(10))}  1\n".encode(), parents=True)
    ucf(tree, ["--src-dir", "/usr/lib/s", NEW, "/etc/nfs.conf"])
    assert tree.read("/etc/nfs.conf") == b"new\n"


def test_a_file_behind_a_link_is_the_one_that_is_registered() -> None:
    tree = fresh()
    tree.write("/srv/real", b"new\n", parents=True)
    tree.symlink("/srv/real", "/etc/nfs.conf")
    ucf(tree, [NEW, "/etc/nfs.conf"])
    assert tree.read_text("/var/lib/ucf/hashfile") == f"{md5('new' + chr(10))}  /srv/real\n"
    assert not tree.exists("/srv/real.ucf-dist")
    ucfr(tree, ["p", "/etc/nfs.conf"])
    assert tree.read_text("/var/lib/ucf/registry") == "p \t /srv/real\n"


def test_names_that_end_alike_are_two_files() -> None:
    tree = fresh()
    for path in ("/srv/etc/a", "/etc/a"):
        ucf(tree, [NEW, path])
        ucfr(tree, ["p", path])
    assert tree.read_text("/var/lib/ucf/registry") == "p \t /srv/etc/a\np \t /etc/a\n"
    assert [line.split()[1] for line in tree.read_text("/var/lib/ucf/hashfile").splitlines()] == [
        "/srv/etc/a",
        "/etc/a",
    ]


@pytest.mark.parametrize("option", ["--purge", "--state-dir=/x", "--no-action"])
def test_what_is_left_out_is_refused(option: str) -> None:
    for call, words in ((ucf, [NEW, "/etc/nfs.conf"]), (ucfr, ["p", "/etc/nfs.conf"])):
        tree = fresh()
        with pytest.raises(UsageError, match="not known"):
            call(tree, [option, *words])
        assert not tree.exists("/etc/nfs.conf")
        assert tree.read("/var/lib/ucf/registry") == b""
