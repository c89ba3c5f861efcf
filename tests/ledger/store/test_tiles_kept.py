"""The tiles in the store stay those of the log, however the leaves arrive."""

from __future__ import annotations

import hashlib

import pytest

from ledger.log.merkle import root_of
from ledger.log.tiles import Tree
from ledger.store import schema
from ledger.store.engine import open_connection
from ledger.store.proof import extend_tiles, read_tile

HASHES = [hashlib.sha256(b"%d" % number).digest() for number in range(1500)]


@pytest.mark.parametrize(
    "arrivals", [(256, 256, 100), (512, 512, 1), (100, 256, 256), (255, 1, 256), (1, 1024, 255, 1)]
)
def test_a_commit_that_fills_exactly_a_tile_moves_the_edge(arrivals: tuple[int, ...]) -> None:
    """After every commit the tree has the root of all leaves so far."""
    connection = open_connection("sqlite:///:memory:")
    for statement in schema.STATEMENTS:
        connection.execute(statement)
    size = 0
    for count in arrivals:
        extend_tiles(connection, HASHES[size : size + count])
        size += count
        tree = Tree(lambda level, number: read_tile(connection, level, number))
        assert tree.root(size) == root_of(HASHES[:size])
