"""The README's example is run, and what it says of the command is held against the command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
LONGEST_LINES = 120


def _example() -> str:
    block = re.search(r"<!-- example.*?-->\n```console\n(.*?)```", README.read_text(), re.DOTALL)
    assert block, "the README has an example"
    return re.sub(r"^\$ ", "", block.group(1), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the example prints, run line for line by a shell."""
    folder = tmp_path_factory.mktemp("readme")
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "200"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _example()],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("word", ["reserved", "admissible", "9.4", "clean"])
def test_the_example_says_what_the_readme_says(told, word):
    """The README's example runs as it stands and concludes what the text under it says."""
    assert word in told


def test_the_readme_is_short():
    """The README is at most 120 lines."""
    assert len(README.read_text().splitlines()) <= LONGEST_LINES


def test_every_command_of_the_program_is_in_the_readme():
    """Each command of the program stands in the README, and the README names no other."""
    help_text = subprocess.run(
        [sys.executable, "-m", "scripts.greffe", "--help"],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "COLUMNS": "200"},
    ).stdout  # fmt: skip
    offered = set(re.findall(r"^[│ ]+([a-z]+) {2,}", help_text, re.MULTILINE))
    table = re.search(r"\| command \| does \|.*?\n\n", README.read_text(), re.DOTALL)
    assert table
    named = {
        word
        for cell in re.findall(r"^\| (.*?) \|", table.group(0), re.MULTILINE)
        for word in re.findall(r"`(?:greffe )?([a-z]+)", cell)
    }
    assert offered == named
