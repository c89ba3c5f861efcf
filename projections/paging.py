"""Long answers by pages: how many rows one holds, where it was cut, and what it needs to read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import WrongCallError

if TYPE_CHECKING:
    from projections.answers import Answers, Asked

ROWS_ON_A_PAGE: Final = 1_000
"""How many rows an answer holds when its caller names no limit."""

KEYS: Final = {"invoices": "subject", "notifications": "subject", "timeline": "position"}
"""The answers that are lists cut into pages, and the field of a row that ``after`` names."""

DELIVERIES: Final = "acceptance"
"""The answer whose deliveries are cut into pages, and which says itself where."""

_DELIVERY = "consumption.recorded"


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one call; ``limit`` is ``None`` for an answer that is not cut."""

    name: str
    limit: int | None

    @classmethod
    def of(cls, name: str, limit: int | None) -> Page:
        """The page that a call asks for.

        Raises:
            WrongCallError: ``limit`` is below 1.
        """
        if limit is not None and limit < 1:
            raise WrongCallError(f"limit is a number of rows, 1 at the least, not {limit}")
        paged = name in KEYS or name == DELIVERIES
        return cls(name, (limit or ROWS_ON_A_PAGE) if paged else None)

    @property
    def wanted(self) -> int | None:
        """How many rows to make: one more than a list shows tells that there are more."""
        return self.limit + 1 if self.limit is not None and self.name in KEYS else self.limit

    def cut(self, result: Any) -> tuple[Any, str | None]:  # noqa: ANN401 - any JSON shape
        """The rows of the page, and the ``after`` of the next one when there is one."""
        if self.name == DELIVERIES:
            return result, result.pop("next", None)
        if self.limit is None or len(result) <= self.limit:
            return result, None
        rows = result[: self.limit]
        return rows, str(rows[-1][KEYS[self.name]])


def left_unread(answers: Answers, asked: Asked) -> tuple[str, Collection[int]]:
    """The deliveries that a page of acceptance need not read, as their type, and those that it must.

    It reads those of the page, one more that tells that there are more, and those that were corrected.
    """
    question, scope = asked.question, asked.scope
    start = None
    if question.after is not None:
        opened = answers.record.history(question.after.rpartition("#")[0])
        start = (opened[0].legal_time, opened[0].position) if opened else None
    count = (question.limit or ROWS_ON_A_PAGE) + 1
    of_page = answers.follower.positions(DELIVERIES, scope, _DELIVERY, start=start, count=count)
    return _DELIVERY, {*of_page, *corrected(answers, asked)}


def corrected(answers: Answers, asked: Asked) -> set[int]:
    """The deliveries that corrections re-opened: they decide what a reserve is worth."""
    with answers.follower.facts(DELIVERIES, asked.scope, without=_DELIVERY) as facts:
        subjects = {fact.subject for fact in facts if fact.type == "consumption.corrected"}
    return {answers.record.history(subject)[0].position for subject in subjects}
