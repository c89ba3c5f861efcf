"""Stored facts stay readable for ever: their shapes are compared with golden files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("golden_schemas", Path(__file__).parent / "golden_schemas.py")
assert _SPEC
assert _SPEC.loader
schemas = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(schemas)


@pytest.mark.parametrize("name", sorted(schemas.TYPES))
def test_the_stored_shape_of_a_type_never_changes_unnoticed(name: str) -> None:
    """A changed field, mark, default, subject or opening differs from the golden file."""
    file = schemas.file_of(name)
    assert file.exists(), f"new type {name}: write its file with python tests/ledger/facts/golden_schemas.py"
    assert schemas.golden(schemas.TYPES[name]) == json.loads(file.read_text("utf-8")), (
        f"the stored shape of {name} changed, and facts recorded before must still be read: "
        "if it is meant, raise v, read the old shape by upcasting, and edit the golden file by hand"
    )


def test_no_type_disappears() -> None:
    """A golden file without its type means that recorded facts could no longer be read."""
    assert {file.stem for file in schemas.FOLDER.glob("*.json")} == set(schemas.TYPES)
