"""What this store has made: the word on whether a file in the output folder is what a step would make.

The manifest in an output folder is not, as anybody may have written it; and it does not tell of secrets, so the same
inputs there may be others. The store keeps for each key what came of it, and is its owner's alone.
"""

import json
from dataclasses import asdict
from pathlib import Path

from assembler.layers.manifest import Made
from assembler.store.objects import Store, StoreError

_KIND = "made-1"


def remember(store: Store, key: str, made: Made) -> None:
    """Keep what came of the step with `key`; in a store that cannot be written to, it is made again another time."""
    try:
        with store.temporary() as path, store.writing():
            path.write_text(_text(made), "ascii")
            final = _place(store, key)
            final.parent.mkdir(parents=True, exist_ok=True)
            path.replace(final)
    except StoreError:
        pass


def known(store: Store, key: str, made: Made) -> bool:
    """Whether `made` is what came of the step with `key`, in this store."""
    try:
        return _place(store, key).read_bytes() == _text(made).encode()
    except OSError:
        return False


def _place(store: Store, key: str) -> Path:
    return store.results / _KIND / key


def _text(made: Made) -> str:
    values = asdict(made)
    del values["key"], values["inputs"]
    return json.dumps(values, sort_keys=True)
