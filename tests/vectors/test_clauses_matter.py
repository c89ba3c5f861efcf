"""Each clause matters: taken away, a worked example of a row that names it fails."""

from __future__ import annotations

import importlib
import pkgutil
import re
import types
from pathlib import Path

import pytest
from test_rows import FILES, concluded, found

import ledger.contract.clauses
from ledger.contract.finding import CLAUSES

COVERAGE = (Path(__file__).parents[2] / "docs" / "COVERAGE.md").read_text(encoding="utf-8")
REGISTER = COVERAGE.partition("## Articles without a row")[0]
ROWS = {
    int(number): re.findall(r"`([a-z_]+)`", clauses)
    for number, clauses in re.findall(r"^\| (\d+) \|[^|]+\|[^|]+\| ?([^|]*)\|", REGISTER, re.MULTILINE)
}
NAMES = sorted({name for names in ROWS.values() for name in names})


class TakenAwayError(Exception):
    """A clause that is no longer there was asked."""


def gone(*_args, **_kwargs):
    raise TakenAwayError


def function_of(name):
    """The function that a clause decorates."""
    for module in pkgutil.iter_modules(ledger.contract.clauses.__path__):
        loaded = importlib.import_module(f"ledger.contract.clauses.{module.name}")
        decorated = loaded.__dict__.get(name)
        if decorated is not None and decorated.__module__ == loaded.__name__:
            return decorated.__wrapped__
    raise AssertionError(name)


def holds(folder, row, vector):
    """Whether an example still comes out as it says."""
    folder.mkdir()
    try:
        result = concluded(folder, row, vector)
        return {path: found(result, path) for path in vector["expect"]} == vector["expect"]
    except (TakenAwayError, KeyError, IndexError, TypeError):
        return False


def test_every_clause_stands_in_a_row():
    """No clause is outside the register, and no row but that of the record itself is without one."""
    assert set(NAMES) == set(CLAUSES)
    assert [number for number, names in ROWS.items() if not names] == [31]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_fails_without_its_clause(tmp_path, name):
    """With a clause taken away, an example of a row that names it does not hold any more."""
    function = function_of(name)
    code, globals_ = function.__code__, function.__globals__
    numbers = [number for number, names in ROWS.items() if name in names]
    examples = [
        (FILES[f"row-{number:02}"], vector)
        for number in numbers
        for vector in FILES.get(f"row-{number:02}", {"vector": []})["vector"]
    ]
    globals_["TakenAwayError"] = TakenAwayError
    try:
        function.__code__ = _fitting(code)
        kept = [
            vector["name"]
            for place, (row, vector) in enumerate(examples)
            if holds(tmp_path / str(place), row, vector)
        ]
    finally:
        function.__code__ = code
        del globals_["TakenAwayError"]
    assert len(kept) < len(examples), f"every example of rows {numbers} holds without {name}"


def _fitting(code: types.CodeType) -> types.CodeType:
    """The code that stands for a clause taken away, with the clause's own free variables (it has none)."""
    assert code.co_freevars == ()
    return gone.__code__
