"""Foreign programs judge what we produce: they accept the honest and refuse the altered (issue: acceptance 1)."""

from __future__ import annotations

import base64
import subprocess

import pytest
from foreign import Sigstore, go_oracle, node_oracle
from log_factory import ORIGIN, SmallLog

from ledger.log.keys import Keys
from ledger.log.notes import encode_base64
from ledger.log.tiles import TileName, width_at

SIZES = (1, 2, 3, 7, 8, 255, 256, 257, 511, 700)
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410 §4)."""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    keys = Keys.open(tmp_path_factory.mktemp("keys"), ORIGIN)
    return SmallLog(keys).add(*(f"leaf {place}".encode() for place in range(700)))


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    return go_oracle(tmp_path_factory.mktemp("go"))


def flipped(data, at=0):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def inclusions(log):
    """Honest questions: every size, and the leaves at its edges and in its middle."""
    for size in SIZES:
        for index in sorted({0, size // 2, size - 1}):
            yield {
                "Ask": "inclusion", "Size": size, "Root": log.tree.root(size), "Index": index,
                "Leaf": log.leaves[index], "Hashes": log.tree.inclusion(index, size),
            }  # fmt: skip


def altered(question):
    """The same question with one thing wrong."""
    yield {**question, "Leaf": question["Leaf"] + b"\n"}
    yield {**question, "Root": flipped(question["Root"])}
    yield {**question, "Hashes": [*question["Hashes"], b"\0" * 32]}
    if question["Size"] > 1:
        yield {**question, "Index": (question["Index"] + 1) % question["Size"]}
        yield {**question, "Hashes": question["Hashes"][:-1]}
        yield {**question, "Hashes": [flipped(question["Hashes"][0]), *question["Hashes"][1:]]}


@pytest.mark.parametrize("program", ["go", "sigstore", "node"])
def test_inclusion_proofs(log, program, request):
    """Go's tlog, sigstore and @sigstore/verify accept each honest proof and refuse each altered one."""
    asked = {"go": lambda: request.getfixturevalue("go"), "sigstore": Sigstore, "node": node_oracle}[
        program
    ]()
    honest = list(inclusions(log))
    assert set(asked.ask(*honest)) == {"ok"}
    wrong = [row for question in honest for row in altered(question)]
    assert "ok" not in asked.ask(*wrong)


def test_consistency_proofs(log, go):
    """Go's tlog accepts each honest consistency proof and refuses each altered one."""
    honest = [
        {
            "Ask": "consistency", "Size": new, "Root": log.tree.root(new), "Old": old,
            "Before": log.tree.root(old), "Hashes": log.tree.consistency(old, new),
        }
        for new in SIZES for old in SIZES if old < new
    ]  # fmt: skip
    assert set(go.ask(*honest)) == {"ok"}
    wrong = []
    for row in honest:
        wrong += [{**row, "Before": flipped(row["Before"])}, {**row, "Root": flipped(row["Root"])}]
        wrong += [{**row, "Hashes": row["Hashes"][:-1]}, {**row, "Hashes": [*row["Hashes"], b"\0" * 32]}]
        wrong += [{**row, "Hashes": [flipped(row["Hashes"][0]), *row["Hashes"][1:]]}]
    assert "ok" not in go.ask(*wrong)


def test_signed_notes(log, go, tmp_path):
    """Go's note opens our checkpoints with our Ed25519 vkey, and no altered one, nor with another's key."""
    signed, other = log.signed(), Keys.open(tmp_path, ORIGIN).verifier_keys[0].text
    key = log.keys.verifier_keys[0].text
    good = {"Ask": "note", "Note": signed.to_bytes(), "Key": key, "Text": signed.checkpoint.text}
    assert go.ask(good) == ["ok"]
    raw = signed.to_bytes()
    first = raw.index(b"\n\n") + 2
    first_line = raw[first : raw.index(b"\n", first)]
    wrong = [
        {**good, "Note": raw.replace(b"\n700\n", b"\n701\n")},
        {**good, "Note": raw.replace(b"\n", b"\r\n")},
        {**good, "Note": raw.removesuffix(b"\n")},
        {**good, "Note": raw.replace(first_line, first_line[:-6] + b"AAAA==")},
        {**good, "Note": raw.replace(first_line + b"\n", b"")},
        {**good, "Key": other},
    ]
    assert "ok" not in go.ask(*wrong)


def test_tiles(log, go):
    """Go's tlog names tiles as we do, and finds our leaves in them."""
    names = [TileName(0, 0), TileName(0, 273, 112), TileName(2, 1234067, 7), TileName(1, 1000)]
    paths = [
        {"Ask": "path", "Level": row.level, "Number": row.number, "Width": row.width, "Text": row.path}
        for row in names
    ]
    assert go.ask(*paths) == ["ok"] * len(paths)
    leaves = [
        {
            "Ask": "tile", "Number": index // 256, "Width": width_at(700, 0, index // 256), "Index": index,
            "Leaf": log.leaves[index], "Tile": log.tile(0, index // 256),
        }
        for index in (0, 255, 256, 511, 512, 699)
    ]  # fmt: skip
    assert go.ask(*leaves) == ["ok"] * len(leaves)
    assert "ok" not in go.ask(*({**row, "Leaf": b"another"} for row in leaves))


def test_openssl_verifies_the_signature_of_a_checkpoint(log, tmp_path):
    """OpenSSL verifies Ed25519 over the note's text with the key of the vkey, and refuses an altered text."""
    signed, key = log.signed(), log.keys.verifier_keys[0]
    pem = encode_base64(SPKI_ED25519 + key.material)
    (tmp_path / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n")
    (tmp_path / "signature").write_bytes(signed.note.signatures[0].blob)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "text",
        "-sigfile",
        "signature",
    ]
    for text, status in ((signed.checkpoint.text, 0), (signed.checkpoint.text.replace("700", "701"), 1)):
        (tmp_path / "text").write_text(text)
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == status


def test_openssl_hashes_a_leaf_and_a_node_alike(log, tmp_path):
    """OpenSSL's SHA-256 over 0x00‖leaf, and over 0x01‖left‖right, gives our leaf hashes and roots (RFC 6962 §2.1)."""

    def sha256(data):
        (tmp_path / "data").write_bytes(data)
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-binary", "data"], cwd=tmp_path, capture_output=True, check=True
        )
        return done.stdout

    left, right = (sha256(b"\0" + leaf) for leaf in log.leaves[:2])
    assert left + right == log.tile(0, 0)[:64]
    assert sha256(b"\1" + left + right) == log.tree.root(2)
    assert base64.b64encode(log.tree.root(1)) == base64.b64encode(left)
