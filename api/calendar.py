"""Deadlines as a calendar (iCalendar, RFC 5545), for the agenda of whoever must act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from icalendar import Calendar, Event

from ledger.instants import parse_instant

MEDIA_TYPE = "text/calendar; charset=utf-8"
_PRODUCT = "-//Greffe//Deadlines of a cloud contract//EN"
_LAST_INSTANT = timedelta(microseconds=1)


def calendar_of(account: str, origin: str, written_at: datetime, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """One event for each deadline, at its last safe second; those that were met or lost say so.

    A row keeps its identifier from one feed to the next, so that an agenda moves it rather than doubles
    it. ``written_at`` (UTC) is the instant of the answer.
    """
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"Greffe {account}")
    for row in rows:
        calendar.add_component(_event(account, origin, written_at, row))
    return bytes(calendar.to_ical())


def _event(account: str, origin: str, written_at: datetime, row: Mapping[str, Any]) -> Event:
    last = (parse_instant(row["at"]) - _LAST_INSTANT).replace(microsecond=0)
    event = Event()
    event.add("uid", f"{row['subject']}/{row['what']}@{origin}".replace(" ", "-"))
    event.add("dtstamp", written_at.replace(microsecond=0))
    event.add("dtstart", last)
    event.add("dtend", last)
    event.add("summary", f"{row['what']} ({row['for']}, {row['status']})")
    lost = "" if row["forfeit_after"] == row["act_by"] else f" Lost from {row['forfeit_after']} on."
    event.add(
        "description",
        f"Account {account}, {row['subject']}, art. {row['article']}. Safe before {row['act_by']}.{lost}",
    )
    event.add("status", "CONFIRMED" if row["status"] == "upcoming" else "CANCELLED")
    return event
