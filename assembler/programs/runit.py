"""runit-helper, which enables a service of runit."""

from assembler.programs.context import Action, Machine


def runit_helper(arguments: list[str]) -> Action | None:
    """``runit-helper postinst``: enable the service that the variable NAME names."""
    if arguments[:1] != ["postinst"]:
        return None

    def run(machine: Machine) -> int:
        directory, name = "/etc/runit/runsvdir/default", machine.environment.get("NAME", "")
        links = (f"{directory}/.{name}", f"{directory}/{name}")
        enabled = machine.environment.get("ENABLE") == "yes" and machine.tree.is_dir(directory)
        if enabled and not any(machine.tree.lexists(link) for link in links):
            machine.tree.symlink(f"/etc/sv/{name}", links[1])
        return 0

    return run
