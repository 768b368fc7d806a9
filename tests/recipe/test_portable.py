"""A recipe taken along is the recipe that it came from."""

import tomllib
from pathlib import Path

from assembler.recipe.load import load
from assembler.recipe.portable import portable

HASHED = "$6$saltsalt$" + "x" * 86
RECIPE = """\
name = "x"
args.HOST = "node-1"
[rootfs]
hostname = "${HOST}"
root_password = "secret"
packages = ["hello"]
files = [
  { path = "/etc/a", content = "a 'b' \\"c\\" $HOME $${NAME} $$${NAME}\\n\\t\\u007f" },
  { path = "/etc/b", source = "host file", mode = "0600" },
]
[livecd]
compression_level = 7
[cloudinit]
user_data = "user-data"
"""


def test_what_is_taken_along(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RECIPE)
    (tmp_path / "host file").write_bytes(b"\0bytes")
    (tmp_path / "user-data").write_text("#cloud-config\npassword: token\n")
    first = load(tmp_path / "r.toml")
    files = portable(first, HASHED)
    assert not any(b"secret" in data or b"token" in data for data in files.values())
    other = tmp_path / "other"
    for name, data in files.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_bytes(data)
    second = load(other / "recipe.toml")
    assert second.inputs_sha256 == first.inputs_sha256
    assert second.recipe.rootfs.root_password == HASHED
    assert second.recipe.rootfs.hostname == "node-1"
    assert second.recipe.livecd == first.recipe.livecd
    assert [file.content for file in second.recipe.rootfs.files] == [file.content for file in first.recipe.rootfs.files]
    assert [file.data for file in second.files.values()] == [b"\0bytes"]
    assert portable(second, HASHED) == files, "and so it stays"
    assert tomllib.loads(files["recipe.toml"].decode())["rootfs"]["packages"] == ["hello"]
