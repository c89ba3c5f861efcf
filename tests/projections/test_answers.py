"""Answers: two times to ask about, whose facts count, and what the envelope says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.finding import Readings
from ledger.errors import NotRecordedError, WrongCallError
from projections import PROJECTIONS

START = instants.parse_instant("2021-02-01T00:00:00Z")


def _hour(hours: int) -> str:
    return instants.plain(START + timedelta(hours=hours))


def _types(registry: Any, as_of: str, **more: Any) -> list[str]:
    return [row["type"] for row in registry.ask("timeline", as_of, **more)["result"]]


class TestTwoTimes:
    """``as_of`` asks what counted, ``known_at`` what could be known."""

    def test_as_of_is_inclusive_to_the_microsecond(self, registry: Any) -> None:
        """A fact counts at its own legal time, and not one microsecond before."""
        registry.opened(at="2021-01-04T09:00:00Z")
        assert _types(registry, "2021-01-04T09:00:00Z") == ["account.opened"]
        assert _types(registry, "2021-01-04T08:59:59.999999Z") == []

    def test_known_at_leaves_out_what_was_recorded_later(self, registry: Any) -> None:
        """A mail of the 2nd, recorded on the 4th, counts on the 2nd, but was not known on the 3rd."""
        registry.opened()
        registry.mail("2021-02-04T00:00:00Z", "ACC-1/mail/M-1", stamped_at="2021-02-02T00:00:00Z")
        registry.tell("2021-02-05T00:00:00Z", "account.validated", "ACC-1")
        as_of = "2021-02-02T12:00:00Z"
        assert _types(registry, as_of) == ["account.opened", "mail.received"]
        assert _types(registry, as_of, known_at="2021-02-03T00:00:00Z") == ["account.opened"]
        assert _types(registry, as_of, known_at="2021-02-04T00:00:00Z") == ["account.opened", "mail.received"]

    def test_known_at_stops_at_the_first_later_stamp_when_the_clock_steps_back(self, registry: Any) -> None:
        """What follows a commit stamped after ``known_at`` was not known, though its own stamp is earlier."""
        registry.opened()
        registry.tell("2021-03-01T00:00:00Z", "account.validated", "ACC-1")
        registry.tell("2021-02-01T00:00:00Z", "account.bank_details_received", "ACC-1")
        as_of = "2021-02-15T00:00:00Z"
        assert _types(registry, as_of) == ["account.opened", "account.bank_details_received"]
        answer = registry.ask("timeline", as_of, known_at=as_of)
        assert [row["type"] for row in answer["result"]] == ["account.opened"]
        assert answer["position"] == 1

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        before=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=8),
        after=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 5)), max_size=8),
        known=st.integers(60, 100),
        as_of=st.integers(0, 200),
    )
    def test_what_was_known_is_answered_the_same_whenever_it_is_asked(
        self,
        make_registry: Callable[[], Any],
        before: list[tuple[int, int]],
        after: list[tuple[int, int]],
        known: int,
        as_of: int,
    ) -> None:
        """Whatever is recorded later, at whatever legal time, changes no answer of an earlier knowledge.

        A commit stamped just after ``known`` closes what was known; the clock may step back after it.
        """
        registry = make_registry()
        registry.opened(at=_hour(-1))
        for number, told in enumerate(before):
            _tell(registry, number, *told)
        registry.tell(_hour(known + 1), "account.validated", "ACC-1")
        asked = [_all_answers(registry, _hour(as_of), _hour(known))]
        for number, told in enumerate(after):
            _tell(registry, 100 + number, *told)
            asked.append(_all_answers(registry, _hour(as_of), _hour(known)))
        assert all(answers == asked[0] for answers in asked)
        registry.close()

    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        order=st.permutations(range(6)),
        mails=st.lists(st.integers(0, 90), min_size=6, max_size=6, unique=True),
        as_of=st.integers(0, 200),
    )
    def test_the_order_of_recording_changes_no_conclusion(
        self, make_registry: Callable[[], Any], order: list[int], mails: list[int], as_of: int
    ) -> None:
        """Reserves recorded late, in any order, are worth what they are worth in the order of their mails."""
        told = [_reserves(make_registry(), mails, recorded, _hour(as_of)) for recorded in (range(6), order)]
        assert told[0] == told[1]


def _tell(registry: Any, number: int, hours: int, kind: int) -> None:
    """Record one of six kinds of fact, stamped at an hour (which may lie before the last)."""
    at = _hour(hours)
    match kind:
        case 0:
            registry.consumption(at, f"ACC-1/consumption/C-{number}", _hour(hours - 3), _hour(hours))
        case 1:
            registry.tell(at, "invoice.issued", f"ACC-1/invoice/F-{number}", {
                "net": "100.00", "vat": "20.00", "total": "120.00", "currency": "EUR", "lines": [],
                "issue_date": at[:10], "period": {"from": "2021-01-01", "to": "2021-01-31"},
            })  # fmt: skip
        case 2:
            late = _hour(max(0, hours - 30))
            registry.mail(at, f"ACC-1/mail/M-{number}", stamped_at=late)
            _reserve(registry, at, number, f"ACC-1/mail/M-{number}")
        case 3:
            registry.mail(at, f"mail/M-{number}")
            registry.tell(at, "mail.attributed", f"mail/M-{number}", {"account": "ACC-1"})
        case 4:
            registry.tell(at, "price.published", f"price/P-{number}", {
                "service": "fcu", "unit": "second", "unit_price": "0.1", "currency": "EUR",
                "effective": "2021-01-01", "region": "eu-west-2",
            })  # fmt: skip
        case 5:
            registry.tell(at, "account.email_changed", "ACC-1", {"email": f"new{number}@acc-1.example"})


def _reserve(registry: Any, at: str, number: int, mail: str) -> None:
    registry.tell(at, "reserve.notified", f"ACC-1/reserve/R-{number}", {
        "service": "fcu", "unavailable_from": _hour(0), "unavailable_to": _hour(40), "evidence": ["log"],
    }, mail=mail)  # fmt: skip


def _all_answers(registry: Any, as_of: str, known_at: str) -> str:
    return json.dumps([registry.ask(name, as_of, known_at=known_at) for name in PROJECTIONS])


def _reserves(registry: Any, mails: list[int], recorded: Any, as_of: str) -> Any:
    registry.opened(at=_hour(-1))
    registry.consumption(_hour(0), "ACC-1/consumption/C-1", _hour(-5), _hour(0))
    for number in recorded:
        at = _hour(300 + number)
        registry.mail(at, f"ACC-1/mail/M-{number}", stamped_at=_hour(mails[number]))
        _reserve(registry, at, number, f"ACC-1/mail/M-{number}")
    result = registry.ask("acceptance", as_of)["result"]
    told = [
        [(row["subject"], row["status"]["value"], row.get("covers")) for row in result[part]]
        for part in ("deliveries", "reserves")
    ]
    registry.close()
    return told


class TestEnvelope:
    """What an answer says of itself."""

    def test_the_envelope_is_whole(self, registry: Any) -> None:
        """Account, instants, position, terms and clock stand beside the result, and a simulation says so."""
        registry.opened()
        answer = registry.ask("timeline", "2021-02-01T00:00:00Z")
        del answer["result"], answer["tzdata"]
        assert answer.pop("origin").endswith("/simulated")
        assert answer.pop("remarks")[0].startswith("simulated ledger")
        assert answer == {
            "account": "ACC-1", "as_of": "2021-02-01T00:00:00Z", "as_of_source": "request", "known_at": None,
            "position": 1, "terms": "2021-06", "clock": "simulated",
        }  # fmt: skip

    def test_without_as_of_the_hosts_clock_is_named(self, registry: Any) -> None:
        """An answer as of now says that the host's clock told it when now is."""
        registry.opened()
        assert registry.answers.ask("timeline", "ACC-1", as_of=None)["as_of_source"] == "host"

    def test_one_asserted_fact_makes_the_whole_answer_asserted(self, registry: Any) -> None:
        """The clock of an answer is the weakest that it rests on."""
        registry.opened()
        registry.tell(
            "2021-02-01T00:00:00Z", "account.validated", "ACC-1", history=True, time="2020-01-01T00:00:00Z"
        )
        assert registry.ask("timeline", "2021-03-01T00:00:00Z")["clock"] == "asserted"

    def test_the_terms_are_those_the_account_accepted(self, registry: Any) -> None:
        """Terms that are not known here are named, and the answer says under which it was decided."""
        registry.opened()
        registry.tell("2021-02-01T00:00:00Z", "contract.accepted", "ACC-1",
                      {"route": "internet", "terms": "2019-01", "on_demand": True})  # fmt: skip
        assert registry.ask("usage", "2021-01-31T00:00:00Z")["terms"] == "2021-06"
        answer = registry.ask("usage", "2021-02-01T00:00:00Z")
        assert answer["terms"] == "2019-01"
        assert any("decided under 2021-06" in remark for remark in answer["remarks"])

    @pytest.mark.parametrize("name", sorted(PROJECTIONS))
    def test_before_its_opening_an_account_has_an_empty_answer(self, registry: Any, name: str) -> None:
        """Every projection answers before the account was opened, and nothing that came later shows."""
        registry.opened(at="2021-02-01T00:00:00Z")
        registry.consumption("2021-02-02T00:00:00Z", "ACC-1/consumption/C-1", _hour(0), _hour(1))
        answer = registry.ask(name, "2021-01-01T00:00:00Z")
        assert "ACC-1/" not in json.dumps(answer["result"])

    def test_own_writes_are_read(self, registry: Any) -> None:
        """Who holds a receipt finds the fact in the next answer; nobody waits for what is not recorded."""
        registry.opened()
        for number in range(3):
            receipt = registry.tell(_hour(number), "account.validated", "ACC-1")
            registry.answers.wait_for(receipt.position)
            assert registry.answers.follower.position > receipt.position
        with pytest.raises(NotRecordedError, match="99"):
            registry.answers.wait_for(99)


class TestWrongCalls:
    """What cannot be answered is refused in words."""

    def test_an_unknown_account_is_not_recorded(self, registry: Any) -> None:
        """Neither a stranger, nor the empty name, nor a subject, nor a reserved word is an account."""
        registry.opened()
        registry.mail("2021-02-01T00:00:00Z", "mail/M-1")
        for stranger in ("ACC-9", "", "ACC-1/mail/M-1", "mail", "mail/M-1", "stamp"):
            with pytest.raises(NotRecordedError):
                registry.ask("timeline", "2021-03-01T00:00:00Z", stranger)

    def test_an_unknown_projection_is_told_which_there_are(self, registry: Any) -> None:
        """The refusal lists every projection."""
        registry.opened()
        with pytest.raises(WrongCallError, match=", ".join(PROJECTIONS)):
            registry.ask("weather", "2021-03-01T00:00:00Z")

    def test_instants_without_offset_and_unknown_readings_are_refused(self, registry: Any) -> None:
        """A naive instant, a reading that is not in the register, and an empty page are wrong calls."""
        registry.opened()
        naive = START.replace(tzinfo=None)
        with pytest.raises(WrongCallError, match="offset"):
            registry.answers.ask("timeline", "ACC-1", as_of=naive)
        with pytest.raises(WrongCallError, match="R99"):
            registry.ask("timeline", _hour(0), readings=Readings({"R99": 1}))
        with pytest.raises(WrongCallError, match="limit"):
            registry.ask("timeline", _hour(0), limit=0)


class TestApart:
    """One account's data never reach another's answer."""

    def test_no_answer_of_one_account_names_another(self, registry: Any) -> None:
        """With facts of every kind on a second account, no projection of the first one mentions it."""
        registry.opened("ACC-1")
        registry.opened("ACC-2")
        registry.consumption(_hour(1), "ACC-2/consumption/C-1", _hour(0), _hour(1))
        registry.mail(_hour(2), "ACC-2/mail/M-1")
        registry.mail(_hour(3), "mail/LOST")
        registry.mail(_hour(4), "mail/THEIRS")
        registry.tell(_hour(5), "mail.attributed", "mail/THEIRS", {"account": "ACC-2"})
        registry.tell(_hour(6), "security_incident.found", "service/fcu/security-incident/S-1",
                      {"nature": "x", "accounts": ["ACC-2"]})  # fmt: skip
        for name in PROJECTIONS:
            said = json.dumps(registry.ask(name, _hour(900), "ACC-1")["result"])
            assert not any(word in said for word in ("ACC-2", "LOST", "THEIRS", "S-1"))

    def test_an_account_is_told_its_own_clear_values_only(self, registry: Any) -> None:
        """A commitment of another account, written into a technical name, is not opened."""
        registry.opened("ACC-1")
        registry.opened("ACC-2")
        theirs = registry.record.history("ACC-2")[0].fields["data"]["email"]
        registry.tell(_hour(1), "invoice.issued", "ACC-1/invoice/F-1", {
            "net": "1.00", "vat": "0.00", "total": "1.00", "currency": "EUR", "issue_date": "2021-02-01",
            "period": {"from": "2021-01-01", "to": "2021-01-31"},
            "lines": [{"service": theirs, "amount": "1.00"}],
        })  # fmt: skip
        told = registry.answers.explain("ACC-1/invoice/F-1", as_of=START + timedelta(days=2))
        assert "client@acc-2.example" not in json.dumps(told)
        own = registry.answers.explain("ACC-1", as_of=START + timedelta(days=2))
        assert own["facts"][0]["data"]["email"] == "client@acc-1.example"

    def test_accounts_are_listed_with_the_status_of_their_contract(self, registry: Any) -> None:
        """Every account is listed once, by name."""
        registry.opened("ACC-2")
        registry.opened("ACC-1")
        registry.mail(_hour(1), "mail/M-1")
        listed = registry.answers.accounts(as_of=START)
        assert [(row["account"], row["status"]) for row in listed] == [
            ("ACC-1", "incomplete"), ("ACC-2", "incomplete"),
        ]  # fmt: skip
