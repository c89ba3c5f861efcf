"""Service levels, penalties and claims of an account from recorded facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from facts_factory import in_order, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.finding import Readings, jsonable
from ledger.facts.recorded import Recorded
from projections.question import Question
from projections.sla import SLA

YEAR_OF_REVENUE = "120000.00"


def sla(
    *facts: Recorded, as_of: str = "2021-07-03T00:00:00Z", readings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The result as of an instant, as JSON."""
    at = instants.parse_instant(as_of)
    kept = [fact for fact in in_order(*facts) if fact.legal_time <= at]
    return jsonable(SLA.answer(kept, Question("ACC-1", at, Readings.parse(readings))))


def everywhere() -> list[Recorded]:
    """A Region of two zones, and a client on both."""
    return [
        recorded("region.zones_published", "region/eu-west-2", {"zones": ["a", "b"]}, "2021-01-01T00:00:00Z"),
        recorded("account.opened", "ACC-1", {"region": "eu-west-2"}, "2021-01-04T09:00:00Z"),
        recorded(
            "account.zones_deployed", "ACC-1", {"zones": {"eu-west-2": ["a", "b"]}}, "2021-01-04T10:00:00Z"
        ),
    ]


def invoice(
    net: str | None = YEAR_OF_REVENUE, /, month: str = "2021-05", name: str = "F05", **data: Any
) -> Recorded:
    """An invoice of a month, paid in 2022 at the earliest, net of no VAT unless told otherwise."""
    period = {"period": {"from": f"{month}-01", "to": f"{month}-28"}, "due": "2022-12-31"}
    amounts = {} if net is None else {"net": net, "total": net}
    at = data.pop("at", "2021-06-01T07:00:00Z")
    return recorded("invoice.issued", f"ACC-1/invoice/{name}", {**period, **amounts, **data}, at)


def reserve(
    name: str, start: str, hours: float, service: str = "fcu", resource: str | None = "i-1"
) -> Recorded:
    """A reserve by mail at the end of an outage."""
    begins = instants.parse_instant(start)
    ends = begins + timedelta(hours=hours)
    data = {
        "service": service,
        "unavailable_from": instants.plain(begins),
        "unavailable_to": instants.plain(ends),
        "evidence": ["probe"],
    }
    if resource is not None:
        data["resource_id"] = resource
    return recorded("reserve.notified", f"ACC-1/reserve/{name}", data, ends, mail=f"ACC-1/mail/{name}")


def claim(
    *reserves: str,
    commitment: str | None = "SLA4.vm",
    at: str = "2021-07-01T08:00:00Z",
    name: str = "c1",
    period: tuple[str, str] = ("2021-06-01", "2021-06-30"),
    **service: str,
) -> Recorded:
    """A claim for June with its calculation."""
    data = {
        "period": {"from": period[0], "to": period[1]},
        "services": [{"commitment": commitment, **service}] if commitment else [],
        "reserves": [f"ACC-1/reserve/{row}" for row in reserves],
        "calculation": "see the sheet",
    }
    return recorded("sla.claimed", f"ACC-1/claim/{name}", data, at)


def ten_hours() -> list[Recorded]:
    """A VM down for ten hours of June, reserved at once; its penalty is 1188.89."""
    return [*everywhere(), invoice(), reserve("r1", "2021-06-15T08:00:00Z", 10)]


def entry(start: str, end: str, *, beta: bool, **more: str) -> dict[str, Any]:
    """One metered slice of a VM."""
    return {
        "service": "fcu", "resource_id": "i-1", "from": start, "to": end, "quantity": "1", "unit": "second",
        "beta": beta, **more,
    }  # fmt: skip


def delivered(*entries: dict[str, Any], name: str = "d1", at: str = "2021-06-10T00:00:00Z") -> Recorded:
    """A delivery of metered slices."""
    return recorded("consumption.recorded", f"ACC-1/consumption/{name}", {"entries": list(entries)}, at)


def values(rows: list[dict[str, Any]], key: str) -> list[Any]:
    """One field of each row, the bare value of a conclusion."""
    return [
        row[key]["value"] if isinstance(row[key], dict) and "value" in row[key] else row[key] for row in rows
    ]


def test_nothing() -> None:
    """An account without reserve has no window, no claim and nil penalties."""
    answer = sla()
    assert (answer["windows"], answer["claims"], answer["maintenances"]) == ([], [], [])
    assert (answer["total_penalty"]["value"], answer["capped_penalty"]["value"]) == ("0.00", "0.00")


def test_each_number_has_its_article() -> None:
    """Observed rests on art. 11, the star and the penalty on the annexes, the cap on art. 8."""
    answer = sla(*ten_hours())
    (window,) = answer["windows"]
    assert [window[key]["article"] for key in ("observed", "applies", "penalty")] == [
        "11",
        "Annexe A",
        "Annexe B",
    ]
    assert (answer["total_penalty"]["article"], answer["capped_penalty"]["article"]) == ("Annexe B", "8")
    assert {fact["type"] for fact in window["penalty"]["because"]} == {"reserve.notified", "invoice.issued"}


class TestReserves:
    """Only what was reserved counts."""

    def test_a_reserve_too_late_counts_nothing(self) -> None:
        """The window of a late reserve stands, with nothing lost in it."""
        late = recorded(
            "reserve.notified",
            "ACC-1/reserve/r1",
            {
                "service": "fcu", "resource_id": "i-1", "evidence": ["probe"],
                "unavailable_from": "2021-06-15T08:00:00Z", "unavailable_to": "2021-06-15T18:00:00Z",
            },
            "2021-06-17T18:00:00.000001Z",
            mail="ACC-1/mail/m1",
        )  # fmt: skip
        (window,) = sla(*everywhere(), invoice(), late)["windows"]
        assert (window["observed"]["value"], window["counted_downtime_seconds"]) == ("100", "0")

    def test_only_48_hours_before_the_stamp_count(self) -> None:
        """Of an outage of 60 hours reserved at its end, 48 count; all of it under the second reading of R2."""
        facts = [*everywhere(), invoice(), reserve("r1", "2021-06-15T08:00:00Z", 60)]
        assert values(sla(*facts)["windows"], "counted_downtime_seconds") == ["172800"]
        assert values(sla(*facts, readings=("R2=2",))["windows"], "counted_downtime_seconds") == ["216000"]

    def test_overlapping_reserves_count_once(self) -> None:
        """Two reserves on the same hours lose them once."""
        facts = [*ten_hours(), reserve("r2", "2021-06-15T12:00:00Z", 8)]
        assert values(sla(*facts)["windows"], "counted_downtime_seconds") == ["43200"]

    def test_an_unclaimed_reserve_lapses_and_its_penalty_with_it(self) -> None:
        """From the first instant too late to claim, nothing was ever lost."""
        before, after = (
            sla(*ten_hours(), as_of=as_of)
            for as_of in ("2021-07-06T21:59:59.999999Z", "2021-07-06T22:00:00Z")
        )
        assert before["total_penalty"]["value"] == "1188.89"
        assert after["total_penalty"]["value"] == "0.00"

    def test_a_month_unclaimed_does_not_ride_on_the_year(self) -> None:
        """A reserve that also feeds a yearly promise lives on, but its month's own claim is over."""
        facts = [*everywhere(), invoice(), reserve("r1", "2021-06-15T08:00:00Z", 10, "security_groups", None)]
        (alive,), (over,) = (
            sla(*facts, as_of=at)["windows"] for at in ("2021-07-05T00:00:00Z", "2021-08-01T00:00:00Z")
        )
        assert (alive["commitment"], alive["counted_downtime_seconds"]) == ("SLA5.firewall", "35880")
        assert over["counted_downtime_seconds"] == "0"

    def test_one_window_for_each_resource(self) -> None:
        """Two machines down at once are two windows, and their penalties add up."""
        answer = sla(*ten_hours(), reserve("r2", "2021-06-15T08:00:00Z", 10, resource="i-2"))
        assert values(answer["windows"], "resource_id") == ["i-1", "i-2"]
        assert answer["total_penalty"]["value"] == "2377.78"


class TestRouting:
    """Which commitment a reserve is about."""

    @pytest.mark.parametrize(
        ("service", "commitment"),
        [
            ("fcu", "SLA4.vm"),
            ("TinaOS-FCU", "SLA4.vm"),
            ("fcu_api", "SLA4.api"),
            ("SLA4.zone", "SLA4.zone"),
            ("bsu", "SLA2.volume"),
            ("oos", "SLA1.api_access"),
            ("eip", "SLA5.internet"),
            ("internet", "SLA5.internet"),
            ("security_groups", "SLA5.firewall"),
            ("vpc", "SLA6.network"),
            ("ntp", "SLA7.dns_ntp_dhcp"),
            ("metadata", "SLA7.metadata"),
            ("lbu", "SLA8.load_balancer"),
        ],
    )
    def test_by_its_service(self, service: str, commitment: str) -> None:
        """Each service feeds one commitment unless a claim names another."""
        answer = sla(*everywhere(), reserve("r1", "2021-06-15T08:00:00Z", 1, service, None))
        assert values(answer["windows"], "commitment") == [commitment]

    @pytest.mark.parametrize("service", ["ephemeral", "eim", "unheard_of"])
    def test_a_service_without_promise(self, service: str) -> None:
        """Non-persistent storage, and what Annex A does not list, has no window."""
        assert sla(*everywhere(), reserve("r1", "2021-06-15T08:00:00Z", 1, service, None))["windows"] == []

    def test_by_its_claim(self) -> None:
        """A claim may say that a reserve on the service as a whole is about its API."""
        facts = [*everywhere(), invoice(), reserve("r1", "2021-06-15T08:00:00Z", 10, resource=None)]
        answer = sla(*facts, claim("r1", commitment="SLA4.api"))
        assert values(answer["windows"], "commitment") == ["SLA4.api"]
        assert answer["claims"][0]["status"]["value"] == "granted"

    def test_one_machine_is_not_the_zone(self) -> None:
        """A claim cannot make the outage of one machine that of its zone."""
        answer = sla(*ten_hours(), claim("r1", commitment="SLA4.zone"))
        assert values(answer["windows"], "commitment") == ["SLA4.vm"]
        assert values(answer["claims"], "status") == ["no_breach"]


class TestBeta:
    """Art. 25: no promise, no credit."""

    def test_nothing_is_promised(self) -> None:
        """A machine metered as Beta all month has no commitment, and its claim is excluded."""
        metered = delivered(entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=True))
        answer = sla(*ten_hours(), metered, claim("r1"))
        (window,) = answer["windows"]
        assert (window["applies"]["value"], window["applies"]["article"]) == (False, "25")
        assert (window["penalty"]["value"], answer["capped_penalty"]["value"]) == ("0.00", "0.00")
        assert values(answer["claims"], "status") == ["excluded"]

    def test_by_its_tariff(self) -> None:
        """A service whose public tariff is of a Beta one has no commitment either."""
        price = {
            "service": "fcu",
            "unit": "second",
            "unit_price": "0",
            "beta": True,
            "effective": "2021-01-01",
        }
        published = recorded("price.published", "price/p1", price, "2021-01-01T00:00:00Z")
        assert values(sla(*ten_hours(), published)["windows"], "applies") == [False]
        metered = delivered(entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=False))
        assert values(sla(*ten_hours(), published, metered)["windows"], "applies") == [False]

    def test_another_machine_in_beta(self) -> None:
        """That another machine was a Beta one changes nothing."""
        metered = delivered(
            entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=True, resource_id="i-2"),
            entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=False),
        )
        assert values(sla(*ten_hours(), metered)["windows"], "applies") == [True]

    def test_a_beta_that_becomes_a_service_within_the_month(self) -> None:
        """What was lost while it was metered as Beta does not count, the rest does."""
        metered = delivered(
            entry("2021-06-01T00:00:00Z", "2021-06-15T11:59:59.999999Z", beta=True),
            entry("2021-06-15T18:00:00Z", "2021-06-16T00:00:00Z", beta=False),
            at="2021-06-16T00:00:00Z",
        )
        (window,) = sla(*ten_hours(), metered)["windows"]
        assert (window["applies"]["value"], window["counted_downtime_seconds"]) == (True, "21600")
        assert [row["why"] for row in window["excluded"]] == ["beta"]

    def test_a_correction_takes_a_wrong_mark_back(self) -> None:
        """An entry marked Beta by mistake and corrected leaves the promise whole."""
        metered = delivered(entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=True))
        right = {
            "replaces": [0],
            "entries": [entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=False)],
        }
        corrected = recorded("consumption.corrected", "ACC-1/consumption/d1", right, "2021-06-11T00:00:00Z")
        assert values(sla(*ten_hours(), metered, corrected)["windows"], "applies") == [True]


class TestRevenue:
    """CAcm, the average monthly revenue."""

    def test_a_young_client(self) -> None:
        """Three months of 12,000 make 3,000 a month, or 12,000 by months of activity (R7)."""
        months = [invoice("12000.00", f"2021-0{n}", f"F{n}") for n in (3, 4, 5)]
        answer = sla(*everywhere(), *months, reserve("r1", "2021-06-15T08:00:00Z", 10))
        penalty = answer["windows"][0]["penalty"]
        assert penalty["value"] == "356.67"
        assert [row["value"] for row in penalty["readings"] if row["reading"] == "R7"] == [
            "356.67",
            "1426.67",
        ]

    @pytest.mark.parametrize(
        ("last_day", "penalty"),
        [
            ("2020-06-30", "0.00"),
            ("2020-07-01", "1188.89"),
            ("2021-06-30", "1188.89"),
            ("2021-07-01", "0.00"),
        ],
    )
    def test_the_twelve_months_that_end_with_the_window(self, last_day: str, penalty: str) -> None:
        """Of a window of June 2021 they are those from 1 July 2020 to 30 June 2021, both included."""
        one = invoice(period={"from": "2020-01-01", "to": last_day}, at="2021-07-01T00:00:00Z")
        answer = sla(*everywhere(), one, reserve("r1", "2021-06-15T08:00:00Z", 10))
        assert values(answer["windows"], "penalty") == [penalty]

    @pytest.mark.parametrize(
        ("amounts", "penalty"),
        [
            ({"net": "120000.00", "vat": "24000.00", "total": "144000.00"}, "1188.89"),
            ({"vat": "24000.00", "total": "144000.00"}, "1188.89"),
            ({"total": "144000.00", "lines": [{"amount": "100000.00"}, {"amount": "20000.00"}]}, "1188.89"),
            ({"total": "144000.00", "lines": [{"amount": "100000.00"}, {}]}, "1426.67"),
        ],
    )
    def test_without_vat(self, amounts: dict[str, Any], penalty: str) -> None:
        """It is the net amount, the total less VAT or the lines; the total where nothing tells its VAT."""
        answer = sla(*everywhere(), invoice(None, **amounts), reserve("r1", "2021-06-15T08:00:00Z", 10))
        assert values(answer["windows"], "penalty") == [penalty]

    @pytest.mark.parametrize(
        ("note", "penalty"),
        [
            ({"amount": "72000.00", "net": "60000.00"}, "594.44"),
            ({"amount": "72000.00"}, "594.44"),
            ({"amount": "144000.00"}, "0.00"),
        ],
    )
    def test_less_credit_notes(self, note: dict[str, str], penalty: str) -> None:
        """A credit note counts without VAT, by the invoice's own share when it does not say."""
        one = invoice(None, net="120000.00", vat="24000.00", total="144000.00")
        credited = recorded("invoice.credited", "ACC-1/invoice/F05", note, "2021-06-05T00:00:00Z")
        answer = sla(*everywhere(), one, credited, reserve("r1", "2021-06-15T08:00:00Z", 10))
        assert values(answer["windows"], "penalty") == [penalty]

    def test_currencies_are_not_added(self) -> None:
        """Beside an invoice in euros, one in dollars is no revenue."""
        answer = sla(*ten_hours(), invoice("999999.00", name="F06", currency="USD"))
        assert answer["total_penalty"]["value"] == "1188.89"

    def test_an_invoice_without_period(self) -> None:
        """It is of the calendar month before it was issued: June's, issued on 1 July, holds the incident."""
        june = recorded(
            "invoice.issued",
            "ACC-1/invoice/F06",
            {"net": "100.00", "total": "100.00", "due": "2022-12-31"},
            "2021-07-01T07:00:00Z",
        )
        assert sla(*ten_hours(), june)["capped_penalty"]["value"] == "30.00"


class TestCaps:
    """30 % of the invoice of the month, and CAcm."""

    def test_downtime_of_two_invoices(self) -> None:
        """A penalty over two interim invoices is shared by downtime, each part capped by its own."""
        first = invoice(
            "120000.00",
            name="F1",
            period={"from": "2021-06-01", "to": "2021-06-15"},
            at="2021-06-16T00:00:00Z",
        )
        second = invoice(
            "300.00", name="F2", period={"from": "2021-06-16", "to": "2021-06-30"}, at="2021-07-01T00:00:00Z"
        )
        outage = [reserve("r1", "2021-06-15T17:00:00Z", 10)]
        answer = sla(*everywhere(), first, second, *outage)
        assert answer["total_penalty"]["value"] == "1191.86"
        assert answer["capped_penalty"]["value"] == "685.93"  # half of 1191.86, and 30 % of 300.00

    def test_one_invoice_caps_all_its_windows(self) -> None:
        """Windows of one month share one 30 %."""
        june = invoice(
            "1000.00",
            "2021-06",
            "F06",
            at="2021-07-01T00:00:00Z",
            period={"from": "2021-06-01", "to": "2021-06-30"},
        )
        facts = [*ten_hours(), reserve("r2", "2021-06-15T08:00:00Z", 10, resource="i-2"), june]
        assert sla(*facts)["capped_penalty"]["value"] == "300.00"

    def test_two_months_have_two_caps(self) -> None:
        """Each month's penalties have the cap of its own invoice."""
        bills = [
            invoice("1000.00", month, f"G{month}", at=at, period={"from": f"{month}-01", "to": f"{month}-30"})
            for month, at in (("2021-05", "2021-06-01T00:00:00Z"), ("2021-06", "2021-07-01T00:00:00Z"))
        ]
        facts = [
            *everywhere(), invoice(month="2021-04"), *bills,
            reserve("r0", "2021-05-15T08:00:00Z", 10), reserve("r1", "2021-06-15T08:00:00Z", 10),
            claim("r0", at="2021-06-01T08:00:00Z", name="c0", period=("2021-05-01", "2021-05-31")), claim("r1"),
        ]  # fmt: skip
        answer = sla(*facts)
        assert answer["capped_penalty"]["value"] == "600.00"
        assert values(answer["claims"], "credit") == ["300.00", "300.00"]


class TestClaims:
    """Claims after one another."""

    def test_all_statuses_come_in_order(self) -> None:
        """An irregular claim out of time is irregular; one out of time by a late client is out of time."""
        owed = recorded("invoice.issued", "ACC-1/invoice/F99", {"total": "10.00"}, "2021-01-05T00:00:00Z")
        late = claim("r1", at="2021-07-07T08:00:00Z")
        empty = claim(at="2021-07-07T08:00:00Z", name="c2")
        answer = sla(*ten_hours(), owed, late, empty, as_of="2021-07-08T00:00:00Z")
        assert values(answer["claims"], "status") == ["out_of_time", "irregular"]
        assert values(answer["claims"], "expires_at") == [None, None]

    def test_an_early_claim_is_in_time(self) -> None:
        """A claim before its month is over is granted."""
        answer = sla(*ten_hours(), claim("r1", at="2021-06-16T08:00:00Z"), as_of="2021-06-17T00:00:00Z")
        assert values(answer["claims"], "status") == ["granted"]

    def test_penalties_are_full_and_final(self) -> None:
        """The same window claimed again earns nothing more."""
        answer = sla(*ten_hours(), claim("r1"), claim("r1", name="c2", at="2021-07-01T09:00:00Z"))
        assert values(answer["claims"], "status") == ["granted", "excluded"]
        assert values(answer["claims"], "credit") == ["1188.89", "0.00"]

    def test_another_reserve_of_the_same_window(self) -> None:
        """A second claim on another reserve of the same window earns what that one adds."""
        facts = [*ten_hours(), reserve("r2", "2021-06-20T08:00:00Z", 5)]
        answer = sla(*facts, claim("r1"), claim("r2", name="c2", at="2021-07-01T09:00:00Z"))
        assert values(answer["claims"], "credit") == ["1188.89", "694.44"]
        assert answer["total_penalty"]["value"] == "1883.33"

    def test_no_breach(self) -> None:
        """An hour of June is less than the 0.2 % that may be lost, whatever the client observed."""
        facts = [*everywhere(), invoice(), reserve("r1", "2021-06-15T08:00:00Z", 1)]
        answer = sla(*facts, claim("r1", observed="90"))
        assert values(answer["claims"], "status") == ["no_breach"]

    def test_not_on_every_zone(self) -> None:
        """A claim of a promise that does not apply is excluded."""
        facts = [invoice(), reserve("r1", "2021-06-15T08:00:00Z", 10), claim("r1")]
        assert values(sla(*facts)["claims"], "status") == ["excluded"]

    def test_without_naming_a_commitment(self) -> None:
        """A claim that names none is for what its reserves are about."""
        assert values(sla(*ten_hours(), claim("r1", commitment=None))["claims"], "credit") == ["1188.89"]

    def test_of_another_resource(self) -> None:
        """A claim for another machine than its reserve's has no breach to show."""
        assert values(sla(*ten_hours(), claim("r1", resource_id="i-2"))["claims"], "status") == ["no_breach"]

    def test_somebody_elses_reserve(self) -> None:
        """A reserve that is not on the account's record is none."""
        assert values(sla(*ten_hours(), claim("r9"))["claims"], "status") == ["irregular"]

    def test_a_delay_moved_to_the_next_working_day(self) -> None:
        """The five days after 31 May 2021 end on Saturday 5 June, or under R4 on Monday 7 June."""
        may = reserve("r1", "2021-05-15T08:00:00Z", 10)
        late = claim("r1", at="2021-06-07T08:00:00Z", period=("2021-05-01", "2021-05-31"))
        facts = [*everywhere(), invoice(month="2021-04"), may, late]
        status = sla(*facts)["claims"][0]["status"]
        assert status["value"] == "out_of_time"
        assert [row["value"] for row in status["readings"] if row["reading"] == "R4"] == [
            "out_of_time",
            "granted",
        ]

    def test_a_credit_without_revenue(self) -> None:
        """A breach before any invoice is granted, for nothing yet."""
        answer = sla(*everywhere(), reserve("r1", "2021-06-15T08:00:00Z", 10), claim("r1"))
        assert (answer["claims"][0]["status"]["value"], answer["claims"][0]["credit"]["value"]) == (
            "granted",
            "0.00",
        )


class TestLateness:
    """Art. 8: the penalties of a late client are lost."""

    def owed(self, **data: Any) -> Recorded:
        """A small invoice due at the end of May."""
        return recorded(
            "invoice.issued",
            "ACC-1/invoice/F99",
            {"total": "12.00", "due": "2021-05-31", **data},
            "2021-05-20T00:00:00Z",
        )

    def test_paid_on_the_first_day_of_the_window(self) -> None:
        """A client that paid on 1 June was late in June."""
        paid = recorded("invoice.paid", "ACC-1/invoice/F99", {"amount": "12.00"}, "2021-06-01T08:00:00Z")
        answer = sla(*ten_hours(), self.owed(), paid, claim("r1"))
        assert (values(answer["windows"], "lost"), values(answer["claims"], "status")) == ([True], ["lost"])
        assert answer["claims"][0]["status"]["rule"] == "penalty_lost"

    def test_paid_on_the_due_day(self) -> None:
        """A payment with the value of the due day leaves the penalty, however late it was recorded."""
        paid = recorded(
            "invoice.paid",
            "ACC-1/invoice/F99",
            {"amount": "12.00", "value_date": "2021-05-31"},
            "2021-06-10T08:00:00Z",
        )
        answer = sla(*ten_hours(), self.owed(), paid, claim("r1"))
        assert values(answer["claims"], "status") == ["granted"]

    @pytest.mark.parametrize(("ground", "status"), [("art7", "granted"), ("art6", "lost")])
    def test_interrupted_under_article_7_only(self, ground: str, status: str) -> None:
        """While OUTSCALE has interrupted the services for non-payment, lateness loses nothing."""
        imposed = recorded(
            "suspension.imposed", "ACC-1/suspension/s1", {"ground": ground}, "2021-05-31T08:00:00Z"
        )
        assert values(sla(*ten_hours(), self.owed(), imposed, claim("r1"))["claims"], "status") == [status]

    def test_after_the_suspension_was_lifted(self) -> None:
        """Still unpaid once the services are back, the client is late."""
        imposed = recorded(
            "suspension.imposed", "ACC-1/suspension/s1", {"ground": "art7"}, "2021-05-31T08:00:00Z"
        )
        lifted = recorded("suspension.lifted", "ACC-1/suspension/s1", {}, "2021-06-30T21:59:59Z")
        assert values(sla(*ten_hours(), self.owed(), imposed, lifted, claim("r1"))["claims"], "status") == [
            "lost"
        ]

    def test_one_window_of_two(self) -> None:
        """Late in May only, the client loses May's penalty and keeps June's."""
        owed = self.owed(due="2021-05-24")
        paid = recorded("invoice.paid", "ACC-1/invoice/F99", {"amount": "12.00"}, "2021-05-28T08:00:00Z")
        may = reserve("r0", "2021-05-15T08:00:00Z", 10)
        early = claim("r0", at="2021-06-01T08:00:00Z", name="c0", period=("2021-05-01", "2021-05-31"))
        answer = sla(*ten_hours(), owed, paid, may, early, claim("r1"))
        assert values(answer["claims"], "status") == ["lost", "granted"]
        assert values(answer["windows"], "penalty") == ["0.00", "1189.01"]

    def test_under_a_mandate(self) -> None:
        """Nobody is late under a mandate before a debit is rejected, as R15's second reading has it."""
        facts = [*ten_hours(), self.owed(direct_debit=True), claim("r1")]
        status = sla(*facts)["claims"][0]["status"]
        assert [row["value"] for row in status["readings"] if row["reading"] == "R15"] == ["lost", "granted"]


class TestTroubles:
    """Incidents, force majeure and maintenance as facts."""

    def test_the_cause_last_given_holds(self) -> None:
        """An incident that turns out to be the client's fault is excluded from then on."""
        subject = "service/fcu/incident/I1"
        opened = recorded(
            "incident.opened", subject, {"from": "2021-06-15T08:00:00Z"}, "2021-06-15T08:05:00Z"
        )
        closed = recorded(
            "incident.closed",
            subject,
            {"to": "2021-06-15T18:00:00Z", "cause": "client"},
            "2021-06-15T18:05:00Z",
        )
        assert values(sla(*ten_hours(), opened)["windows"], "counted_downtime_seconds") == ["36000"]
        assert values(sla(*ten_hours(), opened, closed)["windows"], "counted_downtime_seconds") == ["0"]

    def test_an_open_incident_still_runs(self) -> None:
        """A counter-measure that is not closed excludes all from its start, or from its legal time."""
        data = {"cause": "countermeasure", "from": "2021-06-15T12:00:00Z"}
        told = recorded("incident.opened", "service/fcu/incident/I1", data, "2021-06-15T13:00:00Z")
        bare = recorded(
            "incident.opened", "service/fcu/incident/I1", {"cause": "countermeasure"}, "2021-06-15T13:00:00Z"
        )
        assert values(sla(*ten_hours(), told)["windows"], "counted_downtime_seconds") == ["14400"]
        assert values(sla(*ten_hours(), bare)["windows"], "counted_downtime_seconds") == ["18000"]

    @pytest.mark.parametrize(("services", "lost"), [([], "0"), (["fcu"], "0"), (["lbu"], "36000")])
    def test_force_majeure(self, services: list[str], lost: str) -> None:
        """It excuses the services that it names, all of them when it names none."""
        began = recorded(
            "force_majeure.began",
            "force-majeure/F1",
            {"services": services, "from": "2021-06-15"},
            "2021-06-15T09:00:00Z",
        )
        ended = recorded(
            "force_majeure.ended", "force-majeure/F1", {"to": "2021-06-15"}, "2021-06-16T09:00:00Z"
        )
        assert values(sla(*ten_hours(), began, ended)["windows"], "counted_downtime_seconds") == [lost]

    def test_a_resource_in_another_region(self) -> None:
        """A machine metered in another Region is not struck by an incident of the account's own."""
        metered = delivered(
            entry("2021-06-09T08:00:00Z", "2021-06-09T09:00:00Z", beta=False, subregion="us-east-2a")
        )
        data = {
            "cause": "client",
            "region": "eu-west-2",
            "from": "2021-06-15T08:00:00Z",
            "to": "2021-06-15T18:00:00Z",
        }
        incident = recorded("incident.opened", "service/fcu/incident/I1", data, "2021-06-15T19:00:00Z")
        assert values(sla(*ten_hours(), incident)["windows"], "counted_downtime_seconds") == ["0"]
        assert values(sla(*ten_hours(), metered, incident)["windows"], "counted_downtime_seconds") == [
            "36000"
        ]

    def test_a_maintenance_by_the_interface(self) -> None:
        """Art. 11 names no channel: a notice on the interface counts, in time or not by its own stamp."""
        announced = recorded(
            "maintenance.announced",
            "service/fcu/maintenance/M1",
            {"from": "2021-06-15", "to": "2021-06-15"},
            "2021-06-01T08:00:00Z",
        )
        sent = recorded(
            "notification.sent",
            "ACC-1/notification/n1",
            {"kind": "maintenance", "channel": "interface", "about": "service/fcu/maintenance/M1"},
            "2021-06-12T21:00:00Z",
        )
        answer = sla(*ten_hours(), announced, sent)
        assert values(answer["maintenances"], "status") == ["planned"]
        assert values(answer["windows"], "counted_downtime_seconds") == ["0"]


class TestSliding:
    """R19: the worst window of that length."""

    def test_the_two_readings(self) -> None:
        """Ten hours on each side of a month's end are one bad month, and two fair ones."""
        facts = [*ten_hours(), reserve("r2", "2021-07-02T08:00:00Z", 10)]
        as_of = "2021-07-03T00:00:00Z"
        calendar, sliding = sla(*facts, as_of=as_of), sla(*facts, as_of=as_of, readings=("R19=2",))
        assert values(calendar["windows"], "observed") == ["98.611111111111111111", "98.655913978494623655"]
        (worst,) = sliding["windows"]
        assert worst["counted_downtime_seconds"] == "72000"
        assert worst["period"]["from"] <= "2021-06-15"
        assert worst["period"]["to"] >= "2021-07-02"
        readings = [
            row["value"] for row in calendar["windows"][0]["observed"]["readings"] if row["reading"] == "R19"
        ]
        assert readings == ["98.611111111111111111", worst["observed"]["value"]]

    def test_one_outage_is_the_same_under_both(self) -> None:
        """An outage in the middle of June counts over a month of thirty days either way."""
        sliding = sla(*ten_hours(), readings=("R19=2",))
        assert values(sliding["windows"], "period") == [{"from": "2021-06-01", "to": "2021-06-30"}]


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """Outages of a few machines, claims on some of them, and invoices of any size."""
    facts = [*everywhere()]
    for month in range(1, 7):
        net = f"{draw(st.integers(0, 20_000))}.00"
        at = f"2021-{month + 1:02}-01T06:00:00Z"
        facts.append(
            invoice(
                net,
                f"2021-{month:02}",
                f"F{month}",
                at=at,
                period={"from": f"2021-{month:02}-01", "to": f"2021-{month:02}-{28 if month == 2 else 30}"},
            )
        )
    names = []
    for number in range(draw(st.integers(1, 5))):
        day, hours = draw(st.integers(1, 27)), draw(st.integers(1, 40))
        names.append(f"r{number}")
        facts.append(
            reserve(names[-1], f"2021-06-{day:02}T06:00:00Z", hours, resource=f"i-{draw(st.integers(0, 1))}")
        )
    for number in range(draw(st.integers(0, 3))):
        listed = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        facts.append(claim(*listed, name=f"c{number}", at=f"2021-07-02T08:00:{number:02}Z"))
    return facts


class TestProperties:
    """What holds for every history."""

    @settings(max_examples=30)
    @given(histories())
    def test_credits_never_exceed_their_caps(self, facts: list[Recorded]) -> None:
        """All credits of a month are at most 30 % of its invoice, and at most CAcm, to the cent of each."""
        answer = sla(*facts)
        june = next(
            Decimal(fact.fields["data"]["net"]) for fact in facts if fact.subject == "ACC-1/invoice/F6"
        )
        year = (
            sum(Decimal(fact.fields["data"]["net"]) for fact in facts if fact.type == "invoice.issued") / 12
        )
        earned = [Decimal(value) for value in values(answer["claims"], "credit")]
        most = min(june * Decimal("0.3"), year) + Decimal("0.01") * max(len(earned), 1)
        assert sum(earned) <= most
        assert Decimal(answer["capped_penalty"]["value"]) <= most
        assert Decimal(answer["capped_penalty"]["value"]) <= Decimal(answer["total_penalty"]["value"])

    @settings(max_examples=20)
    @given(histories())
    def test_claims_never_earn_more_than_the_penalties(self, facts: list[Recorded]) -> None:
        """However reserves are spread over claims, credits stay within the penalties before the caps."""
        answer = sla(*facts, readings=("R6=2",))
        earned = [Decimal(value) for value in values(answer["claims"], "credit")]
        assert sum(earned) <= Decimal(answer["total_penalty"]["value"]) + Decimal("0.01") * len(earned)

    @settings(max_examples=20)
    @given(histories(), st.integers(0, 700))
    def test_an_excuse_never_adds_downtime(self, facts: list[Recorded], hour: int) -> None:
        """An incident that is the client's fault only takes downtime away."""
        start = datetime(2021, 6, 1, tzinfo=UTC) + timedelta(hours=hour)
        data = {
            "cause": "client",
            "from": instants.plain(start),
            "to": instants.plain(start + timedelta(hours=20)),
        }
        incident = recorded("incident.opened", "service/fcu/incident/I1", data, start)
        before, after = sla(*facts), sla(*facts, incident)
        pairs = zip(before["windows"], after["windows"], strict=True)
        for was, now in pairs:
            assert Decimal(now["counted_downtime_seconds"]) <= Decimal(was["counted_downtime_seconds"])
