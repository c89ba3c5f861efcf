"""What an account's contract rests on, gathered fact by fact for the projections that ask about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from ledger.contract.clauses.endings import Relation, Termination
from ledger.contract.clauses.formation import Acceptance, Information, Step, Subscription
from ledger.contract.clauses.notices import FormalNotice
from ledger.contract.clauses.notification import ClientMail, Letter
from ledger.contract.clauses.suspension import Grounds, Suspension, Verification
from ledger.facts.accounts import AccountCorrected, AccountEmailChanged, AccountInformation, AccountOpened
from ledger.facts.agreements import ContractAccepted, VerificationClosed
from ledger.facts.endings import FormalNoticeSent, TerminationNotified
from ledger.facts.mail import MailReceived
from ledger.facts.recorded import Recorded
from ledger.facts.reservations import ReservationOrdered
from projections.days import last_day
from projections.notifications import ADDRESS_TYPES, NOTIFICATION_TYPES, Post
from projections.suspended import SUSPENSION_TYPES, SuspensionHistory

DOSSIER_TYPES = (
    ADDRESS_TYPES
    | NOTIFICATION_TYPES
    | SUSPENSION_TYPES
    | frozenset(
        {
            "account.validated",
            "account.bank_details_received",
            "account.deactivated",
            "contract.accepted",
            "order_form.accepted",
            "verification.requested",
            "verification.acknowledged",
            "verification.corrected",
            "verification.closed",
            "formal_notice.sent",
            "formal_notice.remedied",
            "termination.acknowledged",
            "mail.received",
            "abuse.found",
            "corruption.found",
            "reservation.ordered",
            "reservation.cancelled",
        }
    )
)
"""The types of fact that a dossier takes."""

_UNPROVEN = ("not_probative", "unanswered")
_IDENTIFICATION = ("name", "vat_number", "address", "phone")


@dataclass
class Dossier:
    """What an account's contract rests on, as facts come in."""

    post: Post = field(default_factory=Post)
    first: dict[str, Recorded] = field(default_factory=dict)
    last: dict[str, Recorded] = field(default_factory=dict)
    mails: dict[str, Recorded] = field(default_factory=dict)
    by_subject: dict[str, list[Recorded]] = field(default_factory=dict)
    suspended: SuspensionHistory = field(default_factory=SuspensionHistory)
    abuses: list[Recorded] = field(default_factory=list)
    corruption: list[Recorded] = field(default_factory=list)
    reserved: dict[str, tuple[Recorded, date]] = field(default_factory=dict)
    missing: tuple[str, ...] = ("email", *_IDENTIFICATION)
    known: set[str] = field(default_factory=set)
    informed: list[Recorded] = field(default_factory=list)
    completed: Recorded | None = None

    @classmethod
    def of(cls, facts: Iterable[Recorded]) -> Dossier:
        """The dossier of facts that are all of its types."""
        dossier = cls()
        for fact in facts:
            dossier.take(fact)
        return dossier

    def take(self, fact: Recorded) -> None:
        """Add a fact."""
        self.post.take(fact)
        self.first.setdefault(fact.type, fact)
        self.last[fact.type] = fact
        if isinstance(fact.data, MailReceived):
            self.mails[fact.subject] = fact
        elif isinstance(fact.data, AccountInformation):
            self._inform(fact, fact.data)
        elif isinstance(fact.data, AccountEmailChanged):
            self._inform(fact, AccountInformation(email=fact.data.email))
        elif fact.type in SUSPENSION_TYPES:
            self.suspended.take(fact)
        elif fact.type == "abuse.found":
            self.abuses.append(fact)
        elif fact.type == "corruption.found":
            self.corruption.append(fact)
        elif isinstance(fact.data, ReservationOrdered):
            self.reserved[fact.subject] = (fact, last_day(fact.data.to))
        elif fact.type == "reservation.cancelled":
            self.reserved.pop(fact.subject, None)
        elif fact.type.split(".")[0] in ("formal_notice", "termination", "verification"):
            self.by_subject.setdefault(fact.subject, []).append(fact)

    def _inform(self, fact: Recorded, data: AccountOpened | AccountCorrected | AccountInformation) -> None:
        had = set(self.known)
        self.known |= {"email"} if data.email else set()
        if data.identification is not None:
            told = data.identification
            self.known |= {name for name in _IDENTIFICATION if getattr(told, name) is not None}
        self.missing = tuple(name for name in ("email", *_IDENTIFICATION) if name not in self.known)
        self.informed.append(fact)
        if fact.type in ("account.corrected", "account.email_changed") and self.known != had:
            self.completed = fact

    def subscription(self) -> Subscription:
        """The steps towards the contract, the first of each kind."""
        accepted = self.first.get("contract.accepted")
        said = None
        if accepted is not None and isinstance(accepted.data, ContractAccepted):
            said = Acceptance(accepted, accepted.legal_time, accepted.data.route, accepted.data.terms)
        return Subscription(
            step(self.first.get("account.opened")),
            said,
            step(self.first.get("account.validated")),
            step(self.first.get("account.bank_details_received")),
            step(self.first.get("order_form.accepted")),
        )

    def information(self) -> Information:
        """What is missing or doubted of what the client told of itself."""
        bank = self.first.get("account.bank_details_received")
        verified = [
            fact
            for fact in (self.last.get("account.validated"), self.last.get("verification.closed"))
            if fact is not None
        ]
        return Information(
            self.missing if bank is not None else (*self.missing, "bank_details"),
            step(self.completed),
            step(max(verified, key=lambda fact: fact.legal_time, default=None)),
            (*self._open("verification", "closed"), *self._unproven()),
            (*self.informed, *(() if bank is None else (bank,))),
        )

    def _unproven(self) -> Iterable[Recorded]:
        """Procedures closed without verification, until OUTSCALE verifies or validates the account."""
        closed = [found for facts in self.by_subject.values() if (found := _closing(facts)) is not None]
        validated = self.last.get("account.validated")
        cleared = [fact.legal_time for fact, outcome in closed if outcome in (None, "verified")]
        cleared += [] if validated is None else [validated.legal_time]
        last = max(cleared, default=None)
        for fact, outcome in closed:
            if outcome in _UNPROVEN and (last is None or last < fact.legal_time):
                yield fact

    def relation(self) -> Relation:
        """Everything that the state of the contract rests on."""
        deactivated = self.first.get("account.deactivated")
        return Relation(
            self.subscription(),
            self.post.known_addresses(),
            tuple(self.notices()),
            tuple(self._terminations()),
            tuple(row.fact for row in self.suspensions() if row.lifted is None),
            self._open("verification", "closed"),
            None if deactivated is None else deactivated.legal_time,
            () if deactivated is None else (deactivated,),
            tuple((fact, fact.legal_time) for fact in self.corruption),
            tuple((fact, fact.legal_time) for fact in self.abuses),
            tuple(self.suspensions()),
            tuple((fact, last) for fact, last in self.reserved.values()),
            tuple(self.verifications()),
        )

    def _open(self, kind: str, ending: str) -> tuple[Recorded, ...]:
        """The facts that opened subjects of a kind which nothing has ended."""
        return tuple(
            facts[0]
            for facts in self.by_subject.values()
            if facts[0].type.startswith(f"{kind}.") and all(fact.type != f"{kind}.{ending}" for fact in facts)
        )

    def letter(self, mail: str | None) -> Letter:
        """What carried an act: the message that it names, if that is on record."""
        if mail is not None and mail in self.post.sent:
            return Letter(self.post.notification(self.post.sent[mail]))
        if mail is not None and mail in self.mails:
            return Letter(_of_client(self.mails[mail]))
        return Letter()

    def notices(self) -> Iterable[FormalNotice]:
        """The formal notices, with what carried and remedied them."""
        for facts in self.by_subject.values():
            sent = of_type(facts, "formal_notice.sent")
            if sent is None or not isinstance(sent.data, FormalNoticeSent):
                continue
            remedy = of_type(facts, "formal_notice.remedied")
            yield FormalNotice(
                sent,
                sent.legal_time,
                sent.data.by,
                self.letter(sent.mail),
                remedy,
                None if remedy is None else remedy.legal_time,
            )

    def suspensions(self) -> list[Suspension]:
        """The suspensions, in the order in which they were imposed."""
        return self.suspended.all()

    def verifications(self) -> Iterable[Verification]:
        """The verification procedures, from request to close."""
        for facts in self.by_subject.values():
            requested = of_type(facts, "verification.requested")
            if requested is None:
                continue
            answered, closed = of_type(facts, "verification.corrected"), _closing(facts)
            yield Verification(
                requested,
                requested.legal_time,
                self.letter(requested.mail),
                answered,
                None if answered is None else answered.legal_time,
                None if closed is None else closed[0],
                None if closed is None else closed[0].legal_time,
                None if closed is None else closed[1] not in _UNPROVEN,
            )

    def grounds(self) -> Grounds:
        """What suspensions may rest on."""
        abuses = tuple((fact, fact.legal_time) for fact in self.abuses)
        return Grounds(
            self.post.known_addresses(), tuple(self.notices()), tuple(self.verifications()), abuses
        )

    def _terminations(self) -> Iterable[Termination]:
        for facts in self.by_subject.values():
            told = of_type(facts, "termination.notified")
            if told is None or not isinstance(told.data, TerminationNotified):
                continue
            answer = of_type(facts, "termination.acknowledged")
            receipt = self._receipt(told)
            yield Termination(
                told,
                told.legal_time,
                told.data.by,
                told.data.ground,
                self.letter(told.mail),
                told.data.rests_on,
                tuple(told.data.contracts),
                answer,
                None if answer is None else answer.legal_time,
                receipt,
                None if receipt is None else receipt.legal_time,
            )

    def _receipt(self, termination: Recorded) -> Recorded | None:
        """The automatic acknowledgement of receipt of the mail that carried a termination (R17)."""
        about = {termination.subject, termination.mail}
        return next(
            (
                sent.fact
                for sent in self.post.sent.values()
                if sent.kind == "acknowledgement" and sent.about in about
            ),
            None,
        )


def _of_client(mail: Recorded) -> ClientMail:
    data = mail.data
    if not isinstance(data, MailReceived):
        return ClientMail(mail)
    return ClientMail(mail, tuple(data.senders or ()), tuple(data.mailboxes or ()))


def _closing(facts: list[Recorded]) -> tuple[Recorded, str | None] | None:
    """How a verification procedure was closed last, if it was."""
    for fact in reversed(facts):
        if isinstance(fact.data, VerificationClosed):
            return fact, fact.data.outcome
    return None


def step(fact: Recorded | None) -> Step | None:
    """A fact as a dated step."""
    return None if fact is None else Step(fact, fact.legal_time)


def of_type(facts: list[Recorded], kind: str) -> Recorded | None:
    """The first fact of a type."""
    return next((fact for fact in facts if fact.type == kind), None)
