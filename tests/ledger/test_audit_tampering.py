"""Every stored byte matters: one bit flipped in any table, message or signature is found and named."""

from __future__ import annotations

import hashlib
import shutil
import smtplib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509 import Certificate, load_pem_x509_certificates
from openssl_authority import OpensslAuthority

from ledger.audit import Report, audit
from ledger.clock import MailSettings, open_mail
from ledger.clock.journal import Journal
from ledger.clock.queue_id import encode
from ledger.clock.simulated import SimulatedClock
from ledger.contract.basis import basis
from ledger.facts.envelope import parse_events
from ledger.instants import canonical
from ledger.log.checkpoints import SignedCheckpoint, cosignature_message, timed
from ledger.log.keys import Keys
from ledger.log.notes import COSIGNATURE, Signature, VerifierKey
from ledger.log.tokens import verify_token
from ledger.notary import SIGNED_FILE
from ledger.recorder import Recorder
from ledger.store import open_record
from ledger.vouching import cosigned_event, token_event

ORIGIN = "test.example/ledger"
WITNESS = Ed25519PrivateKey.generate()
WITNESS_KEY = VerifierKey("witness.test/w", COSIGNATURE, WITNESS.public_key().public_bytes_raw())


def event(name: str, kind: str, subject: str, **data: Any) -> dict[str, Any]:
    """A CloudEvent."""
    return {
        "specversion": "1.0", "id": name, "source": "/test", "type": kind, "subject": subject, "data": data,
    }  # fmt: skip


def price(number: int, unit_price: str = "0.10") -> dict[str, Any]:
    """A published price."""
    data = {"service": "fcu", "unit": "second", "unit_price": unit_price, "effective": "2021-06-01"}
    return event(f"p-{number}", "price.published", f"price/p-{number}", **data)


def cosigned(signed: SignedCheckpoint) -> Signature:
    """The witness's cosignature of 1 June 2021."""
    seconds = 1_622_505_600
    signature = WITNESS.sign(cosignature_message(seconds, signed.checkpoint))
    return Signature(WITNESS_KEY.name, WITNESS_KEY.key_id, timed(seconds, signature))


class Master:
    """A ledger of the embedded server with keys, mails, 300 facts, a token and a cosignature."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        made = OpensslAuthority(folder / "tsa")
        self.roots: list[Certificate] = load_pem_x509_certificates(made.root_pem.read_bytes())
        server = open_mail(f"embedded:{folder / 'mail'}", origin=ORIGIN, settings=MailSettings())
        url = f"sqlite:///{folder / 'l.db'}"
        with Recorder(url, server.clock, origin=ORIGIN, keys=folder / "keys") as recorder:
            record = open_record(url)
            recorder.record(parse_events([event("a", "account.opened", "A", email="a@client.example")]))
            server.start_intake(recorder.record, record)
            self._post(server.intake_address or "")
            self._wait(lambda: record.size() >= 8)
            server.stop_intake()
            recorder.record(parse_events([price(number) for number in range(300)]))
            notary = recorder.notary
            assert notary is not None
            signed = notary.sign()
            line = cosigned(signed)
            notary.vouch(signed, (line,))
            text = signed.checkpoint.text.encode()
            token = verify_token(made.token_over(text), text, self.roots)
            events = [cosigned_event(signed, line, WITNESS_KEY), token_event(signed, token)]
            recorder.record(parse_events(events, by_ledger=True))
            recorder.record(parse_events([price(300)]))
            record.close()
        server.close()

    @staticmethod
    def _post(address: str) -> None:
        host, _, port = address.partition(":")
        letter = (
            b"From: a@client.example\r\nTo: o@outscale.example\r\nSubject: Bonjour\r\n\r\nUne reserve.\r\n"
        )
        with smtplib.SMTP(host, int(port)) as client:
            client.sendmail("a@client.example", ["o@outscale.example"], letter)

    @staticmethod
    def _wait(done: Callable[[], bool]) -> None:
        until = time.monotonic() + 15
        while not done():
            assert time.monotonic() < until
            time.sleep(0.05)


class Copy:
    """A copy of the master's files, to be tampered with."""

    def __init__(self, master: Master, folder: Path) -> None:
        self.db, self.mail, self.keys = folder / "l.db", folder / "mail", folder / "keys"
        with (
            closing(sqlite3.connect(master.folder / "l.db")) as source,
            closing(sqlite3.connect(self.db)) as to,
        ):
            source.backup(to)
        shutil.copytree(master.folder / "mail", self.mail)
        shutil.copytree(master.folder / "keys", self.keys)
        self.roots = master.roots

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The file as somebody with full access writes it: triggers dropped first."""
        with closing(sqlite3.connect(self.db)) as connection, connection:
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            yield connection

    def messages(self) -> list[Path]:
        return sorted((self.mail / "journal" / "new").iterdir())

    def audited(self, *, with_last: bool = False) -> Report:
        record = open_record(f"sqlite:///{self.db}")
        signed = [("the keys' folder", (self.keys / SIGNED_FILE).read_bytes())] if with_last else []
        try:
            return audit(
                record, journal=Journal(self.mail / "journal", ORIGIN), roots=self.roots, signed=signed
            )
        finally:
            record.close()

    def found(self, **options: bool) -> set[tuple[int, str]]:
        return {(row.position, row.rule) for row in self.audited(**options).discrepancies}

    def rules(self, **options: bool) -> set[str]:
        return {rule for _, rule in self.found(**options)}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Master:
    return Master(tmp_path_factory.mktemp("master"))


@pytest.fixture
def copy(master: Master, tmp_path: Path) -> Copy:
    return Copy(master, tmp_path)


def flip(value: Any) -> Any:
    """The value with one bit changed."""
    if isinstance(value, int):
        return value ^ (1 << 40)
    raw = bytearray(value if isinstance(value, bytes) else value.encode())
    raw[len(raw) // 2] ^= 1
    return bytes(raw) if isinstance(value, bytes) else raw.decode()


def test_the_honest_ledger_is_clean(copy: Copy) -> None:
    """Tiles, mails, a token, a cosignature and every message agree, and only that is remarked which is so."""
    report = copy.audited(with_last=True)
    assert report.discrepancies == []
    assert report.remarks == []
    assert report.leaves > 300


@pytest.mark.parametrize(
    ("table", "column", "where", "expected"),
    [
        ("leaf", "position", "position = 9", "position.gap"),
        ("leaf", "subject", "position = 20", "index.name"),
        ("leaf", "version", "position = 20", "subject.version"),
        ("leaf", "topic", "position = 20", "index.name"),
        ("leaf", "state", "position = 20", "tile.leaf"),
        ("leaf", "state", "position = 0", "tile.leaf"),
        ("commits", "position", "position = 0", "commit.missing"),
        ("commits", "count", "position = 0", "commit.count"),
        ("commits", "root", "position = 0", "commit.root"),
        ("commits", "frontier", "position = 0", "commit.root"),
        ("commits", "stamped", "position = 0", "commit.time"),
        ("commits", "latest", "position = 0", "commit.latest"),
        ("commits", "server", "position = 0", "commit.server"),
        ("commits", "queue_id", "position = 0", "commit.queue_id"),
        ("seen", "key", "position = 20", "seen.missing"),
        ("seen", "position", "position = 20", "seen.other"),
        ("subject", "name", "name = 'price/p-9'", "column.subject"),
        ("subject", "id", "name = 'price/p-300'", "index.name"),
        ("topic", "name", "name = 'price.published'", "column.type"),
        ("topic", "id", "name = 'price.published'", "index.name"),
        ("tile", "hashes", "id = 0", "tile.leaf"),
        ("tile", "id", "id = 0", "tile.missing"),
        ("edge", "hashes", "level = 0", "tile.leaf"),
        ("edge", "hashes", "level = 1", "tile.node"),
        ("edge", "number", "level = 0", "edge.altered"),
        ("checkpoint", "note", "vouched", "checkpoint.unreadable|checkpoint.signature|checkpoint.unsigned"),
        ("checkpoint", "size", "vouched", "checkpoint.size"),
        ("vault_key", "key", "retention = 'relation'", "vault.altered"),
        ("vault_key", "account", "retention = 'relation'", "vault.altered"),
        ("vault_key", "retention", "retention = 'mail'", "vault.altered"),
        ("sealed", "commitment", "retention = 'relation'", "vault.missing"),
        ("sealed", "account", "retention = 'relation'", "vault.altered"),
        ("sealed", "retention", "retention = 'relation'", "vault.altered"),
        ("sealed", "nonce", "retention = 'relation'", "vault.altered"),
        ("sealed", "ciphertext", "retention = 'relation'", "vault.altered"),
        ("raw_mail", "sha256", "1", "vault.missing"),
        ("raw_mail", "account", "1", "vault.missing"),
        ("raw_mail", "nonce", "1", "vault.altered"),
        ("raw_mail", "ciphertext", "1", "vault.altered"),
        ("meta", "value", "key = 'origin'", "checkpoint.origin"),
        ("meta", "value", "key = 'clock'", "stamp.clock"),
    ],
)
def test_one_bit_in_any_row(copy: Copy, table: str, column: str, where: str, expected: str) -> None:
    """The rule that names it, and a sentence on what it means."""
    with copy.writing() as connection:
        (rowid, value) = connection.execute(
            f"SELECT {_key(table)}, {column} FROM {table} WHERE {where} ORDER BY 1 LIMIT 1"
        ).fetchone()
        connection.execute("UPDATE leaf SET position = 100000 WHERE position = 8" if column == "position" and
                           table == "leaf" else "SELECT 1")  # fmt: skip
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {_key(table)} = ? AND {where}", (flip(value), rowid)
        )
    report = copy.audited()
    assert set(expected.split("|")) & {row.rule for row in report.discrepancies}
    assert all(row.meaning.endswith(".") and row.expected and row.found for row in report.discrepancies)


def _key(table: str) -> str:
    return {
        "leaf": "position", "commits": "position", "seen": "position", "subject": "id", "topic": "id",
        "tile": "id", "edge": "level", "checkpoint": "size", "vault_key": "account", "sealed": "commitment",
        "raw_mail": "sha256", "meta": "key",
    }[table]  # fmt: skip


class TestJournal:
    """The messages that the mail server dated."""

    @pytest.mark.parametrize("place", [0, 5, -1])
    def test_one_byte_of_a_message(self, copy: Copy, place: int) -> None:
        """Each byte that was sent is bound: the message is named as altered, or as gone."""
        message = copy.messages()[place]
        raw = bytearray(message.read_bytes())
        raw[-10] ^= 1
        message.write_bytes(bytes(raw))
        assert copy.rules() == {"journal.altered"}

    def test_a_message_is_removed(self, copy: Copy) -> None:
        """The first commit lost what dates it."""
        copy.messages()[0].unlink()
        assert copy.found() == {(0, "journal.missing")}

    def test_the_server_s_line_tells_another_time(self, copy: Copy) -> None:
        """Its date is moved by a year: it contradicts the stamp."""
        message, year = copy.messages()[0], datetime.now(UTC).year
        head, mark, body = message.read_bytes().partition(b"X-Greffe-Digest")
        message.write_bytes(head.replace(b"%d" % year, b"%d" % (year - 1)) + mark + body)
        assert copy.found() == {(0, "journal.received_time")}

    def test_the_end_of_the_log_was_cut(self, copy: Copy) -> None:
        """The last commit is taken out of every table: its message, the signatures and the keys tell."""
        with copy.writing() as connection:
            cut(connection)
        report = copy.audited(with_last=True)
        rules = {row.rule for row in report.discrepancies}
        assert "checkpoint.beyond" in rules
        (gap,) = [remark for remark in report.remarks if "the log ends without its commit" in remark]
        assert "cut off" in gap
        assert "crashed" in gap

    def test_more_than_the_last_commit_was_cut(self, copy: Copy) -> None:
        """A cut of two commits leaves a message that carries the checkpoint of a longer log: it is no crash."""
        with copy.writing() as connection:
            cut(connection)
            cut(connection)
        assert "journal.uncommitted" in copy.rules()

    def test_an_old_backup_is_restored_and_continued(self, copy: Copy) -> None:
        """The messages of the commits that it lacks are named void, but they carry what was signed of them."""
        with copy.writing() as connection:
            cut(connection)
            cut(connection)
        (copy.keys / SIGNED_FILE).unlink()
        server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
        with Recorder(f"sqlite:///{copy.db}", server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
            recorder.record(parse_events([price(999)]))
        server.close()
        assert "checkpoint.ahead" in copy.rules()

    def test_a_sender_s_date_far_off_is_a_remark(self, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
        """No rule reads it: a Date ten minutes off is told, four minutes are not."""
        server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
        with Recorder(f"sqlite:///{copy.db}", server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
            for minutes in (4, 10):
                said = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes))
                monkeypatch.setattr("ledger.clock.message.format_datetime", lambda _now, said=said: said)
                recorder.record(parse_events([price(1000 + minutes)]))
        server.close()
        report = copy.audited()
        assert report.clean
        assert sum("only the server's time counts" in remark for remark in report.remarks) == 1

    @pytest.mark.parametrize("lie", ["queue_id", "time", "server"])
    def test_a_mail_dated_otherwise_than_its_server_did(self, copy: Copy, lie: str) -> None:
        """A ledger that lies of a mail at its entry is contradicted by the mail's own top line."""
        at = datetime(2021, 6, 1, 8, tzinfo=UTC)
        stamp = {"queue_id": encode(at, 7), "server": "postfix:mx.example", "time": canonical(at)}
        raw = f"Received: from a by mx.example (Postfix) with ESMTP id {stamp['queue_id']};\r\n\r\nx\r\n".encode()
        later = at + timedelta(days=1)
        stamp |= {"queue_id": {"queue_id": encode(later, 7), "time": canonical(later)},
                  "time": {"time": canonical(later)}, "server": {"server": "postfix:other"}}[lie]  # fmt: skip
        data = {"message_sha256": hashlib.sha256(raw).hexdigest(), "stamp": stamp}
        (draft,) = parse_events([event("m", "mail.received", "A/mail/m", **data)], by_ledger=True)
        server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
        with Recorder(f"sqlite:///{copy.db}", server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
            recorder.record([replace(draft, attachment=raw)])
        server.close()
        assert copy.rules() == {"mail.queue_id" if lie == "time" else "mail.received"}

    def test_a_crash_that_the_next_stamp_names_is_no_discrepancy(self, copy: Copy) -> None:
        """A stamped commit that was never recorded is told of, and named void by the next one."""
        server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
        server.clock.stamp("00" * 32, 1, b"")
        (told,) = [row for row in copy.audited().remarks if "without its commit" in row]
        assert "crashed" in told
        assert copy.rules() == set()
        with Recorder(f"sqlite:///{copy.db}", server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
            recorder.record(parse_events([price(999)]))
        server.close()
        report = copy.audited()
        assert report.discrepancies == []
        assert any("no commit followed" in remark for remark in report.remarks)


class TestTypes:
    """What SQLite lets somebody put in place of bytes is named, and never ends the audit."""

    @pytest.mark.parametrize(
        ("statement", "rule"),
        [
            ("UPDATE leaf SET state = CAST(state AS TEXT) WHERE position = 1", "leaf.type"),
            ("UPDATE leaf SET state = 7 WHERE position = 1", "leaf.type"),
            ("UPDATE leaf SET state = x'ff00' WHERE position = 1", "leaf.structure"),
            ("UPDATE commits SET root = CAST(hex(root) AS TEXT) WHERE position = 0", "commit.root"),
            ("UPDATE commits SET frontier = 'x' WHERE position = 0", "commit.root"),
            ("UPDATE checkpoint SET note = 7", "checkpoint.unreadable"),
            ("DELETE FROM vault_key", "vault.altered"),
            ("DELETE FROM sealed", "vault.missing"),
            ("DELETE FROM seen", "seen.missing"),
            ("DELETE FROM leaf WHERE position = (SELECT MAX(position) FROM leaf)", "position.gap"),
        ],
    )
    def test_another_type_or_nothing(self, copy: Copy, statement: str, rule: str) -> None:
        """A value of another type, and rows that are gone, are named by what they lack."""
        with copy.writing() as connection:
            connection.execute(statement)
        assert rule in copy.rules()

    @pytest.mark.parametrize("place", ["= (SELECT MAX(position) FROM leaf)", "= 1", "> 3"])
    def test_the_command_does_not_end_in_a_traceback(self, copy: Copy, place: str) -> None:
        """Leaves that are gone from the file make a report and status 1, whatever rests on them."""
        with copy.writing() as connection:
            connection.execute(f"DELETE FROM leaf WHERE position {place}")
        done = subprocess.run(
            [sys.executable, "-m", "scripts.greffe", "audit", "--db", f"sqlite:///{copy.db}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "position.gap" in done.stdout
        assert "Traceback" not in done.stderr


def cut(connection: sqlite3.Connection) -> None:
    """Take the last commit out, as if it had never been, with tiles and index made to fit."""
    (position,) = connection.execute("SELECT MAX(position) FROM commits").fetchone()
    (removed,) = connection.execute("SELECT COUNT(*) FROM leaf WHERE position >= ?", (position,)).fetchone()
    connection.execute("DELETE FROM commits WHERE position = ?", (position,))
    connection.execute("DELETE FROM seen WHERE position >= ?", (position,))
    connection.execute("DELETE FROM leaf WHERE position >= ?", (position,))
    connection.execute("DELETE FROM subject WHERE id NOT IN (SELECT subject FROM leaf)")
    connection.execute(
        "UPDATE edge SET hashes = substr(hashes, 1, length(hashes) - ?) WHERE level = 0", (32 * removed,)
    )
    connection.execute("DELETE FROM checkpoint WHERE NOT vouched")


class TestSignatures:
    """What outside parties vouched for cannot be rewritten with the ledger's keys."""

    def test_a_cut_tail_without_the_journal(self, copy: Copy) -> None:
        """Every table fits: only what was signed last, beside the keys, knows of more leaves."""
        with copy.writing() as connection:
            cut(connection)
        record = open_record(f"sqlite:///{copy.db}")
        with closing(record):
            assert audit(record, roots=copy.roots).discrepancies == []
            last = ("the keys' folder", (copy.keys / SIGNED_FILE).read_bytes())
            found = audit(record, roots=copy.roots, signed=[last]).discrepancies
        assert [row.rule for row in found] == ["checkpoint.beyond"]

    def test_history_rewritten_and_signed_again_with_the_real_key(self, copy: Copy, tmp_path: Path) -> None:
        """A ledger made anew with a lower price, by the real keys: token, cosignature and messages tell."""
        (tmp_path / "anew").mkdir()
        (copy.keys / SIGNED_FILE).unlink()
        made_anew = tmp_path / "anew" / "l.db"
        with closing(open_record(f"sqlite:///{copy.db}")) as record:
            _rewrite(record, made_anew, copy)
        copy.db = made_anew
        rules = copy.rules()
        assert {"cosignature.root", "token.root", "checkpoint.ahead"} <= rules

    def test_a_key_that_is_not_the_ledger_s(self, copy: Copy, tmp_path: Path) -> None:
        """A checkpoint in the ledger's name, signed with a stranger's key."""
        self._signed_by(copy, Keys.open(tmp_path / "strange", ORIGIN))
        assert copy.rules() == {"checkpoint.key"}

    def test_a_retired_key(self, copy: Copy, tmp_path: Path) -> None:
        """After the keys were renewed and recorded, the old ones sign once more."""
        old = Keys.open(copy.keys, ORIGIN)
        server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
        url = f"sqlite:///{copy.db}"
        with Recorder(url, server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
            assert recorder.notary is not None
            recorder.notary.renew_keys()
            recorder.record(parse_events([price(999)]))
            recorder.record(parse_events([price(1000)]))
        server.close()
        assert copy.rules() == set()
        self._signed_by(copy, old, newest=True)
        assert copy.rules() == {"checkpoint.retired"}

    @staticmethod
    def _signed_by(copy: Copy, keys: Keys, *, newest: bool = False) -> None:
        order = "DESC" if newest else "ASC"
        with copy.writing() as connection:
            size, note = connection.execute(
                f"SELECT size, note FROM checkpoint ORDER BY size {order}"
            ).fetchone()
            checkpoint = SignedCheckpoint.parse(note).checkpoint
            connection.execute(
                "UPDATE checkpoint SET note = ? WHERE size = ?", (keys.sign(checkpoint).to_bytes(), size)
            )

    def test_tokens_of_an_unknown_authority(self, copy: Copy, tmp_path: Path) -> None:
        """With the roots of another authority the token proves nothing; with none that is remarked."""
        other = OpensslAuthority(tmp_path / "other")
        copy.roots = load_pem_x509_certificates(other.root_pem.read_bytes())
        assert copy.rules() == {"token.signature"}
        copy.roots = []
        report = copy.audited()
        assert report.clean
        assert any("no root certificate" in remark for remark in report.remarks)


def _rewrite(record: Any, made_anew: Path, copy: Copy) -> None:
    """Record the same facts again under the real keys, one price changed, as its keeper could."""
    server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
    with Recorder(f"sqlite:///{made_anew}", server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
        for commit in record.commits():
            facts = record.facts(commit.position, commit.count + 1)
            events = [_again(row) for row in facts if row.type != "key.rotated"]
            if events:
                recorder.record(parse_events(events, by_ledger=True))
    server.close()


def _again(fact: Any) -> dict[str, Any]:
    """The fact as it was, a price lowered, and something else in place of what holds personal values."""
    if fact.type in ("account.opened", "notification.sent", "mail.received"):
        return price(1000 + fact.position)
    lowered = {"unit_price": "0.01"} if fact.fields["id"] == "p-7" else {}
    data = {**fact.fields["data"], **lowered}
    return {**event(fact.fields["id"], fact.type, fact.subject, **data), "source": fact.fields["source"]}


def test_a_leaf_inserted_with_an_early_time_is_named(copy: Copy) -> None:
    """A fact put into an old commit, everything after it moved on: digest, count, root and messages tell."""
    with copy.writing() as connection:
        connection.execute("UPDATE leaf SET position = -position - 1 WHERE position > 100")
        connection.execute("UPDATE leaf SET position = -position WHERE position < 0")
        connection.execute("INSERT INTO leaf SELECT 101, 999, 1, topic, state FROM leaf WHERE position = 100")
        connection.execute("INSERT INTO subject VALUES (999, 'price/p-999')")
    assert {"commit.digest", "commit.count", "tile.leaf", "identity.twice"} <= copy.rules()


def test_two_facts_of_a_commit_exchanged(copy: Copy) -> None:
    """Their order is bound too."""
    with copy.writing() as connection:
        connection.execute("UPDATE leaf SET position = -1 WHERE position = 50")
        connection.execute("UPDATE leaf SET position = 50 WHERE position = 51")
        connection.execute("UPDATE leaf SET position = 51 WHERE position = -1")
    found = copy.found()
    assert {(50, "tile.leaf"), (51, "tile.leaf")} <= found
    assert "commit.digest" in {rule for _, rule in found}


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Twenty times the facts take no more memory than what a page of leaves takes."""
    import tracemalloc  # noqa: PLC0415

    peaks = []
    for count in (500, 10_000):
        path = tmp_path / f"{count}.db"
        clock = SimulatedClock(datetime(2021, 6, 1, tzinfo=UTC))
        with Recorder(f"sqlite:///{path}", clock) as recorder:
            for start in range(0, count, 500):
                clock.set(datetime(2021, 6, 1, tzinfo=UTC) + timedelta(hours=start))
                recorder.record(parse_events([price(number) for number in range(start, start + 500)]))
        record = open_record(f"sqlite:///{path}")
        with closing(record):
            tracemalloc.start()
            assert audit(record).clean
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] + 1_000_000


class TestBasis:
    """What is concluded from beside facts."""

    @pytest.mark.parametrize("name", ["terms/2021-06.fr.txt", "terms/rates.toml", "zone/Europe/Paris"])
    def test_a_text_changed_afterwards(self, copy: Copy, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A text, a table or a clock that is not the one on record is named, with the leaf that names it."""
        honest = basis()
        monkeypatch.setattr("ledger.audit.basis.basis", lambda: {**honest, name: "0" * 64})
        (found,) = copy.audited().discrepancies
        assert (found.rule, found.expected, found.found) == ("basis.changed", honest[name], "0" * 64)
        assert name in found.meaning
        (leaf,) = open_record(f"sqlite:///{copy.db}").history("basis")
        assert found.position == leaf.position

    def test_a_change_on_record(self, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
        """A change that the next writer put on record is dated, told, and no discrepancy."""
        changed = {**basis(), "terms/rates.toml": "0" * 64}
        monkeypatch.setattr("ledger.signing.basis", lambda: changed)
        monkeypatch.setattr("ledger.audit.basis.basis", lambda: changed)
        server = open_mail(f"embedded:{copy.mail}", origin=ORIGIN, settings=MailSettings())
        url = f"sqlite:///{copy.db}"
        with Recorder(url, server.clock, origin=ORIGIN, keys=copy.keys) as recorder:
            recorder.record(parse_events([price(301)]))
        server.close()
        report = copy.audited()
        assert report.discrepancies == []
        assert any("concludes from other versions of: terms/rates.toml" in text for text in report.remarks)
