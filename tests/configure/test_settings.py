"""The recipe's settings in a tree, and SHA-crypt against OpenSSL."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.configure.settings import apply
from assembler.errors import Problems
from assembler.programs.sha_crypt import SALT_CHARACTERS, sha512_crypt
from assembler.recipe.additions import File
from assembler.recipe.model import Rootfs
from assembler.tree.staging import Kind, Tree
from tests.support.host_commands import need
from tests.tree.disk import tree_of

EPOCH = 20000 * 86400
FILES = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:100:101:::\n",
    "/etc/group": "root:x:0:\nstaff:x:50:\n",
    "/etc/shadow": "root:*:1:0:99999:7:::\n",
    "/etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
    "/etc/default/locale": "->../locale.conf",
    "/usr/share/zoneinfo/Europe/Berlin": "TZif",
    "/usr/lib/systemd/system/a.service": "[Install]\nWantedBy=multi-user.target\n",
    "/usr/lib/systemd/system/b.service": "[Install]\nWantedBy=multi-user.target\n",
    "/etc/systemd/system/multi-user.target.wants/b.service": "->/usr/lib/systemd/system/b.service",
    "/usr/lib/systemd/system/c.service": "",
    "/etc/dpkg/dpkg.cfg.d/": "",
}


def made(**values: object) -> Tree:
    tree = tree_of(FILES)
    apply(tree, Rootfs.model_validate(values), {"rootfs.files[1].source": b"\0bytes"}, EPOCH)
    return tree


def test_names_zone_and_locale() -> None:
    tree = made(hostname="node.example.org", timezone="Europe/Berlin", locale="C.UTF-8")
    assert tree.read_text("/etc/hostname") == "node.example.org\n"
    hosts = "127.0.0.1\tlocalhost\n127.0.1.1\tnode.example.org node\n::1\tlocalhost\n"
    assert tree.read_text("/etc/hosts") == hosts
    assert tree.at("/etc/localtime").target == "/usr/share/zoneinfo/Europe/Berlin"
    assert tree.read_text("/etc/timezone") == "Europe/Berlin\n"
    assert tree.read_text("/etc/locale.conf") == tree.read_text("/etc/default/locale") == "LANG=C.UTF-8\n"


def test_units_and_files() -> None:
    tree = made(
        enable=["a.service"], disable=["b.service"], mask=["c.service"],
        files=[
            File(path="/opt/x/text", content="hello\n", mode="0640", owner="app", group="staff"),
            File(path="/opt/x/data", source="data"),
            File(path="/etc/link", link="../opt/x"),
            File(path="/etc/default/locale", content="replaced\n"),
        ],
    )  # fmt: skip
    wants = "/etc/systemd/system/multi-user.target.wants"
    assert tree.names(wants) == ["a.service"]
    assert tree.at("/etc/systemd/system/c.service").target == "/dev/null"
    text = tree.at("/opt/x/text")
    assert (oct(text.mode), text.uid, text.gid, tree.read("/opt/x/text")) == ("0o640", 100, 50, b"hello\n")
    assert tree.read("/opt/x/data") == b"\0bytes"
    assert tree.read("/etc/link/data") == b"\0bytes"
    assert tree.read_text("/etc/locale.conf") == "LANG=C.UTF-8\n"


def test_excluded_paths_stay_excluded() -> None:
    tree = made(exclude=["/usr/share/doc/*"], include=["/usr/share/doc/*/copyright"])
    text = "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n"
    assert tree.read_text("/etc/dpkg/dpkg.cfg.d/image-excludes") == text


def test_the_password_is_hashed_the_same_way_each_time() -> None:
    first, again, other = (made(root_password="root", hostname=name) for name in ("a", "a", "b"))
    field = first.read_text("/etc/shadow").split(":")[1]
    assert first.read_text("/etc/shadow").split(":")[2] == "20000"
    assert again.read_text("/etc/shadow") == first.read_text("/etc/shadow")
    assert other.read_text("/etc/shadow") != first.read_text("/etc/shadow")
    openssl = [need("openssl", "openssl"), "passwd", "-6", "-salt", field.split("$")[2], "root"]
    assert subprocess.run(openssl, capture_output=True, text=True, check=True).stdout.strip() == field
    # The salt tells nothing of the password.
    assert made(root_password="other", hostname="a").read_text("/etc/shadow").split("$")[2] == field.split("$")[2]


@pytest.mark.parametrize("password", ["!", "$6$salt$" + "a" * 86])
def test_a_hash_or_a_lock_is_taken_as_it_is(password: str) -> None:
    assert made(root_password=password).read_text("/etc/shadow") == f"root:{password}:20000:0:99999:7:::\n"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        made(
            timezone="Mars/Olympus", locale="de_DE.UTF-8", enable=["none.service"],
            files=[File(path="/etc", content=""), File(path="/x", content="", owner="stranger")],
        )  # fmt: skip
    assert [error.where.key for error in caught.value.errors] == [
        "rootfs.locale", "rootfs.timezone", "rootfs.files[0]", "rootfs.files[1]", "rootfs.enable[0]",
    ]  # fmt: skip


def test_what_is_written_does_not_follow_links_of_the_image() -> None:
    tree = tree_of({**FILES, "/srv/mine": "kept\n", "/etc/hostname": "->/srv/mine", "/etc/timezone": "->/srv/mine"})
    apply(tree, Rootfs(hostname="node-7"), {}, EPOCH)
    assert (tree.read_text("/etc/hostname"), tree.read_text("/srv/mine")) == ("node-7\n", "kept\n")
    assert tree.at("/etc/hostname").kind is Kind.FILE


def test_dpkg_in_the_image_leaves_out_what_the_recipe_does() -> None:
    recipe = Rootfs(exclude=["/usr/share/doc/*"], include=["/usr/share/doc/*/copyright"])
    path = "/etc/dpkg/dpkg.cfg.d/image-excludes"
    tree = tree_of(FILES)
    apply(tree, recipe, {}, EPOCH)
    assert tree.read_text(path) == "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n"
    without = {name: text for name, text in FILES.items() if "dpkg" not in name}
    for files, wanted in ((without, recipe), (FILES, Rootfs())):
        tree = tree_of(files)
        apply(tree, wanted, {}, EPOCH)
        assert not tree.exists(path)


def test_the_name_of_the_host_stands_right_behind_localhost() -> None:
    tree = tree_of({**FILES, "/etc/hosts": "# mine\n127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\told\n"})
    apply(tree, Rootfs(hostname="node.example.org"), {}, EPOCH)
    assert tree.read_text("/etc/hosts") == (
        "# mine\n127.0.0.1\tlocalhost\n127.0.1.1\tnode.example.org node\n::1\tlocalhost\n"
    )


def test_an_image_without_accounts_has_no_password_to_set() -> None:
    tree = tree_of(FILES)
    tree.remove("/etc/passwd")
    with pytest.raises(Problems) as caught:
        apply(tree, Rootfs(), {}, EPOCH)
    assert [error.what for error in caught.value.errors] == ["the image has no /etc/passwd"]


def test_files_of_one_place_are_told_at_once() -> None:
    """However they are called: a link of the image leads from one name to the other."""
    tree = tree_of({**FILES, "/lib": "->usr/lib", "/usr/lib/": ""})
    files = [File(path=path, content=path) for path in ("/lib/a", "/usr/lib/a", "/x", "/usr/lib/b", "/lib/b")]
    with pytest.raises(Problems) as caught:
        apply(tree, Rootfs(files=files), {}, EPOCH)
    assert [(error.where.key, error.why) for error in caught.value.errors] == [
        ("rootfs.files[1]", "rootfs.files[0] is at /usr/lib/a, too"),
        ("rootfs.files[4]", "rootfs.files[3] is at /usr/lib/b, too"),
    ]


def test_files_behind_a_link_of_the_recipe() -> None:
    files = [File(path="/srv", link="data"), File(path="/srv/a", content="a")]
    tree = tree_of({**FILES, "/data/": ""})
    apply(tree, Rootfs(files=files), {}, EPOCH)
    assert tree.read_text("/data/a") == "a"


@settings(deadline=None, max_examples=30)
@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x17F), min_size=1, max_size=90),
    st.text(alphabet=SALT_CHARACTERS, min_size=1, max_size=16),
)
def test_sha_crypt_is_that_of_openssl(password: str, salt: str) -> None:
    openssl = [need("openssl", "openssl"), "passwd", "-6", "-salt", salt, "-stdin"]
    run = subprocess.run(openssl, input=password.encode(), capture_output=True, check=True)
    assert sha512_crypt(password.encode(), salt) == run.stdout.decode().strip()


@pytest.mark.parametrize("salt", ["", "a" * 17, "a$b", "ä"])
def test_salts_that_are_none(salt: str) -> None:
    with pytest.raises(ValueError, match="salt"):
        sha512_crypt(b"x", salt)


ZONES = "/usr/share/zoneinfo/tzdata.zi"


@pytest.mark.parametrize(
    ("zones", "zone", "hint"),
    [
        ({}, "Mars/Olympus", "add tzdata to rootfs.packages"),
        ({ZONES: "# x\nL America/Los_Angeles US/Pacific\n"}, "US/Pacific", "it is called America/Los_Angeles today"),
        ({ZONES: "L a b\nZ c\n"}, "Mars/Olympus", "zones are called as"),
    ],
)
def test_a_time_zone_that_is_not_there(zones: dict[str, str], zone: str, hint: str) -> None:
    with pytest.raises(Problems) as caught:
        apply(tree_of({**FILES, **zones}), Rootfs(timezone=zone), {}, EPOCH)
    assert [error.hint.startswith(hint) for error in caught.value.errors] == [True]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("\n", False),
        ("not a unit at all", False),
        ("[Service]\nExecStart=/bin/true\n", False),
        ("[Install]\n", False),
        ("[Install]\nWantedBy=\n", False),
        ("[Install]\nDefaultInstance=x\n", False),
        ("[Install]\nRequiredBy=a.service\n", True),
        ("[Install]\nUpheldBy=a.service\n", True),
        ("[Install]\nAlias=other.service\n", True),
        ("[Install]\nAlso=a.service\n", True),
    ],
)
def test_a_unit_that_nothing_starts_cannot_be_enabled(text: str, *, fits: bool) -> None:
    tree = tree_of({**FILES, "/etc/systemd/system/mine.service": text})
    recipe = Rootfs(enable=["mine.service"])
    if fits:
        apply(tree, recipe, {}, EPOCH)
        return
    with pytest.raises(Problems) as caught:
        apply(tree, recipe, {}, EPOCH)
    (error,) = caught.value.errors
    assert (error.where.key, error.what) == ("rootfs.enable[0]", "the unit does not say what starts it")
