"""The tree on which programs that print are compared with the real ones, in memory and in a directory."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from assembler.tree.staging import Inode, Kind, Tree

OLD, NEW = 1_000_000_000, 1_700_000_000
"""Times, in seconds, of what was there and of what is made."""
_SHARED = ("c", "m", "selinux", "acl", "attr", "gmp", "crypto", "pcre2-8", "cap", "z", "md", "bz2", "lzma", "zstd")
_LIBRARIES = (
    "ld-linux-x86-64",
    *(f"lib{name}" for name in _SHARED),
)
_PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/bin/sh
mail:x:8:8::/var/mail:/bin/sh
nogrp:x:77:777::/:
6:x:66:8:digits:/:/bin/sh
same:x:6:8:other:/:/bin/sh
"""
_GROUP = b"""\
root:x:0:
daemon:x:1:man,mail
sys:x:3:mail
adm:x:4:mail,man,root
mail:x:8:mail
man:x:12:daemon
more:x:12:man
4:x:44:man
staff:x:50:nobody,root
"""
_FILES: dict[str, tuple[bytes, int, int, int]] = {
    "w/a": (b"one\ntwo\nthree\n", 0o644, 0, 0),
    "w/b": (b"no newline", 0o600, 7, 7),
    "w/empty": (b"", 0o640, 0, 50),
    "w/p": (b"root:x:0:0:root:/root:/bin/sh\nman:x:6:12::/var:/bin/x\n# comment\n\nbad:line\n::\n", 0o644, 0, 0),
    "w/sp": (b"a b  c\n lead trail \n\ttab\there\nx,y;z\n\n\n", 0o644, 0, 0),
    "w/num": (b"10\n9\n 8\n-1\n1.5\n007\n1k\nx\n10\n2b\n2a\n", 0o755, 0, 0),
    "w/dup": (b"b\nb\na\na\na\nB\nb\nc", 0o4755, 5, 6),
    "w/kv": (b"KEY=value\nA=b=c\nname: x y\nb 2\na 10\na 9\nc\n", 0o2755, 1, 2),
    "w/odd": (b"\xff\xfe\x00x\r\n\xc3\xa9t\xc3\xa9\n\x01\n", 0o1666, 0, 0),
    "w/ver": (b"1.10\n1.9\n1.9~rc1\n1.9-2\na-1.2.tar\na-1.10.tar\n", 0o7777, 12345, 54321),
    "w/many": (b"".join(b"line %d of many\n" % number for number in range(1, 31)), 0o444, 3, 8),
    "w/sp ace": (b"x\n", 0o644, 0, 0),
    "w/-x": (b"dash\n", 0o644, 0, 0),
    "w/.hid": (b"hidden\n", 0o644, 0, 0),
    "w/sum": (b"", 0o644, 0, 0),
    "w/d/f.conf": (b"conf\n", 0o640, 4, 4),
    "w/d/g.txt": (b"text\n", 0o666, 0, 0),
    "w/d/sub/g.conf": (b"sub\n", 0o644, 0, 0),
    "w/d/sub/.k": (b"", 0o600, 0, 0),
    "w/sg/in": (b"in\n", 0o644, 2, 2),
    "etc/nsswitch.conf": (b"passwd: files systemd\ngroup: files\t# all\nshadow: files\n", 0o644, 0, 0),
    "etc/passwd": (_PASSWD, 0o644, 0, 0),
    "etc/group": (_GROUP, 0o644, 0, 0),
}  # fmt: skip
_DIRECTORIES = {
    "w": (0o755, 0, 0), "w/d": (0o755, 0, 0), "w/d/sub": (0o700, 5, 6), "w/e": (0o1777, 0, 0), "w/sg": (0o2775, 0, 50),
    "tmp": (0o1777, 0, 0), "etc": (0o755, 0, 0),
}  # fmt: skip
_LINKS = {
    "w/la": "a", "w/ld": "d", "w/dang": "nowhere", "w/loop": "loop", "w/abs": "/w/d/sub", "w/d/up": "../a",
    "w/far": "none/x",
    "w/lslash": "a/", "w/ldang": "e/new", "w/chain": "ld/sub/../f.conf", "w/d/sub/back": "..",
}  # fmt: skip


def start() -> Tree:
    """The tree, with times `OLD`."""
    tree = Tree(mtime=OLD)
    for path, (mode, uid, gid) in _DIRECTORIES.items():
        tree.put(path, Inode(Kind.DIR, mode, uid, gid, OLD))
    for path, (content, mode, uid, gid) in _FILES.items():
        tree.put(path, Inode(Kind.FILE, mode, uid, gid, OLD, content=content))
    for path, target in _LINKS.items():
        tree.put(path, Inode(Kind.SYMLINK, 0o777, mtime=OLD, target=target))
    return tree


def lay_out(root: Path) -> None:
    """Make the tree in `root`; what its directories have is replaced."""
    for name in ("w", "tmp", "etc"):
        shutil.rmtree(root / name, ignore_errors=True)
    for path, inode in start().walk():
        place = root / path[1:]
        if path == "/":
            continue
        match inode.kind:
            case Kind.DIR:
                place.mkdir()
            case Kind.SYMLINK:
                place.symlink_to(inode.target)
            case _:
                assert isinstance(inode.content, bytes)
                place.write_bytes(inode.content)
        os.chown(place, inode.uid, inode.gid, follow_symlinks=False)
        if inode.kind is not Kind.SYMLINK:
            place.chmod(inode.mode)


def lay_out_programs(source: Path, root: Path, names: Collection[str]) -> None:
    """Make `root` a place where the programs `names` of `source`, a directory with Debian's tree, can be executed."""
    architecture = "usr/lib/x86_64-linux-gnu"
    for name in ("usr/bin", architecture, "usr/lib64", "usr/lib/locale", "dev"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for library in (source / architecture).iterdir():
        if library.name.split(".so")[0] in _LIBRARIES and ".so" in library.name:
            shutil.copy(library, root / architecture / library.name)
    loader = "ld-linux-x86-64.so.2"
    (root / "usr/lib64" / loader).symlink_to(f"../lib/x86_64-linux-gnu/{loader}")
    shutil.copytree(source / "usr/lib/locale/C.utf8", root / "usr/lib/locale/C.utf8")
    for name in names:
        place = source / "usr/bin" / name
        shutil.copy(place if place.exists() else source / "bin" / name, root / "usr/bin" / name)
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    (root / "dev/null").chmod(0o666)


def seen(root: Path) -> dict[str, str]:
    """What is in the tree of a directory: a line for each path."""
    found: dict[str, str] = {}
    for top in ("w", "tmp", "etc"):
        for here, directories, files in os.walk(root / top):
            for name in (*directories, *files):
                place = Path(here, name)
                about = place.lstat()
                if place.is_symlink():
                    what = f"-> {os.readlink(place)}"  # noqa: PTH115  pathlib tidies it
                else:
                    what = "dir" if place.is_dir() else place.read_bytes().decode("latin-1")
                found[str(place.relative_to(root))] = _line(what, about.st_mode & 0o7777, about.st_uid, about.st_gid)
    return found


def computed(tree: Tree) -> dict[str, str]:
    """The same of a tree."""
    found: dict[str, str] = {}
    for path, inode in tree.walk():
        if not path.startswith(("/w/", "/tmp/", "/etc/")):
            continue
        kinds = {Kind.DIR: "dir", Kind.SYMLINK: f"-> {inode.target}"}
        what = kinds[inode.kind] if inode.kind in kinds else tree.read(path).decode("latin-1")
        found[path[1:]] = _line(what, inode.mode, inode.uid, inode.gid)
    return found


def _line(what: str, mode: int, uid: int, gid: int) -> str:
    return what if what.startswith("-> ") else f"{what} {mode:04o} {uid}:{gid}"
