"""The rules of the house that no linter holds: docstrings, exactness, a coverage page that is true."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import ledger.contract.clauses
import ledger.facts
from ledger.contract.finding import CLAUSES
from ledger.facts.catalogue import TYPES
from projections import PROJECTIONS

ROOT = Path(__file__).parent.parent
ROWS = 43
CONTRACT = sorted([*(ROOT / "ledger" / "contract").rglob("*.py"), ROOT / "ledger" / "money.py"])
PRODUCT = sorted(
    path for package in ("ledger", "projections", "api", "scripts") for path in (ROOT / package).rglob("*.py")
)
CLOCKS = {"now", "today", "utcnow", "time", "monotonic"}


def _calls(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            yield called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


@pytest.mark.parametrize("path", CONTRACT, ids=lambda path: path.stem)
def test_the_contract_is_exact_and_reads_no_clock(path):
    """No float, no rounding but the named one, and no clock in the contract or in money (art. 24)."""
    tree = ast.parse(path.read_text())
    floats = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    called = set(_calls(path))
    assert floats == []
    assert not called & {"float", "round", *CLOCKS}


def test_every_test_says_what_it_shows():
    """Each test has a docstring: a sentence that states the behaviour."""
    silent = [
        f"{path.name}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_the_coverage_page_is_true():
    """All 43 rows stand in COVERAGE once, and it names every clause that is coded and none that is not."""
    text = (ROOT / "docs" / "COVERAGE.md").read_text()
    register = text.partition("## Articles without a row")[0]
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", register, re.MULTILINE)]
    assert rows == list(range(1, ROWS + 1))
    named = set(re.findall(r"`([a-z_]+)`", register))
    assert named == set(CLAUSES)


def test_every_row_is_coded_and_has_its_examples():
    """Every row of the register is coded, and has four worked examples or more."""
    text = (ROOT / "docs" / "COVERAGE.md").read_text().partition("## Articles without a row")[0]
    states = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|", text, re.MULTILINE)
    assert len(states) == ROWS
    for number, state in states:
        examples = tomllib.loads(
            (ROOT / "tests" / "vectors" / "rows" / f"row-{int(number):02}.toml").read_text(encoding="utf-8")
        )
        assert state.startswith("coded"), f"row {number}"
        assert len(examples["vector"]) >= 4, f"row {number}"


def test_every_fact_type_has_its_article_and_bears_on_a_conclusion():
    """No fact is recorded for no reason: each type names its article, and some projection rests on it.

    What the ledger writes of its own proof (stamps, keys, tokens, cosignatures) bears on the record itself.
    """
    assert ledger.facts
    assert all(row.article for row in TYPES.values())
    rested_on = {kind for name, row in PROJECTIONS.items() if name != "timeline" for kind in row.types}
    proof = {"stamp.received", "key.rotated", "basis.recorded", "token.received", "witness.cosigned"}
    assert set(TYPES) - rested_on == proof


def test_nothing_names_this_machine():
    """No committed text holds an absolute path of a workplace or the host of a package registry."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    forbidden = re.compile(
        r"/work/(main|shared)|\.library|pypi\.org|registry\.npmjs|deb\.debian\.org|file:///opt"
    )
    found = [
        name
        for name in tracked
        if Path(name).suffix in {".py", ".md", ".toml", ".txt", ".sh", ""} and name != "tests/test_house.py"
        and (ROOT / name).is_file()
        and forbidden.search((ROOT / name).read_text(errors="replace"))
    ]  # fmt: skip
    assert found == []


def test_modules_stay_readable():
    """No module of the product is longer than 500 lines, but the verifier, which is one file to be read alone."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in PRODUCT
        if (lines := len(path.read_text().splitlines())) > 500 and path.name != "verifier.py"
    }
    assert long == {}
