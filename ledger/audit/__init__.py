"""The audit: the whole record replayed from its stored bytes, trusting nothing that was derived.

Every leaf is decoded strictly, every commit's digest and Merkle root computed again, every rule of the
write side applied again; the vault, the journal, the index, the tiles and every signature are held against
the leaves. The audit does not stop at the first discrepancy; each is named by its position, with one
sentence that says what it means. Memory does not grow with the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime

from cryptography.x509 import Certificate

from ledger.audit.replay import Progress, Replay, Scope
from ledger.audit.report import MOST_KEPT, Discrepancy, Report
from ledger.audit.stamps import StampingMessages
from ledger.store import Record
from ledger.store.rows import Rows

__all__ = ["MOST_KEPT", "Discrepancy", "Report", "StampingMessages", "audit"]


def audit(
    record: Record,
    *,
    progress: Progress | None = None,
    as_of: datetime | None = None,
    journal: StampingMessages | None = None,
    signed: Iterable[tuple[str, bytes]] = (),
    roots: Sequence[Certificate] = (),
) -> Report:
    """Replay a ledger from its stored bytes.

    ``as_of`` (UTC) ends the replay before the first commit stamped later, and leaves out what has no past
    (vault, tiles, indexes, signatures). Without the ``journal``, stamps are not compared with it, and the
    report says so. ``signed`` are signed checkpoints that lie elsewhere, such as beside the keys or with a
    witness: where each lies, and the note. ``roots`` are those of the authorities whose tokens are verified.
    ``progress`` is told (leaves done, leaves in all).
    """
    # a temporary file, private and deleted by SQLite
    with closing(Rows(record.url)) as rows, closing(sqlite3.connect("")) as across:
        return Replay(record, rows, across, Scope(as_of, journal, signed, roots)).run(progress)
