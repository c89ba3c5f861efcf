"""The evidence package: one ZIP that is a BagIt bag, signed, and an ASiC-E when a token covers it.

Everything outside ``data/`` follows from what is inside, and every entry is stored uncompressed under a fixed
date, so that equal inputs give equal bytes and no bit of the file can be otherwise (RFC 8493; ETSI EN 319
162-1; ``proof.md``, Evidence package). What is in it is chosen by ``gather``; this module only writes it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import islice
from typing import Any, BinaryIO

from cryptography.hazmat.primitives.serialization import Encoding
from rfc3161_client import decode_timestamp_response

from ledger.errors import WrongCallError
from ledger.evidence import verifier as form
from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.keys import Keys
from ledger.log.notes import Note, Signature, VerifierKey
from ledger.log.proofs import ConsistencyProof, InclusionProof
from ledger.log.tokens import Authority

LEAVES_IN_A_BUNDLE = 10_000
LARGEST_PACKAGE_BYTES = 2**32 - 1
MOST_FILES = 65_535
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A personal value in clear, and the opening that ties it to its commitment."""

    commitment: str
    opening: bytes
    value: str


@dataclass(frozen=True, slots=True, order=True)
class Omission:
    """What is not in the package: ``what`` (leaf, mail, value, …), ``which`` of them, and ``why``."""

    what: str
    which: str
    why: str


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token over the checkpoint of ``size`` leaves: the DER response, and its chain (PEM) to the root."""

    size: int
    der: bytes
    certificates: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What a package holds.

    ``covers`` is the range of positions, or the positions, that it says to cover; ``leaves`` are exact bytes
    by position. They are proved either by ``proofs``, one each, all to ``head``, or, when there are many, by
    ``tiles`` of the tree of ``head`` (C2SP tlog-tiles; level and number to joined hashes). ``commits`` gives
    all leaf hashes of the facts of a commit by the position of its stamp; ``messages`` the stamping messages
    by the same, ``mails`` the cited ones by SHA-256. ``conclusions`` is JSON with the list ``conclusions``.
    """

    subject: str
    as_of: str
    covers: range | Sequence[int]
    head: SignedCheckpoint
    keys: Sequence[VerifierKey]
    leaves: Mapping[int, bytes]
    conclusions: Mapping[str, Any]
    proofs: Mapping[int, InclusionProof] = field(default_factory=dict)
    tiles: Mapping[tuple[int, int], bytes] | None = None
    checkpoints: Sequence[SignedCheckpoint] = ()
    consistency: Sequence[ConsistencyProof] = ()
    commits: Mapping[int, Sequence[bytes]] = field(default_factory=dict)
    messages: Mapping[int, bytes] = field(default_factory=dict)
    mails: Mapping[str, bytes] = field(default_factory=dict)
    tokens: Sequence[StoredToken] = ()
    disclosed: Sequence[Disclosed] = ()
    omissions: Sequence[Omission] = ()
    reports: Sequence[tuple[str, bytes]] = ()

    @property
    def origin(self) -> str:
        """The ledger."""
        return self.head.checkpoint.origin


def write(content: Content, target: BinaryIO, keys: Keys, authority: Authority | None = None) -> None:
    """Write a package, signed with the ledger's Ed25519 key; with an authority, timestamped as a whole.

    Raises:
        WrongCallError: it would be too large for one ZIP file without extensions.
        ProofError: the authority gave no token.
    """
    files = _payload(content, is_asic=authority is not None)
    manifest = form.manifest_lines(form.payload_of(_digests(files)))
    sizes = [len(data) for data in files.values()]
    files |= {
        "mimetype": form.PLAIN if authority is None else form.ASIC,
        form.BAG: form.BAGIT,
        form.BAG_INFO: form.bag_info(content.origin, content.subject, sizes),
        form.MANIFEST: manifest,
        form.MANIFEST_NOTE: signed_text(keys, form.manifest_note_text(content.origin, manifest)).to_bytes(),
    }
    if authority is not None:
        files |= _asic(files, authority)
    files[form.TAG_MANIFEST] = form.manifest_lines(form.tags_of(_digests(files)))
    _zip(files, target)


def signed_text(keys: Keys, text: str) -> Note:
    """A C2SP note over any text but a checkpoint's; ML-DSA-44 (0x06) signs trees only, so Ed25519 alone."""
    ed25519 = keys.verifier_keys[0]
    return Note(text, (Signature(keys.name, ed25519.key_id, keys.ed25519.sign(text.encode())),))


def verifier_source() -> bytes:
    """The stand-alone verifier, as it lies in each package."""
    return resources.files("ledger.evidence").joinpath("verifier.py").read_bytes()


def _payload(content: Content, *, is_asic: bool) -> dict[str, bytes]:
    described = {
        "package.json": _description(content, is_asic=is_asic),
        "commits.json": [
            {"stamp": position, "hashes": [hashed.hex() for hashed in content.commits[position]]}
            for position in sorted(content.commits)
        ],
        "disclosed.json": [
            {"commitment": row.commitment, "opening": row.opening.hex(), "value": row.value}
            for row in sorted(content.disclosed, key=lambda row: row.commitment)
        ],
        "conclusions.json": {
            **content.conclusions,
            "conclusions": [_with_digests(row) for row in content.conclusions["conclusions"]],
        },
        "omissions.json": [
            {"what": row.what, "which": row.which, "why": row.why} for row in sorted(set(content.omissions))
        ],
    }
    files = {name: form.canonical(value) for name, value in described.items()}
    files["keys.txt"] = "".join(f"{key.text}\n" for key in content.keys).encode()
    files["README.txt"] = resources.files("ledger.evidence").joinpath("readme.txt").read_bytes()
    files["verify.py"] = verifier_source()
    files |= _leaves(content) | _log(content)
    files |= {f"messages/{position}.eml": raw for position, raw in content.messages.items()}
    files |= {f"mails/{sha256}.eml": raw for sha256, raw in content.mails.items()}
    files |= {f"report/{name}": data for name, data in content.reports}
    return {f"data/{name}": data for name, data in files.items()}


def _description(content: Content, *, is_asic: bool) -> dict[str, Any]:
    covers = content.covers
    return {
        "asic": is_asic,
        "as_of": content.as_of,
        "covers": {"from": covers.start, "to": covers.stop}
        if isinstance(covers, range)
        else {"positions": sorted(covers)},
        "form": "files" if content.tiles is None else "bundles",
        "format": form.FORMAT,
        "leaves": len(content.leaves),
        "origin": content.origin,
        "size": content.head.checkpoint.size,
        "subject": content.subject,
    }


def _with_digests(row: Mapping[str, Any]) -> dict[str, Any]:
    """A conclusion with the SHA-256 of each text that it quotes."""
    quoted = [
        {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for text in row.get("quotations", ())
    ]
    return {**row, "quotations": quoted}


def _leaves(content: Content) -> dict[str, bytes]:
    """The leaves and their proofs: a file each, or bundles of lines (a leaf holds no line feed) and tiles."""
    if content.tiles is None:
        files = {f"leaves/{position}.json": leaf for position, leaf in content.leaves.items()}
        return files | {
            f"proofs/{position}.tlog-proof": content.proofs[position].to_bytes()
            for position in content.leaves
        }
    files = {f"tiles/{level}/{number}": joined for (level, number), joined in content.tiles.items()}
    coming = iter(sorted(content.leaves))
    number = 0
    while bundle := list(islice(coming, LEAVES_IN_A_BUNDLE)):
        lines = [b"%d %b\n" % (position, content.leaves[position]) for position in bundle]
        files[f"bundles/{number:06}.txt"] = b"".join(lines)
        number += 1
    return files


def _log(content: Content) -> dict[str, bytes]:
    """Checkpoints, the proofs between them, and tokens."""
    files = {
        f"checkpoints/{signed.checkpoint.size}.note": signed.to_bytes()
        for signed in (*content.checkpoints, content.head)
    }
    files |= {
        f"consistency/{proof.old_size}-{proof.signed.checkpoint.size}.proof": proof.to_bytes()
        for proof in content.consistency
    }
    for token in content.tokens:
        stem = f"tokens/{token.size}-{hashlib.sha256(token.der).hexdigest()[:16]}"
        files |= {f"{stem}.tsr": token.der, f"{stem}.pem": token.certificates}
    return files


def _asic(files: Mapping[str, bytes], authority: Authority) -> dict[str, bytes]:
    """The ASiCManifest, the token over it, and that token's certificates with the roots."""
    manifest = form.asic_manifest(form.outside_meta_inf(_digests(files)))
    token = authority.token_over(manifest)
    roots = b"".join(root.public_bytes(Encoding.PEM) for root in authority.roots)
    return {
        form.ASIC_MANIFEST: manifest,
        form.ASIC_TOKEN: decode_timestamp_response(token.der).time_stamp_token(),
        form.ASIC_CERTIFICATES: token.certificates_pem + roots,
    }


def _digests(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: hashlib.sha256(data).digest() for name, data in files.items()}


def _zip(files: Mapping[str, bytes], target: BinaryIO) -> None:
    names = ["mimetype", *sorted(files.keys() - {"mimetype"})]
    length = sum(len(files[name]) + 2 * len(name) + 76 for name in names) + 22
    if length > LARGEST_PACKAGE_BYTES or len(names) > MOST_FILES:
        raise WrongCallError(
            f"the package would have {len(names)} files and {length} bytes: ask for a narrower subject"
        )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, form.ZIP_MODE
            archive.writestr(entry, files[name])
