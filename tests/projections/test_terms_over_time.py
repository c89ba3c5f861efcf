"""Terms over time (row 7): an invented version of 2027 changes answers from its date, and only from it."""

from __future__ import annotations

from importlib import resources

import pytest

import ledger.contract.terms
from ledger import instants
from ledger.contract.terms import load, look_in
from ledger.errors import ClauseError, WrongCallError

INVENTED = {
    'version = "2021-06"': 'version = "2027-01"',
    "effective = 2021-06-01": "effective = 2027-01-01",
    "window_hours = 48": "window_hours = 72",
    "dispute_days = 10": "dispute_days = 15",
    'recovery_indemnity = "40"': 'recovery_indemnity = "60"',
    "minimum_seconds = 3600": "minimum_seconds = 60",
    "convenience_clear_days = 15": "convenience_clear_days = 30",
    "remedy_clear_days = 7": "remedy_clear_days = 10",
    'name = "SLA8.load_balancer"\nservices = ["lbu"]\nfed_by = ["lbu"]\nmeasure = "availability"\npromised = "99.8"': 'name = "SLA8.load_balancer"\nservices = ["lbu"]\nfed_by = ["lbu"]\nmeasure = "availability"\npromised = "99.95"',
}
EFFECTIVE = "2026-12-31T23:00:00Z"  # midnight in Paris


@pytest.fixture
def invented(tmp_path):
    """A second version of the terms, known for the time of a test."""
    text = resources.files("ledger.contract.terms").joinpath("2021-06.toml").read_text(encoding="utf-8")
    for old, new in INVENTED.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "2027-01.toml").write_text(text, encoding="utf-8")
    before = list(ledger.contract.terms._FOLDERS)
    look_in(tmp_path)
    yield "2027-01"
    ledger.contract.terms._FOLDERS[:] = before
    load.cache_clear()


def accepted(registry, **more):
    registry.opened(at="2026-01-04T09:00:00Z")
    registry.tell("2026-01-05T09:00:00Z", "contract.accepted", "ACC-1", {"route": "internet", **more})


def published(registry, at="2026-11-30T10:00:00Z", **more):
    data = {"version": "2027-01", "effective": "2027-01-01", **more}
    registry.tell(at, "terms.published", "terms/2027-01", data)


def told(registry, at, channel="email", to="client@acc-1.example"):
    data = {
        "kind": "terms",
        "channel": channel,
        "to": to,
        "about": "terms/2027-01",
        "stamp": {"server": "simulated", "queue_id": "4jXrjs6ZNnzKHG6", "time": at},
    }
    registry.tell(at, "notification.sent", "ACC-1/notification/t1", data)


def invoice(registry, at, number):
    data = {"net": "100", "vat": "20", "total": "120", "currency": "EUR"}
    registry.tell(at, "invoice.issued", f"ACC-1/invoice/{number}", data)


def in_force(registry, as_of):
    return registry.ask("terms", as_of)["result"]["in_force"]["value"]


class TestVersions:
    def test_a_version_binds_from_its_date(self, registry, invented):
        """Published before, it binds from its effective date in Paris, to the microsecond."""
        accepted(registry)
        published(registry)
        assert in_force(registry, "2026-12-31T22:59:59.999999Z") == "2021-06"
        assert in_force(registry, EFFECTIVE) == invented
        answer = registry.ask("contract", EFFECTIVE)
        assert answer["terms"] == invented
        assert answer["result"]["terms_in_force"]["value"] == invented

    def test_it_changes_answers_from_its_date_and_only_from_it(self, registry, invented):
        """An invoice of the last instant of 2026 keeps ten days and 40 €, one of the first of 2027 has its own."""
        accepted(registry)
        published(registry)
        invoice(registry, "2026-12-31T22:59:59Z", "F1")
        invoice(registry, EFFECTIVE, "F2")
        old, new = registry.ask("invoices", "2027-03-01T00:00:00Z")["result"]
        assert (old["contestable_until"], old["late_indemnity"]["value"]) == ("2027-01-10T23:00:00Z", "40.00")
        assert (new["contestable_until"], new["late_indemnity"]["value"]) == ("2027-01-16T23:00:00Z", "60.00")

    def test_acceptance_windows_follow(self, registry, invented):
        """A slice consumed under the new terms is final after 72 hours, one under the old after 48."""
        accepted(registry)
        published(registry)
        registry.consumption(
            "2027-01-02T00:00:00Z", "ACC-1/consumption/c1", "2026-12-31T21:00:00Z", "2026-12-31T22:00:00Z"
        )
        registry.consumption(
            "2027-01-02T00:00:01Z", "ACC-1/consumption/c2", "2027-01-01T08:00:00Z", "2027-01-01T09:00:00Z"
        )
        old, new = registry.ask("acceptance", "2027-01-05T00:00:00Z")["result"]["deliveries"]
        assert (old["final_after"], new["final_after"]) == ("2027-01-02T22:00:00Z", "2027-01-04T09:00:00Z")

    def test_the_hourly_minimum_follows_the_month(self, registry, invented):
        """Under the new terms a month's minimum is a minute; December keeps its hour."""
        accepted(registry)
        published(registry)
        for name, day in (("c1", "2026-12-30"), ("c2", "2027-01-02")):
            entry = {
                "service": "fcu", "resource": "tinav4.c2r4p1", "from": f"{day}T08:00:00Z",
                "to": f"{day}T08:00:10Z", "quantity": "10", "unit": "second",
            }  # fmt: skip
            registry.tell(
                "2027-01-03T00:00:00Z",
                "consumption.recorded",
                f"ACC-1/consumption/{name}",
                {"entries": [entry]},
            )
        december, january = registry.ask("usage", "2027-02-01T00:00:00Z")["result"]
        assert (december["billed"]["value"], january["billed"]["value"]) == ("3600", "60")

    def test_service_levels_follow_their_window(self, registry, invented):
        """December is judged by the old promise, January by the new one."""
        accepted(registry)
        published(registry)
        for name, day in (("m1", "2026-12-10"), ("m2", "2027-01-10")):
            registry.mail(f"{day}T11:00:00Z", f"ACC-1/mail/{name}")
            outage = {"unavailable_from": f"{day}T08:00:00Z", "unavailable_to": f"{day}T10:00:00Z"}
            registry.tell(
                f"{day}T11:00:00Z",
                "reserve.notified",
                f"ACC-1/reserve/{name}",
                {"service": "lbu", "evidence": ["graph"], **outage},
                mail=f"ACC-1/mail/{name}",
            )
        windows = registry.ask("sla", "2027-01-20T00:00:00Z")["result"]["windows"]
        promised = {
            row["period"]["from"]: row["promised"]
            for row in windows
            if row["commitment"] == "SLA8.load_balancer"
        }
        assert promised["2027-01-01"] == "99.95"
        assert promised.get("2026-12-01", "99.8") == "99.8"

    def test_a_version_not_known_here_binds_and_is_named(self, registry):
        """Its name is told; answers are decided under the last version known, and a remark says so."""
        accepted(registry)
        published(registry)
        answer = registry.ask("invoices", "2027-02-01T00:00:00Z")
        assert answer["terms"] == "2027-01"
        assert any("2027-01" in remark and "2021-06" in remark for remark in answer["remarks"])


class TestNoticeAndAcceptance:
    def test_a_substantial_change_binds_once_it_is_notified(self, registry, invented):
        """Untold it does not bind (art. 5); notified later, by the interface too, it binds from the notice."""
        accepted(registry)
        published(registry, substantial=True)
        assert in_force(registry, "2027-01-10T00:00:00Z") == "2021-06"
        (version,) = registry.ask("terms", "2027-01-10T00:00:00Z")["result"]["versions"]
        assert version["binds_from"]["value"] is None
        assert "notified" in version["why_not"]
        told(registry, "2027-01-12T09:00:00Z", channel="interface")
        assert in_force(registry, "2027-01-12T08:59:59.999999Z") == "2021-06"
        assert in_force(registry, "2027-01-12T09:00:00Z") == invented

    def test_a_notice_to_a_wrong_address_is_none(self, registry, invented):
        """A substantial change mailed elsewhere than to the account's address does not bind."""
        accepted(registry)
        published(registry, substantial=True)
        told(registry, "2026-12-01T09:00:00Z", to="someone@else.example")
        assert in_force(registry, "2027-02-01T00:00:00Z") != invented

    def test_consuming_after_it_is_acceptance(self, registry, invented):
        """On Demand, consumption after the change is deemed acceptance, and the delivery is named (art. 5.1)."""
        accepted(registry)
        published(registry)
        registry.consumption(
            "2027-01-01T10:00:00Z", "ACC-1/consumption/c1", "2027-01-01T08:00:00Z", "2027-01-01T09:00:00Z"
        )
        (version,) = registry.ask("terms", "2027-01-02T00:00:00Z")["result"]["versions"]
        assert version["acceptance"]["value"] == "consumption"
        assert "ACC-1/consumption/c1" in [row["subject"] for row in version["acceptance"]["because"]]

    @pytest.mark.parametrize(("consumes", "version"), [(False, "2021-06"), (True, "2027-01")])
    def test_a_refusal_takes_stopping_and_a_termination(self, registry, invented, consumes, version):
        """Refused by mail with notice of termination it does not bind, unless the client goes on consuming."""
        accepted(registry)
        published(registry)
        registry.mail("2026-12-10T09:00:00Z", "ACC-1/mail/m1")
        registry.tell(
            "2026-12-10T09:00:00Z", "terms.refused", "ACC-1", {"version": invented}, mail="ACC-1/mail/m1"
        )
        assert in_force(registry, "2027-01-02T00:00:00Z") == "2027-01"
        registry.tell(
            "2026-12-10T09:00:01Z",
            "termination.notified",
            "ACC-1/termination/t1",
            {"by": "client"},
            mail="ACC-1/mail/m1",
        )
        if consumes:
            registry.consumption(
                "2027-01-01T10:00:00Z", "ACC-1/consumption/c1", "2027-01-01T08:00:00Z", "2027-01-01T09:00:00Z"
            )
        assert in_force(registry, "2027-01-02T00:00:00Z") == version

    def test_a_refusal_without_mail_has_no_effect(self, registry, invented):
        """Art. 5.1's refusal comes by mail (row 28): recorded without one, it is worth nothing."""
        accepted(registry)
        published(registry)
        registry.tell("2026-12-10T09:00:00Z", "terms.refused", "ACC-1", {"version": invented})
        registry.mail("2026-12-10T09:00:01Z", "ACC-1/mail/m1")
        registry.tell(
            "2026-12-10T09:00:02Z",
            "termination.notified",
            "ACC-1/termination/t1",
            {"by": "client"},
            mail="ACC-1/mail/m1",
        )
        assert in_force(registry, "2027-01-02T00:00:00Z") == invented

    @pytest.mark.parametrize(
        ("conditions", "version"),
        [([], "2021-06"), ([{"topic": "revision", "clause": "at each publication"}], "2027-01")],
    )
    def test_not_on_demand_only_as_its_conditions_say(self, registry, invented, conditions, version):
        """A contract that is not On Demand changes only if its special conditions provide for it (art. 5.2)."""
        accepted(registry, on_demand=False, special_conditions=conditions)
        published(registry)
        assert in_force(registry, "2027-02-01T00:00:00Z") == version


class TestDerogations:
    def condition(
        self, registry, *, derogates, document="order_form", value="20", topic="invoices.dispute_days"
    ):
        said = [{"topic": topic, "clause": "x", "value": value, "derogates": derogates}]
        registry.opened(at="2026-01-04T09:00:00Z")
        if document == "order_form":
            registry.tell("2026-01-05T09:00:00Z", "order_form.signed", "ACC-1/order/o1", {"clauses": said})
            registry.tell("2026-01-06T09:00:00Z", "order_form.accepted", "ACC-1/order/o1", {})
        else:
            data = {"route": document, "special_conditions": said}
            registry.tell("2026-01-06T09:00:00Z", "contract.accepted", "ACC-1", data)

    def days(self, registry):
        invoice(registry, "2026-02-01T09:00:00Z", "F1")
        (row,) = registry.ask("invoices", "2026-02-02T00:00:00Z")["result"]
        until = instants.paris_date(instants.parse_instant(row["contestable_until"]))
        return (until - instants.paris_date(instants.parse_instant(row["issued_at"]))).days - 1

    @pytest.mark.parametrize(
        ("document", "derogates", "days"),
        [
            ("order_form", True, 20),
            ("order_form", False, 10),
            ("internet", True, 10),
            ("internet", False, 10),
            ("derogatory", False, 20),
        ],
    )
    def test_which_document_prevails(self, registry, document, derogates, days):
        """An accepted order form that derogates in so many words prevails, and a derogatory contract (art. 3.3)."""
        self.condition(registry, derogates=derogates, document=document)
        assert self.days(registry) == days
        (row,) = registry.ask("terms", "2026-02-02T00:00:00Z")["result"]["conditions"]
        assert row["prevails"]["value"] == (days == 20)

    def test_it_changes_answers_only_from_its_date(self, registry):
        """An invoice issued before the order form was accepted keeps the general terms' ten days."""
        registry.opened(at="2026-01-04T09:00:00Z")
        invoice(registry, "2026-01-05T08:00:00Z", "F0")
        said = [{"topic": "invoices.dispute_days", "value": "20", "derogates": True}]
        registry.tell("2026-01-05T09:00:00Z", "order_form.signed", "ACC-1/order/o1", {"clauses": said})
        registry.tell("2026-01-05T09:00:00Z", "order_form.accepted", "ACC-1/order/o1", {})
        (row,) = registry.ask("invoices", "2026-02-02T00:00:00Z")["result"]
        assert row["contestable_until"] == "2026-01-15T23:00:00Z"

    def test_the_terms_may_provide_for_it(self, registry):
        """Art. 15.4 lets special conditions set the minimum without the words « Par dérogation »."""
        self.condition(registry, derogates=False, topic="usage.minimum_seconds", value="60")
        (row,) = registry.ask("terms", "2026-02-02T00:00:00Z")["result"]["conditions"]
        assert (row["prevails"]["value"], row["sets_parameter"]) == (True, True)

    def test_two_derogations_at_once_conflict(self, registry):
        """Two documents that set one point differently from the same instant are an error that names both."""
        registry.opened(at="2026-01-04T09:00:00Z")
        for name, value in (("o1", "20"), ("o2", "30")):
            said = [{"topic": "invoices.dispute_days", "value": value, "derogates": True}]
            registry.tell(
                "2026-01-05T09:00:00Z", "order_form.signed", f"ACC-1/order/{name}", {"clauses": said}
            )
            registry.tell("2026-01-06T09:00:00Z", "order_form.accepted", f"ACC-1/order/{name}", {})
        with pytest.raises(ClauseError, match=r"two clauses conflict.*ACC-1/order/o1.*ACC-1/order/o2"):
            registry.ask("invoices", "2026-02-02T00:00:00Z")

    def test_two_versions_at_once_conflict(self, registry, invented):
        """Two versions that would bind from the same instant are an error that names both."""
        accepted(registry)
        published(registry)
        registry.tell(
            "2026-12-01T10:00:00Z",
            "terms.published",
            "terms/2027-01b",
            {"version": "2027-01b", "effective": "2027-01-01"},
        )
        with pytest.raises(ClauseError, match=r"terms 2027-01 .* and terms 2027-01b"):
            registry.ask("contract", "2027-02-01T00:00:00Z")

    def test_a_later_order_form_replaces_an_earlier_one(self, registry):
        """Of two derogations on one point the later accepted one holds, from its acceptance."""
        self.condition(registry, derogates=True)
        said = [{"topic": "invoices.dispute_days", "value": "30", "derogates": True}]
        registry.tell("2026-01-20T09:00:00Z", "order_form.signed", "ACC-1/order/o2", {"clauses": said})
        registry.tell("2026-01-20T09:00:00Z", "order_form.accepted", "ACC-1/order/o2", {})
        assert self.days(registry) == 30

    def test_a_value_that_a_parameter_cannot_take_changes_nothing(self, registry):
        """A condition whose value is no number leaves the general terms' parameter as it was."""
        self.condition(registry, derogates=True, value="soon")
        assert self.days(registry) == 10


def test_terms_older_than_the_clauses_are_refused(registry, tmp_path):
    """No clause applies to terms older than those that the clauses code: an error that names both."""
    text = resources.files("ledger.contract.terms").joinpath("2021-06.toml").read_text(encoding="utf-8")
    text = text.replace('version = "2021-06"', 'version = "2019-01"').replace(
        "effective = 2021-06-01", "effective = 2019-01-01"
    )
    (tmp_path / "2019-01.toml").write_text(text, encoding="utf-8")
    before = list(ledger.contract.terms._FOLDERS)
    look_in(tmp_path)
    try:
        accepted(registry, terms="2019-01")
        with pytest.raises(ClauseError, match=r"no clause applies: terms 2019-01 .* 2021-06"):
            registry.ask("contract", "2026-02-01T00:00:00Z")
    finally:
        ledger.contract.terms._FOLDERS[:] = before
        load.cache_clear()


def test_a_folder_of_terms_must_exist(tmp_path):
    """A folder that is none is a wrong call, not an empty set of versions."""
    with pytest.raises(WrongCallError, match="not a folder of terms"):
        look_in(tmp_path / "none")
