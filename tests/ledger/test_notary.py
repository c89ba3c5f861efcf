"""The notary signs what is durable, and never two trees that disagree."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from places import only_sqlite
from recorder_factory import opened

from ledger.clock.embedded import EmbeddedMailServer
from ledger.clock.message import checkpoint_in
from ledger.errors import WrongLedgerError
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.notes import VerifierKey
from ledger.log.proofs import verify_consistency
from ledger.notary import SIGNED_FILE, Notary
from ledger.recorder import Recorder
from ledger.store import open_record, sqlite_path


class Office:
    """A signed ledger that can be closed, copied and opened again."""

    def __init__(self, desk, folder):
        self.clock = desk.clock
        self.place = desk.place
        self.url = self.place.url("signed")
        self.keys = folder / "keys"

    def record(self, *accounts):
        """Open the ledger, record each account in a commit of its own, and close it."""
        with Recorder(self.url, self.clock, keys=self.keys) as recorder:
            for account in accounts:
                recorder.record(parse_events([opened(account)]))

    @property
    def path(self):
        """The file of one that is a file."""
        return Path(sqlite_path(self.url))

    def copy(self, where):
        """A copy of the database as a backup would hold it."""
        with sqlite3.connect(self.path) as source, sqlite3.connect(where) as target:
            source.backup(target)

    def restore(self, where):
        """Put a copy in the database's place."""
        for path in self.path.parent.glob("signed.db*"):
            path.unlink()
        shutil.copy(where, self.path)

    @property
    def signed(self):
        """The newest signed checkpoint of the database."""
        record = open_record(self.url)
        try:
            return record.signed()
        finally:
            record.close()

    @property
    def key_facts(self):
        """What the record says of its keys."""
        record = open_record(self.url)
        try:
            return [fact.fields["data"] for fact in record.history("keys")]
        finally:
            record.close()


@pytest.fixture
def office(desk, tmp_path):
    return Office(desk, tmp_path)


def test_each_commit_is_signed(office):
    """The newest checkpoint has all leaves, and is signed by the keys that the record names."""
    office.record("ACC-1", "ACC-2")
    (fact,) = office.key_facts
    keys = [VerifierKey.parse(text) for text in fact["keys"]]
    signed = office.signed
    assert signed.checkpoint.size == 6  # two stamps, two accounts, the basis, the keys
    assert signed.verified_by(keys) == keys


def test_checkpoints_continue_each_other(office):
    """What is signed later is proved to begin with what was signed before, over restarts."""
    office.record("ACC-1")
    before = office.signed.checkpoint
    office.record(*(f"B-{number}" for number in range(200)))
    record = open_record(office.url)
    after = record.signed().checkpoint
    verify_consistency(before, after, record.tree().consistency(before.size, after.size))
    record.close()


@only_sqlite
def test_a_restored_backup_is_not_signed_for(office, tmp_path):
    """A database from a backup, behind what was signed, is refused before anything is recorded in it."""
    office.record("ACC-1")
    office.copy(tmp_path / "backup.db")
    office.record("ACC-2")
    office.restore(tmp_path / "backup.db")
    with pytest.raises(WrongLedgerError, match="restored from a backup"):
        office.record("ACC-3")


@only_sqlite
def test_a_restored_backup_that_was_continued_is_not_signed_for(office, tmp_path):
    """A backup that went on without the keys has other leaves: refused, however long it has become."""
    office.record("ACC-1")
    office.copy(tmp_path / "backup.db")
    office.record("ACC-2")
    office.restore(tmp_path / "backup.db")
    with Recorder(office.url, office.clock) as unsigned:
        for number in range(5):
            unsigned.record(parse_events([opened(f"OTHER-{number}")]))
    with pytest.raises(WrongLedgerError, match="rewritten"):
        office.record("ACC-3")


def test_tiles_that_were_altered_are_not_signed_for(office):
    """Tiles that do not lead to the ledger's own root are not signed."""
    office.record("ACC-1")
    office.place.tamper(office.url, "UPDATE edge SET hashes = zeroblob(length(hashes)) WHERE level = 0")
    with pytest.raises(WrongLedgerError):
        office.record("ACC-2")


def test_keys_of_another_ledger(office, desk):
    """Keys that signed for one origin do not sign for another."""
    office.record("ACC-1")
    with pytest.raises(WrongLedgerError, match="holds the keys of"):
        Recorder(desk.place.url("other"), desk.clock, origin="other.test/x", keys=office.keys)


def test_a_damaged_state_is_named(office):
    """A state file that cannot be read is not taken for none."""
    office.record("ACC-1")
    (office.keys / SIGNED_FILE).write_bytes(b"nothing")
    with pytest.raises(WrongLedgerError, match="damaged"):
        office.record("ACC-2")


def test_a_crash_between_commit_and_signature(office):
    """A commit that was not signed yet is signed at the next start."""
    office.record("ACC-1")
    before = office.signed.checkpoint.size
    with Recorder(office.url, office.clock) as unsigned:
        unsigned.record(parse_events([opened("ACC-2")]))
    assert office.signed.checkpoint.size == before
    office.record()
    assert office.signed.checkpoint.size == before + 2


def test_keys_are_renewed_and_the_record_says_so(office):
    """After a renewal the new keys sign, and the next commit names them and retires the old ones."""
    office.record("ACC-1")
    (first,) = office.key_facts
    record = open_record(office.url)
    Notary(office.keys, record).renew_keys()
    record.close()
    office.record("ACC-2")
    _, second = office.key_facts
    assert second["retired"] == first["keys"]
    assert not set(second["keys"]) & set(first["keys"])
    assert len(office.signed.verified_by(map(VerifierKey.parse, second["keys"]))) == 2


def test_what_was_vouched_for_is_kept(office):
    """Of the signed checkpoints the newest is kept, and each that somebody outside vouched for."""
    office.record("ACC-1")
    record = open_record(office.url)
    vouched = Notary(office.keys, record).vouch(office.signed)
    record.close()
    office.record("ACC-2", "ACC-3")
    record = open_record(office.url)
    kept = [signed for _, signed in record.checkpoints()]
    record.close()
    assert [row.checkpoint.size for row in kept if isinstance(row, SignedCheckpoint)] == [
        vouched.checkpoint.size,
        8,
    ]


@only_sqlite
def test_a_ledger_from_before_there_were_tiles(desk, tmp_path):
    """A ledger of the earlier format is brought up when it is opened to write, and signed as it is."""
    desk.recorder.record(parse_events([opened(f"ACC-{number}") for number in range(300)]))
    desk.recorder.close()
    with sqlite3.connect(desk.path) as connection:
        for table in ("tile", "edge", "checkpoint"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
    with Recorder(desk.url, desk.clock, keys=tmp_path / "keys") as recorder:
        assert recorder.notary is not None
        assert recorder.notary.sign().checkpoint.size == 301


def test_a_stamping_message_carries_the_checkpoint_before_it(desk, tmp_path):
    """Each stamping message in the journal carries what was signed last, read back from its stored form."""
    with closing(EmbeddedMailServer(tmp_path / "mail", origin="greffe.test/x")) as mail:
        url = desk.place.url("mailed")
        with Recorder(url, mail.clock, origin="greffe.test/x", keys=tmp_path / "keys") as recorder:
            for account in ("ACC-1", "ACC-2"):
                recorder.record(parse_events([opened(account)]))
        record = open_record(url)
        commits = list(record.commits())
        carried = [checkpoint_in(mail.clock.journal.find(commit.queue_id)) for commit in commits]
        record.close()
    sizes = [SignedCheckpoint.parse(raw).checkpoint.size for raw in carried]
    assert sizes == [0, commits[0].size]
