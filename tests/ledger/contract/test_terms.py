"""The general terms as dated data."""

from __future__ import annotations

import hashlib
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from facts_factory import recorded

import ledger.contract.terms
from ledger import instants
from ledger.contract.clauses.privacy import time_to_answer_request
from ledger.contract.clauses.reservations import Order, time_to_request
from ledger.contract.clauses.reserves import time_to_claim
from ledger.contract.finding import PRIMARY, Readings
from ledger.contract.terms import CURRENT, load
from ledger.errors import WrongCallError

FOLDER = Path(str(ledger.contract.terms.__file__)).parent


class TestParameters:
    """The numbers of the contract."""

    def test_unknown_version(self) -> None:
        """A version that is not known is refused by name."""
        with pytest.raises(WrongCallError, match="1999-01"):
            load("1999-01")

    def test_quotations_are_verbatim(self) -> None:
        """What a comment beside a parameter quotes stands in the text."""
        source = (FOLDER / f"{CURRENT}.toml").read_text(encoding="utf-8")
        quoted = [
            " ".join(words.split()) for words in re.findall(r"«([^«»]*)»", re.sub(r"\n# ", " ", source))
        ]
        assert len(quoted) > 10
        assert [words for words in quoted if words not in load().prose()] == []

    def test_numbers_stand_in_the_text(self) -> None:
        """The parameters of each article are those that the text writes out."""
        terms, prose = load(), load().prose()
        written = {
            f"DEUX ({terms.verification.answer_hours}) HEURES",
            f"{terms.termination.convenience_clear_days} (quinze) jours francs",
            f"{terms.termination.breach_clear_days} (dix) jours francs",
            f"{terms.formal_notice.remedy_clear_days} (sept) jours francs",
            f"QUARANTE-HUIT ({terms.acceptance.window_hours}) HEURES",
            f"{terms.claim.claim_clear_days} (cinq) jours francs",
            f"{terms.invoices.dispute_days} (dix) jours après son émission",
            f"{terms.invoices.recovery_indemnity} euros",
            f"majoré de {terms.invoices.interest_margin_points} points de pourcentage",
            f"pendant {terms.data.kept_after_disabling_days} jours",
            f"{terms.beta.liability_cap} (trois cent cinquante) euros par CLIENT",
        }
        assert sorted(words for words in written if words not in prose) == []

    def test_the_text_is_the_one_that_is_hashed(self) -> None:
        """The digest is of the bytes of the text, and no parameter is left unread."""
        assert load().text_sha256() == hashlib.sha256((FOLDER / f"{CURRENT}.fr.txt").read_bytes()).hexdigest()
        assert set(tomllib.loads((FOLDER / f"{CURRENT}.toml").read_text(encoding="utf-8"))) == set(
            type(load()).model_fields
        )


class TestCommitments:
    """Annex A."""

    def test_percentages_stand_in_the_annex(self) -> None:
        """Each promise is written in the text as the terms have it, with a comma."""
        prose = load().prose()
        for row in load().commitments:
            unit = " ms" if row.measure == "latency_ms" else "%"
            written = f"{row.promised}".replace(".", ",")
            assert f"{written}{unit}" in prose or f"{written} {unit}" in prose, row.name

    def test_names_are_unique(self) -> None:
        """No two commitments bear one name."""
        names = [row.name for row in load().commitments]
        assert len(names) == len(set(names)) == 21

    @pytest.mark.parametrize(
        ("service", "windows"),
        [
            ("fcu", {"month"}),
            ("object_storage", {"year"}),
            ("eip", {"month", "year"}),
            ("eim", {"month", "year"}),
            (None, {"month", "year"}),
        ],
    )
    def test_windows_an_outage_can_feed(self, service: str | None, windows: set[str]) -> None:
        """An outage feeds the availability windows of its service; an unlisted one might feed any."""
        assert load().windows_fed_by(service) == windows

    @pytest.mark.parametrize(
        ("name", "service"),
        [
            ("TinaOS-FCU", "fcu"),
            ("FCU", "fcu"),
            ("OOS", "object_storage"),
            ("Something-New", "Something-New"),
        ],
    )
    def test_names_of_a_service(self, name: str, service: str) -> None:
        """A service is known by each of its names, and an unknown one by the name it bears."""
        assert load().service_named(name) == service


class TestMovedDelays:
    """Terms that move a last day to the next working day (R4 as a parameter, a derogation's for example)."""

    def test_every_delay_in_days_moves(self) -> None:
        """Terms that move delays end each of them where the second reading of R4 ends it."""
        ordered_at = instants.parse_instant("2021-05-28T08:00:00Z")  # Friday; eight days after: a Saturday
        ordered = recorded("account.opened", "ACC-1", {}, ordered_at)
        order = Order(ordered, ordered_at, ordered_at, ordered_at, None, None)
        ends = (
            lambda terms, readings: time_to_claim(date(2021, 5, 31), terms, readings),
            lambda terms, readings: time_to_request(order, terms, readings),
            lambda terms, readings: time_to_answer_request(
                instants.parse_instant("2021-05-06T08:00:00Z"), terms, readings
            ),
        )
        moving = load().replacing("delays.moved_to_working_day", "true")
        for end in ends:
            assert end(moving, PRIMARY) == end(load(), Readings({"R4": 2}))
            assert end(moving, PRIMARY) != end(load(), PRIMARY)
