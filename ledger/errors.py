"""Everything that Greffe refuses, with one root.

Each error names what is wrong (the fact, the field, the rule) and what to do; none of them leaves
anything half-written. HTTP status codes belong to the edge (``api``), exit codes to the command.
"""

from __future__ import annotations

from dataclasses import dataclass


class GreffeError(Exception):
    """The root of every error that Greffe raises on purpose."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with one fact.

    ``fact`` is the fact's id when it has one, else its place in the request (``#0``, ``#1``, …);
    ``field`` is a JSON pointer (RFC 6901) into the fact; ``rule`` is a short stable name such as
    ``shape.decimal`` or ``subject.unknown``; ``message`` says it in a sentence.
    """

    fact: str
    field: str
    rule: str
    message: str

    def __str__(self) -> str:
        """The flaw on one line."""
        where = f" {self.field}" if self.field else ""
        return f"fact {self.fact}{where}: {self.message} [{self.rule}]"


class FlawedFactsError(GreffeError):
    """A request that was refused as a whole; ``flaws`` lists every reason found."""

    def __init__(self, *flaws: Flaw) -> None:
        self.flaws = flaws
        super().__init__("; ".join(str(flaw) for flaw in flaws))


class MalformedFactError(FlawedFactsError):
    """The bytes, the envelope or the data of a fact break a rule of shape."""


class ConflictingFactError(FlawedFactsError):
    """A well-formed fact contradicts the record.

    Its id and source are taken by other content, its subject already exists (or does not), or the
    mail that it names is not of its account.
    """


class ClockUnavailableError(GreffeError):
    """The mail server gave no stamp, so nothing was recorded: repeat the same call later."""

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class WrongLedgerError(GreffeError):
    """The database is not the ledger that the caller took it for (other format, other clock, in use)."""


class StoreUnavailableError(GreffeError):
    """The database server does not answer, or takes no writes: repeat the same call later.

    Whether a call was recorded whose answer was lost, only its repetition tells: it finds its own ids.
    """

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class NotRecordedError(GreffeError):
    """Nothing of that name (account, subject, projection, position) is in the record."""


class WrongCallError(GreffeError):
    """The call itself is wrong: an unknown option, an instant without an offset, a reading that is not."""


class ClauseError(GreffeError):
    """The contract gives no answer, or two: no clause applies, or two clauses conflict."""


class ProofError(GreffeError):
    """A checkpoint, a proof, a signature or a token is not what it says to be, or proves nothing."""


class NotCosignedError(GreffeError):
    """A witness could not be reached, or did not cosign: the checkpoint stands without its signature."""
