"""Whose cosignatures make a checkpoint good enough (C2SP tlog-policy).

A policy is a text: ``log VKEY [URL]``, ``witness NAME VKEY [URL]``, ``group NAME all|any|K MEMBER …``,
``quorum NAME|none``, one a line. Two of three witnesses:

    witness client     VKEY https://witness.client.example
    witness auditor    VKEY https://witness.auditor.example
    witness university VKEY https://witness.university.example
    group two-of-three 2 client auditor university
    quorum two-of-three

A witness with two keys has two witness lines and an ``any`` group over them, so that it counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.errors import ProofError, WrongCallError
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint, time_of, verify
from ledger.log.notes import COSIGNATURE, ED25519, ML_DSA_44, Signature, VerifierKey, decode_count

NOBODY = "none"


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A ``witness`` line: the name used in this policy, the key, and where checkpoints are submitted."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A ``group`` line: it cosigned when at least ``threshold`` of its members did."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it was read; ``quorum`` is ``None`` when no cosignature is asked for."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[WitnessKey, ...]
    groups: tuple[Group, ...]
    quorum: str | None

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read a policy.

        Raises:
            WrongCallError: it is none, or one witness could count twice in it; the message names the line.
        """
        reading = _Reading()
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                reading.take(line.replace("\t", " ").strip(" "))
            except ProofError as error:
                raise WrongCallError(f"line {number} of the witness policy: {error}") from error
        if not reading.quorums:
            raise WrongCallError("the witness policy has no quorum line")
        reading.check_that_each_counts_once()
        quorum = reading.quorums[0]
        return cls(
            tuple(reading.logs),
            tuple(reading.witnesses.values()),
            tuple(reading.groups.values()),
            None if quorum == NOBODY else quorum,
        )

    def is_met(self, signed: SignedCheckpoint) -> bool:
        """Whether a log of the policy signed a checkpoint, if it names any, and enough witnesses cosigned it.

        A cosignature without a time does not count: it does not say that the tree was the largest one.

        Raises:
            ProofError: a signature that says to be of a key of this policy is not.
        """
        lines, checkpoint = signed.note.signatures, signed.checkpoint
        logs = [key for key in self.logs if key.name == checkpoint.origin]
        by_log = [key for key in logs if _is_signed(checkpoint, lines, key)]
        if self.logs and not by_log:
            return False
        cosigned = {
            witness.name: any(time_of(line, witness.key) for line in lines if line.is_by(witness.key))
            for witness in self.witnesses
            if _is_signed(checkpoint, lines, witness.key)
        }
        for group in self.groups:
            present = sum(cosigned.get(member, False) for member in group.members)
            cosigned[group.name] = present >= group.threshold
        return self.quorum is None or cosigned.get(self.quorum, False)


def _is_signed(checkpoint: Checkpoint, lines: Sequence[Signature], key: VerifierKey) -> bool:
    ours = [line for line in lines if line.is_by(key)]
    for line in ours:
        verify(checkpoint, line, key)
    return bool(ours)


@dataclass
class _Reading:
    """What was read of a policy so far."""

    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: dict[str, WitnessKey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorums: list[str] = field(default_factory=list)
    group_of: dict[str, Group] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Read one line.

        Raises:
            ProofError: it is not one of a policy, or does not fit those before.
        """
        if not line or line.startswith("#"):
            return
        if any(letter < " " for letter in line):
            raise ProofError("it holds a control character")
        keyword, *words = (word for word in line.split(" ") if word)
        kinds: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        if keyword not in kinds:
            raise ProofError(f"it begins with {keyword[:40]!r}, not with log, witness, group or quorum")
        kinds[keyword](words)

    def check_that_each_counts_once(self) -> None:
        """See that several keys of one witness are alternatives: in one group of which any member suffices.

        Raises:
            WrongCallError: they are not.
        """
        names: dict[str, list[str]] = {}
        for witness in self.witnesses.values():
            names.setdefault(witness.key.name, []).append(witness.name)
        for owner, theirs in names.items():
            groups = [self.group_of.get(name) for name in theirs]
            alone = groups[0] is None or groups[0].threshold == 1
            if len(theirs) > 1 and not (alone and all(group == groups[0] for group in groups)):
                raise WrongCallError(
                    f"{owner} would count more than once: put {' and '.join(theirs)} in a group of their own,"
                    f" group NAME any {' '.join(theirs)}"
                )

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise ProofError("it is not: log VKEY [URL]")
        self.logs.append(self._new_key(words[0], (ED25519, ML_DSA_44), self.logs))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise ProofError("it is not: witness NAME VKEY [URL]")
        name = self._new_name(words[0])
        known = [witness.key for witness in self.witnesses.values()]
        key = self._new_key(words[1], (COSIGNATURE, ML_DSA_44), known)
        self.witnesses[name] = WitnessKey(name, key, words[2] if words[2:] else None)

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:  # noqa: PLR2004 - a name, a threshold, and a member
            raise ProofError("it is not: group NAME all|any|K MEMBER …")
        name, asked, *members = words
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise ProofError(f"{member!r} is not defined before it")
            if member in self.group_of or members.count(member) > 1:
                raise ProofError(f"{member!r} is a member twice")
        many = {"any": 1, "all": len(members)}
        threshold = many[asked] if asked in many else decode_count(asked, "the threshold")
        if not 1 <= threshold <= len(members):
            raise ProofError(f"{threshold} of {len(members)} members is no threshold")
        group = Group(self._new_name(name), threshold, tuple(members))
        self.groups[name] = group
        self.group_of.update(dict.fromkeys(members, group))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1 or self.quorums:
            raise ProofError("there is one quorum line: quorum NAME")
        if words[0] != NOBODY and words[0] not in self.witnesses and words[0] not in self.groups:
            raise ProofError(f"{words[0]!r} is not defined before it")
        self.quorums.append(words[0])

    def _new_name(self, name: str) -> str:
        if name == NOBODY or name in self.witnesses or name in self.groups:
            raise ProofError(f"the name {name!r} is taken")
        return name

    @staticmethod
    def _new_key(text: str, kinds: Sequence[int], known: Sequence[VerifierKey]) -> VerifierKey:
        key = VerifierKey.parse(text)
        if key.kind not in kinds:
            raise ProofError(f"the key of {key.name} is of a kind that is not for this use")
        if any(key.material == other.material for other in known):
            raise ProofError(f"the key of {key.name} is given twice")
        return key
