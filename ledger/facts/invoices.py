"""Invoices, their disputes and their payment (art. 15.3)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import (
    Amount,
    BillingText,
    Currency,
    Day,
    DayOrInstant,
    FactModel,
    Name,
    Quantity,
)


class Period(FactModel):
    """A period; as dates, both ends belong to it (Paris days)."""

    from_: DayOrInstant = Field(alias="from")
    to: DayOrInstant


class InvoiceLine(FactModel):
    """One line of an invoice (ligne de facture); amounts without VAT."""

    service: Name | None = None
    resource: Name | None = None
    quantity: Quantity | None = None
    unit: Name | None = None
    unit_price: Quantity | None = None
    amount: Amount | None = None


@fact("invoice.issued", "A/invoice/NUMBER", opening=Opening.OPENS, article="15.3")
class InvoiceIssued(FactModel):
    """An invoice was issued (émission d'une facture); art. 15.3. ``total`` is with VAT."""

    period: Period | None = None
    lines: list[InvoiceLine] | None = None
    net: Amount | None = None
    vat: Amount | None = None
    total: Amount
    currency: Currency = "EUR"
    issue_date: Day | None = None
    due: Literal["on_receipt"] | Day = "on_receipt"
    direct_debit: bool = False


@fact("invoice.disputed", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoiceDisputed(FactModel):
    """The client disputes an invoice (contestation d'une facture); without amount, the whole; art. 15.3."""

    amount: Amount | None = None
    reason: BillingText | None = None
    lines: list[int] | None = None


@fact("invoice.dispute_settled", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoiceDisputeSettled(FactModel):
    """A dispute was settled (règlement de la contestation); art. 15.3."""

    outcome: Literal["upheld", "rejected", "partly"]
    amount: Amount | None = None


@fact("invoice.paid", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoicePaid(FactModel):
    """A payment (paiement); ``value_date`` (date de valeur) stops interest; art. 15.3."""

    amount: Amount
    value_date: Day | None = None
    method: Name | None = None
    reference: Name | None = None


@fact("invoice.payment_rejected", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3, 7")
class InvoicePaymentRejected(FactModel):
    """A payment came back (rejet de prélèvement): the debt revives; arts. 7 and 15.3."""

    reference: Name
    reason: BillingText | None = None


@fact("invoice.credited", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoiceCredited(FactModel):
    """A credit note on an invoice (avoir), amount with VAT; its own day is ``date``, else its stamp's."""

    amount: Amount
    credit_note: Name | None = None
    date: Day | None = None
    net: Amount | None = None

    @model_validator(mode="after")
    def _net_within_amount(self) -> InvoiceCredited:
        if self.net is not None and self.net > self.amount:
            raise ValueError("the net amount of a credit note cannot exceed its amount with VAT")
        return self
