"""A ledger moves between engines leaf for leaf, root for root, and goes on where it is."""

from __future__ import annotations

from contextlib import closing

import pytest
from evidence_factory import ORIGIN, SmallLedger
from places import Place, only_postgresql
from recorder_factory import Waiting, consumed, opened

from ledger.audit import audit
from ledger.clock.servers import open_mail
from ledger.errors import NotRecordedError, WrongLedgerError
from ledger.facts.envelope import parse_events
from ledger.recorder import Recorder
from ledger.store import open_record
from ledger.store.copying import copy
from ledger.store.schema import COLUMNS


def rows_of(url):
    """Every row of a ledger, but what it says of its own tables."""
    return {
        table: sorted(tuple(map(repr, map(_plain, row))) for row in Place.ask(url, f"SELECT * FROM {table}")
                      if row[0] not in {"format", "schema"})
        for table in COLUMNS
    }  # fmt: skip


def _plain(value):
    return int(value) if isinstance(value, bool) else value


@pytest.fixture
def small(tmp_path):
    """A signed ledger in a file, with mails, personal values and a journal; more than one tile of leaves."""
    small = SmallLedger(tmp_path)
    with (
        closing(open_mail(small.mail_url, origin=ORIGIN)) as mail,
        Recorder(small.url, mail.clock, origin=ORIGIN, keys=small.keys_folder) as recorder,
    ):
        recorder.record(parse_events([consumed(f"many-{number}") for number in range(600)]))
    yield small
    small.record.close()


@only_postgresql
def test_there_and_back(place, small, tmp_path):
    """Copied to PostgreSQL and back to a file, every row is the same, and every copy's audit is clean."""
    there, back = place.url(), f"sqlite:///{tmp_path / 'back.db'}"
    copied = copy(small.url, there)
    assert copied.leaves == small.record.size()
    assert copied.root == small.record.latest().root
    assert copied.rows["sealed"] > 0 < copied.rows["raw_mail"]
    assert copy(there, back).rows == copied.rows
    assert rows_of(there) == rows_of(back) == rows_of(small.url)
    for url in (there, back):
        with closing(open_record(url)) as record:
            assert audit(record).discrepancies == []
            assert record.tree().root(copied.leaves) == copied.root
            assert record.signed().to_bytes() == small.record.signed().to_bytes()
            assert record.unseal([record.history("ACC-1")[0].fields["data"]["email"]]) != {}


@only_postgresql
def test_the_copy_goes_on_under_the_same_keys(place, small):
    """What was signed before the copy is continued after it, by the same keys and the same mail server."""
    there = place.url()
    copy(small.url, there)
    with (
        closing(open_mail(small.mail_url, origin=ORIGIN)) as mail,
        Recorder(there, mail.clock, origin=ORIGIN, keys=small.keys_folder) as recorder,
    ):
        (receipt,) = recorder.record(parse_events([consumed("after")]))
    assert receipt.position == small.record.size() + 1
    with closing(open_record(there)) as record:
        assert audit(record).discrepancies == []


def test_a_place_where_something_is_recorded(place, small):
    """A target that is not empty is refused, and left as it is."""
    url = place.url("taken")
    clock = Waiting()
    clock.go.set()
    with Recorder(url, clock) as recorder:
        recorder.record(parse_events([opened()]))
    before = rows_of(url)
    with pytest.raises(WrongLedgerError, match="not empty"):
        copy(small.url, url)
    assert rows_of(url) == before


def test_a_ledger_that_is_damaged(place, small):
    """A source whose leaves do not have their root is refused, and nothing is written."""
    place.tamper(small.url, "UPDATE leaf SET state = x'00' WHERE position = 4")
    url = place.url("copy")
    with pytest.raises(WrongLedgerError, match="audit the ledger first"):
        copy(small.url, url)
    with closing(open_record(url)) as record:
        assert record.size() == 0


def test_nothing_to_copy(place):
    """An address without a ledger is said to have none."""
    with pytest.raises(NotRecordedError):
        copy(place.url("none"), place.url("copy"))


def test_what_is_recorded_meanwhile_is_counted(place, desk):
    """The copy is of one instant; what came since is told."""
    desk.recorder.record(parse_events([opened()]))

    def meanwhile(table, _count):
        if table == "leaf":
            desk.recorder.record(parse_events([consumed("late")]))

    assert (found := copy(desk.url, place.url("copy"), meanwhile)).leaves == 2
    assert found.since == 2


@only_postgresql
def test_a_package_of_the_copy_is_the_same(place, small):
    """What proves a subject offline is made of the copy byte for byte as of the original."""
    there = place.url()
    copy(small.url, there)
    original = small.package()
    small.record.close()
    small.record = open_record(there)
    assert small.package() == original
