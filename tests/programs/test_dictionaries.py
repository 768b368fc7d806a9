"""Packages of dictionaries are configured as dpkg does it: scripts/oracle compared, and values are from there.

What update-dictcommon-aspell and update-dictcommon-hunspell write is held against the real ones in test_in_perl.py.
"""

import pytest

from assembler.programs.context import ExecutionContext
from assembler.programs.debconf import FRONTEND
from assembler.programs.debconf_client import ask
from assembler.programs.dictionaries import Databases, described, dumped, parsed
from assembler.programs.packages_known import Fixed, known_by_text
from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused
from assembler.tree.staging import Kind, Tree
from tests.programs.test_debconf import OWN_LIBRARY
from tests.proofs.debconf import CONFIGURATION
from tests.support.scripts import run, with_programs
from tests.tree.disk import tree_of

INFO = "/var/lib/dpkg/info"
SELECT = "/usr/share/dictionaries-common/dc-debconf-select.pl"
FORM = """\
#!/usr/bin/perl -w
# What it is.
use Debconf::Client::ConfModule q(:all);

version ('2.0');

my $class  = "{kind}";
my $script = "/usr/share/dictionaries-common/dc-debconf-select.pl";

  # Indented.
if ( -e $script ){{
    require $script;
    dc_debconf_select($class);
}}
"""
STANDALONE = (
    FORM.format(kind="wordlist")
    .replace("if ( -e $script )", "if ( -e $script && -e $has_elanguages )")
    .replace('pl";\n', 'pl";\nmy $has_elanguages = "/usr/share/dictionaries-common/elanguages";\n')
)
QUESTIONS = "".join(
    f"Template: dictionaries-common/default-{kind}\nType: select\nChoices-C: ${{choices}}, Manual symlink setting\n"
    "Choices: ${echoices}, Manual symlink setting\nDescription: Default?\n\n"
    for kind in ("ispell", "wordlist")
)
TRIGGERED = (
    'if [ "$1" = triggered ]; then for one in $2; do $one --triggered; done; else\n'
    "update-dictcommon-aspell; update-dictcommon-hunspell; update-default-wordlist; update-default-ispell; fi\n"
)
RECORDS = {
    "wamerican": "Language: american (American English)\nHash-Name: american-english\n",
    "wfrench": "Language: francais (French)\nHash-Name: french\nCoding-System: utf-8\n",
    "iswedish": (
        "Language: svenska (Swedish)\nHash-Name: swedish\nEmacsen-Name: svenska\nOthercharS: [']\n"
        "Casechars: [A-Z\\345]\nExtended-Character-Mode: ~list\nIspell-Args: -C\nAdditionalchars: \xe5\n"
    ),
    "wother": "Language: other (Other)\nHash-Name: other\n",
}


def tree_with(*names: str, common: bool = True) -> Tree:
    """A tree with debconf, packages of dictionaries and, maybe, dictionaries-common."""
    files = {"/etc/debconf.conf": CONFIGURATION, "/var/cache/": "", "/usr/bin/perl": "", "/tmp/": ""}
    if common:
        files |= dict.fromkeys((SELECT, SELECT.replace("select", "default-value"), "/var/lib/aspell/README"), "")
        files |= {"/var/cache/dictionaries-common/": "", "/etc/dictionaries-common/": "", "/var/lib/ispell/README": ""}
        files |= {"/usr/share/dict/README": "", "/usr/lib/ispell/README": ""}
    tree = with_programs(tree_of(files))
    for program in (FRONTEND, "/bin/sh"):
        tree.write(program, b"", 0o755, parents=True)
    if common:
        _package(tree, "dictionaries-common", QUESTIONS, "#!/usr/bin/perl -w\n", TRIGGERED)
    for name in names:
        kind = "ispell" if name.startswith("i") else "wordlist"
        language, hash_name = (line.partition(": ")[2] for line in RECORDS[name].split("\n")[:2])
        stanzas = (
            f"Template: shared/packages-{kind}\nType: text\nDescription:\n\n"
            f"Template: {name}/languages\nType: text\nDefault: {language}\nDescription:\n"
        )
        config = STANDALONE if name == "wamerican" else FORM.format(kind=kind)
        script = f"if command -v update-default-{kind} >/dev/null; then update-default-{kind} --rebuild; fi\n"
        _package(tree, name, stanzas, config, script if common else "")
        record = RECORDS[name].encode("latin-1")
        tree.write(f"/var/lib/dictionaries-common/{kind}/{name}", record, parents=True)
        if common:
            ends = (".hash", ".aff") if kind == "ispell" else ("",)
            for end in ends:
                tree.write(f"{'/usr/lib/ispell' if kind == 'ispell' else '/usr/share/dict'}/{hash_name}{end}", b"")
    return tree


def _package(tree: Tree, name: str, templates: str, config: str, postinst: str) -> None:
    for kind, text in (("templates", templates), ("config", config), ("postinst", OWN_LIBRARY + postinst)):
        head = "#!/bin/sh\nset -e\n" if kind == "postinst" else ""
        tree.write(f"{INFO}/{name}.{kind}", (head + text).encode(), 0o755, parents=True)


def configured(tree: Tree, *names: str, version: str = "1.30.10", triggered: bool = True) -> list[str]:
    """Configure packages, and carry the triggers out that they activate, which are returned. Raises Refused."""
    status = f"Package: dictionaries-common\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n"
    context = ExecutionContext(tree, "amd64", package="pkg", packages=Fixed("amd64", known_by_text(status)))
    for name in names:
        assert run(f"{FRONTEND} {INFO}/{name}.postinst configure ''\n", tree, context=context) == 0
    if triggered:
        words = " ".join(name for name in context.triggers if name.startswith("update-default"))
        script = f"{FRONTEND} {INFO}/dictionaries-common.postinst triggered '{words}'\n"
        assert run(script, tree, context=context) == 0
    return context.triggers


def test_word_lists_and_a_dictionary_with_dictionaries_common() -> None:
    names = ("wamerican", "wfrench", "iswedish")
    tree = tree_with(*names)
    triggers = configured(tree, "dictionaries-common", *names)
    assert triggers == ["aspell-autobuildhash", "update-default-wordlist", "update-default-ispell"]
    links = {
        "/etc/dictionaries-common/words": "/usr/share/dict/american-english",
        "/etc/dictionaries-common/default.hash": "/usr/lib/ispell/swedish.hash",
        "/etc/dictionaries-common/default.aff": "/usr/lib/ispell/swedish.aff",
        "/etc/dictionaries-common/ispell-default": "/var/cache/dictionaries-common/ispell-default",
        "/usr/share/dict/words": "/etc/dictionaries-common/words",
        "/usr/lib/ispell/default.hash": "/etc/dictionaries-common/default.hash",
    }
    assert {path: tree.at(path).target for path in links} == links
    cache = "/var/cache/dictionaries-common"
    assert tree.read_text(f"{cache}/wordlist-default") == "american (American English)"
    assert tree.read_text(f"{cache}/ispell-default") == "svenska (Swedish)"
    assert tree.read_text(f"{cache}/ispell-dicts-list.txt") == "svenska (Swedish)\n"
    assert tree.read_text(f"{cache}/emacsen-ispell-default.el").endswith('ispell-dictionary "svenska")\n')
    assert b"'Swedish (ispell)' => 'ispell -a -d swedish -w \xe5 -T list -C'" in tree.read(f"{cache}/sqspell.php")
    assert b'"svenska",\n    "swedish",\n    "\xe5",\n    "\'",\n    "~list",\n    "-C");' in tree.read(
        f"{cache}/jed-ispell-dicts.sl"
    )
    assert '("-C" "-d" "swedish")\n     "~list"\n     nil))' in tree.read_text(f"{cache}/emacsen-ispell-dicts.el")
    assert not [name for name in tree.names(cache) if name.startswith("flag")]
    database = tree.read_text("/var/cache/debconf/config.dat")
    assert (
        "Name: dictionaries-common/default-wordlist\nTemplate: dictionaries-common/default-wordlist\n"
        "Value: american (American English)\nOwners: dictionaries-common\nVariables:\n"
        " choices = american (American English), francais (French)\n"
        " echoices = american (American English), francais (French)\n"
    ) in database


def test_the_older_one_knows_no_enchant() -> None:
    texts = []
    for version in ("1.29.5", "1.31.4"):
        tree = tree_with("iswedish")
        configured(tree, "dictionaries-common", "iswedish", version=version)
        texts.append(tree.read_text("/var/cache/dictionaries-common/emacsen-ispell-dicts.el"))
    assert ["enchant" in text for text in texts] == [False, True]


@pytest.mark.parametrize("version", ["1.28.1", "1.30.2"])
def test_a_version_that_nobody_has_read_is_refused(version: str) -> None:
    with pytest.raises(Refused):
        configured(tree_with("wfrench"), "dictionaries-common", "wfrench", version=version)


def test_without_dictionaries_common_only_a_version_is_asked() -> None:
    tree = tree_with("wamerican", common=False)
    configured(tree, "wamerican", triggered=False)
    assert "default-wordlist" not in tree.read_text("/var/cache/debconf/config.dat")
    assert "shared/packages-wordlist" in tree.read_text("/var/cache/debconf/config.dat")


def test_one_that_is_configured_before_dictionaries_common_is_the_default_all_the_same() -> None:
    tree = tree_with("wamerican")
    tree.write("/usr/share/dictionaries-common/elanguages", b"")
    configured(tree, "wamerican", "dictionaries-common")
    assert tree.read_text("/var/cache/dictionaries-common/wordlist-default") == "american (American English)"


def test_one_that_no_locale_has_is_the_first_choice() -> None:
    tree = tree_with("wother")
    configured(tree, "dictionaries-common", "wother")
    assert tree.at("/etc/dictionaries-common/words").target == "/usr/share/dict/other"


def norwegian() -> Tree:
    tree = tree_with("wother")
    variant = "wother/whichvariant"
    tail = (
        'if (-l "/etc/dictionaries-common/norsk") {\n  my $lang = readlink "/etc/dictionaries-common/norsk";\n'
        f'  $lang =~ s|^.*/||;\n  set("{variant}", $lang);\n}}\n'
        f'if (get("{variant}")){{\n  input ("medium","{variant}");\n  go();\n}}\n'
    )
    config, templates = (f"{INFO}/wother.{kind}" for kind in ("config", "templates"))
    tree.write(config, (tree.read_text(config).replace(" -w\n", "\n", 1) + tail).encode())
    more = (
        f"\nTemplate: {variant}\nType: select\nChoices: nynorsk, bokm\xe5l\nDefault: bokm\xe5l\nDescription: Which?\n"
    )
    tree.write(templates, (tree.read_text(templates) + more).encode())
    for path in ("/var/lib/dictionaries-common/wordlist/wother", "/usr/share/dict/bokm\xe5l"):
        tree.write(path, "Language: other (Other)\nHash-Name: bokm\xe5l\n".encode())
    return tree


def test_a_variant_of_norwegian_is_asked() -> None:
    tree = norwegian()
    configured(tree, "dictionaries-common", "wother")
    assert "Name: wother/whichvariant\nTemplate: wother/whichvariant\nValue: bokm\xe5l\n" in tree.read_text(
        "/var/cache/debconf/config.dat"
    )
    assert tree.at("/etc/dictionaries-common/words").target == "/usr/share/dict/bokm\xe5l"
    tree = norwegian()
    tree.symlink("/usr/share/dict/nynorsk", "/etc/dictionaries-common/norsk")
    with pytest.raises(Refused):
        configured(tree, "dictionaries-common", "wother")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dc_debconf_select($class);\n", "dc_debconf_select($class);\n    print 1;\n"),
        ('"wordlist"', '"aspell"'),
        ("/usr/bin/perl -w", "/usr/bin/perl -T"),
        ("version ('2.0');", "version ('2.0');\n#!/usr/bin/perl -w"),
        ("  # Indented.\n", "=pod\n"),
    ],
)
def test_another_program_in_perl_is_refused(old: str, new: str) -> None:
    tree = tree_with("wfrench")
    text = tree.read_text(f"{INFO}/wfrench.config")
    assert old in text
    tree.write(f"{INFO}/wfrench.config", text.replace(old, new).encode())
    with pytest.raises(Refused):
        configured(tree, "dictionaries-common", "wfrench")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"/var/lib/ispell/svenska.compat": "", "/usr/share/ispell/ispell.compat": "3.4\n"}, ["iswedish"]),
        ({"/var/lib/ispell/svenska.compat": "", "/usr/bin/ispell": ""}, ["iswedish"]),
        ({"/var/lib/ispell/gone.remove": "/usr/lib/ispell/gone.hash\n"}, ["iswedish"]),
        ({"/etc/alternatives/dictionary": "x"}, ["wfrench"]),
        ({"/var/lib/dictionaries-common/wordlist/more": "Language: FRANCAIS (French)\nHash-Name: x\n"}, ["wother"]),
        ({"/var/lib/dictionaries-common/wordlist/more": "Hash-Name: x\n"}, ["wfrench"]),
    ],
)
def test_what_is_refused(files: dict[str, str], names: list[str]) -> None:
    tree = tree_with(*names)
    for path, text in files.items():
        tree.write(path, text.encode(), 0o755, parents=True)
    if "more" in " ".join(files) and names == ["wother"]:
        tree.write("/var/lib/dictionaries-common/wordlist/wother", b"Language: francais (French)\nHash-Name: y\n")
    with pytest.raises(Refused):
        configured(tree, "dictionaries-common", *names)


def test_hashes_that_are_there_are_not_made_again() -> None:
    tree = tree_with("iswedish")
    for path in ("/var/lib/ispell/svenska.compat", "/usr/share/ispell/ispell.compat"):
        tree.write(path, b"3.4\n", parents=True)
    tree.write("/var/lib/aspell/sv.compat", b"")
    configured(tree, "dictionaries-common", "iswedish")
    assert tree.at("/etc/dictionaries-common/default.hash").kind is Kind.SYMLINK
    assert run("aspell-autobuildhash --triggered\n", tree) == 0
    tree.write("/usr/bin/aspell", b"", 0o755)
    with pytest.raises(Refused):
        run("aspell-autobuildhash --triggered\n", tree)


def test_a_database_is_read_as_it_is_written() -> None:
    records = described("Language: x'y\\\nHash-Name: h\nODD:  it's \\\n\n\n\nlanguage: z\nhash-name: i\nempty:\n")
    assert records == {"x'y\\": {"hash-name": "h", "odd": "it's \\"}, "z": {"hash-name": "i"}}
    assert parsed(dumped(records)) == records
    tree = tree_of({"/var/cache/dictionaries-common/aspell.db": dumped(records).replace("'z'", '"z"')})
    with pytest.raises(Refused):
        Databases(process(tree), old=False).load("aspell")
    assert Databases(process(tree), old=False).load("hunspell") == {}


def process(tree: Tree, answer: bytes = b"", **environment: str) -> Process:
    pipe = Pipe(Budget())
    pipe.write(answer)
    return Process(tree, [], environment, "/", 0o022, {0: pipe, 1: NOWHERE}, Budget())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b"0 a b\n", ("0", "a b")), (b"10\n", ("10", "")), (b"1 a\\nb\\\\n\n", ("0", "a\nb\\n")), (b"0 \n", ("0", ""))],
)
def test_answers_of_debconf(answer: bytes, expected: tuple[str, str]) -> None:
    assert ask(process(Tree(), answer, DEBIAN_HAS_FRONTEND="1"), "GET", "x") == expected


def test_debconf_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused):
        ask(process(Tree(), b"0 a\n"), "GET", "x")
    with pytest.raises(Refused):
        ask(process(Tree(), b"0 a", DEBIAN_HAS_FRONTEND="1"), "GET", "x")
    with pytest.raises(Refused):
        ask(process(Tree(), b"0 a\n", DEBIAN_HAS_FRONTEND="1", DEBCONF_REDIR="1"), "GET", "x")
