"""runit-helper, which enables a service of runit."""

from assembler.programs.context import Action, ExecutionContext


def runit_helper(arguments: list[str]) -> Action | None:
    """``runit-helper postinst``: enable the service that the variable NAME names."""
    if arguments[:1] != ["postinst"]:
        return None

    def run(context: ExecutionContext) -> int:
        directory, name = "/etc/runit/runsvdir/default", context.environment.get("NAME", "")
        links = (f"{directory}/.{name}", f"{directory}/{name}")
        enabled = context.environment.get("ENABLE") == "yes" and context.tree.is_dir(directory)
        if enabled and not any(context.tree.lexists(link) for link in links):
            context.tree.symlink(f"/etc/sv/{name}", links[1])
        return 0

    return run
