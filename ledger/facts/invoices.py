"""Invoices and what becomes of them (arts. 15.1, 15.3)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

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
    Whole,
)


class Period(FactModel):
    """From and to; dates are inclusive Paris days, instants half-open."""

    from_: DayOrInstant = Field(alias="from")
    to: DayOrInstant


class InvoiceLine(FactModel):
    """One line of an invoice, without VAT."""

    service: Name | None = None
    resource: Name | None = None
    description: BillingText | None = None
    quantity: Quantity | None = None
    unit: Name | None = None
    unit_price: Amount | None = None
    amount: Amount | None = None


@fact("invoice.issued", "A/invoice/NUMBER", opening=Opening.OPENS, article="15.1, 15.3")
class InvoiceIssued(FactModel):
    """An invoice was issued (émission d'une facture); arts. 15.1 and 15.3.

    ``total`` is with VAT; ``due`` is on receipt (payable à réception) unless the special conditions
    give a date; ``direct_debit`` tells whether a mandate pays it (prélèvement bancaire, reading R15).
    """

    period: Period | None = None
    lines: list[InvoiceLine] = Field(default=[])
    net: Amount | None = None
    vat: Amount | None = None
    total: Amount
    currency: Currency = "EUR"
    issue_date: Day | None = None
    due: Literal["on_receipt"] | Day = "on_receipt"
    direct_debit: bool = False


@fact("invoice.disputed", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoiceDisputed(FactModel):
    """The client disputes an invoice (contestation d'une facture); art. 15.3.

    Without ``amount`` the whole is disputed; ``lines`` names lines by their number, from 0, or by
    their resource.
    """

    amount: Amount | None = None
    reason: BillingText | None = None
    lines: list[Whole | Name] = Field(default=[])


@fact("invoice.dispute_settled", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoiceDisputeSettled(FactModel):
    """A dispute is settled (issue de la contestation); art. 15.3."""

    outcome: Literal["upheld", "rejected", "partly"]
    amount: Amount | None = None


@fact("invoice.paid", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="15.3")
class InvoicePaid(FactModel):
    """A payment came in (paiement); art. 15.3. ``value_date`` (date de valeur) stops interest."""

    amount: Amount
    value_date: Day | None = None
    method: Name | None = None
    reference: Name | None = None


@fact("invoice.payment_rejected", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="7, 15.3")
class InvoicePaymentRejected(FactModel):
    """The bank refused a payment (refus de paiement de la banque); arts. 7 and 15.3.

    ``reference`` is that of the payment, which then counts as never made.
    """

    reference: Name
    reason: BillingText | None = None


@fact("invoice.credited", "A/invoice/NUMBER", opening=Opening.CONTINUES, article="3.6.2, 15.3")
class InvoiceCredited(FactModel):
    """A credit note was issued on an invoice (avoir); arts. 3.6.2 and 15.3.

    ``amount`` is with VAT, ``net`` without; ``date`` is the day printed on the credit note.
    """

    amount: Amount
    net: Amount | None = None
    credit_note: Name | None = None
    date: Day | None = None

    @model_validator(mode="after")
    def _net_within_amount(self) -> InvoiceCredited:
        if self.net is not None and self.net > self.amount:
            raise PydanticCustomError("net", "the net amount of a credit note exceeds its amount with VAT")
        return self
