"""The tree as tiles (C2SP tlog-tiles), and the proofs that they hold (RFC 6962 §2.1).

A tile is up to 256 hashes of one height side by side: those of level 0 are leaf hashes, each hash of a
level above is the root of a full tile below. A proof reads one tile for eight heights, so it takes time in
the logarithm of the size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.errors import ProofError
from ledger.log.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, node_hash, paired

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
MOST_LEVELS = 8
"""256⁸ leaves are more than 2⁶³: no tile lies higher."""

ReadTile = Callable[[int, int], bytes]
"""Gives the hashes of a tile (its level, its number), joined; a partial tile gives what there is."""

_NUMBER = re.compile(r"(x[0-9]{3}/)*[0-9]{3}")
_PARTS = 1000


@dataclass(frozen=True, slots=True)
class TileName:
    """Which tile: ``level`` is -1 for a bundle of entries; ``width`` is 256 for a full one."""

    level: int
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """What follows ``/tile/``: ``L/N`` or ``L/N.p/W``, N as ``x001/x234/067``."""
        parts = [f"{self.number % _PARTS:03}"]
        rest = self.number // _PARTS
        while rest:
            parts.insert(0, f"x{rest % _PARTS:03}")
            rest //= _PARTS
        level = "entries" if self.level < 0 else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"{level}/{'/'.join(parts)}{partial}"

    @classmethod
    def parse(cls, path: str) -> TileName:
        """Read what follows ``/tile/``.

        Raises:
            ProofError: it is no tile's path, or is not written as one.
        """
        level, _, rest = path.partition("/")
        number, partial, width = rest.partition(".p/")
        if not _NUMBER.fullmatch(number) or not (level == "entries" or level.isdecimal()):
            raise ProofError(f"/tile/{path[:80]} is no tile: /tile/L/N or /tile/L/N.p/W")
        name = cls(
            -1 if level == "entries" else int(level),
            int(number.replace("x", "").replace("/", "")),
            int(width) if partial and width.isdecimal() else TILE_WIDTH if not partial else 0,
        )
        if not (-1 <= name.level < MOST_LEVELS and 0 < name.width <= TILE_WIDTH) or name.path != path:
            raise ProofError(f"/tile/{path[:80]} is not how a tile is named: /tile/{name.path[:80]}")
        return name


def width_at(size: int, level: int, number: int) -> int:
    """How many hashes a tile has in a tree of ``size`` leaves: 0 when it is not there."""
    at_level = size >> (TILE_HEIGHT * max(level, 0))
    return min(max(at_level - number * TILE_WIDTH, 0), TILE_WIDTH)


class Tree:
    """A tree of a log, of any size up to that of its tiles."""

    def __init__(self, read: ReadTile) -> None:
        self._read = read
        self._heights: dict[tuple[int, int], list[list[bytes]]] = {}

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` leaves."""
        return self._over(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that a leaf is in the tree of ``size`` leaves, from leaf to root (RFC 6962 §2.1.1).

        Raises:
            ProofError: that tree has no such leaf.
        """
        if not 0 <= index < size:
            raise ProofError(f"a tree of {size} leaves has no leaf {index}")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _left_of(end - start)
            if index < middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of ``old`` leaves begins the one of ``new`` leaves (RFC 6962 §2.1.2).

        Raises:
            ProofError: ``old`` is larger than ``new``.
        """
        if not 0 <= old <= new:
            raise ProofError(f"a tree of {old} leaves does not begin one of {new}")
        if old in (0, new):
            return []
        path: list[bytes] = []
        start, end, whole = 0, new, True
        while old != end - start:
            left = _left_of(end - start)
            if old <= left:
                path.append(self._over(start + left, end))
                end = start + left
            else:
                path.append(self._over(start, start + left))
                start, old, whole = start + left, old - left, False
        if not whole:
            path.append(self._over(start, end))
        return path[::-1]

    def _over(self, start: int, end: int) -> bytes:
        """The root over the leaves [``start``, ``end``), a node of the tree or its right edge."""
        node: bytes | None = None
        for height, number in reversed(_full_subtrees(start, end)):
            left = self._node(height, number)
            node = left if node is None else node_hash(left, node)
        assert node is not None  # noqa: S101 - there is a leaf in it
        return node

    def _node(self, height: int, number: int) -> bytes:
        """The root over leaves [number · 2^height, (number + 1) · 2^height)."""
        level, inside = divmod(height, TILE_HEIGHT)
        tile, place = divmod(number << inside, TILE_WIDTH)
        heights = self._tile(level, tile)
        try:
            return heights[inside][place >> inside]
        except IndexError:
            raise ProofError(f"the tile {TileName(level, tile).path} lacks hashes") from None

    def _tile(self, level: int, number: int) -> list[list[bytes]]:
        """A tile and the full nodes above its hashes, height by height."""
        key = level, number
        if key not in self._heights:
            joined = self._read(level, number)
            hashes = [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
            heights = [hashes]
            for _ in range(TILE_HEIGHT - 1):
                heights.append(paired(heights[-1]))
            self._heights[key] = heights
        return self._heights[key]


def _left_of(count: int) -> int:
    """The largest power of two smaller than ``count``: where a tree of so many leaves divides."""
    return 1 << ((count - 1).bit_length() - 1)


def _full_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """The full subtrees (height, number) that make up [``start``, ``end``), largest first."""
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((height, start >> height))
        start += 1 << height
    return found


class Edge:
    """The right edge of the tiles: the partial tile of each level, as leaves are added."""

    def __init__(self, size: int, partial: Sequence[bytes]) -> None:
        self.size = size
        self._partial = [bytearray(joined) for joined in partial]

    @property
    def partial(self) -> list[bytes]:
        """The partial tile of each level, from level 0 on; empty where the last one is full."""
        return [bytes(joined) for joined in self._partial]

    def frontier(self) -> Frontier:
        """The right edge of the tree itself: the full subtrees whose hashes the partial tiles hold."""
        subtrees: list[bytes] = []
        for joined in reversed(self._partial):
            hashes, start = hashes_in(joined), 0
            for height in range(TILE_HEIGHT - 1, -1, -1):
                if len(hashes) >> height & 1:
                    subtrees.append(_root_of_full(hashes[start : start + (1 << height)]))
                    start += 1 << height
        return Frontier(self.size, subtrees)

    def extend(self, hashed_leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaf hashes; gives the tiles (level, number, hashes) that they fill."""
        filled: list[tuple[int, int, bytes]] = []
        at = 0
        while at < len(hashed_leaves):
            room = TILE_WIDTH - self.size % TILE_WIDTH
            taken = hashed_leaves[at : at + room]
            self._add(0, b"".join(taken), filled, self.size + len(taken))
            self.size += len(taken)
            at += len(taken)
        return filled

    def _add(self, level: int, joined: bytes, filled: list[tuple[int, int, bytes]], size: int) -> None:
        while len(self._partial) <= level:
            self._partial.append(bytearray())
        partial = self._partial[level]
        partial += joined
        if len(partial) == TILE_BYTES:
            tile = bytes(partial)
            partial.clear()
            filled.append((level, (size >> (TILE_HEIGHT * (level + 1))) - 1, tile))
            self._add(level + 1, tile_root(tile), filled, size)


def tile_root(tile: bytes) -> bytes:
    """The root over the hashes of a full tile."""
    return _root_of_full(hashes_in(tile))


def hashes_in(joined: bytes | bytearray) -> list[bytes]:
    """The hashes of a tile one by one."""
    return [bytes(joined[at : at + HASH_BYTES]) for at in range(0, len(joined), HASH_BYTES)]


def _root_of_full(hashes: list[bytes]) -> bytes:
    """The root over as many hashes as a power of two."""
    while len(hashes) > 1:
        hashes = paired(hashes)
    return hashes[0]
