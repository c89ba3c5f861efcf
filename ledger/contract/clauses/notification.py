"""Notifications: made validly or not (art. 23), by the channel that their article admits.

Addresses are commitments to the clear ones: within one account equal addresses have equal commitments,
so that this stays decidable when the clear address is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed

BY_INTERFACE = frozenset({"terms"})
"""Kinds that the management interface may carry too: art. 5, « par email ou via l’interface »."""

ADDRESS_READINGS = ("R12",)


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """The account's e-mail address from a legal time on."""

    fact: Reason
    since: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every address that the account had, in order of legal time, the one given at creation first.

    ``numbers`` are its phone numbers, for what may come by SMS (art. 3.4.1).
    """

    known: tuple[KnownAddress, ...] = ()
    numbers: tuple[KnownAddress, ...] = ()

    def when(self, instant: datetime, readings: Readings) -> KnownAddress | None:
        """The address for a notice that left at ``instant`` (R12).

        What left before any address was given can only be held against the one given at creation.
        """
        if not self.known:
            return None
        if choice(readings, "R12") > 1:
            return self.known[0]
        return next((row for row in reversed(self.known) if row.since <= instant), self.known[0])


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification that left for the client.

    ``carries_summary_termination`` tells that it is a termination without notice of art. 3.4.1, the one
    act that an SMS may carry.
    """

    fact: Reason
    left_at: datetime
    kind: str
    channel: str
    to: str | None
    carries_summary_termination: bool = False
    because: tuple[Reason, ...] = ()
    number: str | None = None


@clause("23")
def notification_validity(
    notification: Notification, addresses: Addresses, readings: Readings
) -> Conclusion[bool]:
    """Whether a notification was validly made: right channel, and the account's address.

    A bounce changes nothing: what counts is that it left, at the hour of OUTSCALE's server.

    « Les notifications seront adressées à l’email communiqué par le CLIENT lors de la création de son
    Compte et qui sert d’identifiant à ce Compte. »
    """
    because = (notification.fact, *notification.because, *(row.fact for row in addresses.known))
    return weighed(
        readings,
        ADDRESS_READINGS,
        lambda chosen: Conclusion(why_invalid(notification, addresses, chosen) is None, because),
    )


def why_invalid(notification: Notification, addresses: Addresses, readings: Readings) -> str | None:
    """What is wrong with a notification, in a sentence; ``None`` when nothing is."""
    match notification.channel:
        case "sms":
            if notification.carries_summary_termination:
                return _wrong_number(notification, addresses)
            return "an SMS carries only a termination under art. 3.4.1"
        case "interface":
            if notification.kind in BY_INTERFACE:
                return None
            return "the management interface carries only changes of terms, offers and prices (art. 5)"
        case _:
            return _wrong_address(notification, addresses, readings)


def _wrong_number(notification: Notification, addresses: Addresses) -> str | None:
    """Art. 3.4.1: « au numéro de téléphone mobile fourni pour l’inscription », or as corrected since."""
    if notification.number is None:
        return "the notification names no number"
    given = {row.address for row in addresses.numbers if row.since <= notification.left_at}
    if not given:
        return "the account has no phone number on record"
    return None if notification.number in given else "it was not sent to the number that the client gave"


def _wrong_address(notification: Notification, addresses: Addresses, readings: Readings) -> str | None:
    right = addresses.when(notification.left_at, readings)
    if right is None:
        return "the account has no e-mail address on record"
    if notification.to is None:
        return "the notification names no recipient"
    return None if notification.to == right.address else "it was not sent to the account's e-mail address"


@dataclass(frozen=True, slots=True)
class ClientMail:
    """A mail of the client: where it came from and which of OUTSCALE's mailboxes it went to.

    What the record does not tell is empty, and is not held against it.
    """

    fact: Reason
    senders: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """What carried an act that must come by mail: our notification, the client's mail, or nothing."""

    carrier: Notification | ClientMail | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The message itself, if there is one."""
        return () if self.carrier is None else (self.carrier.fact,)


@dataclass(frozen=True, slots=True)
class Form:
    """What an article asks of a mail beside that it be one.

    Of the client's, ``own_address``: that it come from the account's address (art. 4); ``mailbox``: that it
    go to that one (arts. 4 and 6). Of OUTSCALE's, ``by_email``: that it be no SMS and no message of the
    interface, whatever else these may carry (art. 14.2.1 (11)).
    """

    own_address: bool = False
    mailbox: str | None = None
    by_email: bool = False


ANY_MAIL = Form()


def why_no_effect(
    letter: Letter,
    by: str,
    left_at: datetime,
    addresses: Addresses,
    readings: Readings,
    form: Form = ANY_MAIL,
) -> str | None:
    """Why an act of ``by`` (``client`` or ``outscale``) that must come by mail has no effect, or ``None``."""
    match letter.carrier:
        case Notification() as ours if by == "outscale":
            if form.by_email and ours.channel != "email":
                return "it was not sent by e-mail"
            return why_invalid(ours, addresses, readings)
        case ClientMail() as theirs if by == "client":
            return _wrong_form(theirs, addresses.when(left_at, readings), form)
        case None:
            return "no mail carried it"
        case _:
            return f"the mail named is not one that {by} sent"


def _wrong_form(mail: ClientMail, right: KnownAddress | None, form: Form) -> str | None:
    if form.own_address and mail.senders and right is not None and right.address not in mail.senders:
        return "it was not sent from the account's e-mail address"
    if form.mailbox is not None and mail.mailboxes and form.mailbox not in mail.mailboxes:
        return f"it was not sent to {form.mailbox}"
    return None
