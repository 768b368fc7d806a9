"""Two boots of one node: kubeadm makes a cluster in the first, and everything works in both."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from assembler.vm.machine import Machine
from assembler.vm.node import Built, hardware, keep_state
from assembler.vm.qemu import Emulator

LOGIN = 1800
CLUSTER = 7200
"""Seconds for an emulated machine on a busy host; a real one takes a minute or two."""
KUBECTL = "kubectl --request-timeout=120s"
WAIT = "--timeout=600s"
"""For kubectl's own waiting, as to start it again and again costs a good part of an emulated processor."""


class ProofError(Exception):
    """The node did not do what it should."""


@dataclass(frozen=True, slots=True)
class Question:
    """One command, and what its output must hold."""

    command: str
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    timeout: int = 900
    last: bool = True
    """Whether a wrong answer ends the proof at once."""


def _until(command: str, text: str) -> str:
    """Ask again and again until the output holds `text`, for about an hour at most."""
    ask = f"out=$({command} 2>&1)"
    return f"for i in $(seq 240); do {ask}; case $out in *'{text}'*) break;; esac; sleep 15; done; echo \"$out\""


def _comes(command: str, text: str, *lacks: str) -> Question:
    """A question whose answer holds `text` sooner or later, and then nothing of `lacks`."""
    return Question(_until(command, text), (text,), lacks, timeout=CLUSTER)


BOOT_ID = "{.items[*].status.nodeInfo.bootID}"
THIS_BOOT = f"[ $({KUBECTL} get nodes -o jsonpath='{BOOT_ID}') = $(cat /proc/sys/kernel/random/boot_id) ]"
SERVICE = f"$({KUBECTL} get service web -o jsonpath='{{.spec.clusterIP}}')"
BY_NAME = "/agnhost connect --timeout=60s web.default.svc.cluster.local:80 && echo connected by name"

FIRST = (
    # Not status --wait: it starts programs all the time, which is half of what an emulated processor can do.
    Question(
        "until [ -e /run/cloud-init/result.json ]; do sleep 15; done; cloud-init status",
        ("status: done",),
        timeout=CLUSTER,
    ),
    Question("cat /var/log/kubeadm-init.log", ("initialized successfully!",), ("[ERROR",)),
    Question("grep WARNING /var/log/kubeadm-init.log", (), ("WARNING",), last=False),
    Question("systemctl show -p Result preload-k8s-images.service", ("Result=success",)),
    Question("journalctl -b -u preload-k8s-images -o cat --no-pager", ("importing image 1 of 8", "all 8 images")),
)
EVERY = (
    Question("findmnt -no TARGET,SOURCE,FSTYPE /var/lib/etcd; findmnt -no FSTYPE /var/lib/containerd", ("ext4",)),
    # What the cluster says of the node may be from before the reboot.
    _comes(f"{THIS_BOOT} && echo of this boot", "of this boot"),
    _comes(f"kubectl wait {WAIT} --for=condition=Ready node --all", "condition met"),
    Question(f"{KUBECTL} get nodes -o wide", (" Ready ",)),
    _comes(f"kubectl -n kube-system rollout status {WAIT} deployment/coredns", "successfully rolled out"),
    _comes(f"kubectl rollout status {WAIT} deployment/web", "successfully rolled out"),
    Question(f"{KUBECTL} get pods -A -o wide", ("coredns", "kube-apiserver", "etcd", "web")),
    Question(f"{KUBECTL} get services,endpointslices -A"),
    _comes(f"curl -sS --max-time 60 http://{SERVICE}/hostname", "web-"),
    _comes(f"{KUBECTL} exec deployment/web -- {BY_NAME}", "connected by name"),
    Question("crictl images"),
    Question("nft list tables; systemctl --failed --no-legend --plain"),
)
AGAIN = (
    _comes("journalctl -b -u preload-k8s-images -o cat --no-pager", "all 8 images", "importing"),
    Question("systemctl show -p ActiveEnterTimestampMonotonic -p InactiveExitTimestampMonotonic preload-k8s-images"),
)


class Transcript:
    """What was asked and answered, for people."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path, self._say = path, say
        self._path.write_text("")
        self._began = time.monotonic()

    def line(self, text: str) -> None:
        """One remark."""
        self._add(f"# {time.monotonic() - self._began:6.0f} s  {text}\n")

    def answer(self, command: str, output: str) -> None:
        """A command and what it printed."""
        self._add(f"$ {command}\n{output}\n\n")

    def _add(self, text: str) -> None:
        with self._path.open("a") as out:
            out.write(text)
        self._say(text.rstrip("\n"))


def prove(
    node: Built, emulator: Emulator, directory: Path, transcript: Transcript, echo: Callable[[str], None]
) -> None:
    """Boot `node` twice with one state disk in `directory`, and ask. Raises ProofError or MachineError."""
    state = directory / "var.qcow2"
    keep_state(state)
    machine = replace(
        hardware(node, seed=node.seed, state=state, memory=4096, processors=2, ssh_port=None), outside=False
    )
    wrong: list[str] = []
    for title, questions in (("first boot", (*FIRST, *EVERY)), ("after a reboot", (*AGAIN, *EVERY))):
        transcript.line(title)
        with _logged_in(Machine(emulator, machine, echo=echo)) as running:
            transcript.line("logged in on the console")
            wrong += _ask(running, questions, transcript)
            running.shutdown(1200)
        transcript.line("switched off")
    if wrong:
        raise ProofError("; ".join(wrong))


@contextmanager
def _logged_in(machine: Machine) -> Iterator[Machine]:
    with machine:
        machine.expect(r"^k8s-livecd login: $", LOGIN)
        machine.login("root", "root", timeout=600)
        machine.run("export KUBECONFIG=/root/.kube/config", 120)
        yield machine


def _ask(machine: Machine, questions: Sequence[Question], transcript: Transcript) -> list[str]:
    """Ask all; returns what is wrong and may wait."""
    wrong: list[str] = []
    for question in questions:
        _, output = machine.run(question.command, question.timeout)
        transcript.answer(question.command, output)
        missing = [text for text in question.holds if text not in output]
        unwanted = [text for text in question.lacks if text in output]
        if not missing and not unwanted:
            continue
        wrong.append(f"{question.command}: lacks {missing}, has {unwanted}")
        if question.last:
            for command in ("crictl ps -a", "journalctl -b -u kubelet -o cat --no-pager | tail -n 40",
                            "tail -n 40 /var/log/kubeadm-init.log", f"{KUBECTL} get pods -A"):  # fmt: skip
                transcript.answer(command, machine.run(command, 600)[1])
            raise ProofError(wrong[-1])
    return wrong
