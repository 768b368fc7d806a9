"""Secrets that a script made up while the image was built, and that no node can make: they are the same on all nodes.

A hash in a database, a password in a file of settings: there is no command that would make another one. They are told
as warnings, so that somebody gives an answer, or a value, of their own. Which packages make one is known of some; of
others it is seen by what they left.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place
from assembler.tree.changes import Changes
from assembler.tree.content import read, size_of
from assembler.tree.staging import Kind


class SharedSecretError(AssembleError):
    """A secret that every node would have."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What the scripts of a package make up."""

    what: str
    paths: tuple[str, ...]
    """Shell patterns, in which * matches slashes too."""
    questions: tuple[str, ...] = ()
    """debconf's questions of which any, when it is answered, has them make up nothing."""


KNOWN: Mapping[str, MadeUp] = {
    "backuppc": MadeUp("the password of its web interface", ("/etc/backuppc/htpasswd",)),
    "bacula-common": MadeUp("passwords", ("/etc/bacula/common_default_passwords", "/etc/bacula/bacula-*.conf")),
    "heimdal-kdc": MadeUp(
        "the key of its database", ("/var/lib/heimdal-kdc/m-key", "/var/lib/heimdal-kdc/*"), ("heimdal-kdc/password",)
    ),
    "mailman3": MadeUp("the password of its interface for programs", ("/etc/mailman3/mailman.cfg",)),
    "mailman3-web": MadeUp("keys of its web interface", ("/etc/mailman3/mailman-web.py",)),
    "popularity-contest": MadeUp("the number by which it is told from others", ("/etc/popularity-contest.conf",)),
    "roundcube-core": MadeUp("the key of its sessions", ("/etc/roundcube/config.inc.php",)),
    "slapd": MadeUp(
        "the administrator's password", ("/etc/ldap/slapd.d/*", "/var/lib/ldap/*"), ("slapd/password1",)
    ),
}  # fmt: skip
"""By package; each was seen in its scripts, as trixie has them."""
_DBCONFIG = b"/usr/share/dbconfig-common/dpkg/"
"""What scripts read that have a database, and a user and password of it, made."""
_PASSWORDS = "/var/cache/debconf/passwords.dat"
_WHERE = ("/etc/", "/var/lib/", "/srv/", "/usr/local/etc/", "/root/")
_NOT_WHERE = ("/var/lib/dpkg/", "/var/lib/ucf/", "/etc/ssl/certs/", "/etc/ca-certificates")
_LARGEST = 1 << 18
"""Bytes of the largest file that is looked into: settings, not data."""
_MOST = 20
"""Files that are told."""
_HASH = re.compile(
    rb"\{(?:SSHA|SSHA256|SSHA512|SMD5|CRYPT|ARGON2)\}[A-Za-z0-9+/=$.,]{16}|:: e1NTSEF9"
    rb"|\$(?:y|gy|7|6|5|1|apr1|2[aby]|argon2id?)\$[A-Za-z0-9./,=$+-]{16}"
)
"""Hashes of passwords, as LDAP, crypt(5) and Apache have them; and the first of them in base64, as LDIF has it."""
_VALUE = re.compile(
    rb"^[ \t]*[^#;/*\s<\n][^\n=:]{0,60}?(?:pass(?:w(?:or)?d|wd|phrase)?|secret|cookie|token|key)"
    rb"[\w\]'\")]{0,20}[ \t]*(?:=>?|:)[ \t]*"
    rb"(?P<quote>['\"]?)(?P<value>[A-Za-z0-9+/_-]{16,256}={0,2})(?P=quote)[ \t]*[;,)]*[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Settings that are called like secrets, with a value of one word."""
_DATABASE = re.compile(rb"^dbc_dbpass=(['\"]?)[^'\"\n]+\1$", re.MULTILINE)
_DISTINCT = 9
"""Characters that are different in what was made up."""


def answered(selections: str) -> frozenset[str]:
    """The questions that the recipe's answers answer with something."""
    words = (line.split(maxsplit=3) for line in selections.splitlines())
    return frozenset(line[1] for line in words if len(line) == 4 and line[2] != "seen")


def expected(packages: Sequence[Unpacked], names: Collection[str], selections: str) -> Iterator[SharedSecretError]:
    """A warning for each of the packages `names`, which are executed, of which it is known before that their scripts
    make something up; the recipe answers `selections`.
    """
    given = answered(selections)
    for package in packages:
        if package.name not in names:
            continue
        known = KNOWN.get(package.name)
        if known and not given.intersection(known.questions):
            yield _told(known.what, Place(package=package.name, path=known.paths[0]), known.questions)
        if _has_database(package) and not any(_of_database(question, package.name) for question in given):
            path = f"/etc/dbconfig-common/{package.name}.conf"
            questions = (f"{package.name}/mysql/app-pass", f"{package.name}/pgsql/app-pass")
            what = "the password of its database, when it sets one up"
            yield _told(what, Place(package=package.name, path=path), questions)


def found(
    changes: Changes, shipped: Collection[str], names: Collection[str], selections: str
) -> list[SharedSecretError]:
    """A warning for each of the packages `names`, which were executed, that is known to have made something up, and for
    each other file in `changes` that has what looks like a secret. `shipped` are the paths of packages; the recipe
    answers `selections`.
    """
    given = answered(selections)
    known = {name: KNOWN[name] for name in sorted(names) if name in KNOWN}
    patterns = [pattern for each in known.values() for pattern in each.paths]
    errors = []
    for name, each in known.items():
        made = next((path for path in changes.put for pattern in each.paths if fnmatchcase(path, pattern)), "")
        if made and not given.intersection(each.questions):
            errors.append(_told(each.what, Place(package=name, path=made), each.questions))
    for owner, question in _kept(changes):
        if question not in given:
            errors.append(_told(f"an answer to {question}", Place(package=owner, path=_PASSWORDS), (question,)))
    # What the recipe gives may be anywhere, as a hash or as it is.
    secret = any(line.split(maxsplit=3)[2:3] == ["password"] for line in selections.splitlines())
    for path, entry in () if secret else changes.put.items():
        if entry.kind is not Kind.FILE or path in shipped or size_of(entry.content) > _LARGEST:
            continue
        if not path.startswith(_WHERE) or path.startswith(_NOT_WHERE):
            continue
        if not any(fnmatchcase(path, pattern) for pattern in patterns) and (what := _secret(read(entry.content))):
            errors.append(_told(what, Place(path=path)))
    return [*errors[:_MOST], *([_more(len(errors) - _MOST)] if len(errors) > _MOST else [])]


def _secret(data: bytes) -> str:
    """What in `data` looks like a secret, for people; empty for nothing."""
    if _DATABASE.search(data):
        return "the password of a database"
    if _HASH.search(data):
        return "the hash of a password"
    if any(made_up(match["value"]) for match in _VALUE.finditer(data)):
        return "what looks like a secret"
    return ""


def made_up(word: bytes) -> bool:
    """Whether a word looks as if nobody had written it: letters and digits, in no order."""
    letters = re.sub(rb"[^A-Za-z]", b"", word)
    mixed = letters != letters.lower() and letters != letters.upper()
    plain = re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}", word) is not None
    number = re.search(rb"[0-9]", word) is not None
    several = len(re.findall(rb"[0-9]+", word)) > 1
    return plain and number and len(set(word)) >= _DISTINCT and (mixed or several) and b"//" not in word


def _has_database(package: Unpacked) -> bool:
    return any(_DBCONFIG in package.control.get(script, b"") for script in ("config", "postinst"))


def _of_database(question: str, package: str) -> bool:
    """Whether it decides about the password of a package's database."""
    return question.startswith(f"{package}/") and question.endswith(("/app-pass", "/dbconfig-install"))


def _kept(changes: Changes) -> Iterator[tuple[str, str]]:
    """The owner and name of each question that has a value in debconf's database of passwords."""
    entry = changes.put.get(_PASSWORDS)
    if entry is None or entry.kind is not Kind.FILE or size_of(entry.content) > _LARGEST:
        return
    for paragraph in read(entry.content).decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in paragraph.splitlines())
        if fields.get("Value", "").strip():
            yield fields.get("Owners", "").partition(",")[0].strip(), fields.get("Name", "").strip()


def _more(count: int) -> SharedSecretError:
    return SharedSecretError(f"scripts made {count} more secrets, which every node of the image has")


def _told(what: str, where: Place, questions: Sequence[str] = ()) -> SharedSecretError:
    answer = f"answer {' or '.join(questions)} in rootfs.debconf.answers, or " if questions else ""
    return SharedSecretError(
        f"a script makes up {what}" if where.package else f"a script made {what}",
        where=where,
        why="every node of the image has the same",
        hint=f"{answer}give each node a value of its own",
    )
