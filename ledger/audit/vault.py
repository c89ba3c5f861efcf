"""The vault against the leaves: every commitment opened, every mail read again (``proof.md``, Personal data).

A value that ``person.erased`` covers is erased, not missing: it must be gone, and its leaf stays.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

from ledger.audit.report import Report
from ledger.clock.message import Found, read_stored
from ledger.clock.queue_id import decode as decode_queue_id
from ledger.errors import WrongCallError
from ledger.facts.catalogue import COMMON, TYPES, account_of
from ledger.facts.personal import commitment_to, opening_of, values_at
from ledger.instants import canonical
from ledger.store.rows import Entry, Rows
from ledger.store.vault import unsealed

_MESSAGES = frozenset({"mail.received", "notification.sent"})
_NAMED = 5
"""Entries that a remark names, of those that no leaf refers to."""

_GONE = (
    "EXISTS (SELECT 1 FROM erased e WHERE e.account = r.owner AND e.retention = r.retention"
    " AND e.position > r.position)"
)


class VaultCheck:
    """What the leaves refer to is noted in ``across``, on disk; then the vault is held against it.

    A mail of no account belongs to the account that it was attributed to.
    """

    def __init__(self, report: Report, across: sqlite3.Connection) -> None:
        self._report = report
        self._across = across
        across.execute(
            "CREATE TABLE referred (name TEXT, filed TEXT, owner TEXT, retention TEXT, position INTEGER,"
            " needed INTEGER)"
        )
        across.execute(
            "CREATE TABLE dated (name TEXT, filed TEXT, position INTEGER, queue_id TEXT, server TEXT)"
        )
        across.execute("CREATE TABLE attributed (mail TEXT PRIMARY KEY, account TEXT)")
        across.execute("CREATE TABLE erased (account TEXT, retention TEXT, position INTEGER)")
        across.execute("CREATE TABLE kept (name TEXT, filed TEXT)")

    def leaf(self, position: int, leaf: dict[str, Any]) -> None:
        """Note what one leaf refers to."""
        kind, data, subject = TYPES[leaf["type"]], leaf["data"], leaf["subject"]
        account = account_of(subject)
        owner = subject if account == COMMON else account
        self._across.executemany(
            "INSERT INTO referred VALUES (?,'',?,?,?,1)",
            [
                (commitment, owner, mark.retention, position)
                for path, mark in kind.personal.items()
                for _, commitment in values_at(data, path)
            ],
        )
        if kind.name in _MESSAGES and "message_sha256" in data:
            # the ledger keeps the mails that it saw itself; a producer may know a digest alone
            self._across.execute(
                "INSERT INTO referred VALUES (?,?,?,'mail',?,?)",
                (data["message_sha256"], f"/{account}", owner, position, "stamp" in data),
            )
            self._date(position, account, data)
        if kind.name == "mail.attributed":
            self._across.execute("INSERT OR REPLACE INTO attributed VALUES (?,?)", (subject, data["account"]))
        if kind.name == "person.erased":
            self._across.executemany(
                "INSERT INTO erased VALUES (?,?,?)",
                [(account, retention, position) for retention in data["classes"]],
            )

    def _date(self, position: int, account: str, data: dict[str, Any]) -> None:
        """Note by what a mail is dated, and compare its time with the one that its queue id carries."""
        stamp = data.get("stamp")
        if stamp is None:
            return
        self._across.execute(
            "INSERT INTO dated VALUES (?,?,?,?,?)",
            (data["message_sha256"], f"/{account}", position, stamp["queue_id"], stamp["server"]),
        )
        try:
            carried = canonical(decode_queue_id(stamp["queue_id"]))
        except WrongCallError:
            return
        if carried != stamp["time"]:
            self._report.wrong(
                position, "mail.queue_id", carried, stamp["time"],
                "The time of this mail is not the one that the mail server's own queue id carries.",
            )  # fmt: skip

    def compare(self, rows: Rows) -> None:
        """Hold the vault against what the leaves refer to."""
        self._across.execute("CREATE INDEX referred_name ON referred (name, filed)")
        self._across.execute("CREATE INDEX dated_name ON dated (name, filed)")
        self._across.execute("CREATE INDEX erased_account ON erased (account, retention, position)")
        self._across.execute(
            "UPDATE referred SET owner = COALESCE((SELECT account FROM attributed WHERE mail = owner), owner)"
            " WHERE owner IN (SELECT mail FROM attributed)"
        )
        for entry in rows.sealed():
            self._value(entry)
        for entry in rows.raw_mails():
            self._mail(entry)
        self._across.execute("CREATE UNIQUE INDEX kept_name ON kept (name, filed)")
        for account in rows.begun_erasures():
            self._report.remark(
                f"An erasure of {account} destroyed values and was interrupted before it was recorded: "
                f"repeat greffe erase {account}."
            )
        self._missing()
        self._not_gone()
        self._unreferred()

    def _value(self, entry: Entry) -> None:
        clear = self._opened(entry, "")
        if clear is None or entry.key is None:
            return
        found = commitment_to(opening_of(entry.key, clear), clear)
        if found != entry.name:
            self._report.wrong(
                self._position(entry.name, ""), "vault.commitment", entry.name, found,
                "The value that the vault opens is not the one that was recorded: it was exchanged.",
            )  # fmt: skip

    def _mail(self, entry: Entry) -> None:
        clear = self._opened(entry, f"/{entry.account}")
        if clear is None:
            return
        found = hashlib.sha256(clear).hexdigest()
        if found != entry.name:
            self._report.wrong(
                self._position(entry.name, f"/{entry.account}"), "vault.mail", entry.name, found,
                "The mail in the vault is not the one that was received: its bytes are others.",
            )  # fmt: skip
        self._received(entry, read_stored(clear))

    def _received(self, entry: Entry, stored: Found) -> None:
        """Compare what dates a mail with the line that the mail server wrote on top of it, if it did."""
        if stored.queue_id is None:
            return
        for position, queue_id, server in self._across.execute(
            "SELECT position, queue_id, server FROM dated WHERE name = ? AND filed = ?",
            (entry.name, f"/{entry.account}"),
        ):
            _, named, host = server.partition(":")
            if (queue_id, host if named else stored.server) != (stored.queue_id, stored.server):
                self._report.wrong(
                    position, "mail.received", f"{queue_id} by {server}",
                    f"{stored.queue_id} by {stored.server}",
                    "The mail server's own line on this mail contradicts the stamp that was recorded of it.",
                )  # fmt: skip

    def _opened(self, entry: Entry, filed: str) -> bytes | None:
        """The clear bytes of an entry, noted as kept; ``None`` and named when it does not open."""
        self._across.execute("INSERT OR IGNORE INTO kept VALUES (?,?)", (entry.name, filed))
        clear = None if entry.key is None else unsealed(entry.key, entry.nonce, entry.ciphertext, entry.name)
        if clear is None:
            of = f"{entry.name} of {entry.account or 'no account'}, class {entry.retention}"
            why = "it has no key" if entry.key is None else "it does not decrypt with its key"
            self._report.wrong(
                self._position(entry.name, filed), "vault.altered", f"an entry that opens: {of}", why,
                "An entry of the vault, or its key, was altered: the value can no longer be disclosed, and "
                "the record still proves that there was one.",
            )  # fmt: skip
        return clear

    def _position(self, name: str, filed: str) -> int:
        """The first leaf that refers to an entry, or the length of the log when none does."""
        (position,) = self._across.execute(
            "SELECT MIN(position) FROM referred WHERE name = ? AND filed = ?", (name, filed)
        ).fetchone()
        return self._report.leaves if position is None else int(position)

    def _missing(self) -> None:
        rows = self._across.execute(
            "SELECT r.name, MIN(r.position), r.owner, r.retention FROM referred r LEFT JOIN kept k"  # noqa: S608
            f" ON k.name = r.name AND k.filed = r.filed WHERE k.name IS NULL AND r.needed AND NOT {_GONE}"
            " GROUP BY r.name, r.filed ORDER BY 2"
        )
        for name, position, owner, retention in rows:
            self._report.wrong(
                position, "vault.missing", f"an entry {name} of {owner}, class {retention}", "none",
                "A value that this fact refers to is gone from the vault, and no fact says that it was "
                "erased: it was lost, or destroyed without being recorded.",
            )  # fmt: skip

    def _not_gone(self) -> None:
        rows = self._across.execute(
            "SELECT name, MIN(position), MAX(owner), MAX(retention) FROM (SELECT r.*,"  # noqa: S608 - constant
            f" {_GONE} AS gone FROM referred r JOIN kept k ON k.name = r.name AND k.filed = r.filed)"
            " GROUP BY name, filed HAVING MIN(gone) = 1 ORDER BY 2"
        )
        for name, position, owner, retention in rows:
            self._report.wrong(
                position, "vault.not_erased", f"no entry {name} of {owner}, class {retention}", "it is there",
                "The record says that this value was erased, and the vault still holds it.",
            )  # fmt: skip

    def _unreferred(self) -> None:
        found = self._across.execute(
            "SELECT k.name, COUNT(*) OVER () FROM kept k LEFT JOIN referred r"
            " ON r.name = k.name AND r.filed = k.filed WHERE r.name IS NULL LIMIT ?",
            (_NAMED,),
        ).fetchall()
        if found:
            names = ", ".join(name for name, _ in found)
            more = ", …" if found[0][1] > len(found) else ""
            self._report.remark(f"No leaf refers to {found[0][1]} entries of the vault: {names}{more}.")
