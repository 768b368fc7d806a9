"""Targets: what people, archives and registries write as text."""

import re
import shutil
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from pysequoia import Cert, SignatureMode, sign

from assembler.audit import listing
from assembler.configure.debconf import selections, wrong_value
from assembler.configure.evaluated import carry_out
from assembler.debian.deb822 import Deb822Error, paragraphs
from assembler.debian.debconf import read_preseed, read_templates
from assembler.debian.documents import changelog_entries
from assembler.debian.index import Universe
from assembler.debian.indices import choose_indices
from assembler.debian.package import Unpacked
from assembler.debian.relations import parse_relations
from assembler.debian.release import check_release, read_release
from assembler.debian.solver import solve
from assembler.debian.sources import archives as archives_of
from assembler.debian.sources import parse_sources
from assembler.debian.version import satisfies
from assembler.errors import AssembleError, Place
from assembler.image.licences import short_names
from assembler.image.sbom import cyclonedx, parts
from assembler.layers.cloudinit import seed
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.oci.registry import parse_manifest
from assembler.printable import printable
from assembler.programs.context import ExecutionContext
from assembler.recipe.listing import text as listed
from assembler.recipe.load import load
from assembler.recipe.model import Debconf
from assembler.recipe.shown import shown
from assembler.shell.streams import Refused
from assembler.tree import digest
from assembler.tree.staging import Tree
from tests.debian import archives
from tests.fuzz.harness import Target
from tests.lockfile.test_toml import LOCK
from tests.support.scripts import with_programs

_RECIPES = Path(__file__).parents[2] / "recipes"
_TOML = (
    *(b"[", b"]", b"[[", b"]]", b"{", b"}", b"=", b".", b'"""', b"'''", b'""', b"#", b"\r\n", b"\xef\xbb\xbf"),
    *(b"\\u0000", b"\\uD800", b"\\U0010FFFF", b"inf", b"nan", b"1e400", b"0x", b"-1", b"true", b"9" * 20),
    *(b"1979-05-27T07:32:00Z", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59Z", b"[" * 5000, b"a." * 5000),
)


# --- archives --------------------------------------------------------------------------------------------------------


@cache
def _certificates() -> tuple[Cert, ...]:
    return (Cert.from_bytes(archives.certificate().encode()),)


def _release(data: bytes, directory: Path) -> None:  # noqa: ARG001
    """As a signed archive gives it: the signature is good, whatever it signs."""
    signed = bytes(sign(archives.secret("archive").signer(), data, mode=SignatureMode.CLEAR))
    found = read_release(signed, _certificates(), now=archives.NOW, name="x")
    archive = archives.archive()
    check_release(found, archive, now=archives.NOW)
    choose_indices(found, archive, "amd64")
    f"{found.date:%Y-%m-%dT%H:%M:%SZ}".encode("ascii")


def _releases() -> Sequence[bytes]:
    text = archives.release({"main/binary-amd64/Packages": b"x" * 10, "main/binary-amd64/Packages.xz": b"y"})
    return [text.encode()]


def _inrelease(data: bytes, directory: Path) -> None:  # noqa: ARG001
    """As a mirror may give it."""
    read_release(data, _certificates(), now=archives.NOW, name="x")


def _inreleases() -> Sequence[bytes]:
    return [bytes(sign(archives.secret("archive").signer(), _releases()[0], mode=SignatureMode.CLEAR))]


def _packages(data: bytes, directory: Path) -> None:  # noqa: ARG001
    universe = Universe.from_indices([("x", data)], "amd64")
    for name in universe.names[:20]:
        for offer in universe.offers(name):
            _ = offer.dependencies, offer.provides
    if universe.names:
        solve(universe, universe.names[:3], recommends=True, essential=True)


def _indices() -> Sequence[bytes]:
    stanza = archives.stanza
    some = (
        stanza("a", b"x", Depends="b (>= 1) | c, d [amd64] <!nocheck>", Provides="v (= 1), w", Multi_Arch="allowed"),
        stanza("b", b"y", Conflicts="z", Essential="yes"),
        stanza("c", b"", Version="1:2~3+b1-4"),
        stanza("d", b"", Depends="a:any, v (= 1)", Recommends="b"),
    )
    return ["".join(some).encode()]


def _sources(data: bytes, directory: Path) -> None:  # noqa: ARG001
    archives_of(parse_sources(data.decode("utf-8", "replace")))


def _deb822(data: bytes, directory: Path) -> None:  # noqa: ARG001
    try:
        for paragraph in paragraphs(data.decode("utf-8", "surrogateescape")):
            for field in paragraph.values():
                _ = field.words
    except Deb822Error as error:
        raise AssembleError(str(error)) from error


def _copyright(data: bytes, directory: Path) -> None:  # noqa: ARG001
    short_names(data)


def _changelog(data: bytes, directory: Path) -> None:  # noqa: ARG001
    changelog_entries(data, "1", "99")


_COPYRIGHT = b"""\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2000 Somebody
License: GPL-2+ with Libtool exception or Expat
 Text.

License: GPL-3
 .
"""
_CHANGELOG = b"""\
hello (2.10-5) unstable; urgency=medium

  * Newest.

 -- Some Body <some@example.org>  Mon, 01 Sep 2025 10:00:00 +0200
"""
_DEB822 = (
    *(b"\n", b"\n\n", b"\n ", b": ", b" .\n", b"\r", b"\xff", b"\xe2\x80\xa8", b"\t", b"#", b"-", b"\0", b"9" * 5000),
    *(b"Date: ", b"Valid-Until: Sat, 31 Dec 9999 23:59:59 -2359\n", b"Date: Mon, 01 Jan 0001 00:00:00 +2359\n"),
    *(b"Package: ", b"Version: ", b"Provides: ", b"Depends: ", b"Essential: yes\n", b"SHA256:\n", b"Size: -1\n"),
    *(b"(>= ", b"(= ", b"|", b",", b":any", b"~", b"<!", b"[", b"]", b"../", b"/", b"Filename: /etc/passwd\n"),
    b"-----BEGIN PGP SIGNED MESSAGE-----\n",
)


# --- the project's own ------------------------------------------------------------------------------------------------


def _recipe(data: bytes, directory: Path) -> None:
    project = directory.parent / "project"
    if not project.exists():
        shutil.copytree(_RECIPES, project)
    recipe = project / "x.toml"
    recipe.write_bytes(data)
    text = listed(shown(load(recipe)))
    assert all(printable(line) == line for line in text.split("\n"))
    tomllib.loads(text)


def _recipes() -> Sequence[bytes]:
    small = (
        b"name = 'x'\n[args]\nA = 'b'\n[rootfs]\nhostname = '${A}'\npackages = ['a-b', 'cc']\nids.users.a = 990\n"
        b"[[rootfs.files]]\npath = '/a'\ncontent = '''x'''\nmode = '0644'\n[kernel]\nsource = 'vanilla'\n"
        b"url = 'https://example.org/b'\n[kubernetes]\nkubelet = { url = 'https://example.org/', sha256 = '' }\n"
    )
    extending = b"extends = 'livecd.toml'\nname = 'y'\n[rootfs]\npackages_add = ['dd']\n"
    conditions = b"[profile.p]\nname = 'z'\nrootfs.hostname = '${A}'\n[architecture.arm64.rootfs]\nhostname = 'h'\n"
    return [
        small,
        small + conditions,
        extending,
        *((_RECIPES / name).read_bytes() for name in ("livecd.toml", "k8s.toml")),
    ]


def _lock(data: bytes, directory: Path) -> None:  # noqa: ARG001
    lock = parse_lock(data.decode("utf-8", "replace"), "x")
    assert parse_lock(format_lock(lock), "x") == lock
    cyclonedx("x", 0, parts(lock, {}))


def _integrity(data: bytes) -> bytes:
    """A lock with the digest of its own text made right."""
    try:
        parse_lock(data.decode("utf-8", "replace"), "x")
    except AssembleError as error:
        found = re.search(r"its digest is ([0-9a-f]{64})", str(error))
        if found:
            return re.sub(rb'integrity = "[0-9a-f]*"', f'integrity = "{found[1]}"'.encode(), data)
    except Exception:  # noqa: BLE001, S110  the run itself finds it
        pass
    return data


def _locks() -> Sequence[bytes]:
    return [format_lock(LOCK).encode()]


_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqc0mXr0mXr0mXr0mXr0mXr0mXr0mXr0mXr0mXr0mXr a"
_KINDS = {b"U": "user-data", b"N": "network-config", b"M": "meta-data"}


def _cloudinit(data: bytes, directory: Path) -> None:  # noqa: ARG001
    """The first byte says which of the files it is."""
    kind = _KINDS.get(data[:1], "user-data")
    for keys in ([], [_KEY]):
        seed({"user-data": b"#cloud-config\n{}\n", kind: data[1:]}, hostname="x", ssh_authorized_keys=keys)


def _cloudinits() -> Sequence[bytes]:
    directory = _RECIPES / "cloud-init"
    return [
        *(b"U" + (directory / name).read_bytes() for name in ("user-data", "kubeadm-init.yaml", "kubeadm-join.yaml")),
        b"N" + (directory / "network-config").read_bytes(),
        b"M" + (directory / "meta-data").read_bytes(),
        b"Nversion: 1\nconfig:\n  - type: physical\n    name: eth0\n    subnets: [{type: dhcp}]\n",
        _MIME,
        b"U#cloud-config-archive\n- type: text/plain\n  content: x\n",
        b"U## template: jinja\n#cloud-config\na: {{ b }}\n",
    ]


_MIME = b"""\
UContent-Type: multipart/mixed; boundary="=x"
MIME-Version: 1.0

--=x
Content-Type: text/cloud-config; charset=utf-8
Content-Transfer-Encoding: base64

I2Nsb3VkLWNvbmZpZwp7fQo=
--=x
Content-Type: text/x-shellscript

#!/bin/sh
--=x--
"""
_YAML = (
    *(b"!!int ", b"!!bool ", b"!!timestamp ", b"!!float ", b"!!set ", b"!!binary ", b"!!python/name:os.system "),
    *(b"&a ", b"*a", b"<<: ", b"? ", b"- ", b": ", b"{", b"}", b"[", b"]", b"|\n", b">\n", b"%YAML 1.1\n", b"---\n"),
    *(b"...\n", b"2001-01-01", b"0x", b"1:2:3", b"\t", b"\xc2\x85", b"\xef\xbb\xbf", b"#cloud-config\n", b"null"),
    *(b"~", b".inf", b"9" * 5000, b"[" * 2000, b"Content-Type: ", b"message/rfc822", b"boundary=", b"=?utf-8?b?x?="),
    b"version: 2\n",
)


# --- others -----------------------------------------------------------------------------------------------------------


def _manifest(data: bytes, directory: Path) -> None:  # noqa: ARG001
    parse_manifest(data, "x")


def _manifests() -> Sequence[bytes]:
    blob = b'{"digest":"sha256:%s","size":1,"mediaType":"a/b"}' % (b"a" * 64)
    return [
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s,%s]}'
        % (blob, blob, blob)
    ]


def _relations(data: bytes, directory: Path) -> None:  # noqa: ARG001
    text = data.decode("utf-8", "surrogateescape")
    for group in parse_relations(text, package="x"):
        for relation in group:
            satisfies("1:2.3-4", relation.operator, relation.version)


def _some_relations() -> Sequence[bytes]:
    return [b"a (>= 1:2~3-4) | b [!amd64] <!nocheck> <stage1>, c:any, d (<< 2),\n e (= 1)"]


def _listing(data: bytes, directory: Path) -> None:  # noqa: ARG001
    found = listing.lines(data.decode("ascii", "replace"))
    list(listing.differences(found, listing.lines(_listings()[0].decode("ascii"))))


def _listings() -> Sequence[bytes]:
    tree = Tree(mtime=5)
    tree.write("/a/b", b"x" * 100, parents=True).xattrs["user.a"] = b"\0"
    tree.symlink("a", "/l")
    tree.link("/a/b", "/a/c")
    return ["".join(digest.listing(tree)).encode("ascii")]


def _script(data: bytes, directory: Path) -> None:  # noqa: ARG001
    """A maintainer script, which is carried out on a small tree, and nowhere else."""
    tree = Tree()
    for path, text in (
        ("/etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        ("/etc/group", b"root:x:0:\n"),
        ("/etc/a", b"a\n"),
    ):
        tree.write(path, text, parents=True)
    with_programs(tree)
    with suppress(Refused):
        carry_out(data, ("configure", ""), ExecutionContext(tree, "amd64", package="x"), file="postinst")


_POSTINST = rb"""#!/bin/sh
set -e
case "$1" in
  configure|abort-upgrade)
    if ! getent passwd x >/dev/null; then
      adduser --system --group --home /nonexistent --no-create-home x
    fi
    mkdir -p /var/lib/x && chown x:x "/var/lib/x" || true
    for f in a b; do rm -f "/etc/$f"; done
    cat > /etc/x.conf <<EOT
some $HOME text
EOT
  ;;
  *) echo "unknown \`$1'" >&2; exit 1 ;;
esac
# Automatically added by dh_installsystemd/13.11.4
if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then
	deb-systemd-helper unmask 'x.service' >/dev/null || true
fi
# End automatically added section
exit 0
"""
_SHELL = (
    *(b"if ", b"then ", b"fi\n", b"case x in ", b"esac\n", b"for a in ", b"do ", b"done\n", b"while ", b"{ ", b"; }\n"),
    *(
        b"$(",
        b")",
        b"`",
        b"${",
        b"}",
        b"$((",
        b"))",
        b"<<EOT\n",
        b"EOT\n",
        b"\\\n",
        b"\n" * 5000,
        b"(" * 500,
        b"'",
        b'"',
    ),
    *(b"# Automatically added by x\n", b"# End automatically added section\n", b" " * 5000, b"a=" * 2000, b"!", b"&&"),
)


def _templates(data: bytes, directory: Path) -> None:  # noqa: ARG001
    for template in read_templates(data, Place(package="x templates")):
        for value in ("", "true", "a, b"):
            wrong_value(template, value)


def _preseed(data: bytes, directory: Path) -> None:  # noqa: ARG001
    templates = b"Template: a/b\nType: select\nChoices: a, b\n\nTemplate: a/c\nType: multiselect\nChoices: a, b\n"
    package = Unpacked("a", "1", "all", {}, {"templates": templates}, ())
    found = selections(Debconf(preseed=["f"]), {"rootfs.debconf.preseed[0]": data}, [package])
    for each in (*found.problems, *found.warnings):
        str(each)
    read_preseed(found.text.encode(), "again")


_TEMPLATES = b"""\
Template: a/b
Type: select
Choices: a, b\\, c, ${d}
Choices-C: 1, 2
Default: 1
Description: x
 y
 .
  z
Description-de.UTF-8: y
"""
_PRESEED = b"# x\na a/b select a\na a/c multiselect a, \\\n  b\r\na a/b seen false\nx x/y password\n"

TARGETS = {
    "release": Target(run=_release, seeds=_releases, tokens=_DEB822),
    "inrelease": Target(run=_inrelease, seeds=_inreleases, tokens=_DEB822),
    "packages": Target(run=_packages, seeds=_indices, tokens=_DEB822),
    "sources": Target(run=_sources, seeds=lambda: [archives.source("Architectures: amd64").encode()], tokens=_DEB822),
    "deb822": Target(run=_deb822, seeds=lambda: [*_indices(), *_releases()], tokens=_DEB822),
    "copyright": Target(
        run=_copyright, seeds=lambda: [_COPYRIGHT], tokens=(*_DEB822, b"License: ", b"Files: ", b" with ")
    ),
    "debconf-templates": Target(
        run=_templates,
        seeds=lambda: [_TEMPLATES + b"\n" + _TEMPLATES],
        tokens=(b": ", b"\n\n", b"\n .\n", b"\n ", b"${", b"}", b"\\", b", "),
    ),
    "preseed": Target(
        run=_preseed,
        seeds=lambda: [_PRESEED],
        tokens=(b"\\\n", b"\r\n", b" ", b"a a/b ", b"select ", b"seen true\n", b"password x"),
    ),
    "changelog": Target(
        run=_changelog,
        seeds=lambda: [_CHANGELOG * 2],
        tokens=(*_DEB822, b" -- ", b"  * ", b"; urgency=", b"hello (9) x;", b"Old Changelog:", b"vim:", b" <", b">  "),
    ),
    "recipe": Target(
        run=_recipe,
        seeds=_recipes,
        tokens=(
            *_TOML,
            b"${A}",
            b"$${A}",
            b"_add",
            b"profile.",
            b"architecture.arm64.",
            b"extends = ['k8s.toml']\n",
            b"args",
            b"rootfs.files",
        ),
    ),
    "lock": Target(run=_lock, seeds=_locks, tokens=_TOML, repair=_integrity),
    "cloudinit": Target(run=_cloudinit, seeds=_cloudinits, tokens=_YAML),
    "manifest": Target(
        run=_manifest,
        seeds=_manifests,
        tokens=(b"{", b"}", b"[", b"]", b'"', b"9" * 5000, b"[" * 2000, b"null", b"NaN"),
    ),
    "script": Target(run=_script, seeds=lambda: [_POSTINST], tokens=_SHELL),
    "relations": Target(run=_relations, seeds=_some_relations, tokens=_DEB822),
    "listing": Target(run=_listing, seeds=_listings, tokens=(b" ", b"\n", b" -> ", b"\\x", b"-", b"link", b"9" * 5000)),
}
"""By name."""
