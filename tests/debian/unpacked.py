"""Packages made by hand, as they are after unpacking."""

from collections.abc import Mapping

from assembler.debian.package import Unpacked
from assembler.tree.staging import Tree
from tests.support.scripts import with_programs


def package(
    tree: Tree,
    name: str,
    *,
    files: Mapping[str, str] | None = None,
    depends: str = "",
    **control: str,
) -> Unpacked:
    """A package whose files are in `tree`; `control` are members such as postinst, `essential` the field.

    With a script, the tree has all programs that are computed.
    """
    if {"preinst", "postinst"} & control.keys():
        with_programs(tree)
    paths = ["/."]
    for path, text in (files or {}).items():
        tree.write(path, text.encode(), parents=True)
        parts = path.split("/")[1:]
        paths += [f"/{'/'.join(parts[: depth + 1])}" for depth in range(len(parts))]
    fields = {
        "Package": name,
        "Version": "1.0",
        "Architecture": "amd64",
        "Maintainer": "Nobody <nobody@example.org>",
        "Depends": depends,
        "Essential": control.pop("essential", ""),
        "Multi-Arch": control.pop("multi_arch", ""),
        "Description": "a package\n that was made by hand",
    }
    return Unpacked(
        name=name,
        version="1.0",
        architecture="amd64",
        fields={key: value for key, value in fields.items() if value},
        control={member: text.encode() for member, text in control.items()},
        paths=tuple(dict.fromkeys(paths)),
    )
