"""What the ledger itself writes about its keys, tokens and witnesses (convention de preuve; art. 26).

A producer may not write these types. The stamp of a commit is in ``mail``.
"""

from __future__ import annotations

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import (
    Base64,
    FactModel,
    Instant,
    Name,
    Retention,
    Sha256,
    Subject,
    VerifierKey,
    Whole,
)


@fact("key.rotated", "keys", opening=Opening.EITHER, article="26", by_ledger=True)
class KeyRotated(FactModel):
    """The ledger signs with other keys from now on (renouvellement des clés de signature); art. 26.

    Keys are C2SP verifier keys; ``retired`` is empty when the first keys are made.
    """

    keys: list[VerifierKey] = Field(min_length=1)
    retired: list[VerifierKey] = Field(default=[])


@fact("basis.recorded", "basis", opening=Opening.EITHER, article="26", by_ledger=True)
class BasisRecorded(FactModel):
    """What the ledger concludes from beside facts, from now on (textes et taux applicables); art. 26.

    ``digests`` are the SHA-256 of the texts of the terms, their parameters, rates, readings, and of the
    clock changes of Paris; a change of any of them is a new fact of this type.
    """

    digests: dict[Name, Sha256]
    program: Name | None = None


class Checkpoint(FactModel):
    """The tree that an outside party vouched for: its size in leaves and its root (hexadecimal)."""

    size: Whole
    root: Sha256


@fact("token.received", "tokens", opening=Opening.EITHER, article="26", by_ledger=True)
class TokenReceived(Checkpoint):
    """An authority timestamped a checkpoint (jeton d'horodatage, RFC 3161); art. 26.

    ``imprint`` is the SHA-256 of the checkpoint's signed text, ``token`` the DER response.
    """

    authority: Name
    imprint: Sha256
    time: Instant
    token: Base64


@fact("witness.cosigned", "witnesses", opening=Opening.EITHER, article="26", by_ledger=True)
class WitnessCosigned(Checkpoint):
    """A witness cosigned a checkpoint (contresignature d'un témoin); art. 26.

    ``signature`` is the base64 of the C2SP signature line.
    """

    witness: VerifierKey
    signature: Base64
    time: Instant | None = None


@fact("person.erased", "A", opening=Opening.CONTINUES, article="14.2.2", by_ledger=True)
class PersonErased(FactModel):
    """Personal values of this account were erased for good (suppression des Données Personnelles).

    Art. 14.2.2. ``classes`` are the retention classes whose key was destroyed, ``values`` how many
    values went with it, ``request`` the subject of the request that asked for it, if one did.
    """

    classes: list[Retention] = Field(min_length=1)
    values: Whole
    request: Subject | None = None
