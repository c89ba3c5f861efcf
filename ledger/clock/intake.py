"""Mail intake: each message that arrives becomes a fact under its own stamp, its raw bytes kept.

What the mail server received becomes ``mail.received``; a copy of what it sent (the envelope sender is
one of the provider's) becomes ``notification.sent`` of kind ``unqualified``. Recording is not judging:
broken, bulk and unknown mail is recorded too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger import instants
from ledger.clock.acknowledgements import Acknowledger, Due, compose
from ledger.clock.addresses import AddressBook
from ledger.clock.dkim import DkimSigner
from ledger.clock.letters import Letter, read_letter
from ledger.clock.message import Outgoing, read_stored
from ledger.clock.queue_id import decode
from ledger.errors import ConflictingFactError, MalformedFactError, WrongCallError
from ledger.facts.envelope import Draft, parse_events
from ledger.facts.personal import normalised

Record = Callable[[Sequence[Draft]], Any]
Deliver = Callable[[Outgoing, str], tuple[str, str]]
"""Sends a message to an address without an envelope sender; returns (queue id, server)."""


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Whose mail server it is.

    ``provider`` are the addresses or domains that OUTSCALE sends from; ``acknowledgement_sender`` signs
    acknowledgements, and ``None`` sends none; ``signer`` signs stamping messages, if there is one.
    """

    provider: tuple[str, ...] = ()
    acknowledgement_sender: str | None = "support@greffe.localhost"
    signer: DkimSigner | None = None

    def is_providers(self, address: str) -> bool:
        """Whether an address is the provider's own."""
        address = normalised(address)
        domain = address.rpartition("@")[2]
        own = self.mailboxes | {entry.lower() for entry in self.provider if "@" not in entry}
        return bool(own & {address, domain}) or address == self.acknowledgement_sender

    @property
    def mailboxes(self) -> frozenset[str]:
        """The provider's mailboxes that are listed by their whole address: nobody's personal ones."""
        return frozenset(normalised(entry) for entry in self.provider if "@" in entry)


class Intake:
    """Turns messages into facts; ``take`` returns only once they are recorded."""

    def __init__(
        self, record: Record, book: AddressBook, settings: MailSettings, deliver: Deliver, *, kind: str
    ) -> None:
        self._record = record
        self._book = book
        self._settings = settings
        self._deliver = deliver
        self._kind = kind
        self._acknowledger = Acknowledger(self._acknowledge)

    def take(self, raw: bytes, sender: str) -> None:
        """Record one message as delivered, with its envelope sender (empty when null).

        Raises:
            ClockUnavailableError: it cannot be recorded now; the mail server must keep it.
        """
        letter = read_letter(raw)
        stored = read_stored(raw)
        stamp = self._stamp(stored.queue_id, stored.server)
        reference = stored.queue_id if stamp else hashlib.sha256(raw).hexdigest()
        envelope = {
            "specversion": "1.0",
            "id": reference,
            "source": f"/mail/{stored.server or 'unknown'}",
        }
        outgoing = self._settings.is_providers(sender) if sender else False
        recipients = self._accounts(letter.recipients) if outgoing else []
        if recipients:
            self._record_copies(raw, letter, stamp, envelope, recipients)
        else:
            self._record_received(raw, letter, stamp, envelope, sender)

    def resume(self, unanswered: Iterable[tuple[str, str, bytes]]) -> None:
        """Acknowledge what a crash left unanswered: (account, subject of the mail, raw bytes)."""
        for account, subject, raw in unanswered:
            letter = read_letter(raw)
            sender = read_stored(raw).return_path
            self._acknowledge_later(letter, "unknown" if sender is None else sender, account, subject)

    def close(self) -> None:
        """Stop acknowledging."""
        self._acknowledger.close()

    def _stamp(self, queue_id: str | None, server: str | None) -> dict[str, Any] | None:
        """The server's stamp of this message; ``None`` when its top line carries no time."""
        if queue_id is None or server is None:
            return None
        try:
            stamped = decode(queue_id)
        except WrongCallError:
            return None
        name = self._kind if self._kind == "embedded" else f"{self._kind}:{server}"
        return {"server": name, "queue_id": queue_id, "time": instants.canonical(stamped)}

    def _accounts(self, addresses: Iterable[str]) -> list[tuple[str, str]]:
        return [(account, address) for address in addresses for account in self._book.accounts_of(address)]

    def _record_received(
        self,
        raw: bytes,
        letter: Letter,
        stamp: dict[str, Any] | None,
        envelope: dict[str, Any],
        sender: str,
    ) -> None:
        accounts = sorted({account for account, _ in self._accounts(letter.senders)})
        account = accounts[0] if len(accounts) == 1 else None
        subject = f"{account}/mail/{envelope['id']}" if account else f"mail/{envelope['id']}"
        data = {
            "from": letter.from_text,
            "senders": list(letter.senders) or None,
            "mailboxes": [to for to in letter.recipients if to in self._settings.mailboxes] or None,
            "to": list(letter.recipients) or None,
            "subject_line": letter.subject_line,
            "message_sha256": hashlib.sha256(raw).hexdigest(),
            "authentication": letter.authentication or None,
            "stamp": stamp,
        }
        event = {**envelope, "type": "mail.received", "subject": subject, "data": data}
        self._record_once([event], raw)
        for queue_id in letter.reported_queue_ids:
            self._record_bounce(queue_id, letter, subject, envelope)
        if account is not None:
            self._acknowledge_later(letter, sender, account, subject)

    def _record_bounce(self, queue_id: str, letter: Letter, subject: str, envelope: dict[str, Any]) -> None:
        """Say of the notification that the report speaks of that it came back."""
        notification = self._book.notification_of(queue_id)
        if notification is None or letter.status is None:
            return
        event = {
            **envelope,
            "id": f"{envelope['id']}.bounce",
            "type": "notification.bounced",
            "subject": notification,
            "data": {"status": letter.status, "diagnostic": letter.diagnostic},
        }
        if subject.partition("/")[0] == notification.partition("/")[0]:
            event["mail"] = subject
        self._record_once([event], None)

    def _record_copies(
        self,
        raw: bytes,
        letter: Letter,
        stamp: dict[str, Any] | None,
        envelope: dict[str, Any],
        recipients: Sequence[tuple[str, str]],
    ) -> None:
        events = []
        for account, address in recipients:
            data = {
                "kind": "unqualified",
                "channel": "email",
                "to": address,
                "subject_line": letter.subject_line,
                "message_sha256": hashlib.sha256(raw).hexdigest(),
                "stamp": stamp,
            }
            subject = f"{account}/notification/{envelope['id']}"
            name = f"{envelope['id']}.{account}"
            events.append(
                {**envelope, "id": name, "type": "notification.sent", "subject": subject, "data": data}
            )
        self._record_once(list({event["subject"]: event for event in events}.values()), raw)

    def _record_once(self, events: list[dict[str, Any]], raw: bytes | None) -> None:
        """Record, unless the same message is recorded already (a server may deliver twice).

        A message whose texts the catalogue refuses is recorded without them: the raw bytes have them.
        """
        try:
            drafts = parse_events(events, by_ledger=True)
        except MalformedFactError:
            kept = ("kind", "channel", "message_sha256", "stamp", "status")
            bare = [
                {**event, "data": {key: value for key, value in event["data"].items() if key in kept}}
                for event in events
            ]
            drafts = parse_events(bare, by_ledger=True)
        try:
            self._record([replace(draft, attachment=raw) for draft in drafts])
        except ConflictingFactError as error:
            if {flaw.rule for flaw in error.flaws} - {"identity.conflict", "subject.exists"}:
                raise

    def _acknowledge_later(self, letter: Letter, sender: str, account: str, subject: str) -> None:
        """Acknowledge a mail, unless answering would be wrong (RFC 3834 §2)."""
        if (
            sender
            and letter.senders
            and not letter.automatic
            and self._settings.acknowledgement_sender
            and not self._settings.is_providers(letter.senders[0])
        ):
            self._acknowledger.add(Due(account, letter.senders[0], subject, letter.message_id))

    def _acknowledge(self, due: Due) -> None:
        sender = self._settings.acknowledgement_sender or ""
        message = compose(due, sender)
        queue_id, server = self._deliver(message, due.address)
        data = {
            "kind": "acknowledgement",
            "channel": "email",
            "to": due.address,
            "message_sha256": message.sha256,
            "about": due.about,
            "stamp": self._stamp(queue_id, server),
        }
        event = {
            "specversion": "1.0",
            "id": queue_id,
            "source": f"/mail/{server}",
            "type": "notification.sent",
            "subject": f"{due.account}/notification/{queue_id}",
            "data": data,
        }
        self._record_once([event], message.body)
