"""What the ledger concludes from beside facts, held against what the record says of it."""

from __future__ import annotations

from typing import Any

from ledger.audit.report import Report
from ledger.contract.basis import basis

_TYPE = "basis.recorded"


class BasisCheck:
    """The digests that the record names, as leaves come in; those of here at the end."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._position = 0
        self._named: dict[str, str] | None = None

    def leaf(self, position: int, leaf: dict[str, Any]) -> None:
        """Take one leaf; a change that is on record is worth knowing."""
        if leaf["type"] != _TYPE:
            return
        named = leaf["data"]["digests"]
        if self._named is not None:
            self._report.remark(
                f"From position {position} on the ledger concludes from other versions of:"
                f" {', '.join(_differing(self._named, named))}."
            )
        self._position, self._named = position, named

    def compare(self) -> None:
        """Hold what is here against what the record named last."""
        if self._named is None:
            return
        here = basis()
        for name in _differing(self._named, here):
            self._report.wrong(
                self._position, "basis.changed", self._named.get(name, "none"), here.get(name, "none"),
                f"What is concluded here rests on another {name} than the one that the record names: it was"
                " changed since, and nothing dates the change.",
            )  # fmt: skip


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
