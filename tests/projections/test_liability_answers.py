"""Claims for damage from recorded facts: what the projection gathers for the clauses of arts. 13 and 25."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from facts_factory import in_order, recorded

from ledger import instants
from ledger.contract.finding import PRIMARY, Readings, jsonable
from ledger.errors import WrongCallError
from ledger.facts.recorded import Recorded
from projections.liability import LIABILITY
from projections.question import Question

AS_OF = "2021-08-01T00:00:00Z"
OUTAGE = {"kind": "interruption", "service": "fcu", "from": "2021-06-01T00:00:00Z"}


def rows(*facts: Recorded, as_of: str = AS_OF, readings: Readings = PRIMARY) -> list[dict[str, Any]]:
    """The rows as of an instant, as JSON."""
    at = instants.parse_instant(as_of)
    kept = [fact for fact in in_order(*facts) if fact.legal_time <= at]
    result: list[dict[str, Any]] = jsonable(LIABILITY.answer(kept, Question("ACC-1", at, readings)))
    return result


def claimed(at: str = "2021-07-01T09:00:00Z", /, **data: str | bool) -> Recorded:
    """A claim of the client for damage of 20 June 2021, unless told otherwise."""
    said = {"by": "client", "kind": "other", "last_event": "2021-06-20", **data}
    return recorded("damage.claimed", "ACC-1/damage/d1", said, at)


def billed(service: str = "fcu", **data: str) -> Recorded:
    """The invoice of May: 1000 net of one service."""
    period = {"from": "2021-05-01", "to": "2021-05-31"}
    lines = [{"service": service, "amount": "600"}, {"service": service, "amount": "400"}]
    said = {"period": period, "net": "1000", "vat": "200", "total": "1200", "lines": lines, **data}
    return recorded("invoice.issued", "ACC-1/invoice/F1", said, "2021-06-01T09:00:00Z")


def moved(kind: str, at: str, **data: str) -> Recorded:
    """A movement of the invoice of May."""
    return recorded(f"invoice.{kind}", "ACC-1/invoice/F1", data, at)


def struck(end: str | None = None, services: tuple[str, ...] = ("fcu",)) -> list[Recorded]:
    """Force majeure from 1 June 2021, up to an instant or without end."""
    began = recorded(
        "force_majeure.began", "force-majeure/e1", {"services": list(services)}, "2021-06-01T00:00:00Z"
    )
    ended = [] if end is None else [recorded("force_majeure.ended", "force-majeure/e1", {}, end)]
    return [began, *ended]


class TestCap:
    """What the cap is drawn from."""

    def test_a_rejected_debit_was_never_cashed(self) -> None:
        """Paid, half of it counts; once the debit is rejected nothing does, and the rejection is named."""
        paid = moved("paid", "2021-06-10T08:00:00Z", amount="1200", value_date="2021-06-10", reference="r1")
        rejected = moved("payment_rejected", "2021-07-15T08:00:00Z", reference="r1", reason="no funds")
        facts = [billed(), paid, rejected, claimed()]
        before = rows(*facts, as_of="2021-07-15T07:59:59.999999Z")[0]["cap"]
        after = rows(*facts, as_of="2021-07-15T08:00:00Z")[0]["cap"]
        assert (before["value"], after["value"]) == ("600.00", "0.00")
        assert "invoice.payment_rejected" in {fact["type"] for fact in after["because"]}

    def test_value_date_counts_not_the_day_of_recording(self) -> None:
        """A payment of the eve of the event counts though it was recorded after it."""
        late = moved("paid", "2021-06-25T08:00:00Z", amount="1200", value_date="2021-06-19", reference="r1")
        assert rows(billed(), late, claimed())[0]["cap"]["value"] == "600.00"

    def test_a_service_bears_several_names(self) -> None:
        """A claim for fcu finds the lines that the meter calls TinaOS-FCU, added up."""
        row = rows(billed("TinaOS-FCU"), claimed(**OUTAGE, to="2021-06-02T00:00:00Z"))[0]
        assert row["cap"]["value"] == "2000.00"

    def test_without_any_invoice(self) -> None:
        """Nothing cashed, half of nothing; an interruption has no known cap, and why is said."""
        assert rows(claimed())[0]["cap"]["value"] == "0.00"
        row = rows(claimed(**OUTAGE, to="2021-06-02T00:00:00Z"))[0]
        assert (row["cap"]["value"], row["unlimited"], row["excluded"]) == (None, False, False)
        assert row["why"] == "no invoice shows what the service costs a month"

    @pytest.mark.parametrize(
        ("data", "flags"),
        [
            ({"kind": "indirect"}, (True, False)),
            ({"gross_fault": True}, (False, True)),
            ({"kind": "third_party", "by": "outscale"}, (False, True)),
            ({}, (False, False)),
        ],
    )
    def test_flags(self, data: Mapping[str, str | bool], flags: tuple[bool, bool]) -> None:
        """A row says whether liability is excluded, and whether it has no limit."""
        row = rows(billed(), claimed(**data))[0]
        assert (row["excluded"], row["unlimited"]) == flags

    def test_what_settled_it(self) -> None:
        """The amount claimed and the one it was settled for stand beside the cap, each from its instant."""
        settled = recorded("damage.settled", "ACC-1/damage/d1", {"amount": "100.00"}, "2021-07-20T08:00:00Z")
        facts = [claimed(amount="900.00"), settled]
        assert rows(*facts, as_of="2021-07-20T07:59:59.999999Z")[0]["settled"] is None
        row = rows(*facts)[0]
        assert (row["claimed"], row["settled"], row["currency"]) == ("900.00", "100.00", "EUR")

    def test_nothing_before_the_claim(self) -> None:
        """Before the claim there is no row, and no error."""
        assert rows(billed(), claimed(), as_of="2021-07-01T08:59:59.999999Z") == []

    def test_an_unknown_reading(self) -> None:
        """A reading that the register does not know is refused."""
        with pytest.raises(WrongCallError):
            rows(claimed(), readings=Readings.parse(["R99=1"]))


class TestForceMajeure:
    """The parts that force majeure excuses."""

    def test_a_part(self) -> None:
        """What it covered of the failure shows, with the facts of the event."""
        outage = claimed(**OUTAGE, to="2021-06-17T00:00:00Z")
        row = rows(billed(), outage, *struck("2021-06-02T00:00:00Z"))[0]
        assert row["excused"]["value"] == [{"from": "2021-06-01T00:00:00Z", "to": "2021-06-02T00:00:00Z"}]
        assert row["excused"]["article"] == "13.2"
        assert {fact["type"] for fact in row["excused"]["because"]} == {
            "force_majeure.began", "force_majeure.ended",
        }  # fmt: skip

    def test_while_both_run(self) -> None:
        """A failure and an event without end are told up to the question's instant."""
        row = rows(billed(), claimed(**OUTAGE), *struck())[0]
        assert row["excused"]["value"] == [{"from": "2021-06-01T00:00:00Z", "to": AS_OF}]
        assert (row["cap"]["value"], row["excluded"]) == ("0.00", True)

    def test_it_excuses_outscale_alone(self) -> None:
        """A claim of OUTSCALE against the client is not eased by it (« La responsabilité de OUTSCALE »)."""
        outage = claimed(**OUTAGE, by="outscale", to="2021-06-17T00:00:00Z")
        paid = moved("paid", "2021-06-10T08:00:00Z", amount="1200")
        row = rows(billed(), paid, outage, *struck("2021-06-17T00:00:00Z"))[0]
        assert (row["excused"]["value"], row["cap"]["value"]) == ([], "600.00")

    def test_an_event_that_names_no_service(self) -> None:
        """An event that names no service strikes them all, as it does for service levels."""
        outage = claimed(**OUTAGE, to="2021-06-17T00:00:00Z")
        row = rows(billed(), outage, *struck("2021-06-17T00:00:00Z", services=()))[0]
        assert row["excused"]["value"] == [{"from": "2021-06-01T00:00:00Z", "to": "2021-06-17T00:00:00Z"}]
