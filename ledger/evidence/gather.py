"""What belongs in an evidence package, gathered from a ledger: facts, what dates them, and what they rest on.

Of a subject these are its facts, or of an account those of all its subjects; the facts that its conclusions
cite; the mails that date them; the stamps of all of these, with their messages; and the checkpoints and
tokens that vouch for them. What is left out is listed with its reason (``proof.md``, Evidence package).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Protocol

import orjson
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from ledger.clock.message import checkpoint_in, read_stored
from ledger.contract.basis import basis
from ledger.errors import NotRecordedError, ProofError
from ledger.evidence.package import Content, Disclosed, Omission, StoredToken
from ledger.evidence.report import LANGUAGES, Told, pdf, text
from ledger.facts.catalogue import TYPES, account_of
from ledger.facts.personal import values_at
from ledger.facts.shape import Retention
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint
from ledger.log.merkle import HASH_BYTES, leaf_hash
from ledger.log.notes import VerifierKey, decode_base64
from ledger.log.proofs import ConsistencyProof, InclusionProof
from ledger.log.tiles import MOST_LEVELS, TILE_HEIGHT, TILE_WIDTH, width_at
from ledger.log.tokens import verify_token
from ledger.store import Record
from ledger.store.commits import Commit

PROVED_ONE_BY_ONE = 10_000
"""Up to so many leaves each have a file and a proof of their own; more go in bundles, proved by tiles."""
TOLD_AT_MOST = 1_000
"""Up to so many leaves the report is also made as PDF."""
MOST_CARRIED = 200
"""Up to so many of the checkpoints that the messages carry are shown to be of this log."""

Extent = Literal["none", "billing", "all"]

_MESSAGES = frozenset({"mail.received", "notification.sent"})
_NOT_DISCLOSED = "not disclosed by the exporter"


class StampingMessages(Protocol):
    """The journal of the mail server."""

    def find(self, queue_id: str) -> bytes | None:
        """The message that the server queued under this id, with CRLF line ends, or ``None``."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Which personal values the exporter discloses.

    ``what`` is ``none``, ``billing`` (values of that retention class) or ``all`` (mails in full too);
    ``fields`` are JSON pointers into leaves, such as ``/data/email``, disclosed besides.
    """

    what: Extent = "none"
    fields: frozenset[str] = frozenset()

    def allows(self, retention: Retention, pointer: str) -> bool:
        """Whether a value of this class at this place is disclosed."""
        return self.what == "all" or (self.what == "billing" == retention) or pointer in self.fields


@dataclass(frozen=True, slots=True)
class Request:
    """What a package is asked for; ``conclusions`` are the JSON of an explanation, ``as_of`` RFC 3339."""

    subject: str
    as_of: str
    conclusions: Mapping[str, Any]
    disclosure: Disclosure = Disclosure()
    journal: StampingMessages | None = None
    roots: Sequence[Certificate] = ()
    """Of the authorities whose tokens are included."""


def gather(record: Record, request: Request) -> Content:
    """Everything that a package about a subject holds.

    Raises:
        NotRecordedError: there is no such subject, or no checkpoint was signed yet.
    """
    head = record.signed()
    if head is None:
        raise NotRecordedError("no checkpoint of this ledger was signed yet: nothing can be proved")
    own = _own_positions(record, request.subject)
    if not own:
        raise NotRecordedError(f"there is no subject {request.subject!r} in the record")
    return _Gathering(record, request, head, own).content()


def _own_positions(record: Record, subject: str) -> list[int]:
    if account_of(subject) == subject:
        return record.positions_of(subject)
    return [fact.position for fact in record.history(subject)]


@dataclass(slots=True)
class _Gathering:
    """One package in the making."""

    record: Record
    request: Request
    head: SignedCheckpoint
    own: list[int]
    leaves: dict[int, bytes] = field(default_factory=dict)
    commits: dict[int, Commit] = field(default_factory=dict)
    omissions: list[Omission] = field(default_factory=list)

    def content(self) -> Content:
        self._take_leaves()
        parsed = {position: orjson.loads(leaf) for position, leaf in self.leaves.items()}
        messages = dict(self._messages(parsed))
        tokens = list(self._tokens(parsed))
        checkpoints = self._checkpoints(tokens, messages)
        disclosed, mails = list(self._disclosed(parsed)), dict(self._mails(parsed))
        many = len(self.leaves) > PROVED_ONE_BY_ONE
        keys = self._keys(parsed, (*checkpoints, self.head))
        reports = self._reports(disclosed, keys)
        return Content(
            subject=self.request.subject,
            as_of=self.request.as_of,
            covers=self.own,
            head=self.head,
            keys=keys,
            leaves=self.leaves,
            conclusions={**self.request.conclusions, "basis": basis()},
            proofs={} if many else dict(self._proofs()),
            tiles=dict(self._tiles()) if many else None,
            checkpoints=checkpoints,
            consistency=list(self._consistency(checkpoints)),
            commits=dict(self._other_hashes()),
            messages=messages,
            mails=mails,
            tokens=tokens,
            disclosed=disclosed,
            omissions=self.omissions,
            reports=reports,
        )

    @property
    def _size(self) -> int:
        return self.head.checkpoint.size

    def _omit(self, what: str, which: object, why: str) -> None:
        self.omissions.append(Omission(what, str(which), why))

    # Leaves

    def _take_leaves(self) -> None:
        cited = {
            reason["position"] for row in self.request.conclusions["conclusions"] for reason in row["because"]
        }
        always = [*self.record.history("keys"), *self.record.history("basis")]
        wanted = {*self.own, *cited, *(fact.position for fact in always)}
        wanted |= {row for row in self._vouching() if row < self._size}
        wanted |= set(self._dating(wanted))
        for position in sorted(wanted):
            if position >= self._size:
                self._omit("leaf", position, "recorded after the newest checkpoint that was signed")
        positions = sorted(position for position in wanted if position < self._size)
        for commit in self._commits_of(positions):
            self.commits[commit.position] = commit
        self._read(sorted({*positions, *self.commits}))

    def _vouching(self) -> Iterator[int]:
        """The facts of the tokens that bound the facts of the subject from above."""
        facts = [fact for fact in self.record.history("tokens") if fact.position < self._size]
        wanted = self._bounding(fact.fields["data"]["size"] for fact in facts)
        yield from (fact.position for fact in facts if fact.fields["data"]["size"] in wanted)

    def _bounding(self, sizes: Iterable[int]) -> set[int]:
        """Of these sizes the first above each own fact, and the newest."""
        rising = sorted(set(sizes))
        places = {bisect_right(rising, position) for position in self.own}
        return {rising[place] for place in places if place < len(rising)} | set(rising[-1:])

    def _dating(self, positions: Iterable[int]) -> Iterator[int]:
        """The messages whose stamp is the legal time of these facts."""
        for fact in self.record.each_at(sorted(positions)):
            if fact.mail is not None:
                yield self.record.history(fact.mail)[0].position

    def _commits_of(self, positions: Sequence[int]) -> Iterator[Commit]:
        commit: Commit | None = None
        for position in positions:
            if commit is None or position >= commit.size:
                commit = self.record.commit_of(position)
                yield commit

    def _read(self, positions: Sequence[int]) -> None:
        at = 0
        while at < len(positions):
            start = positions[at]
            rows = self.record.scan(start, TILE_WIDTH)
            there = {position: bytes(leaf) for position, _, _, _, leaf in rows}
            while at < len(positions) and positions[at] in there:
                self.leaves[positions[at]] = there[positions[at]]
                at += 1

    def _other_hashes(self) -> Iterator[tuple[int, list[bytes]]]:
        """The leaf hashes of commits whose facts are not all in the package."""
        for position, commit in self.commits.items():
            facts = range(position + 1, commit.size)
            if not all(at in self.leaves for at in facts):
                yield position, [self._hash_at(at) for at in facts]

    def _hash_at(self, position: int) -> bytes:
        if position in self.leaves:
            return leaf_hash(self.leaves[position])
        number, place = divmod(position, TILE_WIDTH)
        return self.record.tile(0, number)[place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def _proofs(self) -> Iterator[tuple[int, InclusionProof]]:
        tree = self.record.tree()
        for position in self.leaves:
            hashes = tuple(tree.inclusion(position, self._size))
            yield position, InclusionProof(position, hashes, self.head)

    def _tiles(self) -> Iterator[tuple[tuple[int, int], bytes]]:
        """The tiles that the leaves lie under, and those at the right edge."""
        wanted: set[tuple[int, int]] = set()
        for level in range(MOST_LEVELS):
            shift = TILE_HEIGHT * (level + 1)
            wanted |= {(level, position >> shift) for position in self.leaves}
            wanted.add((level, self._size >> shift))
        for level, number in sorted(wanted):
            width = width_at(self._size, level, number)
            if width:
                yield (level, number), self.record.tile(level, number)[: width * HASH_BYTES]

    # Checkpoints, messages and tokens

    def _messages(self, parsed: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[int, bytes]]:
        for position in self.commits:
            data = parsed[position]["data"]
            if data["server"].partition(":")[0] == "simulated":
                self._omit("message", position, "a simulated clock sends no message")
                continue
            found = self.request.journal.find(data["queue_id"]) if self.request.journal else None
            if found is None:
                why = "not in the journal" if self.request.journal else "the journal was not at hand"
                self._omit("message", position, why)
            else:
                yield position, found

    def _checkpoints(
        self, tokens: Sequence[StoredToken], messages: Mapping[int, bytes]
    ) -> list[SignedCheckpoint]:
        """Those that tokens, cosignatures and messages are about, by size, without the head."""
        kept = {
            size: signed for size, signed in self.record.checkpoints() if isinstance(signed, SignedCheckpoint)
        }
        wanted = {token.size for token in tokens} | self._bounding(kept)
        found = {size: kept[size] for size in wanted if size < self._size}
        for size, signed in self._carried(messages):
            if size in found or size >= self._size:
                continue
            if len(found) < MOST_CARRIED:
                found[size] = kept.get(size, signed)
            else:
                self._omit("checkpoint", size, f"more than {MOST_CARRIED} messages carry one")
        return [found[size] for size in sorted(found)]

    def _carried(self, messages: Mapping[int, bytes]) -> Iterator[tuple[int, SignedCheckpoint]]:
        for message in messages.values():
            raw = checkpoint_in(read_stored(message).sent)
            if raw is not None:
                signed = SignedCheckpoint.parse(raw)
                yield signed.checkpoint.size, signed

    def _consistency(self, checkpoints: Sequence[SignedCheckpoint]) -> Iterator[ConsistencyProof]:
        tree = self.record.tree()
        for old, new in pairwise((*checkpoints, self.head)):
            hashes = tree.consistency(old.checkpoint.size, new.checkpoint.size)
            yield ConsistencyProof(old.checkpoint.size, tuple(hashes), new)

    def _tokens(self, parsed: Mapping[int, Mapping[str, Any]]) -> Iterator[StoredToken]:
        roots = b"".join(root.public_bytes(Encoding.PEM) for root in self.request.roots)
        there = 0
        for position, leaf in parsed.items():
            if leaf["type"] != "token.received":
                continue
            data = leaf["data"]
            checkpoint = Checkpoint(self.head.checkpoint.origin, data["size"], bytes.fromhex(data["root"]))
            der = decode_base64(data["token"], "the token")
            try:
                token = verify_token(der, checkpoint.text.encode(), self.request.roots)
            except ProofError as error:
                self._omit("token", position, str(error) if roots else "no root of its authority was at hand")
            else:
                there += 1
                yield StoredToken(data["size"], der, token.certificates_pem + roots)
        if not there:
            self._omit(
                "token", "-", "no authority timestamped a checkpoint that this rests on, or none is known"
            )

    def _keys(
        self, parsed: Mapping[int, Mapping[str, Any]], checkpoints: Sequence[SignedCheckpoint]
    ) -> list[VerifierKey]:
        """The log's keys of all times, and the witnesses' whose signatures are there."""
        texts = [
            text for leaf in parsed.values() if leaf["type"] == "key.rotated" for text in leaf["data"]["keys"]
        ]
        keys = [VerifierKey.parse(text) for text in texts]
        bearers = {(line.name, line.key_id) for signed in checkpoints for line in signed.note.signatures}
        witnesses = self.record.history("witnesses")
        keys += [VerifierKey.parse(fact.fields["data"]["witness"]) for fact in witnesses]
        origin = self.head.checkpoint.origin
        found = [key for key in keys if key.name == origin or (key.name, key.key_id) in bearers]
        if all(key.name == origin for key in found):
            self._omit("cosignature", "-", "no witness cosigned a checkpoint that this rests on")
        return list(dict.fromkeys(found))

    # Personal values

    def _disclosed(self, parsed: Mapping[int, Mapping[str, Any]]) -> Iterator[Disclosed]:
        allowed: dict[str, str] = {}
        refused: dict[str, str] = {}
        for position, leaf in parsed.items():
            for path, mark in TYPES[leaf["type"]].personal.items():
                for inner, commitment in values_at(leaf["data"], path):
                    pointer = f"/data{inner}"
                    where = f"class {mark.retention}, leaf {position} {pointer}"
                    allows = self.request.disclosure.allows(mark.retention, pointer)
                    (allowed if allows else refused).setdefault(commitment, where)
        opened = self.record.disclose(allowed)
        for commitment, where in sorted(allowed.items()):
            if commitment in opened:
                opening, value = opened[commitment]
                yield Disclosed(commitment, opening, value)
            else:
                self._omit("value", commitment, f"erased: the vault no longer has it ({where})")
        for commitment, where in sorted(refused.items()):
            if commitment not in allowed:
                self._omit("value", commitment, f"{_NOT_DISCLOSED} ({where})")

    def _mails(self, parsed: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
        for position, leaf in parsed.items():
            sha256 = leaf["data"].get("message_sha256")
            if leaf["type"] not in _MESSAGES or sha256 is None:
                continue
            raw = self.record.message(sha256)
            if self.request.disclosure.what != "all":
                self._omit("mail", sha256, f"{_NOT_DISCLOSED} (leaf {position})")
            elif raw is None:
                self._omit("mail", sha256, f"erased, or never kept (leaf {position})")
            else:
                yield sha256, raw

    # The report for people

    def _reports(
        self, disclosed: Sequence[Disclosed], keys: Sequence[VerifierKey]
    ) -> list[tuple[str, bytes]]:
        if len(self.leaves) > TOLD_AT_MOST:
            self._omit("report", "pdf", f"more than {TOLD_AT_MOST} leaves: the report is text only")
        checkpoint = self.head.checkpoint
        told = Told(
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            keys=[key.text for key in keys],
            subject=self.request.subject,
            as_of=self.request.as_of,
            date=self.request.as_of[:10],
            leaves=sorted(self.leaves.items()),
            disclosed={row.commitment: row.value for row in disclosed},
            conclusions=[_quoting(row) for row in self.request.conclusions["conclusions"]],
            omissions=[f"{row.what} {row.which}: {row.why}" for row in sorted(set(self.omissions))],
        )
        made = [(f"report.{language}.txt", text(language, told).encode()) for language in LANGUAGES]
        if len(self.leaves) <= TOLD_AT_MOST:
            made += [(f"report.{language}.pdf", pdf(language, told)) for language in LANGUAGES]
        return made


def _quoting(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "quotation": " […] ".join(row.get("quotations", ()))}
