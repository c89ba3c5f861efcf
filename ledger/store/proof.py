"""The tiles of the tree and the signed checkpoints, as a ledger keeps them beside its leaves.

Tiles are derived from the leaves, and written in the commit that fills them; the partial tile at the right
edge of each level is kept apart, since it changes with every commit. Of the signed checkpoints the newest is
kept, and each that a token or a cosignature vouches for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.errors import ProofError
from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.merkle import HASH_BYTES, Frontier, leaf_hash
from ledger.log.tiles import TILE_WIDTH, Edge
from ledger.store.engine import Connection

_LEVEL_SHIFT = 56
_LEAVES_AT_ONCE = 65_536

_KEEP_EDGE = (
    "INSERT INTO edge VALUES (?,?,?) ON CONFLICT (level) DO UPDATE"
    " SET number = excluded.number, hashes = excluded.hashes"
)
_PAGE = "SELECT state FROM leaf WHERE position >= ? AND position < ? ORDER BY position"


def _id(level: int, number: int) -> int:
    return level << _LEVEL_SHIFT | number


def read_tile(connection: Connection, level: int, number: int) -> bytes:
    """The hashes of a tile, joined; of a partial one what there is, nothing when it is not there.

    One statement, so that a tile that fills meanwhile is read whole, before or after.
    """
    row = connection.execute(
        "SELECT hashes FROM tile WHERE id = ? UNION ALL"
        " SELECT hashes FROM edge WHERE level = ? AND number = ? LIMIT 1",
        (_id(level, number), level, number),
    ).fetchone()
    return bytes(row[0]) if row else b""


def each_tile(connection: Connection) -> Iterator[tuple[int, int, bytes]]:
    """Every full tile that is kept: level, number, hashes."""
    for number, hashes in connection.each("SELECT id, hashes FROM tile ORDER BY id"):
        yield number >> _LEVEL_SHIFT, number & ((1 << _LEVEL_SHIFT) - 1), bytes(hashes)


@dataclass(frozen=True, slots=True)
class Extended:
    """The tree with the leaves of a commit added, before any of it is kept."""

    frontier: Frontier
    filled: list[tuple[int, bytes]]
    changed: list[tuple[int, int, bytes]]

    def keep(self, connection: Connection) -> None:
        """Write the tiles that were filled, and the right edge where it changed."""
        connection.insert("tile", self.filled)
        for row in self.changed:
            connection.execute(_KEEP_EDGE, row)


def extended(connection: Connection, hashed_leaves: Sequence[bytes]) -> Extended:
    """Add the hashes of the leaves of a commit to the tree as it is kept."""
    edge = _edge(connection)
    before, size = edge.partial, edge.size
    filled = edge.extend(hashed_leaves)
    changed = []
    for level, hashes in enumerate(edge.partial):
        number = (edge.size >> (8 * level)) // TILE_WIDTH
        # exactly as many leaves as fill a tile leave the same partial one, under another number
        moved = number != (size >> (8 * level)) // TILE_WIDTH
        if moved or level >= len(before) or before[level] != hashes:
            changed.append((level, number, hashes))
    return Extended(
        edge.frontier(), [(_id(level, number), hashes) for level, number, hashes in filled], changed
    )


def extend_tiles(connection: Connection, hashed_leaves: Sequence[bytes]) -> Frontier:
    """Add the hashes of the leaves of a commit; gives the right edge of the tree that holds them."""
    tree = extended(connection, hashed_leaves)
    tree.keep(connection)
    return tree.frontier


def follow_log(connection: Connection, size: int) -> None:
    """Build the tiles of leaves that have none yet: of a ledger from before there were tiles."""
    at = _edge(connection).size
    while at < size:
        until = min(at + _LEAVES_AT_ONCE, size)
        leaves = connection.execute(_PAGE, (at, until))
        extend_tiles(connection, [leaf_hash(leaf) for (leaf,) in leaves])
        at = until


def _edge(connection: Connection) -> Edge:
    rows = connection.execute("SELECT number, hashes FROM edge ORDER BY level").fetchall()
    if not rows:
        return Edge(0, [])
    number, joined = rows[0]
    return Edge(number * TILE_WIDTH + len(joined) // HASH_BYTES, [hashes for _, hashes in rows])


def keep_checkpoint(connection: Connection, signed: SignedCheckpoint, *, vouched: bool) -> None:
    """Keep a signed checkpoint; earlier ones that nobody vouched for are let go.

    ``vouched`` says that a token or a cosignature is about it, so that it is kept for good.
    """
    size = signed.checkpoint.size
    connection.execute(
        "INSERT INTO checkpoint VALUES (?,?,?) ON CONFLICT (size) DO UPDATE"
        " SET note = excluded.note, vouched = checkpoint.vouched OR excluded.vouched",
        (size, signed.to_bytes(), vouched),
    )
    connection.execute(
        "DELETE FROM checkpoint WHERE NOT vouched AND size < (SELECT MAX(size) FROM checkpoint)"
    )


def newest_checkpoint(connection: Connection) -> SignedCheckpoint | None:
    """The newest signed checkpoint, or ``None`` before the first."""
    row = connection.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    return SignedCheckpoint.parse(bytes(row[0])) if row else None


def each_checkpoint(connection: Connection) -> Iterator[tuple[int, SignedCheckpoint | ProofError]]:
    """Every signed checkpoint that is kept, by size; what cannot be read comes as the error that says why."""
    for size, raw in connection.each("SELECT size, note FROM checkpoint ORDER BY size"):
        try:
            yield size, SignedCheckpoint.parse(bytes(raw))
        except ProofError as error:
            yield size, error
