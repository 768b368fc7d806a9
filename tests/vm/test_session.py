"""Logging in and running commands over a serial line, and the power button: with a shell in the place of QEMU."""

import pytest

from assembler.vm.machine import Machine, MachineError
from assembler.vm.qemu import Emulator, Hardware
from tests.support.toolboxes import ALL, own_tools

GETTY = r"""
enter=$'\r'
for argument; do case $argument in socket,id=qmp,fd=*) monitor=${argument##*=};; esac; done
printf 'x login: '
read -rd "$enter" lost
printf '\nx login: '
read -rd "$enter" name
printf 'Password: '
read -rd "$enter" password
if [ "$name $password" != 'root right' ]; then printf '\nLogin incorrect\nx login: '; read -rd "$enter" name; exit 1; fi
printf '\nlast login: never\nroot@x:~# '
read -rd "$enter" settings
printf '\nready\n'
while read -rd "$enter" line; do
    if [ "$line" = power ]; then break; fi
    eval "$line"
done
printf 'waiting\n'
read -r first <&"$monitor"
read -r second <&"$monitor"
printf '%s\n%s\n' "$first" "$second"
exit 7
"""


@pytest.fixture
def getty(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setattr("assembler.vm.machine.SETTLE", 0)
    toolbox = own_tools(ALL)
    return Emulator(
        command=tuple(toolbox.command("bash", ["-c", GETTY])),
        reach=toolbox.reach,
        environment=toolbox.environment(),
        keeps=toolbox,
    )


def test_a_session(getty: Emulator) -> None:
    with Machine(getty, Hardware()) as machine:
        machine.expect("login: $", timeout=10)
        machine.login("root", "right", timeout=10)
        assert machine.run("printf '\\na\\n\\nb\\n\\n'; false", timeout=10) == (1, "a\n\nb")
        assert machine.run("echo '--end-- 5 x'; (exit 42)", timeout=10) == (42, "--end-- 5 x")
        assert machine.run("true", timeout=10) == (0, "")
        machine.send("power\n")
        machine.expect("waiting", timeout=10)
        machine.shutdown(10)
        assert machine.wait(10) == 7
        with pytest.raises(MachineError, match="ended"):
            machine.expect("never", timeout=10)
        capabilities, powerdown = '{"execute": "qmp_capabilities"}', '{"execute": "system_powerdown"}'
        assert machine.console.text.endswith(f"waiting\n{capabilities}\n{powerdown}\n")
        with pytest.raises(MachineError, match="the machine is off already"):
            machine.shutdown(10)


def test_a_wrong_password(getty: Emulator) -> None:
    with Machine(getty, Hardware()) as machine:
        machine.expect("login: $", timeout=10)
        with pytest.raises(MachineError, match=r"^root cannot log in with this password$"):
            machine.login("root", "wrong", timeout=10)
