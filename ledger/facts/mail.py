"""Mails and notifications (arts. 9.4, 23): what the mail server received and what it sent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ledger.facts.catalogue import RESERVED, Opening, fact
from ledger.facts.personal import addresses_in
from ledger.facts.shape import (
    Address,
    Count,
    FactModel,
    IdentityText,
    Instant,
    MailText,
    Name,
    RelationText,
    Segment,
    Sha256,
    Subject,
)

NotificationKind = Literal[
    "formal_notice", "termination", "suspension", "maintenance", "terms", "invoice", "verification",
    "breach", "reminder", "acknowledgement", "other", "unqualified",
]  # fmt: skip


class MailStamp(FactModel):
    """The mail server's stamp of one message, written by the ledger only (``proof.md``, Leaf)."""

    server: Name
    queue_id: Name
    time: Instant
    not_after: Instant | None = None


class Authentication(FactModel):
    """What the mail server found when it authenticated the sender (RFC 8601)."""

    dkim: Name | None = None
    spf: Name | None = None
    dmarc: Name | None = None


@fact("mail.received", "A/mail/ID", "mail/ID", opening=Opening.OPENS, article="23")
class MailReceived(FactModel):
    """A mail that reached the server (courrier électronique reçu); art. 23.

    ``from`` and ``to`` are as the message gives them, so they may be absent or odd; ``senders`` are the
    addresses in ``from``, read from it when they are not told; ``mailboxes`` are those of OUTSCALE that the
    message went to, nobody's personal data. Without ``stamp`` the message was not seen by the server (a
    scan, an archive).
    """

    from_: RelationText | None = Field(default=None, alias="from")
    senders: list[Address] | None = None
    to: list[RelationText] | None = None
    mailboxes: list[Name] | None = None
    subject_line: MailText | None = None
    message_id: MailText | None = None
    message_sha256: Sha256 | None = None
    authentication: Authentication | None = None
    stamp: MailStamp | None = None

    @model_validator(mode="before")
    @classmethod
    def _reads_the_senders(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("senders") is not None:
            return given
        told = given.get("from")
        senders = addresses_in(told) if isinstance(told, str) else []
        return {**given, "senders": senders} if senders else given


@fact("mail.attributed", "mail/ID", opening=Opening.CONTINUES, article="23")
class MailAttributed(FactModel):
    """A mail from an unknown sender turns out to be an account's (rattachement)."""

    account: Segment

    @field_validator("account")
    @classmethod
    def _may_be_an_account(cls, account: str) -> str:
        if account in RESERVED:
            raise PydanticCustomError("reserved", "no account may be named so: the word is reserved")
        return account


@fact("notification.sent", "A/notification/ID", opening=Opening.OPENS, article="23")
class NotificationSent(FactModel):
    """A notification left for the client (notification); art. 23: by simple e-mail.

    ``to`` is the address of an e-mail, ``number`` the mobile number of an SMS.
    """

    kind: NotificationKind
    channel: Literal["email", "sms", "interface"] = "email"
    to: Address | None = None
    number: IdentityText | None = None
    subject_line: MailText | None = None
    text: MailText | None = None
    message_sha256: Sha256 | None = None
    about: Subject | None = None
    stamp: MailStamp | None = None


@fact("notification.bounced", "A/notification/ID", opening=Opening.CONTINUES, article="23")
class NotificationBounced(FactModel):
    """A notification came back undelivered (avis de non-remise, RFC 3464)."""

    status: Name | None = None
    diagnostic: MailText | None = None


@fact("notification.answered", "A/notification/ID", opening=Opening.CONTINUES, article="23")
class NotificationAnswered(FactModel):
    """The recipient answered a notification (réponse à la notification); art. 23."""

    status: Name | None = None


@fact("notification.qualified", "A/notification/ID", opening=Opening.CONTINUES, article="23")
class NotificationQualified(FactModel):
    """Somebody said what an outgoing copy, seen in the journal, was about (qualification)."""

    kind: NotificationKind
    about: Subject | None = None


class StampData(FactModel):
    """What a stamp leaf says of its commit."""

    count: Count
    digest: Sha256
    message_id: Name
    message_sha256: Sha256
    queue_id: Name
    server: Name
    time: Instant
    void: list[Name] | None = None


@fact("stamp.received", "stamp", opening=Opening.EITHER, article="23", by_ledger=True)
class StampReceived(StampData):
    """The mail server's stamp of one commit (heure et date du serveur d'envoi); art. 23."""
