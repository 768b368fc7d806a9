"""The shapes of strings in a recipe: each a pattern, what it is called, and what to write instead.

One annotation serves the validation (with an error for people) and the JSON Schema (with the pattern for editors).
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from assembler import architecture, releases
from assembler.addresses import without_logins
from assembler.recipe.names import DIRECTORY, FILE_PATH, WORD

REFERENCE = r"\$\{[A-Z][A-Z0-9_]*\}"
"""A reference to an argument, which the JSON Schema allows in any string; see arguments.py."""

SHAPE_ERROR = "shape"
"""The type of the validation errors raised here; their context has `hint`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Annotates a `str`: it has to match `pattern` as a whole."""

    pattern: str
    """A regular expression that Python and ECMA 262 read alike, without anchors."""
    name: str
    """What such a string is, with its article: "a host name"."""
    hint: str
    """What is right, for someone whose value is wrong."""
    secret: bool = False
    """Whether a wrong value must not be shown."""

    def check(self, value: str) -> str:
        """`value` itself when it has the shape; PydanticCustomError otherwise."""
        if re.fullmatch(self.pattern, value) is None:
            shown = "the value" if self.secret else quoted(value)
            raise PydanticCustomError(
                SHAPE_ERROR, "{value} is not {name}", {"value": shown, "name": self.name, "hint": self.hint}
            )
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$|{REFERENCE}"}


def quoted(value: str) -> str:
    """A user's text as it may stand in a one-line message: quoted, without controls and logins, not endless."""
    start = without_logins(value)[:61]  # of one with millions of characters
    text = "".join(one if one.isprintable() else repr(one)[1:-1] for one in start)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PATH = r"(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+)+"
_HASH = r"[\x22#%-)+-9<-\x5b\x5d-~]"
"""A character of a hash but ``$``: crypt(5) leaves out space, ``!``, ``*``, ``:``, ``;`` and the backslash."""
_OF_RELEASE = r"[A-Za-z0-9][A-Za-z0-9 .:+~_/*?-]*|\*"
MODE = r"0?[0-7]{3,4}"
ACCOUNT = r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}"

PackageName = Annotated[
    str,
    Shape(
        r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?",
        "a package name",
        "lower-case letters, digits and + - . only, at least two characters; versions are chosen by the lock",
    ),
]
"""A binary package name (Debian policy 5.6.7), with an optional architecture."""


class _Request(Shape):
    """The same for requests of packages, among which people put files as apt-get takes them."""

    __slots__ = ()

    def check(self, value: str) -> str:
        if re.fullmatch(r"(?:\.{0,2}/|[^:]*://).*|.*\.deb", value, re.DOTALL):
            given = "url and sha256" if "://" in value else "path"
            hint = f"name a .deb in [[debian.debs]], by {given}; what is named there is installed"
            raise PydanticCustomError(
                SHAPE_ERROR, "{value} is not {name}", {"value": quoted(value), "name": self.name, "hint": hint}
            )
        return Shape.check(self, value)


PackageRequest = Annotated[
    str,
    _Request(
        r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[0-9A-Za-z.+~:*-]+|/[A-Za-z0-9][A-Za-z0-9.+_~-]*)?",
        "a package name",
        "lower-case letters, digits and + - . only, at least two characters; then perhaps /SUITE or =VERSION",
    ),
]
"""A binary package, perhaps with an architecture, and with the version or the suite that it shall come from."""

ArchiveAddress = Annotated[
    str,
    Shape(
        r"https?://[^/\s]+(?:/\S*)?|file:(?://)?/[^/\s]\S*",
        "an archive's address",
        "begin with https://, http:// or file:///",
    ),
]
"""The root of an archive of packages."""

Suite = Annotated[
    str,
    Shape(
        f"{WORD}|{DIRECTORY}",
        "a suite",
        "a name, or the directory of a flat archive with a slash at its end, ./ for its root",
    ),
]
"""A suite of an archive, or the directory of a flat one."""

Component = Annotated[str, Shape(WORD, "a component", "a name, as main")]
"""A component of an archive."""

ArchivePart = Annotated[str, Shape(r"[a-z0-9][a-z0-9-]*", "an architecture", "Debian's name of it, or all")]
"""An architecture of an archive."""

SignedBy = Annotated[
    str,
    Shape(
        r"[^\x00]{0,262144}",
        "who signs an archive",
        "fingerprints, certificates in ASCII armor, or a file with certificates",
    ),
]
"""Who may sign an archive."""

DebPath = Annotated[
    str, Shape(FILE_PATH, "a path below a directory", "printable ASCII, relative, without . and .. in between")
]
"""Where a .deb is below its directory."""

PackagesPinned = Annotated[
    str,
    Shape(
        r"(?=.{1,200}$)(?:src:)?[a-z0-9*?][a-z0-9+.*?-]*",
        "a name of packages",
        "a package's name, or src: and that of a source package, with * and ? for what may stand there",
    ),
]
"""What a pin is for."""

PinnedTo = Annotated[
    str,
    Shape(
        r"(?=.{1,300}$)(?:"
        rf"release (?:\*|[a-z0-9*?][a-z0-9.*?/-]*|[anvolc]=(?:{_OF_RELEASE})(?: *, *[anvolc]=(?:{_OF_RELEASE}))*)"
        r"|version [0-9A-Za-z.+~:*?-]+"
        r'|origin (?:"[a-z0-9.*?-]*"|[a-z0-9.*?-]+))',
        "what apt_preferences(5) has after Pin:",
        "as `release a=stable`, `version 5.10*` or `origin packages.example.org`",
    ),
]
"""Which versions a pin is for."""

if TYPE_CHECKING:
    ArchitectureName = str
    ReleaseName = str
else:  # which type checkers cannot know
    ArchitectureName = Literal[architecture.NAMES]
    ReleaseName = Literal[tuple(releases.RELEASES)]
"""Debian's name of an architecture, and of a release; see architecture.py and releases.py."""

PackageOfImage = Annotated[
    str,
    Shape(
        r"[a-z0-9][a-z0-9+.-]+",
        "a package",
        "a package's name alone: lower-case letters, digits and + - . only, at least two characters",
    ),
]
"""A binary package's name without an architecture, as debconf knows the owners of questions."""

Question = Annotated[
    str,
    Shape(
        r"(?!#)[!-~]{1,200}", "a question", "a debconf question's name without spaces, as 'postfix/main_mailer_type'"
    ),
]
"""Name of a debconf question (debconf-devel(7))."""

Answered = Annotated[
    str,
    Shape(
        r"(?:[^\x00-\x1f\x7f]{0,4095}[^\x00-\x1f\x7f\\])?",
        "an answer",
        "one line of at most 4096 characters, as debconf-set-selections(1) takes it, which does not end in a backslash",
        secret=True,
    ),
]
"""A value of a debconf question as text."""

EnvironmentName = Annotated[
    str,
    Shape(
        r"(?!ASSEMBLE_|SOURCE_DATE_EPOCH$)[A-Za-z_][A-Za-z0-9_]{0,199}",
        "a variable of one's own",
        "letters, digits and underscores; SOURCE_DATE_EPOCH and names that begin with ASSEMBLE_ are set by the build",
    ),
]
"""Name of an environment variable that a recipe sets."""

EnvironmentValue = Annotated[
    str, Shape(r"[^\x00]{0,32767}", "a variable's value", "text of at most 32767 characters, without NUL")
]
"""Value of an environment variable; Linux takes strings of up to 128 KiB (MAX_ARG_STRLEN)."""

StepName = Annotated[
    str, Shape(r"|[^\x00-\x1f\x7f]{1,100}", "a name for messages", "one line of at most 100 characters")
]
"""What messages call a step of a recipe, or nothing."""

ScriptText = Annotated[
    str, Shape(r"[^\x00]*[^\x00\s][^\x00]*", "a script", "text with at least one command, without NUL")
]
"""Text of a script."""

BroughtPath = Annotated[
    str,
    Shape(
        r"(?!/)(?:(?:^|/)(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]{1,255}){1,100}",
        "a relative path",
        "names separated by /, without . and .. and empty ones",
    ),
]
"""Where a file is that a step of a recipe brings along, below `ASSEMBLE_FILES`."""

Label = Annotated[str, Shape(r"[A-Z0-9_]{1,16}", "a volume label", "1 to 16 of A-Z, 0-9 and _")]
"""A volume label that ISO 9660 and ext4 both hold."""

FileMode = Annotated[str, Shape(MODE, "a file mode", "octal permission bits in quotes, as '0644'")]
"""Permission bits in octal, as ``0644``."""

ImagePath = Annotated[
    str,
    Shape(PATH, "an absolute path in the image", "begin with /, end with a name, and use no . or .. in between"),
]
"""An absolute path in the image, without ``.``, ``..``, empty parts or control characters."""

PathPattern = Annotated[
    str,
    Shape(
        r"/[^\x00-\x1f\x7f]{0,4095}",
        "a path pattern",
        "patterns are absolute: begin with /; * matches / too, as in dpkg",
    ),
]
"""A shell pattern over absolute paths, as dpkg's ``path-exclude``."""

HostName = Annotated[
    str,
    Shape(
        rf"(?=.{{1,64}}$){_LABEL}(?:\.{_LABEL})*",
        "a host name",
        "letters, digits and inner hyphens, labels of at most 63 separated by dots, 64 in all (RFC 1123)",
    ),
]
"""A host name (RFC 1123, 2.1), no longer than Linux takes (HOST_NAME_MAX, 64)."""

Password = Annotated[
    str,
    Shape(
        # A hash as in crypt(5): identifier, then salt and hash, perhaps with parameters before them, of the characters
        # that crypt(5) has. Else a password, but for what means in shadow(5) that there is none: which of the two is
        # meant cannot be told, and a guess would either lock the account or open it.
        rf"\$(?:y|gy|7|2[aby]|6|5|sha1|1)\${_HASH}{{0,99}}\$(?:{_HASH}|\$){{0,299}}[./A-Za-z0-9]{{16}}"
        r"|!"
        r"|(?!(?:!+|!?\*+|\*LK\*|\*NP\*|[!*]+\$.*)$)[^\x00-\x1f\x7f$][^\x00-\x1f\x7f]{0,510}",
        "a password",
        "a crypt(5) hash as mkpasswd prints ($y$...); the password itself, not empty, one line of at most 511 "
        "characters, no leading $, none of shadow's marks for locked accounts; or '!' for none",
        secret=True,
    ),
]
"""A crypt(5) hash, a password in clear, or ``!``."""

Locale = Annotated[
    str,
    Shape(
        r"(?:C|POSIX|[a-z]{2,3}_[A-Z]{2})(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?",
        "a locale",
        "as C.UTF-8 or en_GB.UTF-8",
    ),
]
"""A locale name, as setlocale(3) takes it."""

TimeZone = Annotated[
    str,
    Shape(
        r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}",
        "a time zone",
        "a name of the tz database, as Etc/UTC or Europe/Berlin",
    ),
]
"""A zone of the tz database by name; that the image has it is checked when the image is made."""

UnitName = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\-]*)?"
        r"\.(?:service|socket|target|timer|path|mount|automount|swap|slice|device|scope)",
        "a systemd unit",
        "with its suffix, as ssh.service",
    ),
]
"""A systemd unit's full name (systemd.unit(5))."""

Account = Annotated[str, Shape(ACCOUNT, "an account", "a name as in the image's passwd or group, or its number")]
"""A user or group, by name or number."""

Url = Annotated[
    str,
    Shape(r"|https?://[^\s]+", "a URL", "begin with https:// or http://"),
]
"""A base URL, or nothing."""

Sha256 = Annotated[
    str, Shape(r"|[0-9a-f]{64}", "a SHA-256", "64 hexadecimal digits in lower case, as sha256sum prints")
]
"""A SHA-256 in hex, or nothing."""

UpstreamVersion = Annotated[
    str, Shape(r"|[0-9][0-9A-Za-z.+~-]*", "a version", "as 2.3.4, without the v that stands before it elsewhere")
]
"""A publisher's version of something, or nothing."""

KubernetesVersion = Annotated[
    str, Shape(r"1\.[0-9]{2}(?:\.[0-9]{1,2})?", "a version of Kubernetes", "as 1.36, or 1.36.4 for one patch of it")
]
"""A minor version or a patch of Kubernetes."""

ImageReference = Annotated[
    str,
    Shape(
        r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._-]|__)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._-]|__)[a-z0-9]+)*)*"
        r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "the name of a container image",
        "as registry.example/name:tag, or with @sha256: and a digest",
    ),
]
"""A reference to a container image (OCI distribution specification, and Docker's short names)."""

StateDisk = Annotated[
    str,
    Shape(
        r"none|(?:auto|LABEL=[A-Za-z0-9_.:+@=#-]{1,16}|PARTLABEL=[A-Za-z0-9_.:+@=#-]{1,36}|(?:PART)?UUID=[0-9A-Fa-f-]{4,36}"
        r"|(?:ID|SERIAL|serial)=[A-Za-z0-9_.:+@=#-]{1,255}|/dev/[A-Za-z0-9_./:+@=#-]{1,250})(?:,required)?",
        "a state disk",
        "auto, none, LABEL=..., UUID=..., PARTLABEL=..., PARTUUID=..., ID=..., SERIAL=... or /dev/..., "
        "and all but none with ,required behind it",
    ),
]
"""A value of ``livecd.state=``; `is_name` in initramfs/lib/names.sh says the same of names."""

Size = Annotated[
    str,
    Shape(r"|[1-9][0-9]{0,5}[MGT]", "a size", "a number and its unit, as '900M', '8G' or '1T' (powers of 1024)"),
]
"""A number of bytes with a unit, or nothing; see :func:`in_bytes`."""

FirmwareName = Annotated[
    str,
    Shape(
        r"(?!/)(?:(?:^|/)(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]{1,255}){1,20}",
        "a file of firmware",
        "its path below /usr/lib/firmware, as modinfo has it; * matches / too",
    ),
]
"""Name or pattern of firmware, below its directory."""

KernelParameter = Annotated[
    str,
    Shape(
        r'(?:[!#-~]|"[ !#-~]*")+',
        "a kernel parameter",
        'printable ASCII on one line, with double quotes in pairs around spaces: name="a b"',
    ),
]
"""A parameter for the kernel's command line."""

ImageName = Annotated[str, Shape(r"[a-z0-9][a-z0-9-]*", "an image name", "lower-case letters, digits and hyphens")]
"""Name of an image, and the stem of its files."""

PROFILE_NAME = Shape(
    r"[a-z0-9][a-z0-9-]{0,62}", "a profile's name", "lower-case letters, digits and hyphens, at most 63"
)
"""Name of a profile of a recipe, which comes into the image's."""

ArgumentName = Annotated[
    str, Shape(r"[A-Z][A-Z0-9_]*", "an argument name", "upper-case letters, digits and underscores")
]
"""Name of an argument."""

PublicKey = Annotated[
    str,
    Shape(
        r"(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
        r" +[A-Za-z0-9+/]+={0,3}(?: +[^\x00-\x1f\x7f]*)?",
        "a public SSH key",
        "the one line of a .pub file, as 'ssh-ed25519 AAAA... comment'",
    ),
]
"""An OpenSSH public key; see :mod:`assembler.layers.cloudinit` for what is checked beyond its shape."""


def in_bytes(size: str) -> int:
    """The bytes of a `Size` that is not empty."""
    return int(size[:-1]) << {"M": 20, "G": 30, "T": 40}[size[-1]]
