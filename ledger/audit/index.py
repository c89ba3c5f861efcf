"""The tables that are derived from the leaves, compared with what the leaves say."""

from __future__ import annotations

import sqlite3
from typing import Any

from ledger.audit.report import Report
from ledger.facts.envelope import identity_key
from ledger.store.rows import Rows


class IndexCheck:
    """What each leaf must have in the index is noted in ``across``, on disk, then compared."""

    def __init__(self, report: Report, across: sqlite3.Connection) -> None:
        self._report = report
        self._across = across
        self._types: set[str] = set()
        across.execute("CREATE TABLE to_see (key INTEGER, position INTEGER)")
        across.execute("CREATE TABLE seen (key INTEGER, position INTEGER)")

    def leaf(self, position: int, topic: str, leaf: dict[str, Any] | None) -> None:
        """Note what one leaf must have."""
        self._types.add(topic)
        if leaf is not None and "id" in leaf:
            key = identity_key(leaf["id"], leaf["source"])
            self._across.execute("INSERT INTO to_see VALUES (?,?)", (key, position))

    def compare(self, rows: Rows) -> None:
        """Compare the tables with what was noted."""
        self._latest(rows)
        self._seen(rows)
        self._names(rows)
        for problem in rows.integrity():
            self._report.wrong(
                self._report.leaves, "store.integrity", "a sound database file", problem,
                "The database itself is damaged here, or one of its indexes was altered.",
            )  # fmt: skip
        unexamined = rows.unexamined()
        if unexamined is not None:
            self._report.remark(unexamined)
        missing = rows.missing_triggers()
        if missing:
            self._report.remark(
                "The triggers that refuse changes of the log are not there: " + ", ".join(missing) + "."
            )

    def _latest(self, rows: Rows) -> None:
        greatest = before = 0
        for position, stamped, latest in rows.stamps():
            greatest = max(greatest, stamped)
            # of the row before or of all rows: so that one altered number is named once
            if latest not in (greatest, max(before, stamped)):
                self._report.wrong(
                    position, "commit.latest", str(greatest), str(latest),
                    "The index by time of this commit was altered: a question as of an instant would see "
                    "too much of the record, or too little.",
                )  # fmt: skip
            before = latest

    def _seen(self, rows: Rows) -> None:
        self._across.executemany("INSERT INTO seen VALUES (?,?)", rows.seen())
        for key, position in self._across.execute("SELECT * FROM to_see EXCEPT SELECT * FROM seen"):
            self._report.wrong(
                position, "seen.missing", f"the row {key} of the index of ids", "none",
                "This fact is no longer known by its id: sent again, it would be recorded a second time.",
            )  # fmt: skip
        for key, position in self._across.execute("SELECT * FROM seen EXCEPT SELECT * FROM to_see"):
            self._report.wrong(
                position if isinstance(position, int) else self._report.leaves,
                "seen.other", "the row of a fact", f"the row {key} at {position}",
                "The index of ids names a fact that does not stand at this position.",
            )  # fmt: skip

    def _names(self, rows: Rows) -> None:
        for position, subject, topic in rows.nameless_leaves():
            self._report.wrong(
                position, "index.name", "a subject and a type with a name", f"numbers {subject} and {topic}",
                "The index no longer says whose history this leaf belongs to, or of what type it is.",
            )  # fmt: skip
        unused = [("subject", name) for name in rows.unused_subjects()]
        unused += [("type", name) for name in rows.topics() if name not in self._types]
        for what, name in unused:
            self._report.wrong(
                self._report.leaves, f"index.{what}", f"a {what} that a leaf has", name,
                f"The index has a {what} that no leaf bears: a leaf was removed, or given to another.",
            )  # fmt: skip
        for name in rows.names_given_twice():
            self._report.wrong(
                self._report.leaves, "index.twice", "one number a name", f"two for {name}",
                "The index splits the history of one subject in two: part of it would not be found.",
            )  # fmt: skip
