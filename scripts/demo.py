"""A sample contract year as a scenario, and the tables that tell what became of it.

2025-07 to 2026-06 of one account: formed by Internet, consuming every day in OUTSCALE's own format,
invoiced monthly; invoices paid late and disputed on the tenth and the eleventh day, reserves at 47 and
at 49 hours, a suspension, a formal notice, a termination. Everything is computed from the year itself,
so the same year is told each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.console import Console

from ledger import instants, money
from projections.answers import Answers
from scripts import tables
from scripts.outscale import import_answers, read_answers

ACCOUNT = "ACC-DEMO"
ADDRESS = "finance@client-demo.example"
_SOURCE = "/demo"
_REGION = "eu-west-2"
_FIRST_DAY, _LAST_DAY = date(2025, 7, 1), date(2026, 6, 30)
_OPENED = datetime(2025, 6, 27, 9, 0, tzinfo=UTC)
_PRICES = {"BoxUsage:tinav5.c4r8p2": "0.18", "BSU:VolumeUsage:gp2": "0.11"}
_VMS = ("i-0a1b2c3d", "i-4e5f6a7b")
_GIB = Decimal(200)
_VAT = Decimal("0.20")


@dataclass(slots=True)
class _Year:
    """The lines of the scenario, in any order until they are sorted by instant."""

    told: list[tuple[datetime, int, dict[str, Any]]] = field(default_factory=list)

    def tell(
        self, at: datetime, kind: str, subject: str, data: dict[str, Any] | None = None, **more: str
    ) -> None:
        """Add a fact."""
        name = f"{kind}/{subject}/{instants.plain(at)}".replace(" ", "")
        self.tell_fact(at, {
            "specversion": "1.0", "id": name[:256], "source": _SOURCE, "type": kind, "subject": subject,
            "data": data or {}, **more,
        })  # fmt: skip

    def tell_fact(self, at: datetime, fact: dict[str, Any]) -> None:
        """Add a whole CloudEvent."""
        self.told.append((at, len(self.told), fact))

    def by_mail(self, at: datetime, kind: str, subject: str, data: dict[str, Any], about: str) -> None:
        """A mail of the client, and the act that came by it, one second later in the record."""
        mail = f"{ACCOUNT}/mail/{subject.rpartition('/')[2]}"
        self.tell(at, "mail.received", mail, {
            "from": ADDRESS, "to": ["support@outscale.com"], "subject_line": about,
        })  # fmt: skip
        self.tell(at + timedelta(seconds=1), kind, subject, data, mail=mail)

    def by_notice(self, at: datetime, kind: str, subject: str, data: dict[str, Any], notice: str) -> None:
        """A notice of OUTSCALE to the account's address, and the act that it carries."""
        name = f"{ACCOUNT}/notification/{subject.rpartition('/')[2]}"
        self.tell(
            at,
            "notification.sent",
            name,
            {"kind": notice, "channel": "email", "to": ADDRESS, "about": subject},
        )
        self.tell(at + timedelta(seconds=1), kind, subject, data, mail=name)

    def lines(self) -> Iterator[bytes]:
        """The scenario as JSON Lines."""
        for at, _, fact in sorted(self.told, key=lambda line: line[:2]):
            yield json.dumps({"at": instants.plain(at), "fact": fact}).encode()


def lines() -> Iterator[bytes]:
    """The whole year as a scenario."""
    year = _Year()
    _formation(year)
    day = _FIRST_DAY
    while day <= _LAST_DAY:
        _consumption(year, day)
        day += timedelta(days=1)
    for month in _months():
        _invoice(year, month)
    _acts(year)
    return year.lines()


def _formation(year: _Year) -> None:
    year.tell(_OPENED - timedelta(days=90), "terms.published", "terms/2021-06", {
        "version": "2021-06", "effective": "2021-06-01",
    })  # fmt: skip
    for resource, price in _PRICES.items():
        unit = "hour" if resource.startswith("BoxUsage") else "GiB-month"
        year.tell(_OPENED - timedelta(days=60), "price.published", f"price/{resource.replace(':', '-')}", {
            "service": "fcu", "resource": resource, "region": _REGION, "unit": unit, "unit_price": price,
            "currency": "EUR", "effective": "2025-05-01",
        })  # fmt: skip
    year.tell(_OPENED, "account.opened", ACCOUNT, {
        "email": ADDRESS, "region": _REGION, "territory": "EU", "services": ["fcu"],
        "identification": {
            "name": "Client Demo SAS", "vat_number": "FR00123456789", "address": "1 rue de la Paix, Paris",
            "phone": "+33 1 00 00 00 00",
        },
    })  # fmt: skip
    year.tell(_OPENED + timedelta(minutes=1), "contract.accepted", ACCOUNT, {
        "route": "internet", "terms": "2021-06", "on_demand": True,
    })  # fmt: skip
    year.tell(_OPENED + timedelta(hours=1), "account.validated", ACCOUNT)
    year.tell(_OPENED + timedelta(hours=2), "account.bank_details_received", ACCOUNT)


def _consumption(year: _Year, day: date) -> None:
    """One day as the API tells it, through the importer, recorded an hour after midnight UTC."""
    start, end = f"{day}T00:00:00.000+0000", f"{day + timedelta(days=1)}T00:00:00.000+0000"
    common = {"FromDate": start, "ToDate": end, "SubregionName": f"{_REGION}a", "Service": "TinaOS-FCU"}
    entries = [
        {**common, "Type": "BoxUsage:tinav5.c4r8p2", "Operation": "RunInstances-OD", "ResourceId": vm,
         "Title": "Instance - On demand - tinav5.c4r8 high performance - par heure", "Value": 24}
        for vm in _VMS
    ]  # fmt: skip
    entries.append({
        **common, "Type": "BSU:VolumeUsage:gp2", "Operation": "CreateVolume", "ResourceId": "vol-1a2b3c4d",
        "Title": "Volume BSU gp2 - par Gio par mois",
        # an API's answer has JSON numbers, and the importer reads their text
        "Value": float(_disk_share(day)),
    })  # fmt: skip
    answer = json.dumps({"ConsumptionEntries": entries, "Currency": "EUR"}).encode()
    imported = import_answers(read_answers(answer), ACCOUNT, to_date="exclusive")
    at = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(days=1)
    for fact in imported.facts:
        year.tell_fact(at, fact)


def _days_in(day: date) -> int:
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return (following - day.replace(day=1)).days


def _months() -> Iterator[date]:
    month = _FIRST_DAY
    while month <= _LAST_DAY:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def _disk_share(day: date) -> Decimal:
    """What 200 GiB over one day are of a GiB-month."""
    return (_GIB / _days_in(day)).quantize(Decimal("0.000001"))


@dataclass(frozen=True, slots=True)
class _Bill:
    """What a month costs, from the same quantities that its days tell."""

    hours: int
    machine: Decimal
    disk: Decimal

    @classmethod
    def of(cls, month: date) -> _Bill:
        days = _days_in(month)
        hours = 24 * days * len(_VMS)
        machine = Decimal(_PRICES["BoxUsage:tinav5.c4r8p2"]) * hours
        disk = Decimal(_PRICES["BSU:VolumeUsage:gp2"]) * days * _disk_share(month)
        return cls(hours, money.half_up_to_the_cent(machine), money.half_up_to_the_cent(disk))

    @property
    def net(self) -> Decimal:
        return self.machine + self.disk

    @property
    def vat(self) -> Decimal:
        return money.half_up_to_the_cent(self.net * _VAT)

    @property
    def total(self) -> str:
        return money.text(self.net + self.vat)


def _invoice(year: _Year, month: date) -> None:
    bill = _Bill.of(month)
    following = month + timedelta(days=32)
    issued = datetime(following.year, following.month, 2, 8, tzinfo=UTC)
    number = f"F-{month:%Y-%m}"
    subject = f"{ACCOUNT}/invoice/{number}"
    year.by_notice(issued, "invoice.issued", subject, {
        "period": {"from": f"{month}", "to": f"{month.replace(day=_days_in(month))}"},
        "lines": [
            {"service": "fcu", "resource": "BoxUsage:tinav5.c4r8p2", "quantity": str(bill.hours * 3600),
             "unit": "second", "amount": money.text(bill.machine)},
            {"service": "fcu", "resource": "BSU:VolumeUsage:gp2", "unit": "GiB-month",
             "amount": money.text(bill.disk)},
        ],
        "net": money.text(bill.net), "vat": money.text(bill.vat), "total": bill.total, "currency": "EUR",
        "issue_date": f"{issued.date()}", "due": "on_receipt", "direct_debit": False,
    }, "invoice")  # fmt: skip
    late_by = {"F-2025-09": 24, "F-2026-05": None, "F-2026-06": None}.get(number, 0)
    if late_by is not None:
        paid = issued + timedelta(days=late_by, hours=2)
        year.tell(paid, "invoice.paid", subject, {
            "amount": bill.total, "value_date": f"{instants.paris_date(paid)}", "method": "transfer",
            "reference": f"P-{number}",
        })  # fmt: skip


def _acts(year: _Year) -> None:
    """What the parties do in the year beside consuming, invoicing and paying."""
    # issued 2 November: in time until 12 November 24:00 in Paris
    day_10 = datetime(2025, 11, 12, 22, 30, tzinfo=UTC)
    year.by_mail(day_10, "invoice.disputed", f"{ACCOUNT}/invoice/F-2025-10", {
        "amount": "50.00", "reason": "two machines were stopped",
    }, "Contestation F-2025-10")  # fmt: skip
    # issued 2 December: at midnight in Paris the tenth day is over
    day_11 = datetime(2025, 12, 12, 23, 0, tzinfo=UTC)
    year.by_mail(day_11, "invoice.disputed", f"{ACCOUNT}/invoice/F-2025-11", {
        "amount": "80.00", "reason": "two machines were stopped",
    }, "Contestation F-2025-11")  # fmt: skip
    for name, began, hours in (("47-hours", datetime(2026, 2, 10, 9, tzinfo=UTC), 47),
                               ("49-hours", datetime(2026, 2, 17, 9, tzinfo=UTC), 49)):  # fmt: skip
        ended = began + timedelta(hours=1)
        year.by_mail(ended + timedelta(hours=hours), "reserve.notified", f"{ACCOUNT}/reserve/{name}", {
            "service": "fcu", "resource_id": _VMS[0], "unavailable_from": instants.plain(began),
            "unavailable_to": instants.plain(ended), "evidence": ["monitoring.csv"],
            "reason": "machine unreachable",
        }, f"Réserve motivée {_VMS[0]}")  # fmt: skip
    notice = datetime(2026, 6, 10, 8, tzinfo=UTC)
    year.by_notice(notice, "formal_notice.sent", f"{ACCOUNT}/formal-notice/mise-en-demeure", {
        "by": "outscale", "breach": "invoice F-2026-05 unpaid",
    }, "formal_notice")  # fmt: skip
    suspension = f"{ACCOUNT}/suspension/suspension-1"
    year.by_notice(notice + timedelta(days=2), "suspension.imposed", suspension, {
        "ground": "art7", "rests_on": f"{ACCOUNT}/formal-notice/mise-en-demeure",
    }, "suspension")  # fmt: skip
    paid = notice + timedelta(days=5)
    invoice = f"{ACCOUNT}/invoice/F-2026-05"
    year.tell(paid, "invoice.paid", invoice, {
        "amount": _Bill.of(date(2026, 5, 1)).total, "value_date": f"{paid.date()}", "method": "transfer",
        "reference": "P-F-2026-05",
    })  # fmt: skip
    year.tell(
        paid + timedelta(minutes=5), "formal_notice.remedied", f"{ACCOUNT}/formal-notice/mise-en-demeure"
    )
    year.tell(paid + timedelta(minutes=10), "suspension.lifted", suspension)
    termination = f"{ACCOUNT}/termination/end-of-contract"
    year.by_mail(datetime(2026, 6, 18, 9, tzinfo=UTC), "termination.notified", termination, {
        "by": "client", "ground": "convenience",
    }, "Résiliation du contrat")  # fmt: skip
    year.tell(datetime(2026, 6, 19, 9, tzinfo=UTC), "termination.acknowledged", termination)


_QUESTIONS = (
    ("What is accepted, and what are the reserves worth?", "acceptance", "2026-02-20T00:00:00Z"),
    ("Which invoices can still be contested, and what is late?", "invoices", "2026-06-17T00:00:00Z"),
    ("What is owed?", "balance", "2026-06-17T00:00:00Z"),
    ("Suspended and under notice", "contract", "2026-06-13T00:00:00Z"),
    ("Terminating", "contract", "2026-06-25T00:00:00Z"),
    ("Was everybody validly notified?", "notifications", "2026-06-25T00:00:00Z"),
    ("What would be billed for the last month?", "usage", "2026-07-01T02:00:00Z"),
)
_LAST_ROWS = 12
"""A year has more days than a screen has lines."""
_WIDTH = 160
"""Columns where no terminal says how many it has, such as in a file."""


def show(answers: Answers) -> None:
    """Print what the ledger concluded from the year, and why."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH
    for title, name, as_of in _QUESTIONS:
        console.rule(f"[bold]{title}[/]", align="left")
        answer = answers.ask(name, ACCOUNT, as_of=instants.parse_instant(as_of))
        tables.show_answer(console, name, answer, last=_LAST_ROWS)
    console.print("\nEvery conclusion carries its rule, article, readings and facts:", style="italic")
    answer = answers.explain(
        f"{ACCOUNT}/invoice/F-2025-11", as_of=instants.parse_instant("2026-01-01T00:00:00Z")
    )
    tables.show_explanation(console, answer)
