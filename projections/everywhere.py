"""One projection over all accounts, in one list: the deadlines of everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ledger import instants
from ledger.contract.finding import PRIMARY, Readings
from ledger.errors import WrongCallError
from ledger.facts.recorded import clock_kind

if TYPE_CHECKING:
    from projections.answers import Answers

SORTED_BY = {"deadlines": "at"}
"""The projections whose rows make one list over all accounts, and what sorts them."""


def everywhere(
    answers: Answers,
    name: str,
    *,
    as_of: datetime | None,
    known_at: datetime | None = None,
    readings: Readings = PRIMARY,
    only: Callable[[str], bool] = lambda _account: True,
) -> dict[str, Any]:
    """One answer over all accounts that ``only`` admits: each row bears its ``account``.

    Raises:
        WrongCallError: the rows of that projection make no list, or a reading does not exist.
    """
    if name not in SORTED_BY:
        raise WrongCallError(
            f"{name!r} is asked of one account at a time; over all accounts: {', '.join(SORTED_BY)}"
        )
    asked = answers.prepare(None, as_of, known_at, readings)
    told = [
        answers.ask(name, account, as_of=asked.question.as_of, known_at=known_at, readings=readings)
        for account in answers.record.accounts()
        if only(account)
    ]
    rows = [{"account": answer["account"], **row} for answer in told for row in answer["result"]]
    clocks = [answer["clock"] for answer in told]
    return {
        "account": None,
        "as_of": instants.plain(asked.question.as_of),
        "as_of_source": asked.as_of_source,
        "known_at": None if asked.known_at is None else instants.plain(asked.known_at),
        "position": asked.scope.end - 1,
        "terms": asked.terms,
        "clock": min(clocks, key=clock_kind, default=answers.record.identity.clock),
        "origin": answers.record.identity.origin,
        "tzdata": instants.tzdata_version(),
        "remarks": sorted({remark for answer in told for remark in answer["remarks"]}),
        "result": sorted(rows, key=lambda row: (row[SORTED_BY[name]], row["account"], row["subject"])),
    }
