"""hostname(1) 3.23 to 3.25, as in the machine in which packages are executed.

Its name is localhost (guest/init), and its network is the loopback device alone.
"""

from assembler.programs.inputs import Failure, content_of, options_of
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused

NAME = "localhost"


def hostname(process: Process) -> int:
    """``hostname``, with ``-s``, ``-f`` or ``-d``."""
    options, names = options_of(process, "s|short f|fqdn|long d|domain")
    if names or len(options) > 1:
        raise Refused("hostname with these arguments", why=" ".join(process.arguments))
    if "d" in options:
        return _tell(process, "", looks_up=True)
    return _tell(process, f"{NAME}\n", looks_up="f" in options)


def dnsdomainname(process: Process) -> int:
    """``dnsdomainname``, which is ``hostname -d``."""
    if process.arguments:
        raise Refused("dnsdomainname with arguments", why=" ".join(process.arguments))
    return _tell(process, "", looks_up=True)


def _tell(process: Process, text: str, *, looks_up: bool) -> int:
    if looks_up and not _is_found(process):
        process.complain("hostname: Temporary failure in name resolution")
        return 1
    process.print(text)
    return 0


def _is_found(process: Process) -> bool:
    """Whether ``/etc/hosts`` has the name, as the first one of an address. Raises Refused if it has it otherwise, or if
    something else than that file and a server that cannot be reached is asked.
    """
    try:
        switch = content_of(process, "/etc/nsswitch.conf").decode("latin-1")
    except Failure as error:
        raise Refused("the name of the machine, which is looked up", why=NAME) from error
    sources = [line.partition("#")[0].partition(":")[2].split() for line in switch.splitlines() if _is_hosts(line)]
    lines = [line.partition("#")[0].split() for line in _hosts(process).splitlines()]
    found = [words for words in lines if NAME in map(str.lower, words[1:])]
    if [each[:1] for each in sources] == [["files"]]:
        if found and all(each[1] == NAME for each in found):
            return True
        if not found and set(sources[0]) <= {"files", "dns"}:
            return False
    raise Refused("the name of the machine, which is looked up", why=NAME)


def _hosts(process: Process) -> str:
    try:
        return content_of(process, "/etc/hosts").decode("latin-1")
    except Failure:
        return ""


def _is_hosts(line: str) -> bool:
    return line.partition(":")[0].strip() == "hosts"


PROGRAMS: dict[str, Program] = {"hostname": hostname, "dnsdomainname": dnsdomainname}
"""Programs by name."""
