"""Order and proof: the Merkle tree over the leaves."""
