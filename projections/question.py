"""What may be asked of a projection, and what every projection promises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ledger.contract.clauses.agreement import Agreement
from ledger.contract.finding import PRIMARY, Readings
from ledger.contract.terms import InForce, load
from ledger.facts.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Question:
    """One account, one instant (UTC, inclusive), and the readings to decide with.

    ``terms`` are those that bind the account, at every instant; ``agreement`` is what they rest on.

    ``limit`` and ``after`` page through answers that may be long: at most ``limit`` rows, those that
    come after the row ``after`` names.
    """

    account: str
    as_of: datetime
    readings: Readings = PRIMARY
    terms: InForce = field(default_factory=load)
    agreement: Agreement = field(default_factory=Agreement)
    limit: int | None = None
    after: str | None = None


class Projection(Protocol):
    """One question about an account: the types of fact it rests on, and how to answer it."""

    @property
    def name(self) -> str:
        """As in ``/v1/accounts/{account}/{name}``."""

    @property
    def types(self) -> frozenset[str]:
        """The fact types it follows; those that belong to no account are given to every account."""

    def answer(self, facts: Iterable[Recorded], question: Question) -> Any:  # noqa: ANN401 - any JSON shape
        """The ``result``, with ``Conclusion`` objects in place.

        ``facts`` are of these types, of this account or of none, with legal time ≤ ``as_of``, in the
        order of legal time, then position; they can be read once.
        """
