"""Facts on their way into the log: what a commit may admit, and what it refuses (``DESIGN.md`` §3)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import orjson

from ledger.errors import ConflictingFactError, Flaw
from ledger.facts.catalogue import COMMON, Opening, account_of
from ledger.facts.envelope import Draft
from ledger.log.merkle import leaf_hash
from ledger.store.writing import Leaf, Writing

_ATTRIBUTED = "mail.attributed"


class Admission:
    """Requests as they are admitted into one commit, under the writer's lock.

    Each request is admitted whole or leaves no trace. What the log knows of the drafts to come is looked
    up at once (``expect``).
    """

    def __init__(self, writing: Writing) -> None:
        self.new: list[Leaf] = []
        self._writing = writing
        self._recorded: dict[int, list[int]] = {}
        self._versions: dict[str, int] = {}
        self._places: dict[tuple[str, str], int] = {}
        self._attributed: dict[str, str] = {}

    def expect(self, drafts: Collection[Draft]) -> None:
        """Look up what the log knows of drafts that are about to be admitted."""
        self._recorded |= self._writing.positions_of([draft.key for draft in drafts])
        subjects = {draft.subject for draft in drafts}
        subjects |= {draft.account for draft in drafts}
        subjects |= {draft.mail for draft in drafts if draft.mail is not None}
        self._versions |= self._writing.versions_of(subjects - self._versions.keys())

    def admit(self, drafts: Sequence[Draft]) -> list[int]:
        """Admit a request; per fact its position if it is recorded already, else ``-1 - place`` in ``new``.

        Raises:
            ConflictingFactError: with every conflict of the request; nothing of it is admitted.
        """
        before = len(self.new)
        outcomes: list[int] = []
        flaws: list[Flaw] = []
        for draft in drafts:
            try:
                outcomes.append(self._outcome(draft))
            except ConflictingFactError as error:
                flaws += error.flaws
        if flaws:
            self._forget(before)
            raise ConflictingFactError(*flaws)
        return outcomes

    def _forget(self, before: int) -> None:
        """Take back what the refused request added."""
        for leaf in reversed(self.new[before:]):
            self._versions[leaf.subject] = leaf.version - 1
        self._places = {names: place for names, place in self._places.items() if place < before}
        self._attributed = {}
        del self.new[before:]
        for leaf in self.new:
            self._note_attribution(leaf.topic, leaf.subject, leaf.state)

    def _outcome(self, draft: Draft) -> int:
        names = (draft.id, draft.source)
        place = self._places.get(names)
        if place is not None:
            self._same(draft, self.new[place].state)
            return -1 - place
        for position in self._recorded.get(draft.key, ()):
            leaf = self._writing.leaf(position)
            stored = orjson.loads(leaf)
            if (stored["id"], stored["source"]) == names:
                self._same(draft, leaf)
                return position
        subject = draft.subject
        version = self._versions[subject]
        self._check_subject(draft, version)
        if draft.mail is not None:
            self._check_mail(draft, draft.mail)
        state = draft.leaf
        if state is None:
            state = draft.encoded(self._writing.vault.seal_of(draft.account))
        if draft.attachment is not None:
            sha256 = hashlib.sha256(draft.attachment).hexdigest()
            self._writing.vault.keep_mail(draft.account, sha256, draft.attachment)
        self._note_attribution(draft.type.name, subject, state)
        self._versions[subject] = version + 1
        self._places[names] = len(self.new)
        self.new.append(
            Leaf(subject, version + 1, draft.type.name, state, draft.hashed or leaf_hash(state), draft.key)
        )
        return -len(self.new)

    def _note_attribution(self, topic: str, subject: str, state: bytes) -> None:
        if topic == _ATTRIBUTED:
            self._attributed[subject] = orjson.loads(state)["data"]["account"]

    def _same(self, draft: Draft, leaf: bytes) -> None:
        recorded = orjson.loads(leaf)
        del recorded["salt"]
        if recorded != draft.content(self._writing.vault.seal_of(draft.account)):
            message = f"id {draft.id} of source {draft.source} is recorded already, with other content"
            raise ConflictingFactError(Flaw(draft.id, "/id", "identity.conflict", message))

    def _check_subject(self, draft: Draft, version: int) -> None:
        opening = draft.type.opening
        if opening is Opening.OPENS and version:
            message = f"{draft.type.name} opens a subject, and {draft.subject} exists already"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "subject.exists", message))
        if opening is Opening.CONTINUES and not version:
            message = f"{draft.type.name} continues a subject, and {draft.subject} does not exist"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "subject.unknown", message))
        account = draft.account
        if account not in (COMMON, draft.subject) and not self._versions[account]:
            message = f"the account {account} of {draft.subject} has not been opened"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "account.unknown", message))

    def _check_mail(self, draft: Draft, mail: str) -> None:
        if not self._versions[mail]:
            message = f"the message {mail} is not recorded: record it before what came by it"
            raise ConflictingFactError(Flaw(draft.id, "/mail", "mail.unknown", message))
        owner = account_of(mail)
        if owner == COMMON:
            owner = self._attributed.get(mail) or self._attribution(mail)
        if owner != draft.account:
            whose = f"account {owner}" if owner else "no account yet (mail.attributed says whose it is)"
            message = f"the message {mail} belongs to {whose}, not to {draft.account or 'none'}"
            raise ConflictingFactError(Flaw(draft.id, "/mail", "mail.other_account", message))

    def _attribution(self, mail: str) -> str:
        account = COMMON
        for _, _, leaf in self._writing.stream(mail):
            fields = orjson.loads(leaf)
            if fields["type"] == _ATTRIBUTED:
                account = fields["data"]["account"]
        return account
