"""What an audit found: each discrepancy by its position, with one sentence for a lawyer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST_KEPT = 10_000
"""Discrepancies and remarks beyond these are counted, not kept: a ruined file must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One place where the record is not what an honest ledger would hold.

    ``position`` is the leaf that it concerns, or the length of the log for what no leaf stands for;
    ``rule`` is a short stable name; ``meaning`` says in a sentence what it means for the parties.
    """

    position: int
    rule: str
    expected: str
    found: str
    meaning: str

    def to_json(self) -> dict[str, Any]:
        """The discrepancy as the command prints it."""
        return {
            "position": self.position,
            "rule": self.rule,
            "expected": self.expected,
            "found": self.found,
            "meaning": self.meaning,
        }


@dataclass(slots=True)
class Report:
    """What an audit found. ``remarks`` are worth knowing and are no discrepancy."""

    leaves: int = 0
    facts: int = 0
    commits: int = 0
    root: str = ""
    total: int = 0
    discrepancies: list[Discrepancy] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.total == 0

    def wrong(self, position: int, rule: str, expected: str, found: str, meaning: str) -> None:
        """Name a discrepancy."""
        self.total += 1
        if len(self.discrepancies) < MOST_KEPT:
            self.discrepancies.append(Discrepancy(position, rule, expected, found, meaning))

    def remark(self, text: str) -> None:
        """Say what is worth knowing, once."""
        if len(self.remarks) < MOST_KEPT and text not in self.remarks[-_LOOKED_BACK:]:
            self.remarks.append(text)

    def to_json(self) -> dict[str, Any]:
        """The report as the command prints it; ``discrepancy_count`` counts those not kept, too."""
        return {
            "clean": self.clean,
            "leaves": self.leaves,
            "facts": self.facts,
            "commits": self.commits,
            "root": self.root,
            "discrepancy_count": self.total,
            "discrepancies": [discrepancy.to_json() for discrepancy in self.discrepancies],
            "remarks": self.remarks,
        }


_LOOKED_BACK = 100
