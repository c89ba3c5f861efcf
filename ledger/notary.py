"""The notary: signs the tree of a ledger once a commit is durable, and never two trees that disagree.

What it signed last lies in the keys' folder, not in the database: a database that was restored from a
backup is behind it, and the notary refuses to sign for it (C2SP tlog-checkpoint: « A log MUST not sign any
checkpoint which is inconsistent with any checkpoint it previously signed »).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ledger.errors import ProofError, WrongLedgerError
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint
from ledger.log.keys import Keys, write_private
from ledger.log.notes import Signature, VerifierKey
from ledger.store import Record
from ledger.store.engine import Connection, open_connection, writing
from ledger.store.proof import keep_checkpoint

SIGNED_FILE = "signed.note"
_LOCK_FILE = "lock"


class Notary:
    """Signs for the ledger that ``record`` reads, with the keys in ``folder``; one thread at a time.

    Raises:
        WrongLedgerError: the ledger is not the one that was signed last, or is behind it.
    """

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder = folder
        self._record = record
        self._keys = Keys.open(folder, record.identity.origin)
        self._read: SignedCheckpoint | None = None
        with self._locked():
            self._check(self._last())
        self._connection: Connection | None = None

    def close(self) -> None:
        """Let go of the database, once it has signed."""
        if self._connection is not None:
            self._connection.close()

    @property
    def verifier_keys(self) -> list[VerifierKey]:
        """What verifies its signatures."""
        return self._keys.verifier_keys

    def sign(self) -> SignedCheckpoint:
        """Sign the tree as it is now, durable as it is; keep the signed checkpoint in the ledger.

        Raises:
            WrongLedgerError: the tree does not begin with the one that was signed last.
        """
        with self._locked():
            last = self._last()
            latest = self._check(last)
            if last is not None and latest == last.checkpoint and self._is_ours(last):
                return last
            note = self._keys.sign(latest)
            signed = SignedCheckpoint(latest, note)
            write_private(self._folder / SIGNED_FILE, signed.to_bytes())
            if self._connection is None or self._connection.broken:
                self._connection = open_connection(self._record.url)
                # durable in the folder already: in the database it may wait for the next commit
                self._connection.relax()
            _keep(self._connection, signed, vouched=False)
        return signed

    def vouch(self, signed: SignedCheckpoint, cosignatures: tuple[Signature, ...] = ()) -> SignedCheckpoint:
        """Keep a checkpoint for good, with the signatures of witnesses added to it."""
        whole = SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(cosignatures))
        with closing(open_connection(self._record.url)) as connection:
            _keep(connection, whole, vouched=True)
        return whole

    def renew_keys(self) -> None:
        """Sign with new keys from now on; the recorder records them with the next commit."""
        with self._locked():
            self._keys = Keys.renew(self._folder, self._keys.name)

    def _check(self, last: SignedCheckpoint | None) -> Checkpoint:
        """The newest checkpoint of the ledger, once it is sure to continue the last one signed."""
        origin, latest = self._record.identity.origin, self._record.latest()
        size, tree = (latest.size if latest else 0), self._record.tree()
        if last is not None:
            known = last.checkpoint
            if known.origin != origin:
                raise WrongLedgerError(f"{self._folder} holds the keys of {known.origin}, not of {origin}")
            if known.size > size:
                raise WrongLedgerError(
                    f"the ledger has {size} leaves, and a checkpoint of {known.size} was signed already: it"
                    " was restored from a backup, or its end was cut; nothing is signed for it"
                )
            try:
                root = tree.root(known.size)
            except ProofError as error:
                raise WrongLedgerError(f"the tiles of the ledger are damaged: {error}") from error
            if root != known.root:
                raise WrongLedgerError(
                    f"the first {known.size} leaves are not those that were signed: the ledger was rewritten;"
                    " nothing is signed for it"
                )
        try:
            root = tree.root(size)
        except ProofError as error:
            raise WrongLedgerError(f"the tiles of the ledger are damaged: {error}") from error
        if latest is not None and root != latest.root:
            raise WrongLedgerError(f"the tiles of the ledger do not lead to its root at {size} leaves")
        return Checkpoint(origin, size, root)

    def _is_ours(self, signed: SignedCheckpoint) -> bool:
        """Whether it bears the signatures of the present keys, not of earlier ones."""
        ours = self.verifier_keys
        return all(any(line.is_by(key) for line in signed.note.signatures) for key in ours)

    def _last(self) -> SignedCheckpoint | None:
        path = self._folder / SIGNED_FILE
        if not path.exists():
            return None
        raw = path.read_bytes()
        if self._read is None or self._read.to_bytes() != raw:
            try:
                self._read = SignedCheckpoint.parse(raw)
            except ProofError as error:
                raise WrongLedgerError(f"{path} is damaged: {error}") from error
        return self._read

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """No other process signs for the same keys meanwhile."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _keep(connection: Connection, signed: SignedCheckpoint, *, vouched: bool) -> None:
    with writing(connection):
        keep_checkpoint(connection, signed, vouched=vouched)
