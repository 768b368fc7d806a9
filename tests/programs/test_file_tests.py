"""test(1): what it answers about files and strings, and what it is not asked."""

import os
import subprocess
from pathlib import Path

import pytest

from assembler.programs.context import ExecutionContext
from assembler.programs.file_tests import file_test
from tests.support.host_commands import need
from tests.tree.disk import tree_of, write_out

FILES = {"/f": "x", "/none": "", "/d/": "", "/run": "", "/l": "->f", "/ld": "->d", "/dangling": "->nowhere"}
QUESTIONS = [
    *(f"-{letter} @/{name}" for letter in "efdLhsxrwS" for name in ("f", "d", "run", "l", "ld", "dangling", "no",
      "none")),
    "! -e @/f", "! -e @/no", "-n x", "-n ''", "-z x", "-z ''", "a = a", "a = b", "a != a", "a != b",
    "-e @/f -a -d @/d", "-e @/f -a -d @/f", "-e @/no -a -d @/d", "-e @/no -o -d @/d", "-e @/no -o -d @/f",
    "-e @/f -o -e @/no -a -e @/no", "-e @/f -o -d @/f",
]  # fmt: skip


def test_the_answers_are_those_of_a_shell(tmp_path: Path) -> None:
    tree = tree_of(FILES)
    tree.chmod("/run", 0o010)
    root = write_out(tree, tmp_path / "root")
    script = "".join(f"test {question}; echo $?\n" for question in QUESTIONS).replace("@", str(root))
    done = subprocess.run([need("dash", "dash"), "-c", script], stdout=subprocess.PIPE, text=True, check=False)
    real = dict(zip(QUESTIONS, done.stdout.split(), strict=True))
    context = ExecutionContext(tree, "amd64")
    for question, answer in real.items():
        if os.geteuid() and question[:2] in {"-x", "-r", "-w"}:
            continue  # a script of dpkg's is root's
        ask = file_test([word.strip("'") for word in question.replace("@", "").split()])
        assert ask is not None, question
        assert ask(context) is (answer == "0"), question


@pytest.mark.parametrize(
    "question",
    [[], ["x"], ["-e"], ["-e", ""], ["-q", "/f"], ["!"], ["!", "x"], ["a", "<", "b"], ["-e", "/f", "-a", "x"],
     ["x", "-o", "-e", "/f"], ["-e", "/f", "-nt", "/g"], ["1", "-eq", "1"], ["-e", "/f", "/g"]],
)  # fmt: skip
def test_what_is_not_understood(question: list[str]) -> None:
    assert file_test(question) is None
