"""Answers over HTTP: every projection, deadlines everywhere and as a calendar, readings, pages of rows."""

from __future__ import annotations

import pytest
from icalendar import Calendar
from served import Served, event, opened

from projections import PROJECTIONS


@pytest.fixture
def told(served: Served) -> Served:
    """Two accounts, each with an invoice."""
    for account in ("ACC-1", "ACC-2"):
        invoice = event("invoice.issued", f"{account}/invoice/F-1", {"total": "120.00", "net": "100.00"})
        assert served.post(opened(account), invoice).status_code == 201
    return served


@pytest.mark.parametrize("name", list(PROJECTIONS))
def test_every_projection_answers(told: Served, name: str) -> None:
    """Each projection is a resource of the account, in the envelope of every answer."""
    answer = told.client.get(f"/v1/accounts/ACC-1/{name}").json()
    assert {
        "account",
        "as_of",
        "as_of_source",
        "known_at",
        "position",
        "terms",
        "clock",
        "result",
    } <= answer.keys()
    assert (answer["account"], answer["as_of_source"]) == ("ACC-1", "host")


def test_deadlines_of_all_accounts(told: Served) -> None:
    """One list, sorted, over the accounts that the caller may read, and over no other."""
    listed = told.client.get("/v1/deadlines").json()["result"]
    assert {row["account"] for row in listed} == {"ACC-1", "ACC-2"}
    assert [row["at"] for row in listed] == sorted(row["at"] for row in listed)
    with told.client_of("reader", account="ACC-2") as reader:
        assert {row["account"] for row in reader.get("/v1/deadlines").json()["result"]} == {"ACC-2"}


def test_a_calendar_to_subscribe_to(told: Served) -> None:
    """Deadlines come as iCalendar, for those who may read the account only."""
    answer = told.client.get("/v1/accounts/ACC-1/deadlines.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    subjects = [str(event["description"]) for event in Calendar.from_ical(answer.text).walk("VEVENT")]
    assert any("ACC-1/invoice/F-1" in text for text in subjects)
    with told.client_of("reader", account="ACC-2") as reader:
        assert reader.get("/v1/accounts/ACC-1/deadlines.ics").status_code == 403


def test_what_other_readings_move(told: Served) -> None:
    """Each other reading has its row; another account's reader does not see them."""
    rows = told.client.get("/v1/accounts/ACC-1/readings").json()["result"]
    assert {"R8", "R9", "R14"} <= {row["reading"] for row in rows}
    with told.client_of("reader", account="ACC-2") as reader:
        assert reader.get("/v1/accounts/ACC-1/readings").status_code == 403


def test_a_long_answer_names_its_next_page(told: Served) -> None:
    """A page of one row says where the next begins; the last one says nothing."""
    told.post(event("invoice.issued", "ACC-1/invoice/F-2", {"total": "60.00"}))
    first = told.client.get("/v1/accounts/ACC-1/invoices", params={"limit": 1}).json()
    assert ([row["number"] for row in first["result"]], first["next"]) == (["F-1"], "ACC-1/invoice/F-1")
    last = told.client.get("/v1/accounts/ACC-1/invoices", params={"limit": 1, "after": first["next"]}).json()
    assert [row["number"] for row in last["result"]] == ["F-2"]
    assert "next" not in last


def test_two_derogations_at_once_are_undecided(told: Served) -> None:
    """Two documents that set one point differently at once are a problem that names both."""
    events = []
    for name, days in (("o1", "20"), ("o2", "30")):
        said = [{"topic": "invoices.dispute_days", "value": days, "derogates": True}]
        events.append(event("order_form.signed", f"ACC-1/order/{name}", {"clauses": said}))
        events.append(event("order_form.accepted", f"ACC-1/order/{name}", {}))
    assert told.post(*events).status_code == 201
    answer = told.client.get("/v1/accounts/ACC-1/invoices")
    assert answer.status_code == 422
    assert {"ACC-1/order/o1", "ACC-1/order/o2"} <= set(answer.json()["detail"].replace(",", " ").split())
