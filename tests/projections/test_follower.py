"""The follower: exactly once across kills and processes, rebuilt byte for byte, compared row by row."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from places import only_sqlite
from registry import Registry

from ledger import instants
from ledger.errors import WrongCallError
from ledger.store import open_record
from projections import PROJECTIONS
from projections import follower as following
from projections.follower import Follower, Scope

FOLLOW = """
import os, sys
from ledger.store import open_record
from projections import PROJECTIONS
from projections import follower as following
following.BATCH_LEAVES = int(sys.argv[2])
entered, last = [0], int(sys.argv[3])
enter = following.Follower._enter_fact
def counting(self, *arguments):
    enter(self, *arguments)
    entered[0] += 1
    if entered[0] == last:
        os._exit(9)
following.Follower._enter_fact = counting
following.Follower(open_record(sys.argv[1]), PROJECTIONS, path=sys.argv[4]).catch_up()
"""
"""A process that follows in batches of argv[2] into argv[4] and dies, unannounced, at fact argv[3] of a batch."""


@pytest.fixture
def registry(place: Any, tmp_path: Path) -> Iterator[Registry]:
    """An empty ledger under a simulated clock, on either engine."""
    made = Registry(tmp_path, place.url())
    yield made
    made.close()


def _filled(registry: Any, accounts: int = 2, deliveries: int = 15) -> None:
    for account in range(accounts):
        name = f"ACC-{account}"
        registry.opened(name)
        for number in range(deliveries):
            registry.consumption(
                f"2021-02-01T{number % 24:02}:30:00Z", f"{name}/consumption/C-{number}",
                "2021-02-01T00:00:00Z", "2021-02-01T01:00:00Z",
            )  # fmt: skip
    registry.tell("2021-02-02T00:00:00Z", "price.published", "price/P-1", {
        "service": "fcu", "unit": "second", "unit_price": "0.1", "currency": "EUR", "effective": "2021-01-01",
    })  # fmt: skip


def _digests(follower: Follower) -> dict[str, str]:
    return {name: follower.digest(name) for name in PROJECTIONS}


def _fresh(registry: Any, folder: Path) -> dict[str, str]:
    scratch = Follower(registry.record, PROJECTIONS, path=str(folder / "fresh.views"))
    scratch.catch_up()
    found = _digests(scratch)
    scratch.close()
    return found


class TestExactlyOnce:
    """View and position move together, or not at all."""

    def test_a_kill_within_a_batch_repeats_and_loses_nothing(self, registry: Any, tmp_path: Path) -> None:
        """Killed in mid-batch time and again, then started again, the views are those of one clean run."""
        _filled(registry)
        for last in (1, 7, 12, 5):
            died = subprocess.run(
                [sys.executable, "-c", FOLLOW, registry.url, "8", str(last), registry.views], check=False
            )
            assert died.returncode == 9
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        assert 0 < follower.position < registry.record.size()
        follower.catch_up()
        assert follower.position == registry.record.size()
        assert _digests(follower) == _fresh(registry, tmp_path)
        follower.close()

    def test_processes_and_threads_may_follow_at_once(self, registry: Any, tmp_path: Path) -> None:
        """Two processes and two threads that follow the same log at once enter each fact once."""
        _filled(registry, deliveries=40)
        processes = [
            subprocess.Popen([sys.executable, "-c", FOLLOW, registry.url, "3", "0", registry.views])
            for _ in range(2)
        ]
        shared = Follower(registry.record, PROJECTIONS, path=registry.views)
        threads = [threading.Thread(target=shared.catch_up) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [process.wait() for process in processes] == [0, 0]
        assert _digests(shared) == _fresh(registry, tmp_path)
        assert shared.compare() == []
        shared.close()

    def test_batches_of_any_size_make_the_same_views(
        self, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Following leaf by leaf, as facts arrive, ends as following all at once does."""
        monkeypatch.setattr(following, "BATCH_LEAVES", 1)
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        _filled(registry, deliveries=3)
        follower.catch_up()
        assert _digests(follower) == _fresh(registry, tmp_path)
        follower.close()


class TestRebuilding:
    """A view can be thrown away: the log is the only copy."""

    @pytest.mark.parametrize("name", sorted(PROJECTIONS))
    def test_a_rebuilt_view_is_byte_identical(self, registry: Any, name: str) -> None:
        """A view built again from nothing has the digest that it had."""
        _filled(registry, deliveries=3)
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        follower.catch_up()
        before = _digests(follower)
        follower.rebuild(name)
        assert _digests(follower) == before
        follower.close()

    def test_only_what_exists_is_rebuilt(self, registry: Any) -> None:
        """An unknown projection is a wrong call that lists those that there are."""
        with pytest.raises(WrongCallError, match="acceptance"):
            Follower(registry.record, PROJECTIONS, path=registry.views).rebuild("weather")

    def test_a_projection_that_rests_on_other_types_starts_again(self, registry: Any) -> None:
        """A view whose types changed between two versions of the program is built again, alone."""
        _filled(registry, deliveries=3)

        class Narrow:
            name, types = "usage", frozenset({"price.published"})

            def answer(self, facts: Any, question: Any) -> Any:
                return list(facts)

        narrow = Follower(registry.record, {**PROJECTIONS, "usage": Narrow()}, path=registry.views)
        narrow.catch_up()
        assert {row[3] for row in narrow.rows("usage", 99)} == {"price.published"}
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        follower.catch_up()
        assert "consumption.recorded" in {row[3] for row in follower.rows("usage", 99)}
        assert follower.compare() == []
        follower.close()

    def test_a_view_of_another_log_is_built_again(self, make_registry: Callable[[], Any]) -> None:
        """Beside a log that is not the one it followed (a restored backup), a view starts again."""
        first, second = make_registry(), make_registry()
        _filled(first, accounts=2)
        _filled(second, accounts=1, deliveries=4)
        views = f"{second.views}.other"
        Follower(first.record, PROJECTIONS, path=views).catch_up()
        follower = Follower(second.record, PROJECTIONS, path=views)
        follower.catch_up()
        assert follower.accounts() == ["ACC-0"]
        assert follower.compare() == []


class TestComparing:
    """Each row that differs is named by its position."""

    def test_views_that_follow_the_log_do_not_differ(self, registry: Any) -> None:
        """A live view that nobody touched compares equal."""
        _filled(registry, deliveries=3)
        assert Follower(registry.record, PROJECTIONS, path=registry.views).compare() == []

    @pytest.mark.parametrize(
        "harm",
        [
            "DELETE FROM entry WHERE position = 5",
            "UPDATE entry SET legal_time = legal_time + 1 WHERE position = 5",
            "UPDATE entry SET owner = owner + 1 WHERE position = 5",
            "UPDATE entry SET type = clock WHERE position = 5",
        ],
    )
    def test_a_row_that_was_harmed_is_named(self, registry: Any, harm: str) -> None:
        """A row deleted, moved in time, given to another owner or called another type is named."""
        _filled(registry, deliveries=3)
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        follower.catch_up()
        with sqlite3.connect(registry.views) as connection:
            connection.execute(harm)
        found = follower.compare()
        assert {row.position for row in found} == {5}
        assert {row.projection for row in found} >= {"timeline"}
        follower.close()

    def test_a_row_of_a_fact_that_the_log_has_not_is_named(self, registry: Any) -> None:
        """A row that stands for no fact is named, for it would ask the log for what is not there."""
        _filled(registry, deliveries=3)
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        follower.catch_up()
        with sqlite3.connect(registry.views) as connection:
            connection.execute(
                "INSERT INTO entry SELECT projection, owner, legal_time, 0, type, clock FROM entry"
                " WHERE position = 5"
            )
        assert {row.position for row in follower.compare()} == {0}
        follower.close()


class TestScope:
    """Whose facts a question sees."""

    def test_a_mail_is_seen_by_the_account_it_was_attributed_to_last(self, registry: Any) -> None:
        """A mail of no account is nobody's, then one account's, then another's, and never two accounts'."""
        registry.opened("ACC-1")
        registry.opened("ACC-2")
        registry.mail("2021-02-01T00:00:00Z", "mail/M-1")
        registry.tell("2021-02-02T00:00:00Z", "mail.attributed", "mail/M-1", {"account": "ACC-1"})
        registry.tell("2021-02-03T00:00:00Z", "mail.attributed", "mail/M-1", {"account": "ACC-2"})

        def seen(account: str, as_of: str) -> list[str]:
            rows = registry.ask("timeline", as_of, account)["result"]
            return [row["type"] for row in rows if row["subject"] == "mail/M-1"]

        both = ["mail.received", "mail.attributed"]
        assert [seen("ACC-1", f"2021-02-0{day}T12:00:00Z") for day in (1, 2, 3)] == [[], both, []]
        assert [seen("ACC-2", f"2021-02-0{day}T12:00:00Z") for day in (1, 2, 3)] == [[], [], both]
        assert (
            registry.answers.explain("mail/M-1", as_of=instants.parse_instant("2021-02-05T00:00:00Z"))[
                "account"
            ]
            == "ACC-2"
        )

    def test_a_question_reads_a_view_whole_while_another_rebuilds_it(self, registry: Any) -> None:
        """A view emptied after it had caught up is followed again before it is read."""
        _filled(registry, deliveries=3)
        follower = Follower(registry.record, PROJECTIONS, path=registry.views)
        size = follower.catch_up()
        with sqlite3.connect(registry.views) as connection:
            connection.execute("DELETE FROM entry")
            connection.execute("UPDATE followed SET position = 0, anchor = x''")
        scope = Scope("ACC-0", instants.parse_instant("2022-01-01T00:00:00Z"), size)
        with follower.facts("timeline", scope) as facts:
            assert len(list(facts)) == 5
        follower.close()

    @only_sqlite
    def test_a_view_waits_in_a_file_for_its_owner_alone(self, registry: Any) -> None:
        """The index is beside the log and readable by nobody else, like the log itself."""
        Follower(open_record(registry.url), PROJECTIONS).close()
        assert Path(registry.views).stat().st_mode & 0o077 == 0
