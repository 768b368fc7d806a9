"""No login in an address gets past the recipe: not into a lock, an image, a log or an error."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.addresses import login_in, without_logins
from assembler.cli.main import call
from assembler.errors import Problems
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import LockedFile
from assembler.lockfile.toml import format_lock
from assembler.recipe.load import load
from tests.lockfile.test_toml import LOCK

LOGIN = "robot:pAss-w0rd"
VANILLA = "kernel.source = 'vanilla'\nkernel.url = "


def sources(uri: str) -> str:
    return f'debian.sources = """\nTypes: deb\nURIs: {uri}\nSuites: trixie\nComponents: main\n"""'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"debian.mirror = 'http://{LOGIN}@127.0.0.1:9/debian'", "debian.mirror"),
        (f"debian.mirror_security = 'https://{LOGIN}@host'", "debian.mirror_security"),
        ("debian.mirror = 'https://pAss-w0rd@host/debian'", "debian.mirror"),
        ("debian.mirror = 'https://:pAss-w0rd@host/debian'", "debian.mirror"),
        (f"debian.mirror = 'HTTPS://{LOGIN}@host/debian'", "debian.mirror"),
        ("debian.mirror = 'https://a%40b:pAss-w0rd%2f@host/debian'", "debian.mirror"),
        ("debian.mirror = 'https://robot:pAss-w0rd\\@host'", "debian.mirror"),
        (f"debian.mirror = 'ftp://{LOGIN}@host/debian'", "debian.mirror"),
        (f"debian.mirror = 'https://a\"b:{LOGIN}@host/debian'", "debian.mirror"),
        (f"debian.mirror = 'https://a<b>:{LOGIN}@host/debian'", "debian.mirror"),
        (f"""debian.mirror = "https://a'b:{LOGIN}@host/debian" """, "debian.mirror"),
        (sources(f"https://host/ https://a'b:{LOGIN}@other/"), "debian.sources"),
        (f"""{VANILLA}'https://host/l.tar.xz?a="b&token=pAss-w0rd'""", "kernel.url"),
        (f"debian.mirror = 'http:///{LOGIN}@host/debian'", "debian.mirror"),
        (sources(f"http://{LOGIN}@host/debian"), "debian.sources"),
        (sources(f"http://host/debian\n https://{LOGIN}@other/debian"), "debian.sources"),
        (sources(f"http://host/\n# http://{LOGIN}@other/debian"), "debian.sources"),
        (sources(f"mirror+http://{LOGIN}@host/list"), "debian.sources"),
        (f"{VANILLA}'https://{LOGIN}@host/linux-6.12.tar.xz'", "kernel.url"),
        (f"{VANILLA}'https://host/linux-6.12.tar.xz?token=pAss-w0rd'", "kernel.url"),
        (f"{VANILLA}'https://host/l.tar.xz?a=b&X-Amz-Signature=pAss-w0rd&c=d'", "kernel.url"),
        (f"{VANILLA}'https://host/l.tar.xz?private_token=pAss-w0rd#x'", "kernel.url"),
        (f"kubernetes.kubelet.url = 'https://{LOGIN}@host/kubelet'", "kubernetes.kubelet.url"),
        (f"kubernetes.runc.url = 'https://{LOGIN}@host/{{version}}/runc'", "kubernetes.runc.url"),
        (f"livecd.cmdline = 'ds=nocloud;s=http://{LOGIN}@host/'", "livecd.cmdline"),
    ],
)
def test_refused_in_a_recipe(
    text: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    Path("r.toml").write_text(f"name = 'x'\n{text}\n")
    for command in (["lock", "r.toml"], ["r.toml"], ["check", "r.toml"], ["r.toml", "--json"]):
        assert call(command) == 1
        said = capsys.readouterr()
        assert "pAss-w0rd" not in said.out + said.err
        assert key in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) in (["r.toml"], ["r.toml", "store"])


def test_refused_in_an_argument(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("name = 'x'\nargs.MIRROR = ''\ndebian.mirror = '${MIRROR}'\n")
    assert load(path, {"MIRROR": "http://host/debian"}).recipe.debian.mirror == "http://host/debian"
    with pytest.raises(Problems) as caught:
        load(path, {"MIRROR": f"http://{LOGIN}@host/debian"})
    (error,) = caught.value.errors
    assert (error.where.key, error.what) == ("debian.mirror", "there is a login in an address")
    assert "~/.netrc" in error.hint
    assert "pAss" not in str(error)


def test_what_is_no_login(tmp_path: Path) -> None:
    """Addresses as they are, and what the recipe puts inside a file."""
    path = tmp_path / "r.toml"
    path.write_text(
        "name = 'x'\nargs.PROXY = 'http://u:p@proxy'\ndebian.mirror = 'http://host/~me@home/debian?a=b@c'\n"
        "rootfs.files = [{ path = '/etc/proxy', content = 'http://u:p@proxy', mode = '0600' }]\n"
        + sources("http://host/debian")
    )
    assert load(path).recipe.rootfs.files[0].content == "http://u:p@proxy"
    for text in ("mail me@host", "https://host/?tokens=3&q=", "https://host/?token=", "a://b c@d", "git@host:a/b"):
        assert login_in(text) == ""
        assert without_logins(text).split("?")[0] == text.split("?")[0]


def test_shown_without_it() -> None:
    text = f"see ftp://{LOGIN}@host/a?key=value and https://x/y?token=z"
    assert without_logins(text) == "see ftp://…@host/a?… and https://x/y?…"
    assert without_logins(f"""https://a'"{LOGIN}@host/a?b="c&d=e#f""") == "https://…@host/a?…#f"


def test_nothing_takes_long() -> None:
    start = time.process_time()
    for text in ("a:/" * 300_000, "a.b-" * 300_000, "http://" + "x" * 1_000_000, "http://x?" * 99_999, ":/?" * 99_999):
        login_in(text)
        without_logins(text)
    assert time.process_time() - start < 5


def test_not_written_into_a_lock() -> None:
    lock = replace(LOCK, files=())
    assert format_lock(lock)
    file = LockedFile(name="kubelet", version="1", url=f"https://{LOGIN}@host/kubelet", size=1, sha256="0" * 64,
                      learned="recipe", witness="", role="kubernetes")  # fmt: skip
    for url in (file.url, f"https://a'{LOGIN}@host/", f'https://a"{LOGIN}@host/'):
        with pytest.raises(LockError, match="there would be a login in an address of the lock"):
            format_lock(replace(lock, files=(replace(file, url=url),)))
    assert format_lock(replace(lock, files=(replace(file, url="https://host/a?token="),)))
