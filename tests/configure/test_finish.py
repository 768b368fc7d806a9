"""What is done when files of a recipe have come: triggers of packages, and what administrators would call."""

import subprocess

import pytest

from assembler.configure import settings
from assembler.configure.engine import Settings, configure
from assembler.configure.finish import finish
from assembler.errors import Problems
from assembler.recipe.additions import File
from assembler.recipe.model import Rootfs, Scripts
from assembler.tree.staging import Tree
from tests.debian.unpacked import package
from tests.support.host_commands import need

SH = "#!/bin/sh\nset -e\n"
SETTINGS = Settings(86400 * 20000, "amd64")
LOGGING = SH + 'case "$1" in\nconfigure) echo c >>/log ;;\ntriggered) echo "t $2" >>/log ;;\nesac\n'
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/etc/group": "root:x:0:\n",
    "/etc/shadow": "root:*:1::::::\n",
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One that openssl has made."""
    path = tmp_path_factory.mktemp("certificate") / "ca.pem"
    subprocess.run(
        [need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=Corp", "-keyout", "/dev/null", "-out", path],
        check=True, capture_output=True,
    )  # fmt: skip
    return path.read_text()


def finished(
    *files: tuple[str, str], postinst: str = LOGGING, triggers: str = "", scripts: Scripts = "auto"
) -> tuple[Tree, list[str]]:
    """A tree with a package that has these triggers, and `files` of a recipe; and what has to be executed."""
    tree = Tree()
    own = {**ACCOUNTS, "/usr/sbin/update-ca-certificates": "", "/usr/sbin/ldconfig": "#!/bin/sh\n"}
    packages = [package(tree, "watcher", files=own, triggers=triggers, postinst=postinst, essential="yes")]
    for program in ("update-ca-certificates", "ldconfig"):
        tree.chmod(f"/usr/sbin/{program}", 0o755)
    configure(tree, packages, SETTINGS)
    recipe = Rootfs(files=[File(path=path, content=text) for path, text in files], scripts=scripts)
    settings.apply(tree, recipe, {}, 0)
    return tree, [run.script.decode() for run in finish(tree, recipe, packages, SETTINGS)]


def test_packages_are_told_of_paths_that_they_want_to_hear_of() -> None:
    triggers = "interest-noawait /usr/share/things\ninterest /etc/exactly\ninterest other\n"
    tree, left = finished(("/usr/share/things/a/b", ""), ("/etc/exactly", ""), ("/etc/x", ""), triggers=triggers)
    assert tree.read_text("/log") == "c\nt /etc/exactly /usr/share/things\n"
    assert left == []


@pytest.mark.parametrize("path", ["/usr/share/thing", "/etc/x"])
def test_other_files_mean_nothing_to_them(path: str) -> None:
    tree, left = finished((path, ""), triggers="interest-noawait /usr/share/things\n")
    assert (tree.read_text("/log"), left) == ("c\n", [])


NOT_COMPUTED = SH + 'if [ "$1" = triggered ]; then echo x >/half; ldconfig; fi\n'


def test_what_cannot_be_computed_is_executed_and_leaves_nothing_here() -> None:
    # The ldconfig of this tree is no program of glibc's.
    tree, left = finished(("/a/b", ""), triggers="interest-noawait /a\n", postinst=NOT_COMPUTED)
    assert left == ["#!/bin/sh -e\ndpkg-trigger --by-package=dpkg --no-await /a\ndpkg --triggers-only watcher\n"]
    assert not tree.exists("/half")
    with pytest.raises(Problems, match="what has to be done after files of the recipe cannot be computed") as caught:
        finished(("/a/b", ""), triggers="interest-noawait /a\n", postinst=NOT_COMPUTED, scripts="computed")
    assert "dpkg --triggers-only watcher: " in str(caught.value)


def test_where_all_is_executed_dpkg_tells_the_packages() -> None:
    triggers = "interest-noawait /usr/share/things\ninterest /etc/exactly\ninterest other\n"
    tree, left = finished(
        ("/usr/share/things/a", ""), ("/etc/exactly", ""), ("/etc/x", ""), triggers=triggers, scripts="executed"
    )
    assert tree.read_text("/log") == "c\n"
    told = "".join(
        f"dpkg-trigger --by-package=dpkg --no-await {path}\n" for path in ("/etc/exactly", "/usr/share/things")
    )
    assert left == [f"#!/bin/sh -e\n{told}dpkg --triggers-only --pending\n"]
    assert finished(("/etc/x", ""), triggers=triggers, scripts="executed")[1] == []


def test_certificates_come_into_the_bundle(certificate: str) -> None:
    place = "/usr/local/share/ca-certificates"
    tree, left = finished((f"{place}/corp.crt", certificate))
    assert tree.read_text("/etc/ssl/certs/ca-certificates.crt") == certificate
    assert tree.at("/etc/ssl/certs/corp.pem").target == f"{place}/corp.crt"
    assert left == []
    tree, _ = finished((f"{place}/README", "text"))
    assert not tree.exists("/etc/ssl/certs/ca-certificates.crt")
    tree, left = finished((f"{place}/corp.crt", certificate), scripts="executed")
    assert not tree.exists("/etc/ssl/certs/ca-certificates.crt")
    assert left == ["#!/bin/sh -e\nupdate-ca-certificates\n"]


def test_libraries_are_looked_up_again() -> None:
    for path in ("/usr/local/lib/libx.so.1", "/etc/ld.so.conf.d/x.conf", "/usr/lib/x86_64-linux-gnu/libx.so"):
        assert finished((path, ""))[1] == ["#!/bin/sh -e\nldconfig\n"]
    assert finished(("/usr/lib/x/so.conf", ""))[1] == []


def test_files_of_sysusers_come_first_and_others_may_belong_to_their_users() -> None:
    tree = Tree()
    package(tree, "base", files=ACCOUNTS)
    files = [
        File(path="/srv/app", content="", owner="app", group="app"),
        File(path="/etc/sysusers.d/app.conf", content="u app 300\n"),
    ]
    settings.apply(tree, Rootfs(files=files), {}, 86400)
    assert "app:x:300:300::/:/usr/sbin/nologin\n" in tree.read_text("/etc/passwd")
    assert (tree.at("/srv/app").uid, tree.at("/srv/app").gid) == (300, 300)
