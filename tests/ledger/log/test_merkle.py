"""The Merkle tree is RFC 6962's."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.merkle import Frontier, leaf_hash, node_hash, root_of

# The inputs and roots of the test vectors of Certificate Transparency (RFC 6962's reference code).
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(leaves):
    """MTH of RFC 6962 §2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_the_vectors_of_certificate_transparency(size):
    """The roots of the reference's eight leaves come out."""
    assert root_of(leaf_hash(leaf) for leaf in CT_LEAVES[:size]).hex() == CT_ROOTS[size - 1]


def test_the_empty_tree():
    """The empty tree's root is SHA-256 of nothing."""
    assert root_of([]).hex() == hashlib.sha256(b"").hexdigest()


@given(st.lists(st.binary(max_size=8), max_size=70), st.integers(0, 70))
def test_any_tree_is_as_defined(leaves, cut):
    """Grown in one go, or kept as bytes half-way and grown on, the root is the definition's."""
    frontier = Frontier()
    frontier.extend(leaf_hash(leaf) for leaf in leaves[:cut])
    frontier = Frontier.from_bytes(frontier.size, frontier.to_bytes())
    frontier.extend(leaf_hash(leaf) for leaf in leaves[cut:])
    assert frontier.root() == by_definition(leaves)


def test_an_edge_of_another_size_is_refused():
    """A stored right edge that does not fit its size is refused."""
    with pytest.raises(ValueError, match="full subtrees"):
        Frontier.from_bytes(3, b"\0" * 32)
