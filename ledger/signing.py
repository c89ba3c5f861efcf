"""Signing as the recorder does it: after each commit, keys and basis on the record with the first."""

from __future__ import annotations

import logging
from importlib import metadata
from typing import Any

import orjson

from ledger.admission import Admission
from ledger.contract.basis import basis
from ledger.errors import GreffeError
from ledger.facts.envelope import parse_events
from ledger.notary import Notary
from ledger.store.writing import Writing

_KEYS_SUBJECT = "keys"
_KEYS_TYPE = "key.rotated"
_BASIS_SUBJECT = "basis"
_BASIS_TYPE = "basis.recorded"
_SOURCE = "/greffe/"
_log = logging.getLogger(__name__)


class Signing:
    """A notary at work for one recorder; the tree is signed at once when it was not yet."""

    def __init__(self, notary: Notary) -> None:
        self.notary = notary
        self._basis = basis()
        self.last = notary.sign().to_bytes()

    def sign(self) -> None:
        """Sign the tree as it is now.

        The facts are durable already: what goes wrong here is logged, and the next commit tries again.
        """
        try:
            self.last = self.notary.sign().to_bytes()
        except (GreffeError, OSError):
            _log.exception("the ledger was not signed")

    def record_own(self, writing: Writing, admission: Admission) -> None:
        """Admit the facts that name what is concluded from, and the keys, when the record names others."""
        digests = _last(writing, _BASIS_SUBJECT).get("digests", {})
        if digests != self._basis:
            data = {"digests": self._basis, "program": f"greffe {metadata.version('greffe')}"}
            _admit(writing, admission, _BASIS_SUBJECT, _BASIS_TYPE, data)
        keys = [key.text for key in self.notary.verifier_keys]
        recorded: list[str] = _last(writing, _KEYS_SUBJECT).get("keys", [])
        if keys != recorded:
            data = {"keys": keys, "retired": [key for key in recorded if key not in keys]}
            _admit(writing, admission, _KEYS_SUBJECT, _KEYS_TYPE, data)


def _admit(writing: Writing, admission: Admission, subject: str, kind: str, data: dict[str, Any]) -> None:
    version = writing.versions_of([subject])[subject] + 1
    event = {
        "specversion": "1.0",
        "id": f"{subject}-{version}",
        "source": f"{_SOURCE}{subject}",
        "type": kind,
        "subject": subject,
        "data": data,
    }
    drafts = parse_events([event], by_ledger=True)
    admission.expect(drafts)
    admission.admit(drafts)


def _last(writing: Writing, subject: str) -> dict[str, Any]:
    """The data of the last fact of a subject, nothing when there is none."""
    stream = writing.stream(subject)
    data: dict[str, Any] = orjson.loads(stream[-1][2])["data"] if stream else {}
    return data
