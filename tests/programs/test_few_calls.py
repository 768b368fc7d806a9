"""Programs of which scripts make few calls print what the real ones printed."""

import hashlib

import pytest

from assembler.programs import sax_parsers
from assembler.programs.capabilities import XATTR
from assembler.programs.context import ExecutionContext
from assembler.programs.tmpfiles import tmpfiles_create
from assembler.shell.streams import Refused
from tests.support.scripts import run
from tests.tree.disk import tree_of

FILES = {"/usr/bin/": "", "/usr/share/p/f": "one\n", "/bin": "->usr/bin", "/usr/l": "->share/p", "/usr/abs": "->/bin",
         "/usr/loop": "->loop", "/etc/": "", "/proc/": "", "/dev/": "", "/tmp/": ""}  # fmt: skip
UCF = (
    "mkdir -p /var/lib/ucf; printf 'p  /etc/a\\nq /none\\n' >/var/lib/ucf/registry; printf '\\n' >/etc/a;"
    " printf '68b329da9893e34099c7d8ad5cb9c940  /etc/a\\n1 /none\\n' >/var/lib/ucf/hashfile;"
)
DIVERTED = "mkdir -p /var/lib/dpkg; printf '/bin/sh\\n/bin/sh.x\\np\\n' >/var/lib/dpkg/diversions;"
MODES = "{ stat -c %a /m /usr/share /i /i/j /n | tr '\\n' ' '; echo 0; } >/printed; exit; true"
UNSET = "unset LANG LANGUAGE LC_ALL;"
LOCALES = "LANG={1}\nLANGUAGE=\nLC_NUMERIC={0}\nLC_TIME={0}\nLC_PAPER={0}\nLC_NAME={0}\nLC_TELEPHONE={0}\n0\n"


def printed(command: str) -> str:
    """What a command prints, and its exit status."""
    tree = tree_of(FILES)
    assert run(f"{command} >/printed\necho $? >>/printed\n", tree, context=ExecutionContext(tree, "amd64")) == 0
    return tree.read_text("/printed")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("printf 'a/b-c_9.d\\nx\\n' | perl -nle 'print \"\\Q$_\\E\\n\"'", "a\\/b\\-c_9\\.d\n\nx\n\n0\n"),
        ("printf 'no end' | perl -nle 'print \"\\Q$_\\E\\n\"'", "no\\ end\n\n0\n"),
        ("printf '\\303\\244\\n' | perl -nle 'print \"\\Q$_\\E\\n\"'", "\\\udcc3\\\udca4\n\n0\n"),
        ("zgenhostid; ls /etc", "0\n"),
        ("mountpoint -q /usr", "32\n"),
        ("mountpoint /bin", "/bin is not a mountpoint\n32\n"),
        ("mountpoint -q /none", "1\n"),
        ("dpkg-realpath --root '' /bin/../l/x", "/usr/share/p/x\n0\n"),
        ("dpkg-realpath /usr/abs/none//y/", "/usr/bin/none/y\n0\n"),
        ("dpkg-realpath /none/../bin", "/usr/bin\n0\n"),
        ("dpkg-realpath /", "\n0\n"),
        ("dpkg-realpath /usr/loop", "2\n"),
        ("dpkg-realpath ''", "2\n"),
        (f"{UCF} ucfq -w /etc/a /none", "/etc/a:p:Yes:No\n/none:q::\n0\n"),
        (f"{UCF} echo x >/etc/a; ucfq --with-colons /etc/b p", "/etc/a:p:Yes:Yes\n/etc/b:::\n0\n"),
        ("ucfq -w /usr/l/f", "/usr/share/p/f::Yes:\n0\n"),
        ("LC_ALL=C.UTF-8 locale charmap", "UTF-8\n0\n"),
        ("LC_ALL=C LC_CTYPE=C.UTF-8 locale height charmap width", "297\nANSI_X3.4-1968\n210\n0\n"),
        (f"{UNSET} LANG=C.UTF-8 locale | grep -v LC_[A-M]", LOCALES.format('"C.UTF-8"', "C.UTF-8")),
        (f"{UNSET} LANG=x LC_PAPER= LANGUAGE=de locale | grep -v LC_[A-MNT]", "LANG=x\nLANGUAGE=de\nLC_PAPER=\n0\n"),
        (f"{UNSET} locale | grep -v LC_[A-M]", LOCALES.format('"POSIX"', "")),
        (f"{DIVERTED} dpkg-divert --package q --list /bin/sh", "diversion of /bin/sh to /bin/sh.x by p\n0\n"),
        (f"{DIVERTED} dpkg-divert --package q --quiet --list /bin/ls", "0\n"),
        (
            f"umask 077; mkdir /m; chmod 710 /usr/share; install -d /i/j; mkdir -m 755 /n; {MODES}",
            "700 710 755 755 755 0\n",
        ),
        (
            f"umask 027; mkdir /m; mkdir -p /n; chmod u+s,go-r /usr/share; mkdir -p /i; mkdir /i/j; {MODES}",
            "750 4711 750 750 750 0\n",
        ),
        ("cd /usr; dpkg-realpath l", "/usr/share/p\n0\n"),
        ("diff -q /usr/share/p/f /usr/share/p/f", "0\n"),
        ("diff /usr/share/p/f /usr/l/f", "0\n"),
        ("echo two >/f; diff -q /f /usr/l/f", "Files /f and /usr/l/f differ\n1\n"),
        ("echo two >/f; diff --brief -u /f /usr/l/f", "Files /f and /usr/l/f differ\n1\n"),
        ("echo two >/f; { diff /f /usr/l/f >/dev/null; }", "1\n"),
        ("diff -q /usr/l/f /none", "2\n"),
        ("diff /none /none", "2\n"),
        ("grep --color=auto one /usr/share/p/f", "one\n0\n"),
        ("grep --color=never -c --  --color=auto /usr/share/p/f", "0\n1\n"),
        ("{ dpkg-statoverride --remove /x >/dev/null; }", "2\n"),
        ("{ deluser -q ann adm >/dev/null; }", "12\n"),
    ],
)
def test_what_is_printed(command: str, expected: str) -> None:
    assert printed(command) == expected


@pytest.mark.parametrize(
    "command",
    [
        "perl -ne 'print'",
        "PERL_UNICODE=S perl -nle 'print \"\\Q$_\\E\\n\"'",
        "mountpoint /",
        "mountpoint /proc",
        "mountpoint /tmp",
        "mountpoint -d /usr",
        "mountpoint /usr/share/p/f",
        "echo >/f; diff /usr/share/p/f /f",
        "diff -q /usr /etc",
        "diff -q '/a b' /usr/l/f",
        "diff -N /none /usr/l/f",
        "diff -q - /usr/l/f",
        "grep --color=always one /usr/share/p/f",
        "{ deluser --remove-home ann >/dev/null; }",
        "{ deluser root >/dev/null; }",
        "{ setcap cap_net_raw+ep /usr/share/p/f cap_kill+ep; }",
        "dpkg-divert --package q --truename /bin/sh",
        "locale -a",
        "locale title",
        "LC_ALL=de_DE locale charmap",
        "{ LANG=de_DE locale 2>&1; }",
        "ucfq /usr/share/p/f",
        "ucfq -w relative/path /usr",
        "ucfq -w /usr",
        "dpkg-realpath --root /usr /bin",
        "DPKG_ROOT=/usr dpkg-realpath /bin",
        "dpkg-realpath -z /bin",
        "dpkg-realpath /bin /usr",
        "dpkg-realpath /proc/self/exe",
        "zgenhostid 00112233",
        "touch /etc/hostid; zgenhostid",
    ],
)
def test_refused(command: str) -> None:
    with pytest.raises(Refused):
        printed(command)


def test_setcap_of_several_files() -> None:
    tree = tree_of({"/a": "", "/b": "", "/c": ""})
    assert run("setcap cap_net_raw+ep /a cap_kill=+ep //b\n", tree) == 0
    assert run("setcap cap_net_raw+ep /none cap_kill=+ep /c\n", tree) == 1
    assert [XATTR in tree.at(path).xattrs for path in ("/a", "/b", "/c")] == [True, True, False]


def test_parsers_of_xml(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of({"/usr/share/perl5/XML/SAX/Expat.pm": "x", "/var/lib/libxml-sax-perl/ParserDetails.d/10-A": "[A]\n",
                    "/usr/bin/ucf": '#!/bin/sh\ncp -p "$4" "$5"\n', "/etc/perl/XML/SAX/": "", "/tmp/": ""})  # fmt: skip
    tree.at("/usr/bin/ucf").mode = 0o755
    known = sax_parsers.PARSERS["XML::SAX::Expat"]
    with pytest.raises(Refused):
        run("update-perl-sax-parsers --add XML::SAX::Expat\n", tree)
    monkeypatch.setitem(sax_parsers.PARSERS, "XML::SAX::Expat", (hashlib.sha256(b"x").hexdigest(), known[1]))
    script = "update-perl-sax-parsers --add XML::SAX::Expat >/said\nupdate-perl-sax-parsers --update >>/said\n"
    assert run(script, tree) == 0
    assert tree.read_text("/said") == (
        "update-perl-sax-parsers: Registering Perl SAX parser XML::SAX::Expat with priority 50...\n"
        "update-perl-sax-parsers: Updating overall Perl SAX parser modules info file...\n"
    )
    details = (
        "[XML::SAX::Expat]\n"
        "http://xml.org/sax/features/external-general-entities = 1\n"
        "http://xml.org/sax/features/external-parameter-entities = 1\n"
        "http://xml.org/sax/features/namespaces = 1\n\n\n"
    )
    assert tree.read_text("/var/lib/libxml-sax-perl/ParserDetails.d/50-XML::SAX::Expat") == details
    assert tree.read_text("/etc/perl/XML/SAX/ParserDetails.ini") == f"[A]\n{details}"
    assert not tree.names("/tmp")
    assert run("update-perl-sax-parsers --remove XML::SAX::Expat\n", tree) == 0
    assert tree.names("/var/lib/libxml-sax-perl/ParserDetails.d") == ["10-A"]
    for command in ("--add XML::SAX::Mine", "--add XML::SAX::PurePerl", "--update x", "--update --file /x"):
        with pytest.raises(Refused):
            run(f"update-perl-sax-parsers {command}\n", tree)


def test_dpkg_realpath_that_is_a_script_is_carried_out() -> None:
    tree = tree_of({"/usr/bin/dpkg-realpath": '#!/bin/sh\necho "its own $1"\n', "/bin": "->usr/bin"})
    tree.at("/usr/bin/dpkg-realpath").mode = 0o755
    assert run("/usr/bin/dpkg-realpath /x >/printed\n", tree) == 0
    assert tree.read_text("/printed") == "its own /x\n"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("5bbf5a52328e7439ae6e719dfe712200  /usr/share/p/f", "00000000000000000000000000000000  /none"), 0),
        (("00000000000000000000000000000000  /usr/share/p/f", "00000000000000000000000000000000  /none"), 1),
        (("00000000000000000000000000000000  /none",), 1),
        (("00000000000000000000000000000000  /usr/share/p/f/x",), 1),
    ],
)
def test_digests_of_what_may_be_missing(lines: tuple[str, ...], status: int) -> None:
    text = "\\n".join(lines)
    assert printed(f"printf '{text}\\n' | md5sum --status --ignore-missing -c") == f"{status}\n"


def test_directories_of_temporary_files_are_made() -> None:
    tree = tree_of({
        "/usr/lib/tmpfiles.d/x.conf": "D /tmp/.X 1777 root root 1h\nD! /tmp/boot\nd /run/y\n", "/tmp/": "",
        "/etc/passwd": "root:x:0:0:::\n", "/etc/group": "root:x:0:\n",
    })  # fmt: skip
    assert tmpfiles_create(tree, ["x.conf"]) == []
    assert tree.names("/tmp") == [".X"]
    assert tree.at("/tmp/.X").mode == 0o1777
    assert not tree.exists("/run")
