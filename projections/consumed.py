"""What an account consumed, as far as it stands: no entry of nothing, none that was corrected away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from ledger.facts.recorded import Recorded
from projections.follower import Follower, Scope
from projections.usage import CONSUMPTION_TYPES, USAGE

_DELIVERY, _CORRECTION = "consumption.recorded", "consumption.corrected"

Entry = tuple[Recorded, dict[str, Any]]
"""An entry, with the fact that brought it."""


class Consumed:
    """The consumption that a question sees; ``history`` gives what it sees of one delivery, in order."""

    def __init__(
        self, follower: Follower, scope: Scope, history: Callable[[str], Iterable[Recorded]]
    ) -> None:
        self._follower, self._scope, self._history = follower, scope, history

    def after(self, instant: datetime) -> Recorded | None:
        """The first fact recorded after an instant that tells of something consumed after it."""
        corrected = self._corrected
        with self._follower.facts(USAGE.name, self._scope, since=instant) as facts:
            for by, entry in _standing(facts, corrected):
                if datetime.fromisoformat(entry["to"]) > instant and Decimal(entry["quantity"]):
                    return by
        return None

    def first(self) -> tuple[Recorded, datetime] | None:
        """What was consumed first, and from when (UTC), whenever it was recorded."""
        corrected = self._corrected
        earliest: tuple[str, Recorded] | None = None
        with self._follower.facts(USAGE.name, self._scope) as facts:
            for by, entry in _standing(facts, corrected):
                if (earliest is None or entry["from"] < earliest[0]) and Decimal(entry["quantity"]):
                    earliest = entry["from"], by
        return None if earliest is None else (earliest[1], datetime.fromisoformat(earliest[0]))

    @cached_property
    def _corrected(self) -> dict[str, list[Entry]]:
        """The entries that stand of each delivery that was corrected."""
        with self._follower.facts(USAGE.name, self._scope, without=_DELIVERY) as facts:
            subjects = dict.fromkeys(fact.subject for fact in facts if fact.type == _CORRECTION)
        return {subject: _left(list(self._history(subject))) for subject in subjects}


def _standing(facts: Iterable[Recorded], corrected: dict[str, list[Entry]]) -> Iterator[Entry]:
    """The entries that stand of the deliveries among some facts; of a corrected one each once."""
    told: set[str] = set()
    for fact in facts:
        if fact.type not in CONSUMPTION_TYPES or fact.subject in told:
            continue
        if fact.subject in corrected:
            told.add(fact.subject)
            yield from corrected[fact.subject]
        else:
            yield from ((fact, entry) for entry in fact.fields["data"].get("entries", ()))


def _left(history: list[Recorded]) -> list[Entry]:
    """The entries of a delivery that no correction replaced, new ones numbered after the last."""
    delivery = [fact for fact in history if fact.type == _DELIVERY]
    if not delivery:
        return []
    entries: list[Entry] = []
    replaced: set[int] = set()
    for fact in (*delivery, *(fact for fact in history if fact.type == _CORRECTION)):
        data = fact.fields["data"]
        replaced.update(number for number in data.get("replaces", ()) if number < len(entries))
        entries += [(fact, entry) for entry in data.get("entries", ())]
    return [entry for number, entry in enumerate(entries) if number not in replaced]
