"""A theme of icons made by hand, and a reader of caches of icons after docs/iconcache.txt of GTK."""

import struct
from collections.abc import Iterator

FLAGS = {1: ".xpm", 2: ".svg", 4: ".png", 8: ".icon"}
FOLDER = "[Icon Data]\n\nDisplayName=Folder\nDisplayName[de]=Ordner\nDisplayName[sr@Latn]=Fascikla\n"
RECTANGLE = "[Icon Data]\n# a comment\nEmbeddedTextRectangle=9,6,31,40\nAttachPoints=8,8|8,0|0,0\nDisplayName=apps\n"


def theme() -> dict[str, str]:
    """Files of ``/usr/share/icons/made``."""
    files = {"index.theme": "[Icon Theme]\n", "top.png": "", "48x48/apps/none.txt": "", "empty/": ""}
    for size in ("16x16", "24x24", "48x48", "scalable"):
        for number in range(90):
            place = f"{size}/{('apps', 'actions', 'status')[number * number % 3]}"
            files[f"{place}/icon-{number * 7919 % 104729}.{'svg' if size == 'scalable' else 'png'}"] = ""
    files |= {
        "symbolic": "->scalable",
        "16x16/apps/a.png": "->icon-0.png", "16x16/apps/b.png": "->none", "16x16/apps/c.d.xpm": "",
        "48x48/places/folder.png": "", "48x48/places/folder.icon": FOLDER,
        "48x48/places/open.png": "", "48x48/places/open.icon": "->folder.icon",
        "48x48/places/only.icon": FOLDER,
        "24x24/places/folder.svg": "", "24x24/places/folder.png": "", "24x24/places/folder.icon": RECTANGLE,
        "24x24/places/void.png": "", "24x24/places/void.icon": "[Icon Data]\n",
        "flat/apps.svg": "", "flat/flat.png": "", "flat/in/de.svg": "",
    }  # fmt: skip
    return {f"/usr/share/icons/made/{name}": text for name, text in files.items()}


def read_cache(data: bytes) -> dict[str, set[str]]:
    """Files by the directories that a cache says they are in, with what it says in .icon files. Every string is where
    the format has it, and each icon in the bucket in which GTK looks for it.
    """
    major, minor, table, directories = struct.unpack_from(">HHII", data)
    assert (major, minor) == (1, 0)
    (count,) = struct.unpack_from(">I", data, directories)
    names = [_string(data, at) for at in struct.unpack_from(f">{count}I", data, directories + 4)]
    found: dict[str, set[str]] = {name: set() for name in names}
    (buckets,) = struct.unpack_from(">I", data, table)
    for number, first in enumerate(struct.unpack_from(f">{buckets}I", data, table + 4)):
        for name, images in _chain(data, first):
            assert _hash(name) % buckets == number
            (count,) = struct.unpack_from(">I", data, images)
            for directory, flags, _ in struct.iter_unpack(">HHI", data[images + 4 : images + 4 + 8 * count]):
                found[names[directory]] |= {name + end for flag, end in FLAGS.items() if flags & flag}
    return found


def _chain(data: bytes, at: int) -> Iterator[tuple[str, int]]:
    while at != 0xFFFFFFFF:
        at, name, images = struct.unpack_from(">III", data, at)
        yield _string(data, name), images


def _string(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def _hash(name: str) -> int:
    value = 0
    for char in name.encode():
        value = (value * 31 + char) & 0xFFFFFFFF
    return value
