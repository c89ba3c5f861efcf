"""The tiles of the tree against the leaves: every stored hash made again (C2SP tlog-tiles)."""

from __future__ import annotations

from ledger.audit.report import Report
from ledger.log.merkle import HASH_BYTES
from ledger.log.tiles import TILE_BYTES, TILE_WIDTH, Edge, TileName, tile_root
from ledger.store.rows import Rows

_WIDEST_GAP = 1_000_000
_ALTERED = "A hash of the tree was altered: proofs that rest on it would no longer verify."


class TileCheck:
    """Takes the leaf hashes in order of position, and compares each tile as it fills.

    A hash of a higher level may agree with the leaves or with the tile kept below it, so that one
    alteration is named once, where it was made.
    """

    def __init__(self, report: Report, rows: Rows) -> None:
        self._report = report
        self._rows = rows
        self._edge = Edge(0, [])
        self._hashes: list[bytes | None] = []
        self._next = 0

    def leaf(self, position: int, hashed: bytes) -> None:
        """Take the hash of a leaf; positions that were left out have none."""
        if self._reaches(position) and self._next == position:
            self._take(hashed)

    def finish(self, end: int) -> None:
        """Compare the right edge of the tree, and name tiles beyond it."""
        if not self._reaches(end):
            return
        edge = self._rows.edge()
        self._edge.extend(self._level_0(end // TILE_WIDTH))
        for level, hashes in enumerate(self._edge.partial):
            number, stored = edge.pop(level, (-1, b""))
            wanted = (end >> (8 * level)) // TILE_WIDTH
            if number != wanted or len(stored) != len(hashes):
                self._edge_wrong(
                    level, f"tile {wanted} with {len(hashes) // HASH_BYTES} hashes", number, stored
                )
            elif level:
                self._nodes(level, number, hashes, stored)
        for level, (number, stored) in edge.items():
            self._edge_wrong(level, "no tile so high", number, stored)
        for level, number in self._rows.tile_names():
            if (number + 1) * TILE_WIDTH > end >> (8 * level):
                self._report.wrong(
                    end, "tile.beyond", f"tiles of {end} leaves", f"tile {TileName(level, number).path}",
                    "The tree is kept of more leaves than the log has: its end was cut off.",
                )  # fmt: skip

    def _reaches(self, position: int) -> bool:
        """Pass over positions without a leaf; a gap so wide is of a falsified number, and named as a gap."""
        if position - self._next > _WIDEST_GAP:
            return False
        while self._next < position:
            self._take(None)
        return True

    def _edge_wrong(self, level: int, expected: str, number: int, stored: bytes) -> None:
        self._report.wrong(
            self._next, "edge.altered", f"at level {level}: {expected}",
            f"tile {number} with {len(stored) // HASH_BYTES} hashes",
            "The right edge of the tree is not that of the log: leaves were removed or added behind it.",
        )  # fmt: skip

    def _take(self, hashed: bytes | None) -> None:
        self._hashes.append(hashed)
        self._next += 1
        if len(self._hashes) == TILE_WIDTH:
            for level, number, hashes in self._edge.extend(self._level_0(self._next // TILE_WIDTH - 1)):
                if level:
                    self._nodes(level, number, hashes, self._rows.tile(level, number))

    def _level_0(self, number: int) -> list[bytes]:
        """Compare the leaves of one tile; gives their hashes, the stored one where there is no leaf."""
        taken, self._hashes = self._hashes, []
        stored = self._rows.tile(0, number)
        if len(stored) != len(taken) * HASH_BYTES:
            if len(taken) == TILE_WIDTH:
                self._missing(0, number, stored)
            return [hashed or bytes(HASH_BYTES) for hashed in taken]
        found = []
        for place, hashed in enumerate(taken):
            kept = stored[place * HASH_BYTES : (place + 1) * HASH_BYTES]
            found.append(hashed or kept)
            if hashed is not None and hashed != kept:
                self._report.wrong(
                    number * TILE_WIDTH + place, "tile.leaf", hashed.hex(), kept.hex(),
                    "This leaf is not the one whose hash the tree holds: one of the two was altered.",
                )  # fmt: skip
        return found

    def _missing(self, level: int, number: int, stored: bytes) -> None:
        self._report.wrong(
            number << (8 * (level + 1)), "tile.missing", f"tile {TileName(level, number).path} of 256 hashes",
            f"{len(stored) / HASH_BYTES:g} hashes",
            "A part of the tree is gone: nothing of it can be proved.",
        )  # fmt: skip

    def _nodes(self, level: int, number: int, hashes: bytes, stored: bytes) -> None:
        if len(stored) != len(hashes):
            self._missing(level, number, stored)
            return
        for place in range(len(hashes) // HASH_BYTES):
            at = slice(place * HASH_BYTES, (place + 1) * HASH_BYTES)
            below = number * TILE_WIDTH + place
            if stored[at] != hashes[at] and stored[at] != self._kept_root(level - 1, below):
                self._report.wrong(
                    below << (8 * level), "tile.node", hashes[at].hex(), stored[at].hex(), _ALTERED
                )

    def _kept_root(self, level: int, number: int) -> bytes:
        tile = self._rows.tile(level, number)
        return tile_root(tile) if len(tile) == TILE_BYTES else b""
