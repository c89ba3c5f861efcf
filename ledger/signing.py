"""Signing as the recorder does it: after each commit, and the keys on the record with the first."""

from __future__ import annotations

import logging

import orjson

from ledger.admission import Admission
from ledger.errors import GreffeError
from ledger.facts.envelope import parse_events
from ledger.notary import Notary
from ledger.store.writing import Writing

_KEYS_SUBJECT = "keys"
_KEYS_TYPE = "key.rotated"
_SOURCE = "/greffe/keys"
_log = logging.getLogger(__name__)


class Signing:
    """A notary at work for one recorder; the tree is signed at once when it was not yet."""

    def __init__(self, notary: Notary) -> None:
        self.notary = notary
        self.last = notary.sign().to_bytes()

    def sign(self) -> None:
        """Sign the tree as it is now.

        The facts are durable already: what goes wrong here is logged, and the next commit tries again.
        """
        try:
            self.last = self.notary.sign().to_bytes()
        except (GreffeError, OSError):
            _log.exception("the ledger was not signed")

    def record_keys(self, writing: Writing, admission: Admission) -> None:
        """Admit the fact that names the keys, when the record names others or none."""
        keys = [key.text for key in self.notary.verifier_keys]
        recorded = _recorded_keys(writing)
        if keys == recorded:
            return
        ids = ".".join(key.key_id.hex() for key in self.notary.verifier_keys)
        event = {
            "specversion": "1.0",
            "id": f"keys-{ids}-{writing.versions_of([_KEYS_SUBJECT])[_KEYS_SUBJECT] + 1}",
            "source": _SOURCE,
            "type": _KEYS_TYPE,
            "subject": _KEYS_SUBJECT,
            "data": {"keys": keys, "retired": [key for key in recorded if key not in keys]},
        }
        drafts = parse_events([event], by_ledger=True)
        admission.expect(drafts)
        admission.admit(drafts)


def _recorded_keys(writing: Writing) -> list[str]:
    """The keys that the record names last."""
    keys: list[str] = []
    for _, _, leaf in writing.stream(_KEYS_SUBJECT):
        keys = orjson.loads(leaf)["data"]["keys"]
    return keys
