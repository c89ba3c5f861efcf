"""The stored shape of every fact type, as golden files keep it.

Run as a program, it writes the files of *new* types. It never changes a file: facts of a type that was
once recorded stay readable for ever, so a deliberate change is made by upcasting (a new ``v`` in the
leaf, the old shape still read), and its golden file is edited by hand in the same commit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger.facts.catalogue import TYPES, FactType

FOLDER = Path(__file__).parents[2] / "golden" / "facts"
_WORDS_ONLY = ("title", "description", "examples")


def golden(row: FactType) -> dict[str, Any]:
    """What must not change of a type: its subjects, its opening, its fields, marks and defaults."""
    return {
        "type": row.name,
        "subjects": list(row.subjects),
        "opening": row.opening.value,
        "by_ledger": row.by_ledger,
        "personal": {"/".join(path): mark.retention for path, mark in sorted(row.personal.items())},
        "schema": _without_words(row.model.model_json_schema(by_alias=True)),
    }


def _without_words(schema: Any) -> Any:
    """The schema without what only people read; a *field* named ``description`` has an object there."""
    if isinstance(schema, dict):
        return {
            key: _without_words(value)
            for key, value in schema.items()
            if not (key in _WORDS_ONLY and isinstance(value, str | list))
        }
    return [_without_words(item) for item in schema] if isinstance(schema, list) else schema


def file_of(name: str) -> Path:
    """The golden file of a type."""
    return FOLDER / f"{name}.json"


def write_missing() -> list[str]:
    """Write the golden file of each type that has none; the names of those types."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = [name for name in sorted(TYPES) if not file_of(name).exists()]
    for name in missing:
        text = json.dumps(golden(TYPES[name]), indent=1, sort_keys=True, ensure_ascii=False)
        file_of(name).write_text(text + "\n", encoding="utf-8")
    return missing


if __name__ == "__main__":
    print(*(write_missing() or ["every type has its golden file"]), sep="\n")  # noqa: T201 - a program
