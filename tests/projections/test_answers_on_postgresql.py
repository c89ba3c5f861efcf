"""Every question has the same answer on either engine."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from places import Place, only_postgresql

from ledger.instants import parse_instant
from ledger.store import open_record
from ledger.store.copying import copy
from projections import PROJECTIONS
from projections.answers import Answers
from scripts import demo
from scripts.scenario import simulate

AT = parse_instant("2026-05-20T12:00:00Z")


def asked(url: str, views: Path) -> dict[str, Any]:
    """What every projection answers of the sample year, as of two instants, and what was known at one."""
    with closing(open_record(url)) as record, closing(Answers(record, views=str(views))) as answers:
        found = {
            f"{name} {known_at}": answers.ask(name, demo.ACCOUNT, as_of=AT, known_at=known_at)
            for name in PROJECTIONS
            for known_at in (AT, parse_instant("2025-12-01T00:00:00Z"))
        }
        assert answers.compare() == []
        return {**found, "views": {name: answers.follower.digest(name) for name in PROJECTIONS}}


@only_postgresql
def test_the_sample_year(place: Place, tmp_path: Path) -> None:
    """The sample year, recorded in a file and copied, is answered alike, and so are its views."""
    file, url = f"sqlite:///{tmp_path / 'year.db'}", place.url("year")
    for _ in simulate(demo.lines(), file):
        pass
    copy(file, url)
    assert asked(url, tmp_path / "copy.views") == asked(file, tmp_path / "year.views")
