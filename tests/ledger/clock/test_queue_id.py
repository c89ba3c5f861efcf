"""Long queue ids: what Postfix wrote is read as it wrote it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clock.queue_id import decode, encode
from ledger.errors import WrongCallError

CAPTURES = Path(__file__).parents[2] / "data" / "mail" / "postfix" / "queue_id_stamps.csv"
ROWS = list(csv.DictReader(CAPTURES.read_text().splitlines()))
SECONDS_OF_SIX_DIGITS = 52**5, 52**6


@pytest.mark.parametrize("row", ROWS, ids=[row["queue_id"] for row in ROWS])
def test_captured_ids(row):
    """Each of twenty ids of a real Postfix decodes to its instant and is encoded back."""
    instant = decode(row["queue_id"])
    assert instant == datetime.fromisoformat(row["decoded_utc"])
    assert encode(instant, int(row["inode"])) == row["queue_id"]


def test_the_manuals_example():
    """The id in Postfix's own manual decodes to its instant."""
    assert decode("3Pt2mN2VXxznjll") == datetime(2011, 3, 20, 14, 31, 48, 353025, tzinfo=UTC)


@pytest.mark.parametrize(
    ("queue_id", "why"),
    [
        ("A1B2C3D4E5", "a short id: hexadecimal, no separator"),
        ("4jXrjs6ZNn", "no separator"),
        ("4jXrjs6ZNnz", "no inode"),
        ("js6ZNnzKHG6", "too few characters of time"),
        ("4jXrjszzzzzKHG6", "more microseconds than a second has"),
        ("4jXrjs6ZNaKzHG6", "a vowel"),
        ("", "nothing"),
        ("4jXrjs6ZNnzKHé6", "not ASCII"),
    ],
)
def test_what_is_no_long_queue_id_is_refused(queue_id, why):
    """An id that carries no usable time is refused, never guessed at."""
    with pytest.raises(WrongCallError):
        decode(queue_id)
    assert why


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
    st.integers(0, 2**63),
)
def test_round_trip(instant, inode):
    """Any instant to the microsecond and any inode come back; the time is read at the last separator."""
    assert decode(encode(instant, inode)) == instant


@given(
    st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as above
        min_size=2,
        max_size=2,
    )
)
def test_the_order_of_texts_is_the_order_of_time(instants):
    """Ids of later instants sort after ids of earlier ones, whatever their inodes."""
    earlier, later = sorted(instants)
    if earlier != later:
        assert encode(earlier, 2**40) < encode(later, 1)
