"""The Merkle tree over the leaves (RFC 6962 §2.1), grown one leaf at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

HASH_BYTES = 32
_BLOCK = 256
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def paired(hashes: Sequence[bytes]) -> list[bytes]:
    """The nodes above hashes that lie side by side; an odd last one has none yet."""
    sha256 = hashlib.sha256
    following = iter(hashes)
    return [
        sha256(b"\x01" + left + right).digest() for left, right in zip(following, following, strict=False)
    ]


@dataclass
class Frontier:
    """The right edge of the tree: the roots of its full subtrees, largest first.

    It is all that is needed to append a leaf and to know the root; a tree of n leaves has as many
    full subtrees as n has binary ones.
    """

    size: int = 0
    _subtrees: list[bytes] = field(default_factory=list)

    def append(self, hashed_leaf: bytes) -> None:
        """Add the hash of one more leaf."""
        self._append_subtree(hashed_leaf, 1)

    def extend(self, hashed_leaves: Iterable[bytes]) -> None:
        """Add the hashes of several leaves, in order; blocks of 256 are hashed together."""
        coming = iter(hashed_leaves)
        for hashed_leaf in islice(coming, -self.size % _BLOCK):
            self.append(hashed_leaf)
        while block := list(islice(coming, _BLOCK)):
            if len(block) < _BLOCK:
                for hashed_leaf in block:
                    self.append(hashed_leaf)
            else:
                self._append_block(block)

    def _append_block(self, block: list[bytes]) -> None:
        """Add 256 leaves to a tree whose size is a multiple of 256."""
        while len(block) > 1:
            block = paired(block)
        self._append_subtree(block[0], _BLOCK)

    def _append_subtree(self, node: bytes, leaves: int) -> None:
        """Add a full subtree to a tree whose size is a multiple of its leaves."""
        above = self.size // leaves
        while above & 1:
            node = node_hash(self._subtrees.pop(), node)
            above >>= 1
        self._subtrees.append(node)
        self.size += leaves

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        node = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            node = node_hash(left, node)
        return node

    def to_bytes(self) -> bytes:
        """The full subtrees' roots, joined; the size is kept beside them."""
        return b"".join(self._subtrees)

    @classmethod
    def from_bytes(cls, size: int, joined: bytes) -> Frontier:
        """Read back what ``to_bytes`` wrote for a tree of ``size`` leaves.

        Raises:
            ValueError: the number of hashes does not fit the size.
        """
        if len(joined) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} full subtrees")
        parts = [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
        return cls(size, parts)


def root_of(hashed_leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes in order."""
    frontier = Frontier()
    frontier.extend(hashed_leaves)
    return frontier.root()
