"""A small log in memory for tests: leaves, tiles, and checkpoints signed with real keys."""

from __future__ import annotations

from ledger.log.checkpoints import Checkpoint, SignedCheckpoint
from ledger.log.keys import Keys
from ledger.log.merkle import leaf_hash
from ledger.log.proofs import ConsistencyProof, InclusionProof
from ledger.log.tiles import TILE_WIDTH, Edge, Tree

ORIGIN = "greffe.test/outscale/cgv-2021-06"


class SmallLog:
    """Leaves in memory; ``keys`` sign its checkpoints."""

    def __init__(self, keys: Keys | None = None, origin: str = ORIGIN) -> None:
        self.keys = keys
        self.origin = origin
        self.leaves: list[bytes] = []
        self._edge = Edge(0, [])
        self._full: dict[tuple[int, int], bytes] = {}

    def add(self, *leaves: bytes) -> SmallLog:
        self.leaves += leaves
        for level, number, hashes in self._edge.extend([leaf_hash(leaf) for leaf in leaves]):
            self._full[level, number] = hashes
        return self

    def tile(self, level: int, number: int) -> bytes:
        if (level, number) in self._full:
            return self._full[level, number]
        partial = self._edge.partial
        current = (len(self.leaves) >> (8 * level)) // TILE_WIDTH
        return partial[level] if level < len(partial) and number == current else b""

    @property
    def tree(self) -> Tree:
        return Tree(self.tile)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.leaves) if size is None else size
        return Checkpoint(self.origin, size, self.tree.root(size))

    def signed(self, size: int | None = None) -> SignedCheckpoint:
        assert self.keys is not None
        checkpoint = self.checkpoint(size)
        return SignedCheckpoint(checkpoint, self.keys.sign(checkpoint))

    def inclusion(self, index: int, size: int | None = None) -> InclusionProof:
        signed = self.signed(size)
        return InclusionProof(index, tuple(self.tree.inclusion(index, signed.checkpoint.size)), signed)

    def consistency(self, old: int, size: int | None = None) -> ConsistencyProof:
        signed = self.signed(size)
        return ConsistencyProof(old, tuple(self.tree.consistency(old, signed.checkpoint.size)), signed)


def leaves(count: int, word: str = "leaf") -> list[bytes]:
    """So many leaves, all different."""
    return [f"{word} {place}".encode() for place in range(count)]
