"""Which notifications to the client were validly made (art. 23)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.contract.clauses.notification import (
    Addresses,
    KnownAddress,
    Notification,
    notification_validity,
    why_invalid,
)
from ledger.contract.readings import check
from ledger.errors import WrongCallError
from ledger.facts.accounts import AccountCorrected, AccountEmailChanged, AccountOpened
from ledger.facts.endings import TerminationNotified
from ledger.facts.mail import (
    NotificationAnswered,
    NotificationBounced,
    NotificationQualified,
    NotificationSent,
)
from ledger.facts.recorded import Recorded
from projections.question import Question

ADDRESS_TYPES = frozenset({"account.opened", "account.corrected", "account.email_changed"})
NOTIFICATION_TYPES = frozenset(
    {
        "notification.sent",
        "notification.bounced",
        "notification.answered",
        "notification.qualified",
        "termination.notified",
    }
)


@dataclass
class Sent:
    """One notification and what followed it."""

    fact: Recorded
    data: NotificationSent
    qualified: list[Recorded] = field(default_factory=list)
    bounces: list[Recorded] = field(default_factory=list)
    answers: list[Recorded] = field(default_factory=list)

    def take(self, fact: Recorded) -> None:
        """Add what followed."""
        match fact.data:
            case NotificationQualified():
                self.qualified.append(fact)
            case NotificationBounced():
                self.bounces.append(fact)
            case NotificationAnswered():
                self.answers.append(fact)

    @property
    def qualification(self) -> NotificationQualified | None:
        """What it was last said to be."""
        data = self.qualified[-1].data if self.qualified else None
        return data if isinstance(data, NotificationQualified) else None

    @property
    def kind(self) -> str:
        """What it is about: a qualification replaces the kind that it left with."""
        return self.data.kind if self.qualification is None else self.qualification.kind

    @property
    def about(self) -> str | None:
        """The subject it is about."""
        said = None if self.qualification is None else self.qualification.about
        return said or self.data.about


@dataclass
class Post:
    """The account's addresses and its notifications, as facts come in."""

    addresses: list[KnownAddress] = field(default_factory=list)
    numbers: list[KnownAddress] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    summary: dict[str, Recorded] = field(default_factory=dict)

    def take(self, fact: Recorded) -> None:
        """Add a fact; one that changes neither address nor notification is passed over."""
        if isinstance(fact.data, AccountOpened | AccountCorrected):
            self._know_number(fact, fact.data)
        match fact.data:
            case (
                AccountOpened(email=email) | AccountCorrected(email=email) | AccountEmailChanged(email=email)
            ):
                if email is not None:
                    self.addresses.append(KnownAddress(fact, fact.legal_time, email))
            case NotificationSent() as data:
                self.sent[fact.subject] = Sent(fact, data)
            case TerminationNotified(ground="art3.4.1"):
                self.summary.update({key: fact for key in (fact.mail, fact.subject) if key is not None})
            case NotificationQualified() | NotificationBounced() | NotificationAnswered():
                if fact.subject in self.sent:
                    self.sent[fact.subject].take(fact)

    def _know_number(self, fact: Recorded, data: AccountOpened | AccountCorrected) -> None:
        number = None if data.identification is None else data.identification.phone
        if number is not None:
            self.numbers.append(KnownAddress(fact, fact.legal_time, number))

    def known_addresses(self) -> Addresses:
        """Every address and phone number, those given at creation first."""
        return Addresses(tuple(self.addresses), tuple(self.numbers))

    def notification(self, sent: Sent) -> Notification:
        """A notification as the clauses take it."""
        summary = self.summary.get(sent.fact.subject) or self.summary.get(sent.about or "")
        because = (*sent.qualified, *sent.bounces, *(() if summary is None else (summary,)))
        return Notification(
            sent.fact,
            sent.fact.legal_time,
            sent.kind,
            sent.data.channel,
            sent.data.to,
            summary is not None,
            because,
            sent.data.number,
        )


class Notifications:
    """Notifications of an account, in the order in which they left.

    Beside the fields of the interface a row says its ``channel``, what it is ``about``, why it is not
    valid, and how it bounced or was answered.
    """

    name = "notifications"
    types = ADDRESS_TYPES | NOTIFICATION_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``: at most ``limit`` rows, those after the subject ``after``.

        Raises:
            WrongCallError: ``after`` names no notification of the account, or a reading does not exist.
        """
        check(question.readings)
        post = Post()
        for fact in facts:
            post.take(fact)
        return [_row(post, sent, question) for sent in _page(post, question)]


def _page(post: Post, question: Question) -> Iterator[Sent]:
    if question.after is not None and question.after not in post.sent:
        raise WrongCallError(f"{question.after!r} is not a notification of {question.account}")
    rows = list(post.sent.values())
    if question.after is not None:
        rows = rows[list(post.sent).index(question.after) + 1 :]
    return iter(rows if question.limit is None else rows[: question.limit])


def _row(post: Post, sent: Sent, question: Question) -> dict[str, Any]:
    notification, addresses = post.notification(sent), post.known_addresses()
    return {
        "subject": sent.fact.subject,
        "kind": sent.kind,
        "channel": sent.data.channel,
        "about": sent.about,
        "legal_time": sent.fact.legal_time,
        "to": sent.data.to,
        "valid": notification_validity(notification, addresses, question.readings),
        "why_not": why_invalid(notification, addresses, question.readings),
        "bounces": [_followed(fact) for fact in sent.bounces],
        "answers": [_followed(fact) for fact in sent.answers],
    }


def _followed(fact: Recorded) -> dict[str, Any]:
    data = fact.data
    status = data.status if isinstance(data, NotificationBounced | NotificationAnswered) else None
    return {"at": fact.legal_time, "status": status}


NOTIFICATIONS = Notifications()
