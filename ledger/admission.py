"""Facts on their way into the log: what a commit may admit, and what it refuses (``DESIGN.md`` §3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from eventsourcing.persistence import StoredEvent

from ledger.errors import ConflictingFactError, Flaw
from ledger.facts.catalogue import COMMON, Opening, account_of
from ledger.facts.envelope import Draft, encode, new_salt
from ledger.store.sqlite import Writing


@dataclass(slots=True)
class NewFact:
    """A fact on its way into the log: final bytes, and where it will stand in its subject's stream."""

    draft: Draft
    version: int
    content: dict[str, Any]
    leaf: bytes

    def event(self) -> StoredEvent:
        """The library's event of it."""
        return StoredEvent(self.draft.subject, self.version, self.draft.type.name, self.leaf)


class Admission:
    """Requests as they are admitted into one commit, under the writer's lock.

    Each request is admitted whole or leaves no trace: what it would change is kept apart until its
    last fact has passed.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self.new: list[NewFact] = []
        self._places: dict[tuple[str, str], int] = {}
        self._versions: dict[str, int] = {}
        self._attributed: dict[str, str] = {}

    def admit(self, drafts: Sequence[Draft]) -> list[int]:
        """Admit a request; per fact its position if it is recorded already, else ``-1 - place`` in ``new``.

        Raises:
            ConflictingFactError: with every conflict of the request; nothing of it is admitted.
        """
        marks = len(self.new), dict(self._versions_of(drafts)), dict(self._attributed)
        outcomes: list[int] = []
        flaws: list[Flaw] = []
        added: list[tuple[str, str]] = []
        for draft in drafts:
            try:
                outcomes.append(self._outcome(draft, added))
            except ConflictingFactError as error:
                flaws += error.flaws
        if flaws:
            del self.new[marks[0] :]
            self._versions.update(marks[1])
            self._attributed = marks[2]
            for key in added:
                del self._places[key]
            raise ConflictingFactError(*flaws)
        return outcomes

    def _versions_of(self, drafts: Sequence[Draft]) -> dict[str, int]:
        return {draft.subject: self._version(draft.subject) for draft in drafts}

    def _version(self, subject: str) -> int:
        version = self._versions.get(subject)
        if version is None:
            version = self._versions[subject] = self._writing.version_of(subject)
        return version

    def _outcome(self, draft: Draft, added: list[tuple[str, str]]) -> int:
        key = (draft.id, draft.source)
        content = draft.content(self._writing.vault.seal_of(draft.account))
        place = self._places.get(key)
        if place is not None:
            self._same(draft, self.new[place].content, content)
            return -1 - place
        for position in self._writing.positions_of(*key):
            stored: dict[str, Any] = orjson.loads(self._writing.leaf(position))
            if (stored["id"], stored["source"]) == key:
                del stored["salt"]
                self._same(draft, stored, content)
                return position
        self._check_subject(draft)
        self._check_mail(draft)
        version = self._version(draft.subject) + 1
        leaf = encode({**content, "salt": new_salt()})
        if draft.attachment is not None:
            sha256 = hashlib.sha256(draft.attachment).hexdigest()
            self._writing.vault.keep_mail(draft.account, sha256, draft.attachment)
        self._versions[draft.subject] = version
        if draft.type.name == "mail.attributed":
            self._attributed[draft.subject] = draft.data["account"]
        self._places[key] = len(self.new)
        added.append(key)
        self.new.append(NewFact(draft, version, content, leaf))
        return -len(self.new)

    @staticmethod
    def _same(draft: Draft, recorded: dict[str, Any], content: dict[str, Any]) -> None:
        if recorded != content:
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
            owner = self._attributed.get(draft.mail) or self._attribution(draft.mail)
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
