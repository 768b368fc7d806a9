"""Directories of the host that are laid over the image, and what else becomes files when a recipe is loaded."""

import hashlib
import os
from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.recipe import in_full, named
from assembler.recipe.additions import Directory, File
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.trees import matches
from tests.recipe.test_reference import CERTIFICATE


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "over/etc/app/app.conf": "a", "over/etc/app/app.conf.swp": "", "over/usr/bin/tool": "#!/bin/sh\n",
        "over/srv/www/index.html": "b", "more/etc/app/app.conf": "c", "one.crt": CERTIFICATE,
    }.items():  # fmt: skip
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("over/usr/bin/tool").chmod(0o700)
    Path("over/etc/app/app.conf").chmod(0o600)
    Path("over/var/empty").mkdir(parents=True)
    Path("over/usr/bin/other").symlink_to("tool")
    return tmp_path


def loaded(text: str) -> LoadedRecipe:
    Path("r.toml").write_text(f'name = "x"\n{text}')
    return load(Path("r.toml"))


def problems(text: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        loaded(text)
    return [str(error) for error in caught.value.errors]


def files(recipe: LoadedRecipe) -> dict[str, tuple[str, bytes | None]]:
    """Mode and bytes by path; links have their target as a mode."""
    rootfs = recipe.recipe.rootfs
    found: dict[str, tuple[str, bytes | None]] = {}
    for index, file in enumerate(rootfs.files):
        source = recipe.files.get(f"rootfs.files[{index}].source")
        data = source.data if source else (file.content or "").encode()
        found[file.path] = (file.link, None) if file.link else (file.mode, data)
    return found


def test_a_directory_is_as_from_version_control() -> None:
    recipe = loaded('[[rootfs.trees]]\nsource = "over"\nexclude = ["*.swp"]\n')
    assert files(recipe) == {
        "/etc/app/app.conf": ("0644", b"a"),
        "/srv/www/index.html": ("0644", b"b"),
        "/usr/bin/other": ("tool", None),
        "/usr/bin/tool": ("0755", b"#!/bin/sh\n"),
    }
    # Those that have something in them come with it; what has nothing comes by itself.
    assert recipe.recipe.rootfs.directories == [Directory(path="/var/empty")]
    assert recipe.recipe.rootfs.trees == []


def test_a_directory_is_no_file() -> None:
    (problem,) = problems('[[rootfs.files]]\npath = "/x"\nsource = "over"\n')
    assert problem.endswith(
        "rootfs.files[0].source: the file is not a file: over ([[rootfs.trees]] is for directories)"
    )


def test_modes_owners_and_places() -> None:
    recipe = loaded("""
        [[rootfs.trees]]
        source = "./over/"
        path = "/opt/x"
        exclude = ["usr/*"]
        modes = { "*.conf" = "0600", "app.conf" = "0640", "srv/www" = "2775" }
        owners = { "etc/*" = "app", "srv/*" = "www:adm" }
        """)
    found = {file.path: (file.mode, file.owner, file.group) for file in recipe.recipe.rootfs.files}
    assert found == {
        "/opt/x/etc/app/app.conf": ("0640", "app", "root"),
        "/opt/x/etc/app/app.conf.swp": ("0644", "app", "root"),
        "/opt/x/srv/www/index.html": ("0644", "www", "adm"),
    }
    assert recipe.recipe.rootfs.directories == [
        Directory(path="/opt/x/etc/app", owner="app", group=""),
        Directory(path="/opt/x/srv/www", mode="2775", owner="www", group="adm"),
        Directory(path="/opt/x/usr"),
        Directory(path="/opt/x/var/empty"),
    ]


def test_the_later_one_counts_and_files_before_all() -> None:
    text = '[[rootfs.trees]]\nsource = "over"\n[[rootfs.trees]]\nsource = "more"\n'
    assert files(loaded(text))["/etc/app/app.conf"] == ("0644", b"c")
    own = '[[rootfs.files]]\npath = "/etc/app/app.conf"\ncontent = "mine"\n'
    assert files(loaded(text + own))["/etc/app/app.conf"] == ("0644", b"mine")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("none", "the directory cannot be read"),
        ("one.crt", "the directory is none: one.crt (rootfs.files is for files)"),
        ("hollow", "the directory has nothing for the image"),
        ("..", "the directory may not be read"),
        ("/proc/self", "the directory may not be read"),
        ("pipe", "pipe is neither a file nor a directory"),
    ],
)
def test_directories_that_are_none(source: str, told: str) -> None:
    Path("hollow").mkdir()
    Path("pipe").mkdir()
    os.mkfifo("pipe/pipe")
    (problem,) = problems(f"[[rootfs.trees]]\nsource = '{source}'\n")
    assert problem.startswith("r.toml:3:1 rootfs.trees[0].source: ")
    assert told in problem


def test_links_out_of_the_project_are_links_and_files_there_are_none() -> None:
    Path("over/etc/shadow").symlink_to("/etc/shadow")
    assert files(loaded('[[rootfs.trees]]\nsource = "over"\n'))["/etc/shadow"] == ("/etc/shadow", None)


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_full, "MAX_LISTED", 3)
    assert "too many files of the recipe" in problems('[[rootfs.trees]]\nsource = "over"\n')[0]


def test_patterns_are_over_names_or_paths() -> None:
    assert matches("*.swp", "a/b/c.swp")
    assert not matches("a", "a/b")
    assert matches("a/*", "a/b/c")
    assert not matches("b/*", "a/b/c")


def test_a_large_file_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "LARGE", 4)
    Path("over/etc/large").write_bytes(b"large")
    recipe = loaded('[[rootfs.trees]]\nsource = "over"\nexclude = ["tool"]\n')
    (key,) = [key for key, file in recipe.files.items() if file.large]
    large = recipe.files[key].large
    assert large is not None
    assert (large.real.name, large.size, recipe.files[key].data) == ("large", 5, b"")
    assert large.sha256 == hashlib.sha256(b"large").hexdigest()


def test_large_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "LARGE", 0)
    monkeypatch.setattr(named, "MAX_LARGE", 1 << 20)
    for name in ("a", "b"):
        with Path(f"over/{name}").open("wb") as stream:
            stream.truncate(600 << 10)
    assert "at most 1 MiB together" in problems('[[rootfs.trees]]\nsource = "over"\n')[0]


# --- other things that become files ----------------------------------------------------------------------------------


def test_units_parameters_modules_and_certificates() -> None:
    recipe = loaded("""
        [rootfs]
        enable = ["b.service"]
        modules = ["br_netfilter", "overlay"]
        certificates = ["one.crt"]
        [rootfs.sysctl]
        "net.ipv4.ip_forward" = 1
        "kernel.core_pattern" = "|/bin/false"
        [rootfs.units."a.service"]
        content = "[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target"
        enable = true
        drop_ins."10-x.conf" = "[Service]\\n"
        [rootfs.units."b.service"]
        drop_ins."y.conf" = ""
        """)
    assert {path: data for path, (_, data) in files(recipe).items()} == {
        "/usr/local/share/ca-certificates/one.crt": CERTIFICATE.encode(),
        "/etc/sysctl.d/90-recipe.conf": b"net.ipv4.ip_forward = 1\nkernel.core_pattern = |/bin/false\n",
        "/etc/modules-load.d/recipe.conf": b"br_netfilter\noverlay\n",
        "/etc/systemd/system/a.service": b"[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
        "/etc/systemd/system/a.service.d/10-x.conf": b"[Service]\n",
        "/etc/systemd/system/b.service.d/y.conf": b"\n",
    }
    rootfs = recipe.recipe.rootfs
    assert rootfs.enable == ["b.service", "a.service"]
    assert (rootfs.units, rootfs.sysctl, rootfs.modules, rootfs.certificates) == ({}, {}, [], [])


def test_a_template_is_filled_in() -> None:
    Path("t").write_text("host ${HOST} $${HOST} $HOST\n")
    text = '[args]\nHOST = "h"\n[[rootfs.files]]\npath = "/t"\nsource = "t"\ntemplate = {}\n'
    assert files(loaded(text.format("true")))["/t"] == ("0644", b"host h ${HOST} $HOST\n")
    assert files(loaded(text.format("false")))["/t"] == ("0644", b"host ${HOST} $${HOST} $HOST\n")
    Path("t").write_text("${HOSTS}")
    assert problems(text.format("true")) == [
        (
            "r.toml:6:1 rootfs.files[0].source: ${HOSTS} is not an argument of this recipe: in t (did you mean HOST?;"
            " for that text itself write $${HOSTS})"
        )
    ]
    Path("t").write_bytes(b"\xff")
    assert "is no text, as a template is" in problems(text.format("true"))[0]


def test_rules_of_sudo_are_files() -> None:
    recipe = loaded('[rootfs.users.a]\nsudo = true\n[rootfs.users.b]\nsudo = "ALL=(root) /bin/id"\n').recipe.rootfs
    assert recipe.files == [
        File(path="/etc/sudoers.d/90-a", content="a ALL=(ALL:ALL) NOPASSWD: ALL\n", mode="0440"),
        File(path="/etc/sudoers.d/90-b", content="b ALL=(root) /bin/id\n", mode="0440"),
    ]
    assert all(user.sudo is False for user in recipe.users.values())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file does not hold a certificate alone, in PEM"),
        (CERTIFICATE.encode() * 2, "the file has 2 certificates"),
        (b"\x30\x82\x01\x00", "is in DER, not in PEM: two.crt (openssl x509 -inform der"),
        (CERTIFICATE.encode() + b"-----BEGIN PRIVATE KEY-----\n", "does not hold a certificate alone"),
        (CERTIFICATE.replace("MAA=", "MA=A").encode(), "the certificate is damaged"),
    ],
)
def test_certificates_that_are_none(data: bytes, told: str) -> None:
    Path("two.crt").write_bytes(data)
    (problem,) = problems('[rootfs]\ncertificates = ["two.crt"]\n')
    assert told in problem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rootfs.files]]\npath = '/a'\nurl = 'https://a/'", "rootfs.files[0].url: nothing says which file that has"),
        ("[[rootfs.files]]\npath = '/a'\ncontent = ''\nurl = 'https://a/'", "rootfs.files[0].url: contradicts content"),
        ("[[rootfs.files]]\npath = '/a'\ncontent = ''\ntemplate = true", "rootfs.files[0].template: is for the file"),
        ("[rootfs.units.'a.service']\nenable = true", "rootfs.units.'a.service': has no text"),
        ("[rootfs.users.root]\npassword = 'x'", "rootfs.users.root.password: is not for root"),
        ("[rootfs.users.a]\nuid = 1000\n[rootfs.users.b]\nuid = 1000", "rootfs.users.b.uid: a has 1000 already"),
        ("[rootfs.users.a]\nuid = 1000\nsystem = true", "rootfs.users.a.uid: an account of the system"),
        ("[rootfs]\nids.users.a = 200\nusers.a.uid = 201", "rootfs.users.a.uid: contradicts rootfs.ids.users.a"),
        ("[rootfs.sysctl]\na = 1", "rootfs.sysctl.a: 'a' is not a kernel parameter"),
        ("[rootfs.sysctl]\n'a.b' = true", "rootfs.sysctl.'a.b': must be a string"),
        (
            "[rootfs]\nsysctl = { 'a.b' = 1 }\nfiles = [{ path = '/etc/sysctl.d/90-recipe.conf', content = '' }]",
            "rootfs.files[0].path: is a file that rootfs.sysctl makes",
        ),
        (
            "[rootfs]\ncertificates = ['one.crt', 'over/../one.crt']",
            "certificates[1]: another certificate has the name",
        ),
    ],
)
def test_what_contradicts_itself(text: str, told: str) -> None:
    assert told in "\n".join(problems(text))


def test_recipes_on_top_say_more_of_users() -> None:
    Path("base.toml").write_text('[rootfs.users.a]\nshell = "/bin/sh"\ngroups = ["adm"]\n')
    Path("r.toml").write_text(
        'name = "x"\nextends = "base.toml"\n[rootfs.users.a]\ngroups_add = ["sudo"]\ncomment = "A"\n'
    )
    user = load(Path("r.toml")).recipe.rootfs.users["a"]
    assert (user.shell, user.groups, user.comment) == ("/bin/sh", ["adm", "sudo"], "A")


def test_errors_of_what_was_made_say_what_it_was_made_of() -> None:
    recipe = loaded('[[rootfs.trees]]\nsource = "over"\n[rootfs.sysctl]\n"a.b" = 1\n')
    index = next(index for index, file in enumerate(recipe.recipe.rootfs.files) if file.path.endswith("recipe.conf"))
    assert recipe.origins[f"rootfs.files[{index}]"] == "rootfs.sysctl"
    assert recipe.origins["rootfs.files[0]"] == "rootfs.trees[0]"
