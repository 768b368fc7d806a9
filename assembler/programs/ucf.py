"""ucf(1) and ucfr(1): configuration files that packages keep under ``/usr/share`` and copy to ``/etc``.

The registry under ``/var/lib/ucf`` comes out as the programs leave it, without numbered backups. Nothing is asked:
a file that differs from all known versions is kept, as with a non-interactive debconf.
"""

import hashlib
import posixpath
from collections.abc import Sequence

from assembler.errors import AssembleError, Place
from assembler.programs.options import UsageError, parse_options
from assembler.tree.content import size_of
from assembler.tree.staging import Inode, Kind, Tree

STATE = "/var/lib/ucf"
_CACHE_LIMIT = 25600
"""Bytes; a file of this size or more is cached for three-way merges only when asked."""


class UcfError(AssembleError):
    """ucf called in a way that it cannot follow."""


def _copy(tree: Tree, source: Inode, path: str) -> None:
    """``cp -p``: the content, mode, owner and time of `source`."""
    made = tree.write(path, source.content, parents=True)
    made.mode, made.uid, made.gid, made.mtime = source.mode, source.uid, source.gid, source.mtime


def _replace_line(tree: Tree, name: str, path: str, line: str) -> None:
    """Put `line` at the end of a registry file, instead of one that ends in `path`."""
    file = f"{STATE}/{name}"
    lines = tree.read_text(file).splitlines() if tree.is_file(file) else []
    kept = [old for old in lines if not old.endswith((f" {path}", f"\t{path}"))]
    tree.write(file, "".join(f"{text}\n" for text in [*kept, line]).encode("utf-8", "surrogateescape"), parents=True)


def ucf(tree: Tree, arguments: Sequence[str]) -> None:
    """``ucf [--three-way] [--debconf-ok] [--sum-file FILE] [--src-dir DIR] NEW DESTINATION``. Raises UcfError."""
    options, words = parse_options(
        arguments,
        "src-dir|s= sum-file= debug|DEBUG|d|D no-action|n package|P= purge|p verbose|v three-way debconf-ok"
        " debconf-template= state-dir= Z",
        program="ucf",
    )
    if "purge" in options or "state-dir" in options or "no-action" in options:
        raise UsageError("ucf is called in a way not known here", why=" ".join(arguments))
    if len(words) != 2:
        raise UcfError("ucf takes a new file and a destination", why=" ".join(arguments))
    new, destination = words
    source = tree.get(new, follow=True)
    if source is None or source.kind is not Kind.FILE:
        raise UcfError("the new file does not exist", where=Place(path=new))
    if tree.exists(destination):
        destination = tree.resolve(destination, follow=True)
    cached = f"{STATE}/cache/{destination.replace('/', ':')}"
    digest = _digest(tree, new)
    last = _last_digest(tree, destination)

    def register() -> None:
        _replace_line(tree, "hashfile", destination, f"{digest}  {destination}")
        if "three-way" in options or size_of(source.content) < _CACHE_LIMIT:
            _copy(tree, source, cached)

    if not tree.exists(destination):
        if last is not None and last == digest:
            return  # the administrator has deleted it
        _copy(tree, source, destination)
        register()
        return
    current = _digest(tree, destination)
    if last is None and current not in _known_digests(tree, new, options.get("sum-file"), options.get("src-dir")):
        if current != digest:
            _copy(tree, source, f"{destination}.ucf-dist")
        register()
    elif last is None or (last != digest and current == last):
        tree.write(destination, source.content)
        register()
    elif last != digest:
        if current != digest:
            _copy(tree, source, f"{destination}.ucf-dist")
        register()


def _digest(tree: Tree, path: str) -> str:
    return hashlib.md5(tree.read(path), usedforsecurity=False).hexdigest()


def _last_digest(tree: Tree, path: str) -> str | None:
    file = f"{STATE}/hashfile"
    if tree.is_file(file):
        for line in tree.read_text(file).splitlines():
            digest, _, name = line.partition("  ")
            if name == path:
                return digest
    return None


def _known_digests(tree: Tree, new: str, sum_file: str | None, source_dir: str | None) -> set[str]:
    """The MD5 sums of versions that the package has shipped before."""
    stem = f"{source_dir or posixpath.dirname(new)}/{posixpath.basename(new)}.md5sum"
    files = [sum_file] if sum_file else [stem]
    if not sum_file and tree.is_dir(f"{stem}.d"):
        files = [f"{stem}.d/{name}" for name in tree.names(f"{stem}.d")]
    return {
        line.split()[0]
        for file in files
        if tree.is_file(file)
        for line in tree.read_text(file).splitlines()
        if line.strip()
    }


def ucfr(tree: Tree, arguments: Sequence[str]) -> None:
    """``ucfr [--force] PACKAGE FILE``: say which package a file belongs to. Raises UcfError."""
    options, words = parse_options(
        arguments, "debug|DEBUG|d|D force|f no-action|n verbose|v purge|p state-dir=", program="ucfr"
    )
    if len(words) != 2 or "purge" in options or "state-dir" in options or "no-action" in options:
        raise UsageError("ucfr is called in a way not known here", why=" ".join(arguments))
    package, file = words
    path = tree.resolve(file, follow=True)
    registry = f"{STATE}/registry"
    lines = tree.read_text(registry).splitlines() if tree.is_file(registry) else []
    owner = next((line.split()[0] for line in lines if line.endswith(f"\t {path}")), None)
    if owner == package:
        return
    if owner is not None and "force" not in options:
        raise UcfError(f"{owner} owns the file that {package} wants", where=Place(path=path))
    _replace_line(tree, "registry", path, f"{package} \t {path}")
