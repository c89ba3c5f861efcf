"""Explanations: every conclusion on a subject with its rule, its French words and its facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger import instants
from ledger.contract.terms import load
from ledger.errors import NotRecordedError

AS_OF = instants.parse_instant("2021-02-01T13:00:00Z")


@pytest.fixture
def told(registry: Any) -> Any:
    """A delivery under a reserve that came by mail, a second delivery, and an unpaid invoice."""
    registry.opened()
    registry.consumption(
        "2021-02-01T10:00:00Z", "ACC-1/consumption/C-1", "2021-02-01T08:00:00Z", "2021-02-01T09:00:00Z"
    )
    registry.consumption(
        "2021-02-01T11:00:00Z", "ACC-1/consumption/C-2", "2021-02-01T09:00:00Z", "2021-02-01T10:00:00Z"
    )
    registry.mail("2021-02-01T12:00:00Z", "ACC-1/mail/M-1")
    reserve = {
        "service": "fcu", "unavailable_from": "2021-02-01T08:10:00Z",
        "unavailable_to": "2021-02-01T08:20:00Z", "evidence": ["Mrs Martin saw it"],
    }  # fmt: skip
    registry.tell(
        "2021-02-01T12:10:00Z", "reserve.notified", "ACC-1/reserve/R-1", reserve, mail="ACC-1/mail/M-1"
    )
    return registry


def _explained(registry: Any, subject: str) -> dict[str, Any]:
    explained: dict[str, Any] = registry.answers.explain(subject, as_of=AS_OF)
    return explained


class TestConclusions:
    """What is concluded on a subject, and what is concluded from it."""

    def test_a_delivery_is_explained_with_the_words_of_the_contract(self, told: Any) -> None:
        """Its status names rule and article, quotes the terms verbatim, and rests on the reserve too."""
        explained = _explained(told, "ACC-1/consumption/C-1")
        (row,) = [row for row in explained["conclusions"] if row["path"].endswith("/status")]
        assert (row["projection"], row["value"], row["article"]) == ("acceptance", "reserved", "9.4")
        assert "ACC-1/reserve/R-1" in {reason["subject"] for reason in row["because"]}
        wording = " ".join(load().wording().split())
        assert row["quotations"]
        assert all(words in wording for words in row["quotations"])

    def test_other_deliveries_stay_out(self, told: Any) -> None:
        """Only the delivery asked about is told, as its projection concludes on it."""
        explained = _explained(told, "ACC-1/consumption/C-2")
        on_it = [row for row in explained["conclusions"] if row["on_subject"]]
        assert {row["subject"] for row in on_it} == {"ACC-1/consumption/C-2"}
        deliveries = told.ask("acceptance", instants.plain(AS_OF))["result"]["deliveries"]
        (expected,) = [row["status"] for row in deliveries if row["subject"] == "ACC-1/consumption/C-2"]
        assert [{key: row[key] for key in expected} for row in on_it] == [expected]

    def test_a_mail_is_explained_by_what_rests_on_it(self, told: Any) -> None:
        """A mail bears no conclusion of its own; the reserve that it carried is concluded from it."""
        explained = _explained(told, "ACC-1/mail/M-1")
        assert {(row["subject"], row["on_subject"]) for row in explained["conclusions"]} >= {
            ("ACC-1/reserve/R-1", False)
        }

    def test_an_accounts_own_stream_is_explained_by_what_holds_for_the_account(self, told: Any) -> None:
        """The status of the contract stands in the explanation of the account."""
        explained = _explained(told, "ACC-1")
        assert ("contract", "/status") in {
            (row["projection"], row["path"]) for row in explained["conclusions"]
        }


class TestFacts:
    """The subject's own facts stand beside the conclusions."""

    def test_facts_come_with_their_times_and_clear_values(self, told: Any) -> None:
        """A fact that came by mail bears that mail's legal time; personal values are shown in clear."""
        explained = _explained(told, "ACC-1/reserve/R-1")
        (fact,) = explained["facts"]
        assert fact["legal_time"] == "2021-02-01T12:00:00Z"
        assert fact["recorded_at"] == "2021-02-01T12:10:00Z"
        assert fact["mail"] == "ACC-1/mail/M-1"
        assert fact["data"]["evidence"] == ["Mrs Martin saw it"]

    def test_what_came_later_is_not_told(self, told: Any) -> None:
        """An explanation keeps to its as_of: before the reserve, the delivery is provisional."""
        before = instants.parse_instant("2021-02-01T11:59:00Z")
        explained = told.answers.explain("ACC-1/consumption/C-1", as_of=before)
        assert "provisional" in {
            row["value"] for row in explained["conclusions"] if isinstance(row["value"], str)
        }
        assert "ACC-1/reserve" not in json.dumps(explained)

    def test_a_mail_of_nobody_is_explained_by_its_facts_alone(self, told: Any) -> None:
        """A mail from an unknown sender belongs to no account, and nothing is concluded on it."""
        told.mail("2021-02-01T12:30:00Z", "mail/LOST")
        explained = _explained(told, "mail/LOST")
        assert (explained["account"], explained["conclusions"]) == (None, [])
        assert [fact["type"] for fact in explained["facts"]] == ["mail.received"]

    def test_a_subject_that_is_not_in_the_record_is_not_recorded(self, told: Any) -> None:
        """An unknown subject is refused by name."""
        with pytest.raises(NotRecordedError, match="R-9"):
            _explained(told, "ACC-1/reserve/R-9")


def test_interest_is_explained_by_its_days(registry):
    """The explanation of late interest shows its days: principal, rate, amount, and the amount of each day."""
    registry.opened()
    registry.tell(
        "2025-03-03T09:00:00Z",
        "invoice.issued",
        "ACC-1/invoice/F1",
        {"total": "1200", "issue_date": "2025-03-03"},
    )
    answer = registry.answers.explain(
        "ACC-1/invoice/F1", as_of=instants.parse_instant("2025-03-13T12:00:00Z")
    )
    (told,) = [row for row in answer["conclusions"] if row["path"] == "/0/late_interest"]
    (days,) = told["details"]
    assert (days["from"], days["to"], days["days"], days["rate"]) == ("2025-03-04", "2025-03-13", 10, "13.15")
    assert days["per_day"] == "0.432328767123287671"
