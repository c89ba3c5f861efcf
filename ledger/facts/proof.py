"""What the ledger writes of itself (art. 26; ``proof.md``): keys, tokens, cosignatures, erasure."""

from __future__ import annotations

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import FactModel, Instant, Name, Sha256


@fact("key.rotated", "keys", opening=Opening.EITHER, article="26", by_ledger=True)
class KeyRotated(FactModel):
    """The ledger signs with another key from here on (rotation de clé); C2SP vkey texts."""

    old: list[Name] | None = None
    new: list[Name]


@fact("token.received", "tokens", opening=Opening.EITHER, article="26", by_ledger=True)
class TokenReceived(FactModel):
    """An RFC 3161 time-stamp token over a checkpoint (jeton d'horodatage)."""

    authority: Name
    size: int
    checkpoint_sha256: Sha256
    token_sha256: Sha256
    time: Instant


@fact("witness.cosigned", "witnesses", opening=Opening.EITHER, article="26", by_ledger=True)
class WitnessCosigned(FactModel):
    """A witness cosigned a checkpoint (cosignature d'un témoin); C2SP tlog-cosignature."""

    witness: Name
    size: int
    checkpoint_sha256: Sha256
    time: Instant


@fact("person.erased", "A", opening=Opening.CONTINUES, article="14.2.2, 18.3", by_ledger=True)
class PersonErased(FactModel):
    """Personal values of one class were erased (effacement); arts. 14.2.2 and 18.3."""

    retention: Name
    values: int
