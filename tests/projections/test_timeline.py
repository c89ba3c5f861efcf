"""The timeline of an account: order, late records, a clock stepped back, and nobody's personal data."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import WrongCallError
from ledger.facts.catalogue import TYPES
from projections.timeline import SENTENCES, TIMELINE

AS_OF = "2022-01-01T00:00:00Z"


def _rows(registry: Any, **more: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = registry.ask("timeline", AS_OF, **more)["result"]
    return rows


class TestOrder:
    """Newest last, by legal time."""

    def test_a_mail_recorded_late_stands_where_it_reached_the_server(self, registry: Any) -> None:
        """A mail recorded two days late keeps its own legal time and is marked as recorded late."""
        registry.opened()
        registry.tell("2021-02-03T00:00:00Z", "account.validated", "ACC-1")
        registry.mail("2021-02-04T00:00:00Z", "ACC-1/mail/M-1", stamped_at="2021-02-02T00:00:00Z")
        rows = _rows(registry)
        assert [row["type"] for row in rows] == ["account.opened", "mail.received", "account.validated"]
        assert rows[1]["legal_time"] == "2021-02-02T00:00:00Z"
        assert rows[1]["recorded_at"] == "2021-02-04T00:00:00Z"
        assert [row.get("recorded_late", False) for row in rows] == [False, True, False]

    def test_a_clock_stepped_back_shows(self, registry: Any) -> None:
        """What was recorded after a commit with a later stamp is marked; what came before is not."""
        registry.opened()
        registry.tell("2021-03-01T00:00:00Z", "account.validated", "ACC-1")
        registry.tell("2021-02-01T00:00:00Z", "account.bank_details_received", "ACC-1")
        rows = _rows(registry)
        assert [row["type"] for row in rows][1:] == ["account.bank_details_received", "account.validated"]
        assert [row.get("clock_stepped_back", False) for row in rows] == [False, True, False]

    def test_a_continuation_dated_before_its_opening_is_flagged(self, registry: Any) -> None:
        """A payment that its history dates before the invoice is kept and flagged."""
        registry.opened()
        registry.tell("2021-03-01T00:00:00Z", "invoice.issued", "ACC-1/invoice/F-1", {
            "net": "10.00", "vat": "2.00", "total": "12.00", "currency": "EUR", "issue_date": "2021-03-01",
            "period": {"from": "2021-02-01", "to": "2021-02-28"}, "lines": [],
        })  # fmt: skip
        paid = {"amount": "12.00", "value_date": "2021-02-01"}
        registry.tell("2021-03-02T00:00:00Z", "invoice.paid", "ACC-1/invoice/F-1", paid,
                      history=True, time="2021-02-01T00:00:00Z")  # fmt: skip
        rows = _rows(registry)
        assert [(row["type"], row.get("before_opening", False)) for row in rows][1:] == [
            ("invoice.paid", True), ("invoice.issued", False),
        ]  # fmt: skip
        assert rows[1]["clock"] == "asserted"


class TestPages:
    """At most ``limit`` rows behind a position."""

    def test_pages_put_together_are_the_whole(self, registry: Any) -> None:
        """Pages of two rows, one after the other, are the timeline that is asked for at once."""
        registry.opened()
        for day in range(1, 6):
            registry.tell(f"2021-02-0{day}T00:00:00Z", "account.validated", "ACC-1")
        whole, pages, after = _rows(registry), [], None
        while page := _rows(registry, limit=2, after=after):
            pages += page
            after = str(page[-1]["position"])
        assert pages == whole
        assert len(whole) == 6

    def test_a_page_behind_no_row_is_a_wrong_call(self, registry: Any) -> None:
        """A position that is no row's is refused, so that a page is never silently empty."""
        registry.opened()
        with pytest.raises(WrongCallError, match="999"):
            _rows(registry, after="999")


class TestSentences:
    """One short sentence per fact."""

    def test_no_sentence_says_who(self, registry: Any) -> None:
        """Neither clear values nor commitments of personal fields stand in a summary."""
        registry.opened()
        registry.tell("2021-02-01T00:00:00Z", "reserve.notified", "ACC-1/reserve/R-1",
                      {"service": "fcu", "reason": "so says Mr X", "evidence": ["seen"]})  # fmt: skip
        rows = _rows(registry)
        assert [row["summary"] for row in rows] == [
            "Account opened in eu-west-2",
            "Reserve R-1 notified on fcu",
        ]

    @pytest.mark.parametrize("kind", sorted(SENTENCES))
    def test_pieces_name_fields_of_their_type_and_none_that_is_personal(self, kind: str) -> None:
        """Each field that a sentence names exists in its type and identifies nobody."""
        from string import Formatter  # noqa: PLC0415 - only this test reads templates

        row = TYPES[kind]
        known = {field.alias or name for name, field in row.model.model_fields.items()} | {"id"}
        personal = {path[0] for path in row.personal}
        named = {name for piece in SENTENCES[kind] for _, name, _, _ in Formatter().parse(piece) if name}
        assert named <= known - personal

    def test_everything_an_account_can_live_through_is_followed(self) -> None:
        """Only what the ledger writes about itself, and reports of flaws, stay out of the timeline."""
        assert set(TYPES) - TIMELINE.types == {
            "stamp.received", "key.rotated", "basis.recorded", "token.received", "witness.cosigned",
            "flaw.reported", "flaw.closed",
        }  # fmt: skip
