"""update-ca-certificates(8): trusted certificates as one bundle and as a directory that OpenSSL can look into.

Hooks under ``/etc/ca-certificates/update.d`` are not run.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator

from assembler.errors import Place
from assembler.programs.x509 import CertificateError, certificates, subject_hash
from assembler.tree.content import Unmade
from assembler.tree.staging import Kind, Tree

CONF = "/etc/ca-certificates.conf"
_SHIPPED = "/usr/share/ca-certificates"
_LOCAL = "/usr/local/share/ca-certificates"
_CERTS = "/etc/ssl/certs"
_BUNDLE = f"{_CERTS}/ca-certificates.crt"


def _below(tree: Tree, directory: str) -> list[str]:
    """The ``.crt`` files below a directory, links to files included, sorted."""
    if not tree.is_dir(directory):
        return []
    top = tree.resolve(directory, follow=True)
    return sorted(
        directory + path[len(top) :] for path, _ in tree.walk(top) if path.endswith(".crt") and tree.is_file(path)
    )


def update_ca_certificates(tree: Tree) -> None:
    """Link the certificates of the configuration and of ``/usr/local`` into ``/etc/ssl/certs``, and write the bundle.

    A certificate that is listed but missing is passed over. Raises CertificateError for one that cannot be read.
    """
    tree.mkdir(_CERTS, parents=True)
    lines = tree.read_text(CONF).splitlines() if tree.is_file(CONF) else []
    for line in lines:
        if line.startswith("!"):
            link = f"{_CERTS}/{_link_name(line[1:], cleaned=False)}"
            inode = tree.get(link)
            if inode is not None and inode.kind is Kind.SYMLINK:
                tree.remove(link)
    bundle = bytearray()
    paths = [f"{_SHIPPED}/{line}" for line in lines if line and line[0] not in "#!"]
    for path in [*(path for path in paths if tree.is_file(path)), *_below(tree, _LOCAL)]:
        tree.symlink(path, f"{_CERTS}/{_link_name(path)}")
        data = tree.read(path)
        bundle += data if not data or data.endswith(b"\n") else data + b"\n"
    _rehash(tree)
    tree.discard(_BUNDLE)
    tree.write(_BUNDLE, bytes(bundle))


def _link_name(path: str, *, cleaned: bool = True) -> str:
    name = posixpath.basename(path).removesuffix(".crt")
    if cleaned:
        name = name.translate(str.maketrans(" ,()", "__=="))
    return f"{name}.pem"


def _rehash(tree: Tree) -> None:
    """``openssl rehash``: for each file with one certificate, a link named after its subject's hash."""
    old = [name for name in tree.names(_CERTS) if re.fullmatch(r"[0-9a-f]{8}\.r?\d+", name)]
    for name in old:
        if tree.at(f"{_CERTS}/{name}").kind is Kind.SYMLINK:
            tree.remove(f"{_CERTS}/{name}")
    seen: dict[str, list[bytes]] = {}
    for name, certificate in _single_certificates(tree):
        hashed = subject_hash(certificate)
        digest = hashlib.sha256(certificate).digest()
        same = seen.setdefault(hashed, [])
        if digest not in same:
            tree.symlink(name, f"{_CERTS}/{hashed}.{len(same)}")
            same.append(digest)


def _single_certificates(tree: Tree) -> Iterator[tuple[str, bytes]]:
    """The (name, DER) of the files in ``/etc/ssl/certs`` that hold exactly one certificate, by name."""
    for name in sorted(tree.names(_CERTS), key=lambda name: name.encode("utf-8", "surrogateescape")):
        path = f"{_CERTS}/{name}"
        if not name.endswith((".pem", ".crt", ".cer")) or not tree.is_file(path) or path == _BUNDLE:
            continue
        if isinstance(tree.at(path, follow=True).content, Unmade):
            # It has no link by its hash, as that of ssl-cert has none.
            continue
        try:
            found = certificates(tree.read(path))
            if len(found) == 1:
                subject_hash(found[0])
                yield name, found[0]
        except CertificateError as error:
            raise CertificateError(error.what, where=Place(path=path), why=error.why) from error
