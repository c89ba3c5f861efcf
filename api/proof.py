"""The log as others verify it: checkpoint, tiles and entries (C2SP tlog-tiles), and proofs as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.documented import problems
from api.parameters import OnlyKnown
from api.services import Auditor, Reader, ServicesOf
from ledger.errors import NotRecordedError, ProofError, WrongCallError
from ledger.log.checkpoints import LARGEST_SIZE, SignedCheckpoint
from ledger.log.merkle import HASH_BYTES
from ledger.log.proofs import ConsistencyProof, InclusionProof
from ledger.log.tiles import TILE_WIDTH, TileName, Tree, width_at
from ledger.store import Record

router = APIRouter(tags=["proof"], dependencies=[OnlyKnown])
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"

Position = Annotated[int, Path(ge=0, le=LARGEST_SIZE, description="0-based index of the leaf", examples=[1])]


def signed_of(record: Record) -> SignedCheckpoint:
    """The newest signed checkpoint.

    Raises:
        NotRecordedError: nothing was signed yet.
    """
    signed = record.signed()
    if signed is None:
        raise NotRecordedError("no checkpoint of this ledger was signed yet")
    return signed


def inclusion(tree: Tree, position: int, signed: SignedCheckpoint) -> InclusionProof:
    """The proof that a leaf is in the tree of a signed checkpoint.

    Raises:
        NotRecordedError: that tree has no such leaf.
    """
    size = signed.checkpoint.size
    if position >= size:
        raise NotRecordedError(f"the newest signed checkpoint has {size} leaves, and none at {position}")
    return InclusionProof(position, tuple(tree.inclusion(position, size)), signed)


@router.get(
    "/checkpoint",
    operation_id="checkpoint",
    response_class=Response,
    responses={
        200: {"description": "A C2SP checkpoint, signed", "content": {"text/plain": {}}},
        **problems(404, 422),
    },
)
def checkpoint(shared: ServicesOf) -> Response:
    """The newest signed checkpoint, with the cosignatures it has; anybody may read it."""
    return Response(signed_of(shared.runtime.record).to_bytes(), media_type=_TEXT)


@router.get(
    "/tile/entries/{name:path}",
    operation_id="entries",
    response_class=Response,
    responses={
        200: {"description": "Leaves, each after its length (uint16)", "content": {_BYTES: {}}},
        **problems(401, 403, 404, 422),
    },
)
def entries(
    shared: ServicesOf, _calling: Auditor, name: Annotated[str, Path(examples=["000.p/2", "x001/x234/067"])]
) -> Response:
    """A bundle of leaves of every account, for auditors."""
    record, tile = shared.runtime.record, _named(f"entries/{name}")
    _check_width(record, tile)
    leaves = record.scan(tile.number * TILE_WIDTH, tile.width)
    bundle = b"".join(len(leaf).to_bytes(2) + leaf for *_, leaf in leaves)
    return Response(bundle, media_type=_BYTES)


@router.get(
    "/tile/{name:path}",
    operation_id="tile",
    response_class=Response,
    responses={
        200: {"description": "Hashes of 32 bytes, joined", "content": {_BYTES: {}}},
        **problems(404, 422),
    },
)
def tile(
    shared: ServicesOf, name: Annotated[str, Path(examples=["0/000.p/2", "1/x001/x234/067"])]
) -> Response:
    """A tile of the tree; it holds hashes of salted leaves alone, and anybody may read it."""
    record, wanted = shared.runtime.record, _named(name)
    _check_width(record, wanted)
    hashes = record.tile(wanted.level, wanted.number)[: wanted.width * HASH_BYTES]
    return Response(hashes, media_type=_BYTES)


@router.get(
    "/v1/proofs/inclusion/{position}",
    operation_id="inclusion_proof",
    response_class=Response,
    responses={
        200: {"description": "A C2SP .tlog-proof file", "content": {"text/plain": {}}},
        **problems(401, 403, 404, 422),
    },
)
def inclusion_proof(shared: ServicesOf, _calling: Reader, position: Position) -> Response:
    """The proof that the leaf at a position is in the newest signed checkpoint."""
    record = shared.runtime.record
    return Response(inclusion(record.tree(), position, signed_of(record)).to_bytes(), media_type=_TEXT)


@router.get(
    "/v1/proofs/consistency",
    operation_id="consistency_proof",
    response_class=Response,
    responses={
        200: {"description": "The body of C2SP add-checkpoint", "content": {"text/plain": {}}},
        **problems(401, 403, 404, 422),
    },
)
def consistency_proof(
    shared: ServicesOf,
    _calling: Reader,
    old: Annotated[
        int,
        Query(
            ge=0,
            le=LARGEST_SIZE,
            description="the size of the older tree",
            openapi_examples={"after two leaves": {"value": 2}},
        ),
    ],
) -> Response:
    """The proof that the newest signed checkpoint continues an older tree."""
    record = shared.runtime.record
    signed = signed_of(record)
    size = signed.checkpoint.size
    if old > size:
        raise WrongCallError(f"old is {old}, and the newest signed checkpoint has {size} leaves")
    proof = ConsistencyProof(old, tuple(record.tree().consistency(old, size)), signed)
    return Response(proof.to_bytes(), media_type=_TEXT)


def _named(name: str) -> TileName:
    try:
        return TileName.parse(name)
    except ProofError as error:
        raise WrongCallError(str(error)) from error


def _check_width(record: Record, tile: TileName) -> None:
    """Refuse what no signed checkpoint has."""
    there = width_at(signed_of(record).checkpoint.size, tile.level, tile.number)
    if tile.width > there:
        raise NotRecordedError(f"/tile/{tile.path} has {there} of {tile.width} hashes so far")
