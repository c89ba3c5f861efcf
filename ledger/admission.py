"""Facts on their way into the log: what a commit may admit, and what it refuses (``DESIGN.md`` §3)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import orjson

from ledger.errors import ConflictingFactError, Flaw
from ledger.facts.catalogue import COMMON, Opening, account_of
from ledger.facts.envelope import Draft
from ledger.log.merkle import leaf_hash
from ledger.store.sqlite import Leaf, Writing, seen_key


@dataclass(slots=True)
class NewFact:
    """A fact on its way into the log: final bytes and their hash, and where it will stand in its stream."""

    draft: Draft
    version: int
    key: int
    leaf: bytes
    hashed: bytes

    def as_leaf(self) -> Leaf:
        """What the log appends."""
        draft = self.draft
        return Leaf(draft.subject, self.version, draft.type.name, self.leaf, self.hashed, self.key)


@dataclass(slots=True)
class _Changes:
    """What one request would change, until its last fact has passed."""

    new: list[NewFact] = field(default_factory=list)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    attributed: dict[str, str] = field(default_factory=dict)


class Admission:
    """Requests as they are admitted into one commit, under the writer's lock.

    Each request is admitted whole or leaves no trace: what it would change is kept apart until its
    last fact has passed. What the log knows of the drafts to come is looked up at once (``expect``).
    """

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._admitted = _Changes()
        self._asked = _Changes()
        self._known: dict[int, list[int]] = {}
        self._versions: dict[str, int] = {}

    @property
    def new(self) -> list[NewFact]:
        """The facts that the commit adds, in order."""
        return self._admitted.new

    def expect(self, drafts: Collection[Draft]) -> None:
        """Look up what the log knows of drafts that are about to be admitted."""
        self._known |= self._writing.positions_of([seen_key(draft.id, draft.source) for draft in drafts])
        subjects = {draft.subject for draft in drafts}
        subjects |= {draft.account for draft in drafts}
        subjects |= {draft.mail for draft in drafts if draft.mail is not None}
        self._versions |= self._writing.versions_of(subjects - self._versions.keys())

    def admit(self, drafts: Sequence[Draft]) -> list[int]:
        """Admit a request; per fact its position if it is recorded already, else ``-1 - place`` in ``new``.

        Raises:
            ConflictingFactError: with every conflict of the request; nothing of it is admitted.
        """
        self._asked = _Changes()
        outcomes: list[int] = []
        flaws: list[Flaw] = []
        for draft in drafts:
            try:
                outcomes.append(self._outcome(draft))
            except ConflictingFactError as error:
                flaws += error.flaws
        if flaws:
            raise ConflictingFactError(*flaws)
        self._admitted.new += self._asked.new
        self._admitted.places |= self._asked.places
        self._admitted.versions |= self._asked.versions
        self._admitted.attributed |= self._asked.attributed
        return outcomes

    def _version(self, subject: str) -> int:
        for versions in (self._asked.versions, self._admitted.versions, self._versions):
            if subject in versions:
                return versions[subject]
        raise AssertionError(f"{subject} was not expected")

    def _place_of(self, key: tuple[str, str]) -> int | None:
        place = self._asked.places.get(key)
        return self._admitted.places.get(key) if place is None else place

    def _outcome(self, draft: Draft) -> int:
        names = (draft.id, draft.source)
        place = self._place_of(names)
        if place is not None:
            before = len(self._admitted.new)
            fact = self._admitted.new[place] if place < before else self._asked.new[place - before]
            self._same(draft, fact.leaf)
            return -1 - place
        key = seen_key(*names)
        for position in self._known.get(key, ()):
            leaf = self._writing.leaf(position)
            stored = orjson.loads(leaf)
            if (stored["id"], stored["source"]) == names:
                self._same(draft, leaf)
                return position
        self._check_subject(draft)
        self._check_mail(draft)
        return -1 - self._add(draft, key)

    def _add(self, draft: Draft, key: int) -> int:
        leaf = draft.leaf
        if leaf is None:
            leaf = draft.encoded(self._writing.vault.seal_of(draft.account))
        if draft.attachment is not None:
            sha256 = hashlib.sha256(draft.attachment).hexdigest()
            self._writing.vault.keep_mail(draft.account, sha256, draft.attachment)
        asked, subject = self._asked, draft.subject
        version = asked.versions[subject] = self._version(subject) + 1
        if draft.type.name == "mail.attributed":
            asked.attributed[subject] = draft.data["account"]
        place = len(self._admitted.new) + len(asked.new)
        asked.places[draft.id, draft.source] = place
        asked.new.append(NewFact(draft, version, key, leaf, leaf_hash(leaf)))
        return place

    def _same(self, draft: Draft, leaf: bytes) -> None:
        recorded = orjson.loads(leaf)
        del recorded["salt"]
        if recorded != draft.content(self._writing.vault.seal_of(draft.account)):
            message = f"id {draft.id} of source {draft.source} is recorded already, with other content"
            raise ConflictingFactError(Flaw(draft.id, "/id", "identity.conflict", message))

    def _check_subject(self, draft: Draft) -> None:
        exists = self._version(draft.subject) > 0
        opening = draft.type.opening
        if opening is Opening.OPENS and exists:
            message = f"{draft.type.name} opens a subject, and {draft.subject} exists already"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "subject.exists", message))
        if opening is Opening.CONTINUES and not exists:
            message = f"{draft.type.name} continues a subject, and {draft.subject} does not exist"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "subject.unknown", message))
        account = draft.account
        if account not in (COMMON, draft.subject) and self._version(account) == 0:
            message = f"the account {account} of {draft.subject} has not been opened"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "account.unknown", message))

    def _check_mail(self, draft: Draft) -> None:
        if draft.mail is None:
            return
        if self._version(draft.mail) == 0:
            message = f"the message {draft.mail} is not recorded: record it before what came by it"
            raise ConflictingFactError(Flaw(draft.id, "/mail", "mail.unknown", message))
        owner = account_of(draft.mail)
        if owner == COMMON:
            owner = (
                self._asked.attributed.get(draft.mail)
                or self._admitted.attributed.get(draft.mail)
                or self._attribution(draft.mail)
            )
        if owner != draft.account:
            whose = f"account {owner}" if owner else "no account yet (mail.attributed says whose it is)"
            message = f"the message {draft.mail} belongs to {whose}, not to {draft.account or 'none'}"
            raise ConflictingFactError(Flaw(draft.id, "/mail", "mail.other_account", message))

    def _attribution(self, mail: str) -> str:
        account = COMMON
        for _, _, leaf in self._writing.stream(mail):
            fields = orjson.loads(leaf)
            if fields["type"] == "mail.attributed":
                account = fields["data"]["account"]
        return account
