"""Recorded facts as the API and the pages show them."""

from __future__ import annotations

from typing import Any

from ledger import instants
from ledger.errors import NotRecordedError
from ledger.facts.catalogue import TYPES
from ledger.facts.personal import values_at
from ledger.facts.recorded import Recorded
from ledger.log.merkle import leaf_hash
from ledger.store import Record


def clear_facts(record: Record, subject: str) -> list[dict[str, Any]]:
    """The facts of a subject, personal values in clear where the vault still has them.

    Raises:
        NotRecordedError: there is no such subject.
    """
    facts = record.history(subject)
    if not facts:
        raise NotRecordedError(f"the subject {subject} is not in the record")
    clear = record.unseal(sorted({value for fact in facts for value in _commitments(fact)}))
    return [_shown(fact, clear) for fact in facts]


def _commitments(fact: Recorded) -> list[str]:
    personal = TYPES[fact.type].personal
    return [value for path in personal for _, value in values_at(fact.fields["data"], path)]


def _shown(fact: Recorded, clear: dict[str, str]) -> dict[str, Any]:
    kept = {key: value for key, value in fact.fields.items() if key not in ("salt", "v", "data")}
    return {
        "position": fact.position,
        "version": fact.version,
        **kept,
        "data": _opened(fact.fields["data"], clear),
        "legal_time": instants.plain(fact.legal_time),
        "not_after": instants.plain(fact.not_after),
        "recorded_at": instants.plain(fact.recorded_at),
        "clock": fact.clock,
        "leaf_hash": leaf_hash(fact.leaf).hex(),
    }


def _opened(node: Any, clear: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, dict):
        return {key: _opened(item, clear) for key, item in node.items()}
    if isinstance(node, list):
        return [_opened(item, clear) for item in node]
    return clear.get(node, node) if isinstance(node, str) else node
