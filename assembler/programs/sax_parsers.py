"""update-perl-sax-parsers(8) of libxml-sax-perl 1.02, a program in perl: which parsers of XML perl has, in one file.

What a parser can do is what its module says, which is loaded for that. Known are those whose text is that of Debian 12,
13 and testing.
"""

import hashlib
import posixpath
import re

from assembler.programs.inputs import Failure, content_of, look, options_of
from assembler.shell.process import Process, Program, as_path, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

_DIRECTORY = "/var/lib/libxml-sax-perl/ParserDetails.d"
_FILE = "/etc/perl/XML/SAX/ParserDetails.ini"
_SUMS = "/var/lib/libxml-sax-perl/ParserDetails.ini.md5sum"
_TEMPORARY = "/tmp/aaaaaaaaaa"  # noqa: S108  the image's; perl's own is random, and is removed
_NAMESPACES = "http://xml.org/sax/features/namespaces"
_ENTITIES = (
    "http://xml.org/sax/features/external-general-entities", "http://xml.org/sax/features/external-parameter-entities",
)  # fmt: skip
_MORE = (
    "http://xml.org/sax/features/xmlns-uris", "http://xmlns.perl.org/sax/join-character-data",
    "http://xmlns.perl.org/sax/locator", "http://xmlns.perl.org/sax/ns-attributes",
    "http://xmlns.perl.org/sax/recstring", "http://xmlns.perl.org/sax/version-2.1",
    "http://xmlns.perl.org/sax/xmlns-uris",
)  # fmt: skip
PARSERS = {
    "XML::SAX::PurePerl": ("26881a3b42b2b902d906ad6b951ce20c8c6d8a7e8ed91d5a59bced95abf02902", (_NAMESPACES,)),
    "XML::LibXML::SAX::Parser": ("2c4b58a4cbf1e151f66cb7f4096932c934cb2f40b90345c0832d0cc25bcc5eee", (_NAMESPACES,)),
    "XML::LibXML::SAX": ("e8242573cd160b27b3b2c61c4e75b7e9c95ab9d77c3a69b955cf779b7b33d60a", (_NAMESPACES,)),
    "XML::SAX::Expat": ("d67c71cd5cb987ef6c91cf0560669a93f812ecb52d3510be6b59f858329fb5ca", (*_ENTITIES, _NAMESPACES)),
    "XML::SAX::ExpatXS": (
        "922198804fd1042e4a40699e7a68717009bfefb55d6b97c8cffac93a23a9b302",
        (*_ENTITIES, _NAMESPACES, *_MORE),
    ),
}
"""By module: the SHA-256 of its text, and what it can do."""


def update_perl_sax_parsers(process: Process) -> int:
    """``update-perl-sax-parsers --add MODULE [--priority NUMBER]``, ``--remove`` likewise, and ``--update``."""
    options, names = options_of(process, "add= remove= update quiet priority=")
    actions = {"add", "remove", "update"} & options.keys()
    priority = options.get("priority", "50")
    odd = names or len(actions) != 1 or not re.fullmatch("[1-9][0-9]?", priority)
    if odd or {"TMPDIR", "PERL5LIB", "PERL5OPT", "HARNESS_ACTIVE"} & process.environment.keys():
        raise Refused("update-perl-sax-parsers with these arguments", why=" ".join(process.arguments))
    if not process.tree.is_dir(_DIRECTORY):
        raise Refused("update-perl-sax-parsers without its directory")
    quiet = "quiet" in options
    if "update" in actions:
        _say(process, "Updating overall Perl SAX parser modules info file...", quiet=quiet)
        _update(process)
        return 0
    action = actions.pop()
    module = options[action]
    path = f"{_DIRECTORY}/{priority}-{module}"
    if module not in PARSERS:
        raise Refused("a parser of XML that is not known", why=module)
    said = "Registering" if action == "add" else "Unregistering"
    _say(process, f"{said} Perl SAX parser {module} with priority {priority}...", quiet=quiet)
    if action == "remove":
        process.tree.discard(path)
        return 0
    digest, features = PARSERS[module]
    if hashlib.sha256(_text_of(process, module)).hexdigest() != digest:
        raise Refused("a parser of XML in another version", why=module)
    text = f"[{module}]\n" + "".join(f"{feature} = 1\n" for feature in features) + "\n\n"
    process.tree.discard(path)
    process.tree.write(path, text.encode(), 0o666 & ~process.umask)
    return 0


def _say(process: Process, text: str, *, quiet: bool) -> None:
    if not quiet:
        process.print(f"update-perl-sax-parsers: {text}\n")


def _text_of(process: Process, module: str) -> bytes:
    """The text of a module where perl looks for it. Raises Refused where there is none, or one of the machine's own."""
    tree = process.tree
    name = module.replace("::", "/") + ".pm"
    local = [f"/usr/local/{place}" for place in ("share/perl", "lib/site_perl")]
    local += [f"/usr/local/lib/{name}/perl" for name in tree.names("/usr/local/lib")]
    if any(map(tree.lexists, (*local, "/etc/perl/XML/SAX.pm", f"/etc/perl/{name}"))):
        raise Refused("modules of perl that are not Debian's", why=module)
    found = [f"/usr/share/perl5/{name}"]
    for triplet in tree.names("/usr/lib"):
        place = f"/usr/lib/{triplet}/perl5"
        found += [f"{place}/{version}/{name}" for version in tree.names(place)] if tree.is_dir(place) else []
    there = [path for path in found if tree.is_file(path)]
    if len(there) != 1:
        raise Refused("a parser of XML whose module is not there", why=module)
    return content_of(process, as_text(there[0]))


def _update(process: Process) -> None:
    """Put all together, as a file that ucf takes."""
    tree = process.tree
    names = sorted(tree.names(_DIRECTORY), key=lambda name: as_text(name).encode("latin-1"))
    text = b""
    for name in names:
        path = posixpath.join(_DIRECTORY, name)
        inode = look(process, as_text(path)).inode
        if inode is None or inode.kind is not Kind.FILE:
            raise Refused("what is no file among parsers of XML", why=as_text(name))
        try:
            text += content_of(process, as_text(path))
        except Failure as error:
            raise Refused("a parser of XML that cannot be read", why=as_text(name)) from error
    temporary = as_path(_TEMPORARY)
    if tree.lexists(temporary) or not tree.is_dir(posixpath.dirname(temporary)):
        raise Refused("update-perl-sax-parsers without a temporary file")
    tree.write(temporary, text, 0o644)
    words = ["ucf", "--debconf-ok", "--sum-file", _SUMS, _TEMPORARY, _FILE]
    process.call(words, process.environment, process.streams)
    if not tree.lexists(temporary):
        raise Refused("a temporary file is gone", why=_TEMPORARY)
    tree.discard(temporary)


PROGRAMS: dict[str, Program] = {"update-perl-sax-parsers": update_perl_sax_parsers}
"""Programs by name."""
