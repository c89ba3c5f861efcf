"""The general terms as dated data: parameters, text, rates; ``load`` reads a version."""

from __future__ import annotations

import hashlib
import re
import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ledger.errors import WrongCallError

CURRENT = "2021-06"


class _Section(BaseModel):
    """A part of the terms; no number in it is below zero."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _not_below_zero(self) -> _Section:
        for name in type(self).model_fields:
            number = getattr(self, name)
            if isinstance(number, int | Decimal) and number < 0:
                raise ValueError(f"{name} is below zero")
        return self


_Part = TypeVar("_Part", bound=_Section)


class VerificationTerms(_Section):
    """Art. 3.4.1: the verification procedure."""

    answer_hours: int


class PrudenceTerms(_Section):
    """Arts. 9.1, 9.3: access keys, and operations that raise load."""

    access_keys_hours: int
    operation_notice_hours: int


class PrivacyTerms(_Section):
    """Art. 14.2: personal data."""

    breach_hours: int
    request_days: int
    relation_data_years: int


class UndertakingTerms(_Section):
    """Arts. 8, 16: how long secrets and logs are kept."""

    confidentiality_years: int
    log_months: int


class ErrorOrderTerms(_Section):
    """Art. 3.6.2: an order made in error; the fee is in percent of the order."""

    request_days: int
    over_months: int
    fee_percent: Decimal


class SupportTerms(_Section):
    """Annex A, SLA9: by severity 1 to 3, minutes to respond and hours to restore.

    The hours of the severities from ``working_hours_from`` on are working hours (R10).
    """

    response_minutes: tuple[int, int, int]
    restoration_hours: tuple[int, int, int]
    working_hours_from: int
    office_opens: int
    office_closes: int


class WorksTerms(_Section):
    """Professional services: when their price is owed, in percent."""

    order_percent: Decimal
    progress_percent: Decimal
    acceptance_percent: Decimal


class LiabilityTerms(_Section):
    """Art. 13.1: the limits of liability; days of an interruption, factors of a month's amount."""

    cashed_percent: Decimal
    cashed_months: int
    short_days: int
    short_factor: int
    long_days: int
    long_factor: int


class SwitchingTerms(_Section):
    """Regulation (EU) 2023/2854, art. 25: retrieval of data on switching (reading R23)."""

    since: date
    retrieval_days: int


class TerminationTerms(_Section):
    """Arts. 4, 6, 7: to whom the client writes, whether it may at any time, when it takes effect."""

    mailbox: str
    convenience: Literal["any_time", "none"]
    convenience_clear_days: int
    blocking_clear_days: int
    breach_clear_days: int


class FormalNoticeTerms(_Section):
    """Art. 7: the time to remedy a breach."""

    remedy_clear_days: int


class AcceptanceTerms(_Section):
    """Art. 9.4: from provisional to final acceptance."""

    window_hours: int


class ClaimTerms(_Section):
    """Art. 11: the time to claim penalties."""

    claim_clear_days: int


class MaintenanceTerms(_Section):
    """Arts. 11 and 20: how long before it a maintenance must be announced to count as planned."""

    notice_clear_days: int


class PenaltyTerms(_Section):
    """Arts. 8 and 11, Annex B: what penalties amount to, and how long the credit can be used."""

    invoice_share_percent: Decimal
    multiplier: int
    revenue_months: int
    credit_years: int


class UsageTerms(_Section):
    """Arts. 15.1 and 15.4: what is billed at the least."""

    minimum_seconds: int


class InvoiceTerms(_Section):
    """Art. 15.3: contestation and late payment; rates in percentage points per year, amounts in euros."""

    dispute_days: int
    recovery_indemnity: Decimal
    interest_margin_points: Decimal
    interest_days_in_year: int
    legal_rate_multiple: int


class DataTerms(_Section):
    """Art. 18: how long data stay."""

    kept_after_disabling_days: int
    certificate_months: int
    log_years: int
    billing_years: int


class DerogationTerms(_Section):
    """Art. 3.3: on which points special conditions may derogate, as first words of their topics.

    ``allowed`` are those where the terms provide for it, ``not_on_demand`` those where they do for a
    contract that is not On Demand, ``never`` those that they keep for themselves; a derogatory contract
    may derogate from all.
    """

    allowed: tuple[str, ...]
    not_on_demand: tuple[str, ...]
    never: tuple[str, ...]


class DelayTerms(_Section):
    """What holds for every delay."""

    moved_to_working_day: bool


class MailOnlyTerms(_Section):
    """Row 28: the articles whose acts count only by mail."""

    articles: tuple[str, ...]


class BetaTerms(_Section):
    """Art. 25: what holds for Beta services; the cap is in euros, for each client."""

    liability_cap: Decimal


class ServiceTerms(_Section):
    """Art. 10.1: a service, the other names under which meters and the API know it, and its article.

    ``units`` are those in which art. 15.4 bills it; none where a contract of its own says. What strikes
    the service that it is ``part_of`` strikes it too.
    """

    names: tuple[str, ...] = ()
    article: str | None = None
    units: tuple[str, ...] = ()
    part_of: str | None = None


class Commitment(_Section):
    """Annex A: what is promised of a service.

    ``promised`` is in percent, or in milliseconds for a latency, exactly as the annex writes it
    (art. 24); ``window`` is what it is judged over, ``None`` where the annex names none. ``services`` are
    those whose unavailability can break it; a reserve on one of ``fed_by`` does unless its claim names
    another. ``whole_service`` promises are not about one resource. ``first_minutes`` of each incident
    never count; ``until_restartable`` tells that time counts only while a restart was impossible.
    """

    name: str
    services: tuple[str, ...]
    measure: Literal["availability", "durability", "iops", "latency_ms"]
    promised: Decimal
    window: Literal["month", "year"] | None = None
    every_zone: bool = False
    fed_by: tuple[str, ...] = ()
    whole_service: bool = False
    first_minutes: int = 0
    until_restartable: bool = False


class InForce(Protocol):
    """Which terms hold at an instant: one version for good, or the versions that followed each other."""

    def at(self, instant: datetime) -> Terms:
        """The terms in force at an instant (UTC)."""


_ANY_WINDOW = frozenset({"month", "year"})


class Terms(_Section):
    """One version of the general terms."""

    version: str
    effective: date
    text: str
    verification: VerificationTerms
    prudence: PrudenceTerms
    privacy: PrivacyTerms
    undertakings: UndertakingTerms
    error_order: ErrorOrderTerms
    support: SupportTerms
    works: WorksTerms
    liability: LiabilityTerms
    switching: SwitchingTerms
    termination: TerminationTerms
    formal_notice: FormalNoticeTerms
    acceptance: AcceptanceTerms
    claim: ClaimTerms
    maintenance: MaintenanceTerms
    penalties: PenaltyTerms
    usage: UsageTerms
    invoices: InvoiceTerms
    data: DataTerms
    delays: DelayTerms
    mail_only: MailOnlyTerms
    beta: BetaTerms
    derogations: DerogationTerms
    services: dict[str, ServiceTerms]
    commitments: tuple[Commitment, ...]

    def at(self, instant: datetime) -> Terms:  # noqa: ARG002 - a version by itself is the same for good
        """Itself: the terms in force when there is no other version."""
        return self

    @cached_property
    def _service_names(self) -> dict[str, str]:
        listed = {service.lower(): service for row in self.commitments for service in row.services}
        return listed | {
            name.lower(): service for service, row in self.services.items() for name in row.names
        }

    def service_named(self, name: str) -> str:
        """The service that a meter, a reserve or a price calls ``name``; the name itself when unknown."""
        return self._service_names.get(name.lower(), name)

    def whole_of(self, service: str) -> frozenset[str]:
        """A service, and the one that it is part of."""
        row = self.services.get(service)
        return frozenset({service} if row is None or row.part_of is None else {service, row.part_of})

    def windows_fed_by(self, service: str | None) -> frozenset[str]:
        """Over which windows (``month``, ``year``) an unavailability of a service can break a promise.

        Both for a service that Annex A does not list, and for one that is not named: the doubt keeps
        the client's reserve.
        """
        fed = frozenset(
            row.window
            for row in self.commitments
            if row.window and row.measure == "availability" and service in row.services
        )
        return fed or _ANY_WINDOW

    def has(self, topic: str) -> bool:
        """Whether a topic such as ``invoices.dispute_days`` or ``SLA4.vm`` is a parameter or a commitment."""
        if any(row.name == topic for row in self.commitments):
            return True
        section, _, name = topic.partition(".")
        parameters = getattr(self, section, None)
        return isinstance(parameters, BaseModel) and name in type(parameters).model_fields

    def takes(self, topic: str, value: str) -> bool:
        """Whether a topic is a parameter or a commitment, and ``value`` one that it can take."""
        return self.has(topic) and self._with(topic, value) is not None

    def replacing(self, topic: str, value: str) -> Terms:
        """The same terms with one parameter replaced; itself when ``value`` is none that it can take."""
        return self._with(topic, value) or self

    def _with(self, topic: str, value: str) -> Terms | None:
        try:
            if any(row.name == topic for row in self.commitments):
                promised = [
                    _replaced(row, "promised", value) if row.name == topic else row
                    for row in self.commitments
                ]
                return self.model_copy(update={"commitments": tuple(promised)})
            section, _, name = topic.partition(".")
            return self.model_copy(update={section: _replaced(getattr(self, section), name, value)})
        except ValidationError:
            return None

    def wording(self) -> str:
        """The French text itself, which prevails (art. 28)."""
        return _file(self.text).read_text(encoding="utf-8")

    def prose(self) -> str:
        """The text as one line to quote from: white space folded, the page headers and footers dropped.

        A word that a line end cuts at its hyphen is whole again.
        """
        return _folded(self.wording())

    def text_sha256(self) -> str:
        """The digest of the text, in hexadecimal."""
        return hashlib.sha256(_file(self.text).read_bytes()).hexdigest()


def _replaced(part: _Part, name: str, value: str) -> _Part:
    """The same part of the terms with one field read from ``value``.

    Raises:
        ValidationError: the field cannot take it.
    """
    return type(part).model_validate({**part.model_dump(mode="json"), name: value})


_PAGE = re.compile(
    r"^ *Conditions Générales de Vente et d’Utilisation OUTSCALE 2021-06 *$|^ *Page [0-9]+ sur [0-9]+ *$",
    re.MULTILINE,
)
_CUT_WORD = re.compile(r"(?<=\w-)[ \t]*\n[ \t]*(?=\w)")


@lru_cache
def _folded(text: str) -> str:
    return " ".join(_CUT_WORD.sub("", _PAGE.sub("", text)).split())


_FOLDERS: list[resources.abc.Traversable] = [resources.files(__name__)]


def look_in(folder: Path) -> None:
    """Know the versions of a folder too: each ``VERSION.toml`` beside the text that it names.

    Raises:
        WrongCallError: there is no such folder.
    """
    if not folder.is_dir():
        raise WrongCallError(f"{folder} is not a folder of terms")
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)
        load.cache_clear()


def _file(name: str) -> resources.abc.Traversable:
    """A file of the terms, of whichever folder has it first; of the package when none has."""
    places = [folder.joinpath(name) for folder in _FOLDERS]
    return next((place for place in places if place.is_file()), places[0])


def files() -> list[tuple[str, bytes]]:
    """Every file that says what the contract is: texts, parameters, rates and readings, by name."""
    names = {
        place.name
        for folder in _FOLDERS
        for place in folder.iterdir()
        if place.is_file() and place.name.endswith((".toml", ".txt"))
    }
    return [(name, _file(name).read_bytes()) for name in sorted(names)]


def knows(version: str) -> bool:
    """Whether the parameters of a version are known here."""
    return (
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", version) is not None
        and _file(f"{version}.toml").is_file()
    )


@lru_cache
def load(version: str = CURRENT) -> Terms:
    """Read a version of the terms.

    Raises:
        WrongCallError: no such version is known.
    """
    if not knows(version):
        raise WrongCallError(f"the terms {version!r} are not known; known: {CURRENT}")
    return Terms.model_validate(tomllib.loads(_file(f"{version}.toml").read_text(encoding="utf-8")))
