"""The terms that bind one account over time: versions that follow each other, and what derogates."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ledger.contract.terms import Terms

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before every fact: the first version holds for all time before it too."""


@dataclass(frozen=True, slots=True)
class Override:
    """A special condition that replaces one parameter from an instant on."""

    since: datetime
    topic: str
    value: str


@dataclass(frozen=True)
class TermsHistory:
    """Versions from when each binds (the first from ``BEGINNING``), and overrides in order of time.

    ``names`` has the version that binds from each of these instants; ``unknown`` those whose parameters
    are not known here, each with the version that is decided under in its place.
    """

    versions: tuple[tuple[datetime, Terms], ...]
    names: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()

    @cached_property
    def _derogated(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], Terms]:
        """The terms with what derogates from them, made once for each set of conditions."""
        return {}

    @cached_property
    def _starts(self) -> list[datetime]:
        return [since for since, _ in self.versions]

    def _place(self, instant: datetime) -> int:
        return bisect_right(self._starts, instant) - 1

    def version_at(self, instant: datetime) -> str:
        """The name of the version that binds at an instant, known here or not."""
        return self.names[self._place(instant)]

    def at(self, instant: datetime) -> Terms:
        """The terms in force at an instant (UTC), special conditions included."""
        terms = self.versions[self._place(instant)][1]
        said = tuple((row.topic, row.value) for row in self.overrides if row.since <= instant)
        if not said:
            return terms
        if (terms.version, said) not in self._derogated:
            for topic, value in said:
                terms = terms.replacing(topic, value)
            self._derogated[terms.version, said] = terms
        return self._derogated[terms.version, said]
