"""Tiles and the proofs that they hold, against the definitions of RFC 6962 §2.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_factory import SmallLog

from ledger.errors import ProofError
from ledger.log.checkpoints import Checkpoint
from ledger.log.merkle import Frontier, leaf_hash
from ledger.log.proofs import verify_consistency, verify_inclusion
from ledger.log.tiles import TILE_BYTES, TileName, Tree, width_at

SIZE = 1300
LOG = SmallLog()
for place in range(SIZE):
    LOG.add(str(place).encode())
HASHES = [leaf_hash(leaf) for leaf in LOG.leaves]
BIG = SmallLog().add(*(str(place).encode() for place in range(70_000)))


def mth(hashes):
    """The Merkle Tree Hash as RFC 6962 §2.1 defines it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:split]) + mth(hashes[split:])).digest()


def path(index, hashes):
    """PATH(m, D[n]) as RFC 6962 §2.1.1 defines it."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*path(index, hashes[:split]), mth(hashes[split:])]
    return [*path(index - split, hashes[split:]), mth(hashes[:split])]


def subproof(old, hashes, *, whole):
    """SUBPROOF(m, D[n], b) as RFC 6962 §2.1.2 defines it."""
    if old == len(hashes):
        return [] if whole else [mth(hashes)]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if old <= split:
        return [*subproof(old, hashes[:split], whole=whole), mth(hashes[split:])]
    return [*subproof(old - split, hashes[split:], whole=False), mth(hashes[:split])]


class TestProofs:
    @given(st.integers(0, SIZE))
    def test_the_root_is_the_merkle_tree_hash(self, size):
        """Tiles lead to the root that the definition gives, at every size that the log had."""
        assert LOG.tree.root(size) == mth(HASHES[:size])

    @given(st.integers(1, SIZE), st.data())
    def test_inclusion(self, size, data):
        """An inclusion proof is the definition's, and verifies."""
        index = data.draw(st.integers(0, size - 1))
        proof = LOG.tree.inclusion(index, size)
        assert proof == path(index, HASHES[:size])
        verify_inclusion(HASHES[index], index, proof, LOG.checkpoint(size))

    @given(st.integers(1, SIZE), st.data())
    def test_consistency(self, size, data):
        """A consistency proof is the definition's, and verifies."""
        old = data.draw(st.integers(0, size))
        proof = LOG.tree.consistency(old, size)
        assert proof == ([] if old == 0 else subproof(old, HASHES[:size], whole=True))
        verify_consistency(LOG.checkpoint(old), LOG.checkpoint(size), proof)

    @given(st.integers(1, SIZE), st.data())
    def test_an_altered_inclusion_proof_is_refused(self, size, data):
        """With another index, size, leaf, or a hash more, less or altered, it does not verify."""
        index = data.draw(st.integers(0, size - 1))
        proof, checkpoint = LOG.tree.inclusion(index, size), LOG.checkpoint(size)
        other = data.draw(st.integers(0, SIZE + 5).filter(lambda found: found != index))
        wrong = [
            (HASHES[index], other, proof, checkpoint),
            (HASHES[index - 1 if index else SIZE - 1], index, proof, checkpoint),
            (HASHES[index], index, [*proof, b"\0" * 32], checkpoint),
            (HASHES[index], index, proof, Checkpoint(checkpoint.origin, size, b"\0" * 32)),
        ]
        if proof:
            place = data.draw(st.integers(0, len(proof) - 1))
            flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
            wrong += [
                (HASHES[index], index, proof[:-1], checkpoint),
                (HASHES[index], index, [*proof[:place], flipped, *proof[place + 1 :]], checkpoint),
            ]
        for leaf, at, hashes, tree in wrong:
            with pytest.raises(ProofError):
                verify_inclusion(leaf, at, hashes, tree)

    @given(st.integers(2, SIZE), st.data())
    def test_an_altered_consistency_proof_is_refused(self, size, data):
        """A tree that does not begin with the older one is refused, whatever the proof."""
        old = data.draw(st.integers(1, size - 1))
        proof = LOG.tree.consistency(old, size)
        rewritten = Checkpoint(LOG.origin, old, b"\7" * 32)
        place = data.draw(st.integers(0, len(proof) - 1))
        flipped = [*proof[:place], bytes([proof[place][0] ^ 1]) + proof[place][1:], *proof[place + 1 :]]
        for before, hashes in (
            (rewritten, proof),
            (LOG.checkpoint(old), flipped),
            (LOG.checkpoint(old), proof[:-1]),
        ):
            with pytest.raises(ProofError):
                verify_consistency(before, LOG.checkpoint(size), hashes)

    def test_an_interior_node_is_no_leaf(self):
        """A node of the tree offered as a leaf does not verify: leaves and nodes hash apart (RFC 6962 §2.1)."""
        node = hashlib.sha256(b"\x01" + HASHES[0] + HASHES[1]).digest()
        with pytest.raises(ProofError):
            verify_inclusion(
                leaf_hash(HASHES[0] + HASHES[1]), 0, LOG.tree.inclusion(0, 4)[1:], LOG.checkpoint(4)
            )
        with pytest.raises(ProofError):
            verify_inclusion(node, 0, LOG.tree.inclusion(0, 4)[1:], LOG.checkpoint(4))

    def test_two_logs_are_not_compared(self):
        """A checkpoint of another origin proves nothing of this log, equal as the trees may be."""
        other = Checkpoint("other.test", 4, LOG.tree.root(4))
        with pytest.raises(ProofError, match="two logs"):
            verify_consistency(other, LOG.checkpoint(8), LOG.tree.consistency(4, 8))


class TestTiles:
    def test_the_example_of_the_specification(self):
        """A tree of 70,000 leaves has the tiles that tlog-tiles lists for it."""
        widths = {
            (0, 272): 256, (0, 273): 112, (0, 274): 0, (1, 0): 256, (1, 1): 17, (1, 2): 0, (2, 0): 1, (3, 0): 0,
        }  # fmt: skip
        assert {at: width_at(70_000, *at) for at in widths} == widths
        assert {at: len(BIG.tile(*at)) // 32 for at in widths} == widths

    @given(st.integers(0, SIZE), st.integers(0, SIZE))
    def test_the_frontier_leads_to_the_same_root(self, first, second):
        """However the leaves come, one at a time or in blocks, the frontier has the tree's root."""
        frontier = Frontier()
        size = min(first, second)
        frontier.extend(HASHES[:size])
        frontier.extend(HASHES[size : max(first, second)])
        assert (frontier.size, frontier.root()) == (max(first, second), LOG.tree.root(max(first, second)))

    def test_a_level_above_holds_the_roots_of_full_tiles(self):
        """Each hash of level 1 is the Merkle Tree Hash of a full tile of level 0."""
        hashes = BIG.tile(0, 3)
        assert len(hashes) == TILE_BYTES
        leaves = [hashes[at : at + 32] for at in range(0, TILE_BYTES, 32)]
        assert BIG.tile(1, 0)[3 * 32 : 4 * 32] == mth(leaves)

    @given(st.integers(0, 7), st.integers(0, 10**9 - 1), st.integers(1, 256))
    def test_a_name_reads_back(self, level, number, width):
        """A tile's path and its reading are inverse to each other."""
        name = TileName(level, number, width)
        assert TileName.parse(name.path) == name

    @pytest.mark.parametrize(
        "path",
        [
            "0/1", "0/001.p/0", "0/001.p/256", "0/001.p/07", "00/001", "0/x000/001", "8/001", "0/001/", "x/001",
            "0/1234", "entries/x1/001", "0/001.p/", "-1/001", "٠/001", "0/001.p/٣",
        ],
    )  # fmt: skip
    def test_other_spellings_are_refused(self, path):
        """A tile has one name: other spellings of it, and names of none, are refused."""
        with pytest.raises(ProofError):
            TileName.parse(path)

    def test_a_tile_that_lacks_hashes(self):
        """A tree whose tiles were cut says which tile lacks hashes, and proves nothing."""
        with pytest.raises(ProofError, match="0/001"):
            Tree(lambda level, number: LOG.tile(level, number) if number != 1 else b"").inclusion(300, SIZE)
