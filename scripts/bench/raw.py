"""The yardstick: the rows that a ledger wrote, written again by the bare engine, commit by commit."""

from __future__ import annotations

import sqlite3
import time
from bisect import bisect_left
from operator import itemgetter
from pathlib import Path

from ledger.log.tiles import TILE_HEIGHT

_TABLES = ("subject", "leaf", "seen", "commits", "tile")


def seconds_of_commits(written: Path, copy: Path, facts: int) -> list[float]:
    """Seconds that each commit of ``facts`` facts takes with ``executemany`` alone.

    Same schema, same bytes, same order, same durability (WAL, ``synchronous=FULL``): only the rows of
    subjects, leaves, seen ids, commits and tiles, already at hand as tuples.
    """
    source = sqlite3.connect(written)
    target = sqlite3.connect(copy, isolation_level=None)
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=FULL")
    target.execute(f"PRAGMA cache_size={source.execute('PRAGMA cache_size').fetchone()[0]}")
    for (statement,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall():
        if "sqlite_" not in statement:
            target.execute(statement)
    target.executemany("INSERT INTO topic VALUES (?,?)", source.execute("SELECT * FROM topic").fetchall())
    seen = source.execute("SELECT key, position FROM seen ORDER BY position").fetchall()
    tiles = source.execute("SELECT id, hashes FROM tile ORDER BY id").fetchall()
    taken, subject, known, filled = [], 0, 0, 0
    for commit in source.execute("SELECT * FROM commits ORDER BY position").fetchall():
        position, count = commit[:2]
        end = position + count + 1
        leaves = source.execute("SELECT * FROM leaf WHERE position >= ? AND position < ?", (position, end))
        rows = {"leaf": leaves.fetchall(), "commits": [commit]}
        newest = max(row[1] for row in rows["leaf"])
        rows["subject"] = source.execute(
            "SELECT * FROM subject WHERE id > ? AND id <= ? ORDER BY name", (subject, newest)
        ).fetchall()
        subject = max(subject, newest)
        until = bisect_left(seen, end, known, key=itemgetter(1))
        rows["seen"], known = sorted(seen[known:until]), until
        until = bisect_left(tiles, end >> TILE_HEIGHT, filled, key=itemgetter(0))
        rows["tile"], filled = tiles[filled:until], until
        start = time.perf_counter()
        target.execute("BEGIN IMMEDIATE")
        for table in filter(rows.get, _TABLES):
            marks = ",".join("?" * len(rows[table][0]))
            target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[table])  # noqa: S608
        target.execute("COMMIT")
        if count == facts:
            taken.append(time.perf_counter() - start)
    source.close()
    target.close()
    return taken
