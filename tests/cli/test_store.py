"""The user's store on the command line: whose it may be, and what the user can say about it."""

from pathlib import Path

import pytest

from assembler.cli import environment
from assembler.cli.main import call
from assembler.errors import AssembleError
from assembler.store.objects import PATIENCE, Store

RECIPE = """
name = "stored"
[rootfs]
packages = ["mount"]
"""


@pytest.mark.parametrize("command", ["build", "check"])
def test_a_store_that_others_may_write_to_needs_the_users_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    store = Store(tmp_path / "store")
    store.add(b"x")
    store.root.chmod(0o777)
    words = [command, str(recipe), "--offline", "--store", str(store.root)]
    assert call(words) == 1
    assert "others could have changed what is in the store" in capsys.readouterr().err
    assert call([*words, "--trust-store"]) == 1
    err = capsys.readouterr().err
    assert "others could have changed" not in err
    assert "lock" in err, "the next thing that is missing"
    assert store.root.stat().st_mode & 0o777 == 0o777, "it stays as its users have made it"


def test_the_time_limit_for_locks() -> None:
    assert environment.read(Path("x"), {}).lock_timeout == PATIENCE
    assert environment.read(Path("x"), {"ASSEMBLE_LOCK_TIMEOUT": ""}).lock_timeout == PATIENCE
    assert environment.read(Path("x"), {"ASSEMBLE_LOCK_TIMEOUT": "90"}).lock_timeout == 90
    for wrong in ("-1", "1e9", "1h", "nan", "٣", "9" * 5000):
        with pytest.raises(AssembleError, match="ASSEMBLE_LOCK_TIMEOUT is not a number of seconds"):
            environment.read(Path("x"), {"ASSEMBLE_LOCK_TIMEOUT": wrong})
