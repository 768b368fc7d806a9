"""Compare programs in perl that scripts call, and hostname, with the real ones, call by call.

Small trees are drawn at random, and calls in them; each is carried out by the assembler on a tree in memory, and by the
real program in a chroot that has the packages of it. The exit status, what is printed and the files that are left have
to be the same. What is refused is counted. With --record the first calls, and what became of them, are written to
tests/programs/data/in_perl.jsonl, which a quick test reads. Only root can do it.

    scripts/in-perl [--seed N] [--number N] [--release RELEASE] [--record]
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from assembler.lock.resolve import locked
from assembler.programs import apache_asked, dictd, dictionary_updates, dpkg_asked, emacsen, hostname, inetd, lighttpd
from assembler.programs.packages_known import Fixed, known_by_text
from assembler.releases import RELEASES
from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import parsed
from assembler.shell.process import Program
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused
from assembler.tree.staging import Kind, Tree
from tests.proofs.draws import Release
from tests.proofs.reference import copy_of
from tests.support.command import ROOT, arguments

RECORDED = ROOT / "tests" / "programs" / "data" / "in_perl.jsonl"
WATCHED = (
    "/etc/apache2", "/var/lib/apache2", "/usr/share/dictd", "/var/lib/dictd", "/var/lib/emacsen-common",
    "/usr/lib/emacsen-common/packages", "/var/lib/dictionaries-common", "/usr/share/hunspell",
    "/var/cache/dictionaries-common", "/etc/lighttpd",
)  # fmt: skip
"""Directories of which all that is there belongs to a draw."""
FILES = ("/etc/inetd.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/dictd/dictd.order")
"""Files likewise."""
_PACKAGES = ("apache2", "dictd", "dictionaries-common", "emacsen-common", "update-inetd", "hostname", "lighttpd")
_PROGRAMS: Mapping[str, Program] = {
    **apache_asked.PROGRAMS,
    **dictd.PROGRAMS,
    **emacsen.PROGRAMS,
    **hostname.PROGRAMS,
    **inetd.PROGRAMS,
    **lighttpd.PROGRAMS,
}
_PATHS = {
    "dnsdomainname": "/usr/bin/dnsdomainname",
    "a2query": "/usr/sbin/a2query",
    "dictdconfig": "/usr/sbin/dictdconfig",
    "emacs-package-install": "/usr/lib/emacsen-common/emacs-package-install",
    "hostname": "/usr/bin/hostname",
    "lighty-enable-mod": "/usr/sbin/lighty-enable-mod",
    "update-dictcommon-aspell": "/usr/sbin/update-dictcommon-aspell",
    "update-dictcommon-hunspell": "/usr/sbin/update-dictcommon-hunspell",
    "update-inetd": "/usr/sbin/update-inetd",
}
_DICTIONARIES = {"bookworm": "1.29.5", "trixie": "1.30.10", "testing": "1.31.4"}
"""The version of dictionaries-common, or one that does the same, by release."""
_FIELDS = (
    "Hash-Name: fo", "Hash-Name: en_US", "Emacsen-Name: american", "Emacsen-Name: english_american",
    "Emacsen-Names: a, b,c", "Emacs-Display: no", "Jed-Display: no", "Squirrelmail: NO", "Squirrelmail: one",
    "Otherchars: ['\"\\341-]", 'Otherchars: [\\"]', "Additionalchars: \\341\xe9", "Casechars: [a-z\xe9]",
    "Many-Otherchars: yes", "Extended-Character-Mode: ~latin1", "Ispell-Args: -B -C", "Ispell-Args:  -B -dfo",
    "Coding-System: UTF-8", "Coding-System: iso-8859-2", "Aspell-Locales: en_US , de, fr",
    "Hunspell-Locales: en_US, de_DE,", "Odd: it's \\ x\\", "# a comment: with a colon", "no colon", "Empty:",
    "Blank:   ", "Not-Casechars:\t[^a-z] ", "ODD: x",
)  # fmt: skip
_AFFIXES = (
    "SET UTF-8", "SET ISO8859-1", "  SET iso8859-2  ", "WORDCHARS '\"\xe9 ", "WORDCHARS", "TRY esian\xe9\xff-", "TRY",
    "SFX A Y 1", "SETX y",
)  # fmt: skip
_STATUS = (
    "Package: {}\nStatus: install ok half-configured\nArchitecture: all\nVersion: 1\nMaintainer: x\nDescription: x\n"
)
Files = dict[str, str]
"""The text of files by path; of a directory, None as "/" at the end of the path and no text."""
Result = tuple[int, str, Files]


def drawn(seed: int, order: str, aliases: str) -> Iterator[tuple[Files, str]]:
    """Trees, and a call in each."""
    rng = random.Random(seed)  # noqa: S311  a sample, not a secret
    kinds = [
        _of_apache,
        lambda rng: _of_dictd(rng, order, aliases),
        _of_dictionaries,
        _of_emacs,
        _of_inetd,
        _of_hostname,
        _of_lighttpd,
    ]
    while True:
        yield rng.choice(kinds)(rng)


def _some(rng: random.Random, paths: list[str], share: float = 0.4) -> Files:
    return {path: "" for path in paths if rng.random() < share}


def _of_apache(rng: random.Random) -> tuple[Files, str]:
    names = ["php8.4", "ssl", "mpm_event", "security", "mod_x", "a.conf", "000-default"]
    files = _some(rng, [f"/etc/apache2/{stem}-enabled/" for stem in ("mods", "conf", "sites")], 0.95)
    for stem, suffix in (("mods", ".load"), ("conf", ".conf"), ("sites", ".conf")):
        if f"/etc/apache2/{stem}-enabled/" in files:
            files |= _some(rng, [f"/etc/apache2/{stem}-enabled/{name}{suffix}" for name in names])
    notes = [
        f"/var/lib/apache2/{kind}/{what}_by_{by}/{name}"
        for kind in ("module", "conf", "site") for what in ("enabled", "disabled") for by in ("maint", "admin")
        for name in names
    ]  # fmt: skip
    option = rng.choice(("-m", "-c", "-s", "-c", "-q -c", "-q -m"))
    asked = rng.choice((*names, "ssl.conf", "ssl.load", "none", "modssl", "mod_ssl"))
    return files | _some(rng, notes, 0.15), f"a2query {option} {asked}"


def _of_dictd(rng: random.Random, order: str, aliases: str) -> tuple[Files, str]:
    files = {"/var/lib/dictd/": "", "/usr/share/dictd/": "", "/etc/dictd/dictd.order": order}
    for name in rng.sample(("wn", "gcide", "freedict-fin-bul", "foldoc", "gazetteer", "moby"), k=rng.randint(0, 3)):
        ends = (".index", rng.choice((".dict.dz", ".dict", ".dict.dz")), ".suffix", ".word")
        shares = (0.95, 0.95, 0.2, 0.2)
        for end, share in zip(ends, shares, strict=True):
            files |= _some(rng, [f"/usr/share/dictd/{name}{end}"], share)
    if rng.random() < 0.2:
        files["/etc/dictd/dictd.order"] = rng.choice(("wn foldoc\n/usr/share/dictd/\n", "# none\n", "moby wn # x\n"))
    return files | {"/etc/dictd/dictdconfig.alias": aliases}, rng.choice(("dictdconfig -w", "dictdconfig --write"))


def _of_emacs(rng: random.Random) -> tuple[Files, str]:
    names = ["emacsen-common", "el-a", "el-b"]
    library = "/usr/lib/emacsen-common/packages"
    state = "/var/lib/emacsen-common/state"
    files = {f"{library}/install/": "", f"{library}/compat/": "", f"{state}/flavor/installed/": ""}
    files |= {f"{state}/package/installed/": ""}
    for name in names:
        if rng.random() < 0.7:
            files |= {f"{library}/install/{name}": "#!/bin/sh\necho $1 $#\n", f"{library}/compat/{name}": ""}
        if rng.random() < 0.2:
            files.pop(f"{library}/compat/{name}", "")
        files |= _some(rng, [f"{state}/package/installed/{name}"])
    files |= _some(rng, [f"{state}/flavor/installed/emacs"], 0.1)
    files |= _some(rng, [f"{state}/flavor/installed/emacs~", f"{library}/compat/x~"], 0.1)
    return files, f"emacs-package-install {rng.choice(('--preinst', '--postinst', '--postinst'))} {rng.choice(names)}"


def _of_dictionaries(rng: random.Random) -> tuple[Files, str]:
    files = {"/var/cache/dictionaries-common/": ""} | _some(rng, ["/usr/share/hunspell/"], 0.8)
    names = ["faroese (Faroese)", "american (American English)", "british-tex-8 (x)", "nothing"]
    for kind in ("aspell", "hunspell"):
        for package in rng.sample(("one", "two", "three~", "four"), k=rng.randint(0, 3)):
            records = []
            for language in rng.sample(names, k=rng.randint(1, 2)):
                lines = [f"Language: {language}", f"Hash-Name: {language[:2]}"]
                lines += rng.sample(_FIELDS, k=rng.randint(0, 5))
                records.append("".join(f"{line}\n" for line in lines))
            files[f"/var/lib/dictionaries-common/{kind}/{package}"] = rng.choice(("\n", "\n\n")).join(records)
    for name in rng.sample(("en_US", "de_DE", "fo", "am", "x.y"), k=rng.randint(0, 4)):
        if "/usr/share/hunspell/" in files:
            lines = rng.sample(_AFFIXES, k=rng.randint(0, 5))
            files[f"/usr/share/hunspell/{name}.aff"] = "\n".join(lines)
    return files, f"update-dictcommon-{rng.choice(('aspell', 'hunspell'))}"


def _of_inetd(rng: random.Random) -> tuple[Files, str]:
    lines = [
        "# /etc/inetd.conf\n", "#:MAIL: Mail\n", "#:STANDARD: These are\n", "\n", " \n", "#:OTHER: x\n", "\n",
        "#:MAIL:\n",
        "#<off># dict\tstream\ttcp\tnowait\troot\t/usr/sbin/d\n", "dict stream tcp nowait root /usr/sbin/tcpd\n",
        "#ftp stream tcp nowait root /a\n", "ftp\tstream tcp nowait root /b y\n", "x stream tcp nowait root /a\n",
        "# kermit dgram\n", "#disabled#x udp y\n", "#<off>#dict stream\n", "# x  y z\n", "dicty stream tcp\n",
        "\xe4x dict stream\n", "4444 stream tcp nowait root /usr/sbin/remctld\n",
    ]  # fmt: skip
    files = {"/etc/inetd.conf": "".join(rng.sample(lines, k=rng.randint(0, 12)))} if rng.random() < 0.8 else {}
    if files and rng.random() < 0.2:
        files["/etc/inetd.conf"] += rng.choice(("dict stream tcp", "ftp", "ftp "))
    action = rng.choice((
        "--add 'dict\\tstream\\ttcp\\tnowait\\tdictd\\t/usr/sbin/tcpd'", "--group MAIL --add 'x stream tcp'", "--add x",
        "--remove dict", "--remove 'x.*\\s'", "--disable dict", "--disable a,b", "--enable dict", "--enable 'a b'",
        "--multi --remove x", "--pattern y --disable x", "--comment-chars '#' --disable x", "--remove",
        "--group standard --add '#<off># ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/ftpd'",
        "--group MAIL --add '#<off># dict\\tstream tcp'", "--add '#<off>#kermit stream tcp nowait root /a b'",
        "--group NONE --add '#kermit\t\tdgram  udp'", "--add '127.0.0.1:ftp stream tcp nowait root /a'",
        "--add '#x stream'", "--add 'dict '", "--add '-'", "--comment-chars '#disabled#' --enable x,dict",
        "--comment-chars '#disabled#' --disable ftp,x,", "--multi --disable ftp,dict,x", "--multi --remove '.*'",
        "--multi --remove '.*dict'", "--multi --remove '(#<off># |)dict\\t'", "--multi --remove '(ftp|x)'",
        "--multi --remove '(|#)ftp'", "--multi --remove '(a|b|c)'", "--remove '4444.*/usr/sbin/remctld'",
        "--pattern '/usr/sbin/d' --multi --enable dict",
        "--pattern '^#' --multi --remove ftp", "--pattern 'tcp$' --remove x", "--remove ''", "--remove 'dict\\s+'",
        "--comment-chars '#' --enable ftp", "--comment-chars '#' --multi --enable '.*'", "--file /etc/hosts --remove x",
        "--remove '\\S*t'", "--multi --remove '\\w\\w'", "--remove 'dict[y]'", "--multi --pattern '\\.' --remove x?",
        "--group MAIL --remove dict", "--pattern 'r\\w*\\t' --remove dict", "--add 'x stream' extra",
    ))  # fmt: skip
    return files, f"update-inetd {action}"


def _of_lighttpd(rng: random.Random) -> tuple[Files, str]:
    names = ["auth", "cgi", "fast.cgi", "10-x", "a_b"]
    places = {name: f"{rng.choice(('05', '10', '2'))}-{name}.conf" for name in names}
    files: Files = {"/etc/lighttpd/conf-enabled/": ""}
    for name in rng.sample(names, k=rng.randint(1, 5)):
        lines = ["# x\n"]
        for word in ("depends", "conflicts"):
            if rng.random() < 0.3:
                others = ", ".join(rng.choices((*names, "none"), (3, 3, 3, 3, 3, 1), k=rng.randint(1, 2)))
                lines.append(f"{rng.choice(('', 'a'))}# -*- {word}: {others} -*-{rng.choice((' ', ''))}\n")
        files[f"/etc/lighttpd/conf-available/{places[name]}"] = "".join(lines)
        if rng.random() < 0.2:
            files[f"/etc/lighttpd/conf-enabled/{places[name]}"] = ""
    files |= _some(rng, [f"/etc/lighttpd/conf-available/{name}" for name in ("x.conf", "README", "10-.a")], 0.1)
    return files, f"lighty-enable-mod {' '.join(rng.choices((*names, 'none'), k=rng.randint(1, 3)))}"


def _of_hostname(rng: random.Random) -> tuple[Files, str]:
    lines = [
        "127.0.0.1\tlocalhost\n",
        "::1 localhost ip6-localhost\n",
        "127.0.0.1 box.example.org localhost\n",
        "# x\n",
    ]
    files = {"/etc/hosts": "".join(rng.sample(lines, k=rng.randint(0, 3)))} if rng.random() < 0.9 else {}
    files["/etc/nsswitch.conf"] = rng.choice(("hosts: files dns\n", "passwd: files\nhosts:          files\n", "x\n"))
    options = ("", "-s", "-f", "--fqdn", "-d", "--short", "--domain", "-i")
    return files, rng.choice(("dnsdomainname", *(f"hostname {option}".strip() for option in options)))


# --- here ------------------------------------------------------------------------------------------------------------


def evaluated(files: Files, command: str, version: str = _DICTIONARIES["trixie"]) -> Result:
    """What the assembler makes of a call. Raises Refused."""
    tree, budget = Tree(), Budget()
    tree.mkdir("/tmp")
    for path, text in files.items():
        if path.endswith("/"):
            tree.mkdir(path.rstrip("/"), parents=True)
        else:
            mode = 0o755 if path.endswith(".alias") or "/install/" in path else 0o644
            tree.write(path, text.encode("latin-1"), mode, parents=True)
    for path in _PATHS.values():
        tree.write(path, b"", 0o755, parents=True)
    tree.symlink("usr/bin", "/bin")
    tree.write("/usr/bin/sh", b"", 0o755)
    for path in ("/usr/bin/dpkg", "/usr/bin/perl", "/usr/sbin/aspell-autobuildhash"):
        tree.write(path, b"", 0o755, parents=True)
    for name in ("ISO8859-1", "ISO8859-2"):
        tree.write(f"/usr/lib/x86_64-linux-gnu/gconv/{name}.so", b"", parents=True)
    output = Pipe(budget)
    text = "\n".join(map(_STATUS.format, ("emacsen-common", "el-a", "el-b", "dictionaries-common")))
    known = Fixed("amd64", known_by_text(text.replace("\nVersion: 1\n", f"\nVersion: {version}\n")))
    programs = {**_PROGRAMS, **dictionary_updates.programs(known), "dpkg": dpkg_asked.programs(known)["dpkg"]}
    # It is judged elsewhere: here only a trigger would be activated.
    programs["aspell-autobuildhash"] = lambda _process: 0
    variables = {**INITIAL, "PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"}
    state = State(
        World(tree, budget, lambda name, _path: programs.get(name)), variables, {"PATH", "LC_ALL"},
        streams={0: NOWHERE, 1: output, 2: NOWHERE},
    )  # fmt: skip
    name = command.split(" ", maxsplit=1)[0]
    status = Shell(state).script(parsed(_PATHS[name] + command[len(name) :]))
    return status, output.data.decode("latin-1"), {path: _text(tree, path) for path in _paths(tree)}


def _paths(tree: Tree) -> list[str]:
    found = [path for place in WATCHED if tree.is_dir(place) for path, inode in tree.walk(place) if path != place]
    return sorted({*found, *(path for path in FILES if tree.lexists(path))})


def _text(tree: Tree, path: str) -> str:
    inode = tree.at(path)
    if inode.kind is Kind.SYMLINK:
        return f"-> {inode.target}"
    return tree.read(path).decode("latin-1") if inode.kind is Kind.FILE else "/"


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "/" if path.is_dir() else path.read_bytes().decode("latin-1")


# --- there -----------------------------------------------------------------------------------------------------------


class Place:
    """A root directory with the real programs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def real(self, files: Files, command: str) -> Result:
        """What the real program makes of a call."""
        for watched in WATCHED:
            shutil.rmtree(self._at(watched), ignore_errors=True)
        for path in FILES:
            self._at(path).unlink(missing_ok=True)
        for path, text in files.items():
            if path.endswith("/"):
                self._at(path).mkdir(parents=True, exist_ok=True)
                continue
            self._at(path).parent.mkdir(parents=True, exist_ok=True)
            self._at(path).write_bytes(text.encode("latin-1"))
            self._at(path).chmod(0o755 if path.endswith(".alias") or "/install/" in path else 0o644)
        name = command.split(" ", maxsplit=1)[0]
        # hostname has moved from /bin, which these roots need not have as a link.
        line = f"exec {name if 'name' in name else _PATHS[name]}{command[len(name) :]}"
        done = subprocess.run(
            ["unshare", "--uts", "--net", "sh", "-c", 'hostname localhost && exec chroot "$@"', "sh", str(self.root),
             "/bin/sh", "-c", line],
            check=False, stdin=subprocess.DEVNULL, capture_output=True, umask=0o022, timeout=30,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
        after = [path for place in WATCHED for path in self._at(place).rglob("*")]
        after += [self._at(path) for path in FILES if self._at(path).exists()]
        texts = {f"/{path.relative_to(self.root)}": _content(path) for path in after}
        return done.returncode, done.stdout.decode("latin-1"), dict(sorted(texts.items()))

    def _at(self, path: str) -> Path:
        return self.root / path.strip("/")


@contextmanager
def place(release: Release, work: Path) -> Iterator[Place]:
    """The programs and what they need, unpacked."""
    base = work / "base"
    base.mkdir(parents=True)
    with release.project(()) as project:
        candidates = [*release.closure(*_PACKAGES), *map(release.universe.candidate, sorted(release.base))]
        packages = [locked(candidate, ["rootfs"]) for candidate in candidates if candidate]
        project.means.fetch(packages)
        for package in packages:
            subprocess.run(["dpkg-deb", "-x", str(release.store.path(package.sha256)), str(base)], check=True)
    (base / "var/lib/dpkg/status").write_text("\n".join(map(_STATUS.format, ("emacsen-common", "el-a", "el-b"))))
    (base / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
    (base / "etc/group").write_text("root:x:0:\nwww-data:x:33:\n")
    with copy_of(base, work / "copy") as root:
        yield Place(root[0])


def main() -> int:
    """Compare; the exit status is 1 when anything is different."""
    parser = arguments("in-perl", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--release", choices=RELEASES, default="trixie", help="whose programs (default: %(default)s)")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/assembler", help="where packages are kept")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    return compare(options)


def compare(options: argparse.Namespace) -> int:
    """As the options say."""
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    with tempfile.TemporaryDirectory() as work:
        release = Release(options.release, options.store, Path(work) / "recipes")
        with place(release, Path(work) / "place") as there:
            order, aliases = (
                (there.root / "etc/dictd" / name).read_text() for name in ("dictd.order", "dictdconfig.alias")
            )
            for files, command in islice(drawn(options.seed, order, aliases), options.number):
                name = command.split(" ")[0]
                try:
                    found = evaluated(files, command, _DICTIONARIES[options.release])
                except Refused:
                    counts[f"{name}: refused"] += 1
                    continue
                real = there.real(files, command)
                counts[f"{name}: {'equal' if found == real else 'DIFFERENT'}"] += 1
                if found != real:
                    print(command, files, found, real, sep="\n  ")
                recorded.append(json.dumps([files, command, *real]))
    for text, number in sorted(counts.items()):
        print(f"{number:6} {text}")
    if options.record:
        RECORDED.write_text("".join(f"{line}\n" for line in recorded[:300]))
    return 1 if any("DIFFERENT" in text for text in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
