"""The log over HTTP: anybody verifies it with what is served, knowing its keys (C2SP tlog-tiles)."""

from __future__ import annotations

import pytest
from served import Served, consumption, opened

from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.merkle import leaf_hash
from ledger.log.notes import VerifierKey
from ledger.log.proofs import ConsistencyProof, InclusionProof
from ledger.log.tiles import TileName, Tree, width_at

FACTS = 300


@pytest.fixture
def grown(served: Served) -> Served:
    """A ledger of some hundred leaves."""
    served.post(opened("ACC-1"))
    served.post(*(consumption("ACC-1", f"C-{number}") for number in range(FACTS)))
    return served


def keys_of(served: Served) -> list[VerifierKey]:
    (fact,) = served.runtime.record.history("keys")
    return [VerifierKey.parse(text) for text in fact.fields["data"]["keys"]]


def bundle_of(raw: bytes) -> list[bytes]:
    leaves, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2])
        leaves.append(raw[at + 2 : end])
        at = end
    return leaves


class TestTiles:
    """The tree as a monitor reads it."""

    def test_a_monitor_rebuilds_the_tree_from_entries_and_tiles(self, grown: Served) -> None:
        """Entries hash to the tiles of level 0, and the tiles lead to the root of the signed checkpoint."""
        signed = SignedCheckpoint.parse(grown.client.get("/checkpoint").content)
        assert len(signed.verified_by(keys_of(grown))) == 2
        size = signed.checkpoint.size

        def read(level: int, number: int) -> bytes:
            name = TileName(level, number, width_at(size, level, number))
            return grown.client.get(f"/tile/{name.path}").content

        assert Tree(read).root(size) == signed.checkpoint.root
        leaves: list[bytes] = []
        while len(leaves) < size:
            number = len(leaves) // 256
            name = TileName(-1, number, width_at(size, 0, number))
            leaves += bundle_of(grown.client.get(f"/tile/{name.path}").content)
        assert b"".join(map(leaf_hash, leaves)) == read(0, 0) + read(0, 1)

    def test_who_may_read_what(self, grown: Served) -> None:
        """Checkpoint and tiles are anybody's, kept by caches only where they never change; entries are not."""
        checkpoint = grown.client.get("/checkpoint", headers={"Authorization": ""})
        tile = grown.client.get("/tile/0/000", headers={"Authorization": ""})
        entries = grown.client.get("/tile/entries/000", headers={"Authorization": ""})
        assert (checkpoint.status_code, tile.status_code, entries.status_code) == (200, 200, 401)
        assert checkpoint.headers["Cache-Control"] == "no-store"
        assert "immutable" in tile.headers["Cache-Control"]
        assert checkpoint.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert tile.headers["Content-Type"] == "application/octet-stream"

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/tile/0/001.p/200", 404),
            ("/tile/0/002.p/1", 404),
            ("/tile/2/000.p/1", 404),
            ("/tile/0/0", 422),
            ("/tile/0/001.p/0", 422),
            ("/tile/entries/001.p/255", 404),
            ("/v1/proofs/inclusion/400", 404),
            ("/v1/proofs/consistency?old=9999", 422),
        ],
    )
    def test_what_is_not_there(self, grown: Served, path: str, status: int) -> None:
        """What no signed checkpoint has is not there; another spelling of a tile is a wrong call."""
        answer = grown.client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")

    def test_before_anything_is_recorded(self, served: Served) -> None:
        """An empty ledger serves its signed, empty checkpoint, and no tile."""
        signed = SignedCheckpoint.parse(served.client.get("/checkpoint").content)
        assert signed.checkpoint.size == 0
        assert served.client.get("/tile/0/000.p/1").status_code == 404


class TestProofs:
    """Proofs on request."""

    def test_a_receipt_carries_its_proof_on_request(self, grown: Served) -> None:
        """With ?proof=true each receipt has a .tlog-proof that leads from its leaf to the signed root."""
        answer = grown.client.post("/v1/facts?proof=true", json=[opened("ACC-2"), opened("ACC-3")]).json()
        for receipt in answer["receipts"]:
            proof = InclusionProof.parse(receipt["proof"].encode())
            proof.verify(bytes.fromhex(receipt["leaf_hash"]))
            assert proof.index == receipt["position"]
            assert proof.signed.to_bytes().decode() == answer["checkpoint"]

    def test_a_proof_of_any_leaf(self, grown: Served) -> None:
        """The proof of an old leaf verifies against the newest checkpoint."""
        leaf = grown.client.get("/v1/facts?after=6&limit=1").json()["leaves"][0]
        proof = InclusionProof.parse(grown.client.get("/v1/proofs/inclusion/7").content)
        proof.verify(bytes.fromhex(leaf["leaf_hash"]))
        assert len(proof.signed.verified_by(keys_of(grown))) == 2

    def test_the_log_only_grows(self, grown: Served) -> None:
        """The newest checkpoint is proved to continue one that was fetched before."""
        before = SignedCheckpoint.parse(grown.client.get("/checkpoint").content).checkpoint
        grown.post(opened("ACC-2"))
        proof = ConsistencyProof.parse(grown.client.get(f"/v1/proofs/consistency?old={before.size}").content)
        proof.verify(before)
        assert proof.signed.checkpoint.size > before.size
