"""Whose address is whose: the e-mails of accounts, followed from the record."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from ledger.facts.personal import normalised
from ledger.facts.recorded import Recorded

_PAGE = 5_000
_ADDRESS_FACTS = frozenset({"account.opened", "account.email_changed", "account.corrected"})


class Log(Protocol):
    """What of the record the address book reads (``ledger.store.Record`` is one)."""

    def size(self) -> int:
        """The number of leaves."""

    def facts(self, start: int, limit: int) -> list[Recorded]:
        """The facts among the leaves from ``start`` on."""

    def unseal(self, commitments: Iterable[str]) -> dict[str, str]:
        """The clear values behind commitments."""


class AddressBook:
    """The accounts of each address; an address that an account left keeps pointing to it (art. 23).

    It is fed by the record alone, and reads on from where it stopped.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._at = 0
        self._accounts: dict[str, set[str]] = {}
        self._sent: dict[str, str] = {}
        self._lock = threading.Lock()

    def accounts_of(self, address: str) -> Sequence[str]:
        """The accounts that gave this address, by name; several when one client has several contracts."""
        with self._lock:
            self._read_on()
            return sorted(self._accounts.get(normalised(address), ()))

    def notification_of(self, queue_id: str) -> str | None:
        """The subject of the notification that left under a queue id."""
        with self._lock:
            self._read_on()
            return self._sent.get(queue_id)

    def _read_on(self) -> None:
        size = self._log.size()
        while self._at < size:
            for fact in self._log.facts(self._at, min(_PAGE, size - self._at)):
                if fact.type in _ADDRESS_FACTS:
                    self._note(fact)
                elif fact.type == "notification.sent" and "stamp" in fact.fields["data"]:
                    self._sent[fact.fields["data"]["stamp"]["queue_id"]] = fact.subject
            self._at = min(self._at + _PAGE, size)

    def _note(self, fact: Recorded) -> None:
        commitment = fact.fields["data"].get("email")
        if commitment is not None:
            for address in self._log.unseal([commitment]).values():
                self._accounts.setdefault(normalised(address), set()).add(fact.account)
