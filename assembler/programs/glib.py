"""glib-compile-schemas(1) and gio-querymodules(1) of GLib 2.84, where there is nothing for them to do."""

from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind


def compile_schemas(process: Process) -> int:
    """``glib-compile-schemas DIRECTORY`` without schemas in it: nothing, and what was compiled before goes."""
    return _nothing_to_do(process, (".gschema.xml", ".gschema.override", ".enums.xml"), "gschemas.compiled")


def query_modules(process: Process) -> int:
    """``gio-querymodules DIRECTORY`` without modules in it: no cache."""
    return _nothing_to_do(process, (".so",), "giomodule.cache")


def _nothing_to_do(process: Process, suffixes: tuple[str, ...], made: str) -> int:
    if len(process.arguments) != 1 or process.arguments[0].startswith("-"):
        raise Refused("a cache of GLib with these arguments", why=" ".join(process.arguments))
    place = process.place(process.arguments[0])
    directory = process.tree.get(place, follow=True)
    if directory is None or directory.kind is not Kind.DIR:
        process.complain("no such directory")
        return 1
    if any(name.endswith(suffixes) for name in directory.children):
        raise Refused("GLib's schemas and modules are not compiled by the assembler", why=process.arguments[0])
    process.tree.discard(f"{place}/{made}")
    return 0


PROGRAMS: dict[str, Program] = {"glib-compile-schemas": compile_schemas, "gio-querymodules": query_modules}
