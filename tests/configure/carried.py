"""Rules of the assembler, carried out on an image that is made by hand."""

from assembler.configure.rules import action_of, built_in
from assembler.programs.context import ExecutionContext
from assembler.tree.staging import Kind, Tree
from tests.tree.disk import tree_of

ACCOUNTS = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nredis:x:101:102::/:/bin/false\n",
    "/etc/group": "root:x:0:\nadm:x:4:\nshadow:x:42:\nredis:x:102:\nnogroup:x:65534:\n",
    "/etc/shadow": "root:*:1::::::\nredis:!:1::::::\n",
    "/etc/gshadow": "root:*::\nadm:*::\nshadow:*::\nredis:!::\nnogroup:*::\n",
}
STATE = ("/etc/shadow", "/etc/gshadow", "/var/lib/ucf/cache", "/var/lib/ucf/hash", "/var/lib/apache2/")


def listing(tree: Tree) -> dict[str, list[str]]:
    """Links, files and directories by path; lines that are comments, ordinary directories and the state of programs of
    Debian, which have tests of their own, are left out. Of alternatives, the priority stays.
    """
    found: dict[str, list[str]] = {}
    for path, inode in tree.walk():
        kept = f"{inode.mode:o} {inode.uid}:{inode.gid}"
        if inode.kind is Kind.SYMLINK:
            found[path] = [f"-> {inode.target}"]
        elif inode.kind is Kind.DIR:
            if kept != "755 0:0" or not tree.names(path):
                found[path] = [f"{kept} /"]
        elif not path.startswith(STATE):
            lines = [line for line in tree.read(path).decode().splitlines() if line and line[0] != "#"]
            if path.startswith("/var/lib/dpkg/alternatives/"):
                lines = [line for line in lines if line.isdigit()]
            found[path] = [kept, *lines]
    return found


def filled(files: dict[str, str]) -> Tree:
    tree = tree_of(files)
    for path in files:
        if path.startswith(("/usr/bin/", "/etc/init.d/")):
            tree.chmod(path, 0o755)
    return tree


def carried_out(package: str, files: dict[str, str], script: str = "postinst", number: int = 0) -> ExecutionContext:
    """An image after the rule; several rules of the same script differ by architecture."""
    rules = [rule for rule in built_in() if rule.values.script == script and rule.is_for(package)]
    context = ExecutionContext(filled(files), "amd64", package=package)
    assert action_of(rules[number], package, "amd64")(context) == 0
    return context


def left(package: str, files: dict[str, str], script: str = "postinst", number: int = 0) -> list[str]:
    """What the rule changed: ``PATH | WHAT``, of what was there the lines that are new, of what is gone ``-``."""
    before = listing(filled(files))
    tree = carried_out(package, files, script, number).tree
    changed = []
    for path, lines in listing(tree).items():
        old = before.get(path, [])
        if lines != old:
            changed.append(" | ".join([path, *(line for line in lines if line not in old)]))
    return changed + [f"{path} | -" for path in before if not tree.lexists(path)]


def directories(*paths: str) -> dict[str, str]:
    return {f"{path}/": "" for path in paths}
