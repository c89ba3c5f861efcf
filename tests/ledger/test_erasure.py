"""Erased values are gone from every file, and what was proved before is proved still."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from places import Place, only_postgresql, only_sqlite

from ledger.audit import audit
from ledger.clock import MailSettings, open_mail
from ledger.clock.simulated import SimulatedClock
from ledger.erasure import Erased, Erasure, Search, Sought, kept_files, search, search_rows
from ledger.errors import ClockUnavailableError
from ledger.facts.envelope import parse_events
from ledger.facts.shape import Retention
from ledger.recorder import Recorder
from ledger.store import open_record
from ledger.store.erasing import Erasing, kept_rows
from projections.answers import Answers

ALL: list[Retention] = ["relation", "mail", "identity", "billing"]
HELD: list[Retention] = ["relation", "identity", "billing"]
PLAIN = ["anne.martin@client.example", "Anne Martin", "FR7630006000011234567890189", "Une panne de réseau"]


def event(number: int, kind: str, subject: str, **data: Any) -> dict[str, Any]:
    """A CloudEvent with its own id."""
    return {
        "specversion": "1.0", "id": f"f-{number}", "source": "/test", "type": kind, "subject": subject,
        "data": data,
    }  # fmt: skip


FACTS = [
    event(1, "account.opened", "A", email=PLAIN[0], identification={"name": PLAIN[1]}),
    event(2, "account.bank_details_received", "A", holder=PLAIN[1], iban=PLAIN[2]),
    event(3, "ticket.opened", "A/ticket/t", text=PLAIN[3]),
    event(4, "account.opened", "B", email="b@other.example", identification={"name": "Bernard Petit"}),
    event(
        5,
        "mail.received",
        "mail/m",
        **{"from": "anne.martin@home.example", "to": ["contact@outscale.example"]},
    ),
    event(
        6, "mail.received", "mail/n", **{"from": "someone@else.example", "to": ["contact@outscale.example"]}
    ),
    event(7, "mail.attributed", "mail/m", account="A"),
]


class Office:
    """A simulated ledger that signs, with two accounts."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.url = place.url()
        self.clock = SimulatedClock(datetime(2021, 6, 1, tzinfo=UTC))
        self.recorder = Recorder(self.url, self.clock, keys=folder / "ledger.db.keys")
        for fact in FACTS:
            self.clock.set(self.clock_now())
            self.recorder.record(parse_events([fact]))
        self.record = open_record(self.url)

    def clock_now(self) -> datetime:
        self._at = getattr(self, "_at", datetime(2021, 6, 1, tzinfo=UTC)) + timedelta(hours=1)
        return self._at

    def erase(self, classes: list[Retention] | None = None, **options: Any) -> list[Erased]:
        return list(Erasure(self.record, self.recorder, "A", classes or ALL, **options).run())

    def found(self) -> list[str]:
        report = audit(self.record)
        return [f"{row.position} {row.rule} {row.found}" for row in report.discrepancies]

    def sought(self, classes: list[Retention] | None = None) -> Sought:
        with closing(Erasing(self.url, "A", classes or ALL)) as erasing:
            return Sought.of(erasing.entries())

    def close(self) -> None:
        self.record.close()
        self.recorder.close()


@pytest.fixture
def office(place: Place, tmp_path: Path) -> Iterator[Office]:
    office = Office(place, tmp_path)
    yield office
    office.close()


@only_sqlite
def test_keys_and_ciphertexts_are_found_before_and_gone_after(office: Office) -> None:
    """The search that finds them before the erasure finds nothing after it, in any file of the ledger."""
    sought = office.sought()
    answers = Answers(office.record)
    answers.follower.catch_up()
    answers.close()
    files = kept_files(office.record.path, [])
    assert {path.name for path in files} >= {"ledger.db", "ledger.db-wal", "ledger.db.views"}
    assert search(sought, files).hits
    (erased,) = office.erase()
    assert erased.before.hits
    assert erased.after.hits == []
    assert search(sought, kept_files(office.record.path, [])).hits == []
    assert (erased.classes, erased.values) == (HELD, 6)


@only_postgresql
def test_what_a_client_can_read_is_searched_and_the_server_keeps_no_sample(office: Office) -> None:
    """On PostgreSQL every row that a client can read is searched; statistics hold no value of the vault."""
    with office.place.behind(office.url) as connection:
        connection.execute("ANALYZE")
        sampled = connection.execute(
            "SELECT tablename FROM pg_stats WHERE schemaname = current_schema()"
        ).fetchall()
    assert not {"sealed", "vault_key", "raw_mail"} & {name for (name,) in sampled}
    sought = office.sought()
    before, after = Search(), Search()
    search_rows(sought, kept_rows(office.url), before)
    assert {hit.file for hit in before.hits} == {"table vault_key", "table sealed"}
    (erased,) = office.erase()
    assert (erased.classes, erased.values, erased.after.hits) == (HELD, 6, [])
    assert {hit.file for hit in erased.before.hits} == {"table vault_key", "table sealed"}
    search_rows(sought, kept_rows(office.url), after)
    assert after.hits == []
    assert after.size_bytes > 0


def test_the_record_says_what_was_erased_and_the_audit_is_clean(office: Office) -> None:
    """The fact names classes and number; leaves, root and proofs are as before, and the vault has no more."""
    assert office.found() == []
    size, tree = office.record.size(), office.record.tree()
    root, proof = tree.root(size), tree.inclusion(1, size)
    (erased,) = office.erase()
    (fact,) = [fact for fact in office.record.history("A") if fact.type == "person.erased"]
    assert fact.fields["data"] == {"classes": sorted(HELD), "values": 6}
    assert fact.position == erased.receipt.position
    assert office.record.tree().root(size) == root
    assert office.record.tree().inclusion(1, size) == proof
    assert office.found() == []
    opened = office.record.history("A")[0].fields["data"]
    assert office.record.unseal([opened["email"], opened["identification"]["name"]]) == {}
    other = office.record.history("B")[0].fields["data"]
    assert set(office.record.unseal([other["email"], other["identification"]["name"]]).values()) == {
        "b@other.example",
        "Bernard Petit",
    }


def test_an_attributed_mail_goes_and_what_others_hold_too_stays(office: Office) -> None:
    """The sender's address goes with the account; the recipient's, in a stranger's mail too, stays."""
    office.erase()
    mine, others = (office.record.history(f"mail/{name}")[0].fields["data"] for name in ("m", "n"))
    assert office.record.unseal([mine["from"]]) == {}
    assert office.record.unseal([others["from"], *mine["to"]]) == {
        others["from"]: "someone@else.example",
        mine["to"][0]: "contact@outscale.example",
    }


def test_one_class_goes_and_the_others_stay(office: Office) -> None:
    """Only what may go is destroyed: the bank account stays readable."""
    (erased,) = office.erase(["relation", "mail"])
    assert erased.classes == ["relation"]
    payment = office.record.history("A")[1].fields["data"]
    assert office.record.unseal([payment["iban"]]) == {payment["iban"]: PLAIN[2]}
    assert office.found() == []
    (rest,) = office.erase()
    assert rest.classes == ["identity", "billing"]
    assert office.found() == []
    assert office.erase() == []


def test_a_crash_before_the_record_is_repeated_and_named(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Destroyed and not recorded, the audit names the missing values; the same call again records them."""

    def crash(*_: Any) -> Any:
        raise ClockUnavailableError("the mail server is away")

    with monkeypatch.context() as patched:
        patched.setattr(Erasure, "_recorded", crash)
        with pytest.raises(ClockUnavailableError):
            office.erase()
    assert {row.split()[1] for row in office.found()} == {"vault.missing"}
    assert any("greffe erase A" in remark for remark in audit(office.record).remarks)
    (erased,) = office.erase()
    assert erased.values == 6
    assert office.found() == []


def test_a_value_that_is_still_there_is_found(office: Office, tmp_path: Path) -> None:
    """A copy in an export that is searched too is told with its file and place."""
    export = tmp_path / "export.json"
    export.write_text('{"name": "Anne Martin"}')
    (erased,) = office.erase(further=[export])
    assert [(hit.file, hit.offset) for hit in erased.after.hits] == [(str(export), 10)]


def test_what_is_kept_though_recorded_as_erased_is_named(office: Office) -> None:
    """A vault put back from a backup holds what the record says was erased."""
    with office.place.behind(office.url) as connection:
        rows = connection.execute("SELECT * FROM sealed WHERE account = 'A'").fetchall()
        keys = connection.execute("SELECT * FROM vault_key WHERE account = 'A'").fetchall()
    office.erase()
    with office.place.behind(office.url) as connection:
        connection.insert("sealed", rows)
        connection.insert("vault_key", keys)
    assert {row.split()[1] for row in office.found()} == {"vault.not_erased"}


def test_a_retried_fact_after_the_erasure_is_another_one(office: Office) -> None:
    """The audit stays clean when values come again later: they have a new key."""
    office.erase()
    office.clock.set(office.clock_now())
    office.recorder.record(parse_events([event(9, "ticket.opened", "A/ticket/u", text=PLAIN[3])]))
    assert office.found() == []


@only_sqlite
def test_real_mail_goes_from_the_vault_and_from_the_copies_of_what_was_sent(
    place: Place, tmp_path: Path
) -> None:
    """A client's mail and its acknowledgement, by a real server: found before in plain, gone after."""
    origin, folder, url = "test.example/ledger", tmp_path / "mail", place.url("l")
    server = open_mail(f"embedded:{folder}", origin=origin, settings=MailSettings())
    with Recorder(url, server.clock, origin=origin) as recorder:
        record = open_record(url)
        recorder.record(parse_events([FACTS[0]]))
        server.start_intake(recorder.record, record)
        host, _, port = (server.intake_address or "").partition(":")
        with smtplib.SMTP(host, int(port)) as client:
            client.sendmail(PLAIN[0], ["contact@outscale.example"], _letter())
        _wait(lambda: len(list((folder / "sent" / "new").iterdir())) == 1 and record.size() >= 6)
        server.stop_intake()
        assert search(Sought({PLAIN[0].encode()}), kept_files(record.path, [folder])).hits
        (erased,) = Erasure(record, recorder, "A", ALL, mail_folder=folder).run()
        assert erased.after.hits == []
        assert erased.after.size_bytes > 0
        assert search(Sought({PLAIN[0].encode()}), kept_files(record.path, [folder])).hits == []
        report = audit(record, journal=server._server.clock.journal)
        assert report.discrepancies == []
        record.close()
    server.close()


def _letter() -> bytes:
    return (
        f"From: Anne Martin <{PLAIN[0]}>\r\nTo: contact@outscale.example\r\nSubject: Notre panne d'hier\r\n"
        "Message-ID: <x1@client.example>\r\n\r\nMonsieur, nous formulons une reserve sur la facture de juin.\r\n"
    ).encode()


def _wait(done: Any) -> None:
    import time  # noqa: PLC0415

    until = time.monotonic() + 15
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)
