#!/usr/bin/env python3
"""Verify a Greffe evidence package: Python 3.9 or later and the program openssl, nothing else.

    python3 verify.py PACKAGE.zip [--key VKEY]... [--ca FILE] [--json]

Every package holds this file. It imports nothing of the project, trusts nothing that the package says of
itself, and reads every byte of it: what is not exactly as the format says is refused and named. Exit status:
0 when nothing failed, 1 otherwise. Without --key the ledger's key is taken from the package itself, and the
answer says so. Specifications: RFC 8493 (BagIt), RFC 8785 (JSON), RFC 9162 (proofs), C2SP signed-note,
tlog-checkpoint, tlog-cosignature, tlog-proof, tlog-tiles, RFC 3161 (tokens), ETSI EN 319 162-1 (ASiC-E).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

FORMAT = "greffe-evidence/1"
ASIC, PLAIN = b"application/vnd.etsi.asic-e+zip", b"application/zip"
OK, FAILED, NOT_CHECKED = "ok", "failed", "not checked"
NAMED_AT_MOST = 10
LIMITS = (
    "No cryptography shows a lie at entry, a fact that was never recorded, or the collusion of all who keep"
    " the ledger, its witnesses and its clock; the time is what the mail server gave (art. 23)."
)
ED25519, COSIGNATURE, ML_DSA_44 = 1, 4, 6
MATERIAL_BYTES = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}
KIND_NAMES = {ED25519: "Ed25519", COSIGNATURE: "Ed25519 cosignature", ML_DSA_44: "ML-DSA-44"}
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4
LONGEST_LEAF_BYTES = 65_535
LARGEST_INTEGER = 2**53 - 1
MOST_APART = timedelta(minutes=5)
BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
BAG, BAG_INFO, MANIFEST = "bagit.txt", "bag-info.txt", "manifest-sha256.txt"
MANIFEST_NOTE, TAG_MANIFEST = "manifest-sha256.txt.note", "tagmanifest-sha256.txt"
ASIC_MANIFEST, ASIC_TOKEN = "META-INF/ASiCManifest.xml", "META-INF/timestamp.tst"
ASIC_CERTIFICATES = "META-INF/timestamp.pem"
ASIC_SPACE, DSIG_SPACE = "http://uri.etsi.org/02918/v1.2.1#", "http://www.w3.org/2000/09/xmldsig#"
SHA256_URI, TOKEN_TYPE = "http://www.w3.org/2001/04/xmlenc#sha256", "application/vnd.etsi.timestamp-token"
TAGS = {"mimetype", BAG, BAG_INFO, MANIFEST, MANIFEST_NOTE, TAG_MANIFEST}
ASIC_FILES = {ASIC_MANIFEST, ASIC_TOKEN, ASIC_CERTIFICATES}
REQUIRED = {
    f"data/{name}"
    for name in (
        "package.json",
        "keys.txt",
        "commits.json",
        "disclosed.json",
        "conclusions.json",
        "omissions.json",
        "README.txt",
        "verify.py",
    )
}
LEAF_FILE = re.compile(r"data/leaves/(0|[1-9][0-9]{0,18})\.json\Z")
PROOF_FILE = re.compile(r"data/proofs/(0|[1-9][0-9]{0,18})\.tlog-proof\Z")
BUNDLE_FILE = re.compile(r"data/bundles/[0-9]{6}\.txt\Z")
TILE_FILE = re.compile(r"data/tiles/([0-7])/(0|[1-9][0-9]{0,15})\Z")
CHECKPOINT_FILE = re.compile(r"data/checkpoints/(0|[1-9][0-9]{0,18})\.note\Z")
CONSISTENCY_FILE = re.compile(r"data/consistency/(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})\.proof\Z")
MESSAGE_FILE = re.compile(r"data/messages/(0|[1-9][0-9]{0,18})\.eml\Z")
MAIL_FILE = re.compile(r"data/mails/([0-9a-f]{64})\.eml\Z")
TOKEN_FILE = re.compile(r"data/tokens/((0|[1-9][0-9]{0,18})-[0-9a-f]{16})\.(tsr|pem)\Z")
REPORT_FILE = re.compile(r"data/report/[a-z0-9.-]{1,80}\Z")
FILES = (
    LEAF_FILE,
    PROOF_FILE,
    BUNDLE_FILE,
    TILE_FILE,
    CHECKPOINT_FILE,
    CONSISTENCY_FILE,
    MESSAGE_FILE,
    MAIL_FILE,
    TOKEN_FILE,
    REPORT_FILE,
)
COMMITMENT = re.compile(r"~[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")
SALT = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]\Z")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")
REPORT_BEGIN, REPORT_END = "===== LEAVES =====", "===== END OF LEAVES ====="
STAMP, BASIS = "stamp.received", "basis.recorded"
KEPT_TYPES = {
    STAMP,
    "mail.received",
    "notification.sent",
    "key.rotated",
    "basis.recorded",
    "token.received",
    "witness.cosigned",
}
MESSAGES = {"mail.received", "notification.sent"}

Extra = Callable[[bytes, bytes, bytes], bool]
"""Verifies a signature of a kind that openssl cannot: (public key, signature, message)."""


class RefusedError(Exception):
    """Something is not what it must be; the message is a sentence."""


class Check(NamedTuple):
    """One thing that was looked at, what came of it, and what that means."""

    name: str
    result: str
    sentence: str


class Findings:
    """The checks so far."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def say(self, name: str, result: str, sentence: str) -> None:
        self.checks.append(Check(name, result, sentence))

    def judge(self, name: str, problems: Sequence[str], fine: str) -> None:
        """Failed, naming the problems; ok, with ``fine``, when there are none."""
        if not problems:
            self.say(name, OK, fine)
        for problem in problems[:NAMED_AT_MOST]:
            self.say(name, FAILED, problem)
        if len(problems) > NAMED_AT_MOST:
            self.say(name, FAILED, f"{len(problems) - NAMED_AT_MOST} more problems of this kind")

    @property
    def accepted(self) -> bool:
        return bool(self.checks) and all(check.result != FAILED for check in self.checks)


# The ZIP file: each header is exactly what the writer writes, so no bit of it can be otherwise

LOCAL, CENTRAL, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s4B4H3L5H2L"), struct.Struct("<4s4H2LH")
ZIP_DATE = 33  # 1980-01-01
ZIP_MODE = 0o100644 << 16
NAME = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*\Z")


class Archive:
    """The entries of a ZIP file, all stored, and nothing before, between or after them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._places: dict[str, tuple[int, int, int]] = {}
        try:
            self._read_directory(os.fstat(self._file.fileno()).st_size)
        except struct.error as error:
            raise RefusedError(f"the ZIP file is cut or damaged: {error}") from error

    def close(self) -> None:
        self._file.close()

    @property
    def names(self) -> list[str]:
        return list(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def size(self, name: str) -> int:
        return self._places[name][1]

    def read(self, name: str) -> bytes:
        """The bytes of an entry, their CRC verified."""
        if name not in self._places:
            raise RefusedError(f"{name} is missing")
        start, size, crc = self._places[name]
        self._file.seek(start)
        data = self._file.read(size)
        if zlib.crc32(data) != crc:
            raise RefusedError(f"{name} was altered: its CRC does not fit")
        return data

    def _at(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)

    def _read_directory(self, length: int) -> None:
        if length < END.size:
            raise RefusedError("this is no ZIP file: it is too short")
        end = END.unpack(self._at(length - END.size, END.size))
        signature, disk, first_disk, here, count, size, start, comment = end
        if signature != b"PK\5\6":
            raise RefusedError("the file does not end with a ZIP directory: bytes follow it, or it is none")
        if (disk, first_disk, here, comment) != (0, 0, count, 0) or start + size + END.size != length:
            raise RefusedError(
                "the ZIP directory does not describe this file from its first byte to its last"
            )
        directory, at, offset, seen = self._at(start, size), 0, 0, {}  # type: ignore[var-annotated]
        for _ in range(count):
            fields = CENTRAL.unpack_from(directory, at)
            name_length, crc, stored = fields[12], fields[9], fields[11]
            raw = directory[at + CENTRAL.size : at + CENTRAL.size + name_length]
            name = self._checked_name(raw, seen)
            expected = CENTRAL.pack(
                b"PK\1\2",
                20,
                3,
                20,
                0,
                0,
                0,
                0,
                ZIP_DATE,
                crc,
                stored,
                stored,
                len(raw),
                0,
                0,
                0,
                0,
                ZIP_MODE,
                offset,
            )
            local = LOCAL.pack(b"PK\3\4", 20, 0, 0, 0, ZIP_DATE, crc, stored, stored, len(raw), 0)
            if directory[at : at + CENTRAL.size] != expected:
                raise RefusedError(f"the ZIP directory's entry for {name} is not one that the writer writes")
            if self._at(offset, LOCAL.size + len(raw)) != local + raw:
                raise RefusedError(f"the ZIP header of {name} is not the one that the directory describes")
            self._places[name] = (offset + LOCAL.size + len(raw), stored, crc)
            offset += LOCAL.size + len(raw) + stored
            at += CENTRAL.size + len(raw)
        if at != size or offset != start:
            raise RefusedError("the ZIP file holds bytes that belong to no entry")
        if self.names[:1] != ["mimetype"] or self.names[1:] != sorted(self.names[1:]):
            raise RefusedError("mimetype is not the first entry, or the others are not sorted")

    @staticmethod
    def _checked_name(raw: bytes, seen: dict[str, str]) -> str:
        name = raw.decode("ascii", "backslashreplace")
        if not NAME.match(name) or any(set(part) == {"."} for part in name.split("/")):
            raise RefusedError(f"the ZIP entry {name!r} has a name that could lead outside the package")
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            how = "twice" if other == name else f"beside {other!r}, the same but for case"
            raise RefusedError(f"the ZIP file holds {name!r} {how}")
        return name


# What stands outside data/ follows from what is inside: it is made again and compared


def manifest_lines(digests: Mapping[str, bytes]) -> bytes:
    """A BagIt manifest (RFC 8493 §2.1.3), sorted by name."""
    return "".join(f"{digests[name].hex()}  {name}\n" for name in sorted(digests)).encode()


def bag_info(origin: str, subject: str, sizes: Sequence[int]) -> bytes:
    """``bag-info.txt`` for payload files of these sizes in bytes (RFC 8493 §2.2.2)."""
    lines = (
        f"External-Description: Greffe evidence package about {subject}",
        f"External-Identifier: {origin}",
        f"Payload-Oxum: {sum(sizes)}.{len(sizes)}",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def manifest_note_text(origin: str, manifest: bytes) -> str:
    """What the ledger's key signs about a package: the digest of its manifest."""
    return f"{FORMAT}\n{origin}\n{encode_base64(hashlib.sha256(manifest).digest())}\n"


def asic_manifest(digests: Mapping[str, bytes]) -> bytes:
    """The ASiCManifest (EN 319 162-1, A.4) over these files, by their SHA-256."""
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<asic:ASiCManifest xmlns:asic="{ASIC_SPACE}"'
        f' xmlns:ds="{DSIG_SPACE}">\n<asic:SigReference URI="{ASIC_TOKEN}" MimeType="{TOKEN_TYPE}"/>\n'
    )
    rows = [
        f'<asic:DataObjectReference URI="{name}"><ds:DigestMethod Algorithm="{SHA256_URI}"/>'
        f"<ds:DigestValue>{encode_base64(digests[name])}</ds:DigestValue></asic:DataObjectReference>\n"
        for name in sorted(digests)
    ]
    return (head + "".join(rows) + "</asic:ASiCManifest>\n").encode()


def tags_of(digests: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of the digests of all files those that the tag manifest lists."""
    return {
        name: found
        for name, found in digests.items()
        if not name.startswith("data/") and name != TAG_MANIFEST
    }


def payload_of(digests: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: found for name, found in digests.items() if name.startswith("data/")}


def outside_meta_inf(digests: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name: found
        for name, found in digests.items()
        if not name.startswith("META-INF/") and name != TAG_MANIFEST
    }


# Strict texts: base64, numbers, JSON


def encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """Base64 that re-encodes to itself."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(f"{what} is not base64") from error
    if encode_base64(data) != text:
        raise RefusedError(f"{what} is not canonical base64")
    return data


def decode_count(text: str, what: str) -> int:
    """A decimal number without leading zeroes, below 2^63."""
    if not re.match(r"(?:0|[1-9][0-9]{0,18})\Z", text) or int(text) >= 2**63:
        raise RefusedError(f"{what} is not a number without leading zeroes: {text[:40]!r}")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedError("a key stands twice in one object")
    return found


def _no_float(text: str) -> Any:
    raise RefusedError(f"{text[:40]} is a float, and the ledger writes none")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > LARGEST_INTEGER:
        raise RefusedError(f"{text[:40]} is beyond 2^53 - 1")
    return int(text)


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_no_float, parse_int=_integer, parse_constant=_no_float
)
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """JSON as RFC 8785 writes it; keys are ASCII, so that their order is the same by any unit."""
    return ENCODER.encode(value).encode()


def read_json(raw: bytes) -> Any:
    """JSON that is written canonically, without floats and without duplicate keys; text stays as it is."""
    try:
        value = DECODER.decode(raw.decode("utf-8"))
        again = canonical(value)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"it is no such JSON: {error}") from error
    if again != raw:
        raise RefusedError("the bytes do not re-encode to themselves (RFC 8785)")
    return value


def ascii_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(key.isascii() and ascii_keys(item) for key, item in value.items())
    return not isinstance(value, list) or all(ascii_keys(item) for item in value)


def instant(text: str) -> datetime:
    """An instant as leaves write it: UTC, six decimals, Z."""
    if not isinstance(text, str) or not INSTANT.match(text):
        raise RefusedError(f"{text!r} is not an instant as the ledger writes them")
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise RefusedError(f"{text!r} is no instant") from error


def plain(text: str) -> str:
    """An instant of a leaf as answers write it: decimals only when it has any."""
    return text[:-8] + "Z" if text.endswith(".000000Z") else text


# Notes, keys and signatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature)


class Key(NamedTuple):
    """A verifier key: NAME+ID+BASE64."""

    name: str
    kind: int
    material: bytes
    text: str

    @property
    def key_id(self) -> bytes:
        head = self.name.encode() + b"\n" + bytes([self.kind])
        return hashlib.sha256(head + self.material).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> Key:
        name, _, rest = text.partition("+")
        written_id, plus, encoded = rest.partition("+")
        if not plus or not _is_key_name(name):
            raise RefusedError(f"{text[:60]!r} is no verifier key (NAME+ID+BASE64)")
        data = decode_base64(encoded, "the verifier key")
        kind = data[0] if data else -1
        key = cls(name, kind, data[1:], text)
        if MATERIAL_BYTES.get(kind) != len(key.material) or key.key_id.hex() != written_id:
            raise RefusedError(f"the verifier key of {name} is of an unknown kind, or its id is not its own")
        return key


def _is_key_name(name: str) -> bool:
    return bool(name) and name.isprintable() and "+" not in name and not any(c.isspace() for c in name)


class Signature(NamedTuple):
    name: str
    key_id: bytes
    blob: bytes


class Note(NamedTuple):
    """A text and its signatures, exactly as written."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Note:
        try:
            whole = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RefusedError("the note is not UTF-8") from error
        if any(letter < " " and letter != "\n" for letter in whole):
            raise RefusedError("the note holds a control character other than a line feed")
        text, blank, tail = whole.rpartition("\n\n")
        if not blank or not tail.endswith("\n"):
            raise RefusedError("the note has no empty line before its signatures, or no newline at its end")
        return cls(text + "\n", tuple(_signature(line) for line in tail[:-1].split("\n")))


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, space, encoded = rest.partition(" ")
    if dash != "—" or not space or not _is_key_name(name):
        raise RefusedError(f"{line[:60]!r} is no signature line")
    data = decode_base64(encoded, f"the signature of {name[:60]}")
    if len(data) < 5:
        raise RefusedError(f"the signature of {name[:60]} is empty")
    return Signature(name, data[:4], data[4:])


class Checkpoint(NamedTuple):
    """What a log says of its tree, and the note that says it."""

    origin: str
    size: int
    root: bytes
    note: Note
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Checkpoint:
        note = Note.parse(raw)
        lines = note.text[:-1].split("\n")
        if len(lines) != 3 or not lines[0]:
            raise RefusedError("a checkpoint has three lines: origin, size and root")
        size, root = decode_count(lines[1], "the size"), decode_base64(lines[2], "the root")
        if len(root) != 32:
            raise RefusedError("the root of a checkpoint has 32 bytes")
        return cls(lines[0], size, root, note, raw)


class Openssl:
    """The program openssl; answers are remembered by what was asked."""

    remembered: ClassVar[dict[bytes, tuple[int, str]]] = {}

    @classmethod
    def run(cls, arguments: Sequence[str], files: Mapping[str, bytes]) -> tuple[int, str]:
        """Status and output of a call in a folder of its own with these files.

        Raises:
            RefusedError: there is no such program here.
        """
        asked = hashlib.sha256(repr((list(arguments), sorted(files.items()))).encode()).digest()
        if asked not in cls.remembered:
            with tempfile.TemporaryDirectory() as folder:
                for name, data in files.items():
                    (Path(folder) / name).write_bytes(data)
                try:
                    done = subprocess.run(
                        ["openssl", *arguments],
                        cwd=folder,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        check=False,
                    )
                except OSError as error:
                    raise RefusedError(f"the program openssl cannot be run here: {error}") from error
            cls.remembered[asked] = done.returncode, done.stdout.decode("utf-8", "replace")
        return cls.remembered[asked]

    @classmethod
    def verifies(cls, material: bytes, signature: bytes, message: bytes) -> bool:
        """Whether an Ed25519 signature is of this key over this message."""
        spki = encode_base64(SPKI_ED25519 + material)
        files = {
            "key.pem": f"-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n".encode(),
            "text": message,
            "signature": signature,
        }
        status, _ = cls.run(
            (
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
            ),
            files,
        )
        return status == 0


def signed_message(signature: Signature, key: Key, checkpoint: Checkpoint) -> tuple[bytes, bytes]:
    """The signature proper of a line, and what it must be over."""
    text = checkpoint.note.text.encode()
    if key.kind == ED25519:
        return signature.blob, text
    if len(signature.blob) < 9:
        raise RefusedError(f"the signature of {key.name} states no time")
    seconds = int.from_bytes(signature.blob[:8], "big")
    if key.kind == COSIGNATURE:
        return signature.blob[8:], b"cosignature/v1\ntime %d\n" % seconds + text
    name, origin = key.name.encode(), checkpoint.origin.encode()
    names = bytes([len(name)]) + name + struct.pack(">Q", seconds) + bytes([len(origin)]) + origin
    return signature.blob[8:], (
        b"subtree/v1\n\0" + names + struct.pack(">QQ", 0, checkpoint.size) + checkpoint.root
    )


# The tree (RFC 9162 §2.1)


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def check_inclusion(leaf: bytes, index: int, hashes: Sequence[bytes], checkpoint: Checkpoint) -> None:
    """RFC 9162 §2.1.3.2."""
    if index >= checkpoint.size:
        raise RefusedError(f"a tree of {checkpoint.size} leaves has no leaf {index}")
    if _climb(leaf, index, checkpoint.size - 1, hashes)[1] != checkpoint.root:
        raise RefusedError(f"the inclusion proof of leaf {index} does not lead to the checkpoint's root")


def _climb(node: bytes, place: int, last: int, siblings: Sequence[bytes]) -> tuple[bytes, bytes]:
    ending = whole = node
    for sibling in siblings:
        if last == 0:
            raise RefusedError("the proof is too long")
        if place & 1 or place == last:
            ending, whole = node_hash(sibling, ending), node_hash(sibling, whole)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            whole = node_hash(whole, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise RefusedError("the proof is too short")
    return ending, whole


def check_consistency(old: Checkpoint, new: Checkpoint, hashes: Sequence[bytes]) -> None:
    """RFC 9162 §2.1.4.2."""
    if old.size > new.size:
        raise RefusedError(f"a tree of {old.size} leaves does not begin one of {new.size}")
    if old.size in (0, new.size):
        if hashes or (old.size and old.root != new.root):
            raise RefusedError(
                f"two different trees of {old.size} leaves, or a proof that must be empty is not"
            )
        return
    path = list(hashes)
    if not old.size & (old.size - 1):
        path.insert(0, old.root)
    if not path:
        raise RefusedError("the consistency proof is empty")
    place, last = old.size - 1, new.size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if _climb(path[0], place, last, path[1:]) != (old.root, new.root):
        raise RefusedError(
            f"the tree of {new.size} leaves does not begin with that of {old.size}: the log was rewritten"
        )


def read_proof(raw: bytes, first_lines: Sequence[str]) -> tuple[list[bytes], bytes]:
    """The hashes of a proof file that begins with these lines, and the note that ends it."""
    head, blank, note = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise RefusedError("the proof is not ASCII") from error
    if not blank or lines[: len(first_lines)] != list(first_lines):
        raise RefusedError(f"the proof does not begin with {' / '.join(first_lines)}, as it must here")
    hashes = [decode_base64(line, "a hash of the proof") for line in lines[len(first_lines) :]]
    if len(hashes) > 63 or any(len(found) != 32 for found in hashes):
        raise RefusedError("a proof has at most 63 hashes, of 32 bytes each")
    return hashes, note


# Mail: the stamping messages, and the time that their queue ids carry

QUEUE_ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
RECEIVED = re.compile(rb"^Received:((?:.*\r\n)(?:[ \t].*\r\n)*)", re.MULTILINE | re.IGNORECASE)
RECEIVED_ID, RECEIVED_BY = re.compile(rb"\bid ([0-9A-Za-z]+)\b"), re.compile(rb"\bby ([^\s;()]+)")


def queue_time(queue_id: str) -> datetime | None:
    """The instant that a long Postfix queue id carries; ``None`` when it carries none (postconf(5))."""
    digits, separator, inode = queue_id.rpartition("z")
    if not separator or not inode or len(digits) < 10 or any(c not in QUEUE_ALPHABET for c in queue_id):
        return None
    seconds = micros = 0
    for digit in digits[:-4]:
        seconds = seconds * 52 + QUEUE_ALPHABET.index(digit)
    for digit in digits[-4:]:
        micros = micros * 52 + QUEUE_ALPHABET.index(digit)
    if micros >= 1_000_000:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds, microseconds=micros)
    except OverflowError:
        return None


def received_line(message: bytes) -> tuple[str, str, datetime | None]:
    """What the top ``Received`` line says: queue id, server, and time in whole seconds."""
    found = RECEIVED.search(message.partition(b"\r\n\r\n")[0] + b"\r\n")
    text = found.group(1) if found else b""
    queue_id, server = RECEIVED_ID.search(text), RECEIVED_BY.search(text)
    try:
        at = parsedate_to_datetime(text.rpartition(b";")[2].decode("ascii", "replace").strip())
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    except (ValueError, TypeError, OverflowError, IndexError):
        at = None
    return (
        queue_id.group(1).decode() if queue_id else "",
        server.group(1).decode("ascii", "replace") if server else "",
        at,
    )


def what_was_sent(message: bytes, sha256: str) -> bytes | None:
    """The end of a stored message whose digest is this: a server adds lines on top, and changes none."""
    at = 0
    head = message.partition(b"\r\n\r\n")[0]
    while 0 <= at <= len(head):
        if hashlib.sha256(message[at:]).hexdigest() == sha256:
            return message[at:]
        at = message.find(b"\r\n", at) + 2
        if at < 2:
            break
    return None


def header(message: bytes, name: str) -> str:
    """The first header of that name, or nothing."""
    head = message.partition(b"\r\n\r\n")[0] + b"\r\n"
    found = re.search(
        rb"^%s:[ \t]*(.*?)[ \t]*\r\n" % re.escape(name.encode()), head, re.MULTILINE | re.IGNORECASE
    )
    return found.group(1).decode("utf-8", "replace") if found else ""


def checkpoint_in(message: bytes) -> bytes | None:
    """The signed checkpoint that a stamping message carries, if it carries one."""
    _, begin, rest = message.partition(b"\r\n-----BEGIN GREFFE CHECKPOINT-----\r\n")
    encoded, end, _ = rest.partition(b"\r\n-----END GREFFE CHECKPOINT-----\r\n")
    if not begin:
        return None
    try:
        if not end:
            raise RefusedError("the checkpoint in the message has no end")
        return base64.b64decode(encoded.replace(b"\r\n", b""), validate=True)
    except binascii.Error as error:
        raise RefusedError("the checkpoint in the message is not base64") from error


# Leaves


def read_leaf(raw: bytes) -> dict[str, Any]:
    """A leaf, strictly: canonical JSON with exactly the fields of a fact or of a stamp."""
    if len(raw) > LONGEST_LEAF_BYTES:
        raise RefusedError(f"a leaf has at most {LONGEST_LEAF_BYTES} bytes")
    leaf = read_json(raw)
    if not isinstance(leaf, dict) or not (raw.isascii() or ascii_keys(leaf)):
        raise RefusedError("a leaf is a JSON object with ASCII keys")
    required = {"data", "salt", "subject", "type", "v"}
    optional: set[str] = set()
    if leaf.get("type") != STAMP:
        required, optional = required | {"id", "source"}, {"history", "mail", "time"}
    if not required <= leaf.keys() <= required | optional:
        raise RefusedError("the leaf lacks a field, or has an unknown one")
    if leaf["v"] is True or leaf["v"] != 1 or leaf.get("history", True) is not True:
        raise RefusedError("v is 1, and history true or absent")
    texts = [leaf[name] for name in ("salt", "subject", "type", "id", "source", "mail") if name in leaf]
    if not all(isinstance(text, str) for text in texts) or not isinstance(leaf["data"], dict):
        raise RefusedError("a field of the leaf is of another kind than it must be")
    if not SALT.match(leaf["salt"]):
        raise RefusedError("the salt is not 16 bytes in base64url")
    if "time" in leaf:
        instant(leaf["time"])
    return leaf


def flat(node: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each value inside, with its JSON pointer (RFC 6901)."""
    if isinstance(node, dict) and node:
        for key, item in node.items():
            yield from flat(item, pointer + "/" + key.replace("~", "~0").replace("/", "~1"))
    elif isinstance(node, list) and node:
        for number, item in enumerate(node):
            yield from flat(item, f"{pointer}/{number}")
    else:
        yield pointer, node


def leaf_lines(position: int, leaf: Mapping[str, Any], clear: Mapping[str, str]) -> Iterator[str]:
    """A leaf as the report for people must show it."""
    yield f"[{position}] {leaf['type']} {leaf['subject']}"
    for pointer, value in sorted(flat(leaf)):
        if pointer in ("/salt", "/type", "/subject", "/v"):
            continue
        shown = clear.get(value) if isinstance(value, str) else None
        line = f"    {pointer} {ENCODER.encode(value)}"
        yield line if shown is None else f"{line} = {ENCODER.encode(shown)}"


class Tiles:
    """The tree as tiles (C2SP tlog-tiles): proves the place of every leaf under the tiles it has."""

    def __init__(self, checkpoint: Checkpoint, tiles: Mapping[tuple[int, int], bytes]) -> None:
        self._size = checkpoint.size
        self._tiles = {
            place: [raw[at : at + 32] for at in range(0, len(raw), 32)] for place, raw in tiles.items()
        }
        for (level, number), hashes in self._tiles.items():
            width = min(max((self._size >> (8 * level)) - (number << 8), 0), 256)
            if len(tiles[level, number]) != 32 * width or not width:
                raise RefusedError(f"the tile {level}/{number} has not {width} hashes")
            above = self._tiles.get((level + 1, number >> 8), [])
            if width == 256 and above[number & 255 : (number & 255) + 1] != [_root(hashes)]:
                raise RefusedError(f"the tile {level}/{number} is not under the tile above it")
        if self._edge_root() != checkpoint.root:
            raise RefusedError("the tiles do not lead to the checkpoint's root")

    def _edge_root(self) -> bytes:
        subtrees: list[bytes] = []
        for level in reversed(range(8)):
            width, number = (self._size >> (8 * level)) & 255, self._size >> (8 * level) >> 8
            hashes = self._tiles.get((level, number), []) if width else []
            if len(hashes) != width:
                raise RefusedError(f"the tile {level}/{number} at the right edge is missing")
            start = 0
            for bit in reversed(range(8)):
                if width >> bit & 1:
                    subtrees.append(_root(hashes[start : start + (1 << bit)]))
                    start += 1 << bit
        root = subtrees.pop() if subtrees else hashlib.sha256(b"").digest()
        while subtrees:
            root = node_hash(subtrees.pop(), root)
        return root

    def check(self, position: int, hashed: bytes) -> None:
        hashes = self._tiles.get((0, position >> 8), [])
        if hashes[position & 255 : (position & 255) + 1] != [hashed] or position >= self._size:
            raise RefusedError(f"leaf {position} is not what the tree has at its place")


def _root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


# The package


class Package:
    """One package, examined step by step."""

    def __init__(
        self,
        archive: Archive,
        findings: Findings,
        pinned: Sequence[str],
        authorities: bytes | None,
        extra: Mapping[int, Extra],
    ) -> None:
        self.archive, self.findings = archive, findings
        self.pinned, self.authorities, self.extra = pinned, authorities, extra
        self.digests: dict[str, bytes] = {}
        self.about: dict[str, Any] = {}
        self.keys: list[Key] = []
        self.checkpoints: dict[int, Checkpoint] = {}
        self.hashes: dict[int, bytes] = {}
        self.kept: dict[int, dict[str, Any]] = {}
        self.commitments: dict[str, int] = {}
        self.clear: dict[str, str] = {}
        self.omitted: set[tuple[str, str]] = set()
        self.concluded: dict[str, Any] = {}
        self.told_lines = hashlib.sha256()

    def examine(self) -> None:
        """Every check in order; what the rest needs comes first, and ends the examination when it fails."""
        for name, step in (("files", self.files), ("bag", self.bag), ("description", self.description)):
            if not self._step(name, step):
                return
        for name, step in (
            ("signature of the package", self.package_signature),
            ("checkpoints", self.read_checkpoints),
            ("consistency", self.consistency),
            ("leaves", self.leaves),
            ("retired keys", self.retired_keys),
            ("commits", self.commits),
            ("stamping messages", self.messages),
            ("mails", self.mails),
            ("disclosed values", self.disclosed),
            ("tokens", self.tokens),
            ("ASiC", self.asic),
            ("conclusions", self.conclusions),
            ("basis", self.basis),
            ("report", self.reports),
            ("completeness", self.completeness),
        ):
            self._step(name, step)
        self.findings.say("limits", NOT_CHECKED, LIMITS)

    def _step(self, name: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except RefusedError as error:
            self.findings.say(name, FAILED, str(error))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
            self.findings.say(name, FAILED, f"this part is not as the format says ({error!r:.200})")
        else:
            return True
        return False

    def json_of(self, name: str) -> Any:
        try:
            return read_json(self.archive.read(f"data/{name}"))
        except RefusedError as error:
            raise RefusedError(f"data/{name}: {error}") from error

    def named(self, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], str]]:
        for name in self.archive.names:
            match = pattern.match(name)
            if match:
                yield match, name

    # Files and bag

    def files(self) -> None:
        names = self.archive.names
        asic = self.archive.read("mimetype") == ASIC
        if not asic and self.archive.read("mimetype") != PLAIN:
            raise RefusedError("mimetype names another type of file")
        known = TAGS | REQUIRED | (ASIC_FILES if asic else set())
        odd = [name for name in names if name not in known and not any(p.match(name) for p in FILES)]
        missing = sorted(known - set(names))
        problems = [f"{name} does not belong in a package" for name in odd]
        fine = f"{len(names)} files, all stored, none of them twice, none outside the package"
        self.findings.judge("files", problems + [f"{name} is missing" for name in missing], fine)
        if problems or missing:
            raise RefusedError("the package has other files than it must")

    def bag(self) -> None:
        self.digests = {name: hashlib.sha256(self.archive.read(name)).digest() for name in self.archive.names}
        problems = self._differences(MANIFEST, manifest_lines(payload_of(self.digests)))
        problems += self._differences(TAG_MANIFEST, manifest_lines(tags_of(self.digests)))
        if self.archive.read(BAG) != BAGIT:
            problems.append(f"{BAG} is not as the writer writes it")
        self.findings.judge("bag", problems, "every file has the digest that the manifests list (BagIt)")

    def _differences(self, name: str, expected: bytes) -> list[str]:
        found = self.archive.read(name)
        if found == expected:
            return []
        # by LF alone: splitlines() would also split at other bytes
        listed = set(found.split(b"\n")) - {b""}
        wanted = set(expected.split(b"\n")) - {b""}
        rows = [
            (line[66:].decode("ascii", "replace"), "was altered, or is not listed")
            for line in wanted - listed
        ]
        rows += [
            (line[66:].decode("ascii", "replace"), "is listed otherwise than it is")
            for line in listed - wanted
        ]
        rows = sorted(set(rows)) or [(name, "has its lines in another order or form")]
        return [f"{which} {what} ({name})" for which, what in rows]

    def description(self) -> None:
        self.about = about = self.json_of("package.json")
        fields = {"asic", "as_of", "covers", "form", "format", "leaves", "origin", "size", "subject"}
        if set(about) != fields or about["format"] != FORMAT or about["form"] not in ("files", "bundles"):
            raise RefusedError(f"data/package.json does not describe a package of the format {FORMAT}")
        if about["asic"] is not (self.archive.read("mimetype") == ASIC):
            raise RefusedError("mimetype claims another kind of container than was signed")
        info = bag_info(
            about["origin"], about["subject"], [self.archive.size(n) for n in payload_of(self.digests)]
        )
        if self.archive.read(BAG_INFO) != info:
            raise RefusedError(f"{BAG_INFO} says something else than the payload")
        lines = self.archive.read("data/keys.txt").decode("utf-8").split("\n")
        self.keys = [Key.parse(line) for line in lines[:-1]]
        if lines[-1] or len({key.text for key in self.keys}) != len(self.keys):
            raise RefusedError("data/keys.txt is not one key a line, each once")
        for row in self.json_of("omissions.json"):
            if set(row) != {"what", "which", "why"} or not all(
                isinstance(text, str) and text for text in row.values()
            ):
                raise RefusedError("an omission has what, which and why")
            self.omitted.add((row["what"], row["which"]))
        self.concluded = self.json_of("conclusions.json")

    # Signatures

    def _signed(self, note: Note, checkpoint: Checkpoint | None, what: str) -> list[str]:
        """The problems of a note's signatures; says what could not be checked."""
        problems, own = [], 0
        known = {(key.name, key.key_id): key for key in self.keys}
        for line in note.signatures:
            key = known.get((line.name, line.key_id))
            if key is None:
                why = f"{what}: a signature of {line.name}, whose key is not in the package"
                self.findings.say("signatures", NOT_CHECKED, why)
                continue
            verdict = self._verdict(line, key, note, checkpoint)
            if verdict is None:
                why = f"{what}: {KIND_NAMES[key.kind]} of {key.name} (only greffe verify checks this kind)"
                self.findings.say("signatures", NOT_CHECKED, why)
            elif not verdict:
                problems.append(
                    f"{what}: the signature that says to be of {key.name} ({key.key_id.hex()}) is not"
                )
            elif key.kind == ED25519 and key.name == self.about["origin"]:
                own += 1
        if not own:
            problems.append(f"{what} bears no valid Ed25519 signature of {self.about['origin']}")
        return problems

    def _verdict(self, line: Signature, key: Key, note: Note, checkpoint: Checkpoint | None) -> bool | None:
        if checkpoint is None and key.kind != ED25519:
            return False
        if checkpoint is None:
            return Openssl.verifies(key.material, line.blob, note.text.encode())
        blob, message = signed_message(line, key, checkpoint)
        if key.kind == ML_DSA_44:
            verifies = self.extra.get(key.kind)
            return None if verifies is None else verifies(key.material, blob, message)
        return Openssl.verifies(key.material, blob, message)

    def package_signature(self) -> None:
        note = Note.parse(self.archive.read(MANIFEST_NOTE))
        manifest = self.archive.read(MANIFEST)
        problems = self._signed(note, None, "the package")
        if note.text != manifest_note_text(self.about["origin"], manifest):
            problems.append("what the ledger signed is another package's manifest")
        fine = f"signed by the key of {self.about['origin']}: nothing in it was changed since"
        self.findings.judge("signature of the package", problems, fine)
        self._pins(note)

    def _pins(self, note: Note) -> None:
        if not self.pinned:
            self.findings.say(
                "key",
                NOT_CHECKED,
                "the key is not pinned: it is taken from the package itself; compare it with the one that you"
                " received by another way, and give it with --key",
            )
        there = {key.text for key in self.keys}
        bearers = {(line.name, line.key_id) for line in note.signatures}
        for text in self.pinned:
            key = Key.parse(text)
            signs = key.kind != ED25519 or (key.name, key.key_id) in bearers
            which = f"the pinned {KIND_NAMES[key.kind]} key {key.key_id.hex()} of {key.name}"
            if text not in there or not signs:
                self.findings.say("key", FAILED, f"the package is not of {which}")
            else:
                self.findings.say("key", OK, f"the package is of {which}")

    def read_checkpoints(self) -> None:
        problems: list[str] = []
        for match, name in self.named(CHECKPOINT_FILE):
            try:
                found = Checkpoint.parse(self.archive.read(name))
                if found.origin != self.about["origin"] or found.size != int(match.group(1)):
                    raise RefusedError(
                        f"it is of {found.size} leaves of {found.origin}: another log, or another size"
                    )
                problems += self._signed(found.note, found, f"the checkpoint of {found.size} leaves")
                self.checkpoints[found.size] = found
            except RefusedError as error:
                problems.append(f"{name}: {error}")
        if self.about["size"] not in self.checkpoints:
            problems.append(
                f"the checkpoint of {self.about['size']} leaves, which the package rests on, is missing"
            )
        witnesses = {
            line.name
            for found in self.checkpoints.values()
            for line in found.note.signatures
            if line.name != found.origin
        }
        by = ", ".join(sorted(witnesses)) or "nobody"
        fine = f"{len(self.checkpoints)} checkpoints of one log, signed by it; others signing: {by}"
        self.findings.judge("checkpoints", problems, fine)

    def retired_keys(self) -> None:
        """A key signs nothing after the fact that retires it."""
        problems = []
        retired: dict[str, int] = {}
        for position in sorted(self.kept):
            leaf = self.kept[position]
            if leaf["type"] == "key.rotated":
                for text in leaf["data"].get("retired", ()):
                    retired[text] = position
                for text in leaf["data"]["keys"]:
                    retired.pop(text, None)
        for size, found in self.checkpoints.items():
            bearers = {(line.name, line.key_id) for line in found.note.signatures}
            for key in self.keys:
                at = retired.get(key.text, size)
                if at < size and (key.name, key.key_id) in bearers:
                    which = f"the key {key.key_id.hex()}, retired at {at}"
                    problems.append(f"the checkpoint of {size} leaves is signed by {which}")
        signing = {
            (line.name, line.key_id) for line in Note.parse(self.archive.read(MANIFEST_NOTE)).signatures
        }
        problems += [
            f"the package is signed by the key {key.key_id.hex()}, which leaf {retired[key.text]} retires"
            for key in self.keys
            if key.text in retired and (key.name, key.key_id) in signing
        ]
        self.findings.judge(
            "retired keys", problems, f"no checkpoint is signed by one of {len(retired)} retired keys"
        )

    def consistency(self) -> None:
        sizes, proven, problems = sorted(self.checkpoints), set(), []
        for match, name in self.named(CONSISTENCY_FILE):
            old, new = int(match.group(1)), int(match.group(2))
            try:
                if old not in self.checkpoints or new not in self.checkpoints:
                    raise RefusedError("it is between checkpoints that are not in the package")
                hashes, note = read_proof(self.archive.read(name), [f"old {old}"])
                if note != self.checkpoints[new].raw:
                    raise RefusedError("it ends with another checkpoint than the package's")
                check_consistency(self.checkpoints[old], self.checkpoints[new], hashes)
                proven.add((old, new))
            except RefusedError as error:
                problems.append(f"{name}: {error}")
        problems += [
            f"nothing shows that the checkpoint of {new} leaves continues the one of {old}"
            for old, new in zip(sizes, sizes[1:])
            if (old, new) not in proven
        ]
        self.findings.judge(
            "consistency", problems, f"each of {len(sizes)} checkpoints continues the one before it"
        )

    # Leaves

    def leaves(self) -> None:
        head = self.checkpoints[self.about["size"]]
        cited = {reason["position"] for row in self.concluded["conclusions"] for reason in row["because"]}
        self.clear = {row["commitment"]: row["value"] for row in self.json_of("disclosed.json")}
        source = self._from_files(head) if self.about["form"] == "files" else self._from_bundles(head)
        problems: list[str] = []
        for position, raw, proof in source:
            try:
                hashed = leaf_hash(raw)
                proof(hashed)
                self._note(position, hashed, read_leaf(raw), cited)
            except RefusedError as error:
                problems.append(f"leaf {position}: {error}")
        if len(self.hashes) != self.about["leaves"] and not problems:
            problems.append(
                f"{len(self.hashes)} leaves are there, and the package is said to hold {self.about['leaves']}"
            )
        where = f"each proved at its position in the tree of {head.size} leaves"
        self.findings.judge("leaves", problems, f"{len(self.hashes)} leaves are exactly as recorded, {where}")

    def _note(self, position: int, hashed: bytes, leaf: dict[str, Any], cited: set[int]) -> None:
        self.hashes[position] = hashed
        if leaf["type"] in KEPT_TYPES or position in cited:
            self.kept[position] = leaf
        for _, value in flat(leaf["data"]):
            if isinstance(value, str) and value[:1] == "~" and COMMITMENT.match(value):
                self.commitments.setdefault(value, position)
        lines = "\n".join(leaf_lines(position, leaf, self.clear))
        self.told_lines.update(lines.encode() + b"\n")

    def _from_files(self, head: Checkpoint) -> Iterator[tuple[int, bytes, Callable[[bytes], None]]]:
        found = sorted((int(match.group(1)), name) for match, name in self.named(LEAF_FILE))
        proofs = {int(match.group(1)) for match, _ in self.named(PROOF_FILE)}
        extra = proofs - {position for position, _ in found}
        if extra or any(True for _ in self.named(BUNDLE_FILE)) or any(True for _ in self.named(TILE_FILE)):
            raise RefusedError(f"there are proofs without their leaves: {sorted(extra)[:5]}")
        for position, name in found:
            yield position, self.archive.read(name), self._by_proof(position, head)

    def _by_proof(self, position: int, head: Checkpoint) -> Callable[[bytes], None]:
        def proof(hashed: bytes) -> None:
            raw = self.archive.read(f"data/proofs/{position}.tlog-proof")
            hashes, note = read_proof(raw, ["c2sp.org/tlog-proof@v1", f"index {position}"])
            if note != head.raw:
                raise RefusedError("its proof ends with another checkpoint than the package's")
            check_inclusion(hashed, position, hashes, head)

        return proof

    def _from_bundles(self, head: Checkpoint) -> Iterator[tuple[int, bytes, Callable[[bytes], None]]]:
        if any(True for _ in self.named(LEAF_FILE)) or any(True for _ in self.named(PROOF_FILE)):
            raise RefusedError("a package has its leaves as files or in bundles, not both")
        tiles = Tiles(
            head,
            {
                (int(match.group(1)), int(match.group(2))): self.archive.read(name)
                for match, name in self.named(TILE_FILE)
            },
        )
        last = -1
        for _, name in self.named(BUNDLE_FILE):
            lines = self.archive.read(name).split(b"\n")
            if lines.pop():
                raise RefusedError(f"{name} does not end with a line feed")
            for line in lines:
                number, _, raw = line.partition(b" ")
                position = decode_count(number.decode("ascii", "replace"), "a position")
                if position <= last:
                    raise RefusedError(f"{name} has position {position} out of order")
                last = position
                yield position, raw, lambda hashed, position=position: tiles.check(position, hashed)  # type: ignore[misc]

    # Commits and their stamps

    def stamps(self) -> list[tuple[int, dict[str, Any]]]:
        return [
            (position, self.kept[position]["data"])
            for position in sorted(self.kept)
            if self.kept[position]["type"] == STAMP
        ]

    def commits(self) -> None:
        problems, whole = [], 0
        given = {
            row["stamp"]: [bytes.fromhex(text) for text in row["hashes"]]
            for row in self.json_of("commits.json")
        }
        stamps = self.stamps()
        problems += [
            f"hashes are given of a commit whose stamp {at} is not there"
            for at in given
            if at not in {position for position, _ in stamps}
        ]
        covered: set[int] = set()
        for position, data in stamps:
            hashes = given.get(position) or self._all_present(position, data["count"])
            instant(data["time"])
            covered.update(range(position, position + 1 + data["count"]))
            if hashes is None:
                if ("commit", str(position)) not in self.omitted:
                    problems.append(
                        f"leaf hashes of the commit at {position} are missing, and not listed as omitted"
                    )
                continue
            whole += 1
            problems += self._digest(position, data, hashes)
        alone = [position for position in self.hashes if position not in covered]
        problems += [
            f"leaf {position} has no stamp in the package"
            for position in alone
            if ("stamp", str(position)) not in self.omitted
        ]
        self.findings.judge(
            "commits", problems, f"the stamps bind the facts of {whole} of {len(stamps)} commits"
        )

    def _all_present(self, position: int, count: int) -> list[bytes] | None:
        found = [self.hashes.get(at) for at in range(position + 1, position + 1 + count)]
        return None if None in found else found  # type: ignore[return-value]

    def _digest(self, position: int, data: Mapping[str, Any], hashes: Sequence[bytes]) -> list[str]:
        if len(hashes) != data["count"] or hashlib.sha256(b"".join(hashes)).hexdigest() != data["digest"]:
            return [f"the stamp at {position} binds other facts than those after it"]
        return [
            f"leaf {position + 1 + place} is not the one that the stamp at {position} binds"
            for place, hashed in enumerate(hashes)
            if self.hashes.get(position + 1 + place, hashed) != hashed
        ]

    def messages(self) -> None:
        problems, there = [], 0
        files = {int(match.group(1)): name for match, name in self.named(MESSAGE_FILE)}
        for position, data in self.stamps():
            name = files.pop(position, None)
            timed = queue_time(data["queue_id"])
            if timed is not None and timed != instant(data["time"]):
                problems.append(
                    f"the stamp at {position} gives another time than its own queue id, {timed.isoformat()}"
                )
            if name is None:
                if ("message", str(position)) not in self.omitted:
                    problems.append(
                        f"the message of the stamp at {position} is missing, and not listed as omitted"
                    )
                continue
            there += 1
            problems += [
                f"the message of the stamp at {position}: {text}"
                for text in self._message(position, data, self.archive.read(name))
            ]
        problems += [f"{name} belongs to no stamp" for name in files.values()]
        fine = f"{there} messages carry their commits' digests, and the server's own lines the stamps' times"
        self.findings.judge("stamping messages", problems, fine)

    def _message(self, position: int, data: Mapping[str, Any], raw: bytes) -> list[str]:
        sent = what_was_sent(raw, data["message_sha256"])
        if sent is None:
            return ["it does not end with what was sent"]
        queue_id, server, at = received_line(raw[: len(raw) - len(sent)] + b"\r\n\r\n")
        host = data["server"].partition(":")[2]
        said = (
            ("X-Greffe-Digest", data["digest"]),
            ("X-Greffe-Count", str(data["count"])),
            ("X-Greffe-Origin", self.about["origin"]),
            ("Message-ID", data["message_id"]),
        )
        problems = [
            f"its {name} is {header(sent, name)[:80]!r}, not {wanted!r}"
            for name, wanted in said
            if header(sent, name) != wanted
        ]
        if queue_id != data["queue_id"] or (host and server != host):
            problems.append(f"the server's own line says {queue_id} by {server}, not what was recorded")
        if at is None or abs(at - instant(data["time"])) > MOST_APART:
            problems.append(f"the server's own line gives another time, {at}")
        return problems + self._carried(position, sent)

    def _carried(self, position: int, sent: bytes) -> list[str]:
        try:
            carried = checkpoint_in(sent)
            found = None if carried is None else Checkpoint.parse(carried)
        except RefusedError as error:
            return [str(error)]
        if found is None:
            return []
        same = self.checkpoints.get(found.size)
        if found.origin != self.about["origin"] or found.size > position:
            return ["it carries a checkpoint of another log, or of leaves that came after it"]
        problems = []
        if same is None and ("checkpoint", str(found.size)) not in self.omitted:
            problems.append(f"nothing shows that the checkpoint of {found.size} leaves in it is of this log")
        if same is not None and same.root != found.root:
            problems.append("it carries another tree of the same size: the log was split")
        return problems

    # Mails and values

    def mails(self) -> None:
        problems, there, unseen = [], 0, 0
        files = {match.group(1): name for match, name in self.named(MAIL_FILE)}
        used: set[str] = set()
        for position in sorted(self.kept):
            leaf = self.kept[position]
            digest = leaf["data"].get("message_sha256")
            if leaf["type"] not in MESSAGES or digest is None:
                continue
            stamp = leaf["data"].get("stamp")
            if stamp is not None and queue_time(stamp["queue_id"]) not in (None, instant(stamp["time"])):
                problems.append(
                    f"the stamp of the message at {position} gives another time than its queue id"
                )
            if digest not in files:
                if ("mail", digest) not in self.omitted:
                    problems.append(f"the mail of leaf {position} is missing, and not listed as omitted")
                continue
            used.add(digest)
            there += 1
            raw = self.archive.read(files[digest])
            if hashlib.sha256(raw).hexdigest() != digest:
                problems.append(f"the mail of leaf {position} is not the one that was recorded")
            queue_id, _, _ = received_line(re.sub(rb"\r?\n", b"\r\n", raw))
            unseen += stamp is None or queue_id != stamp["queue_id"]
        problems += [f"{files[digest]} is cited by no leaf" for digest in sorted(files.keys() - used)]
        fine = f"{there} cited mails are those that were recorded; {unseen} bear no line of a server's stamp"
        self.findings.judge("mails", problems, fine)

    def disclosed(self) -> None:
        problems, seen = [], set()
        for row in self.json_of("disclosed.json"):
            if set(row) != {"commitment", "opening", "value"}:
                raise RefusedError("a disclosed value has a commitment, an opening and a value")
            digest = hashlib.sha256(bytes.fromhex(row["opening"]) + row["value"].encode()).digest()
            commitment = "~" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if commitment != row["commitment"] or len(row["opening"]) != 64 or row["commitment"] in seen:
                problems.append(f"the value given for {row['commitment']} is not the one that was recorded")
            if row["commitment"] not in self.commitments:
                problems.append(f"no leaf of the package holds {row['commitment']}")
            seen.add(row["commitment"])
        problems += [
            f"the value of {one} in leaf {at} is neither disclosed nor listed as omitted"
            for one, at in self.commitments.items()
            if one not in seen and ("value", one) not in self.omitted
        ]
        fine = f"{len(seen)} of {len(self.commitments)} personal values are disclosed, as they were recorded"
        self.findings.judge("disclosed values", problems, fine)

    # Tokens

    def tokens(self) -> None:
        problems, times = [], []
        names = {match.group(1): int(match.group(2)) for match, _ in self.named(TOKEN_FILE)}
        for stem, size in sorted(names.items()):
            try:
                if size not in self.checkpoints:
                    raise RefusedError("its checkpoint is not in the package")
                der, pem = (self.archive.read(f"data/tokens/{stem}.{end}") for end in ("tsr", "pem"))
                at = self._token(der, pem, self.checkpoints[size].note.text.encode(), ())
                self._same_as_recorded(der, self.checkpoints[size], at)
                times.append(f"the tree of {size} leaves existed at {at:%Y-%m-%dT%H:%M:%SZ}")
            except RefusedError as error:
                problems.append(f"token {stem}: {error}")
        if not names and ("token", "-") not in self.omitted:
            problems.append("there is no token, and none is listed as omitted")
        self.findings.judge("tokens", problems, "; ".join(times) or "there is none, as the omissions say")
        if times:
            self._trust()

    def _trust(self) -> None:
        if self.authorities is None:
            why = (
                "its root comes with the package; whether it is the authority's you must find out (--ca FILE)"
            )
            self.findings.say("trust in the authority", NOT_CHECKED, why)
        else:
            self.findings.say("trust in the authority", OK, "the tokens lead to a root that you gave")

    def _token(self, der: bytes, pem: bytes, data: bytes, how: Sequence[str]) -> datetime:
        """The time of a token over these bytes, once openssl has verified it as of that time."""
        status, text = Openssl.run(("ts", "-reply", "-in", "token", *how, "-text"), {"token": der})
        stated = re.search(
            r"^Time stamp: (\w{3} +\d+ \d\d:\d\d:\d\d)(?:\.\d+)? (\d{4}) GMT$", text, re.MULTILINE
        )
        if status or stated is None:
            raise RefusedError("openssl does not read it as a token")
        try:
            at = datetime.strptime(" ".join(stated.groups()), "%b %d %H:%M:%S %Y").replace(
                tzinfo=timezone.utc
            )
        except ValueError as error:
            raise RefusedError("its time is none") from error
        files = {"token": der, "ca.pem": self.authorities or pem, "untrusted.pem": pem, "data": data}
        trusted = ("-CAfile", "ca.pem", "-untrusted", "untrusted.pem", "-attime", str(int(at.timestamp())))
        command = ("ts", "-verify", "-data", "data", "-in", "token", *how, *trusted)
        status, text = Openssl.run(command, files)
        if status or "Verification: OK" not in text:
            reason = re.findall(r"(?:reason\(\d+\)|error):?[^:\n]*:([^:\n]+)", text)
            raise RefusedError(f"openssl refuses it: {'; '.join(reason)[:200] or text.strip()[-200:]}")
        return at

    def _same_as_recorded(self, der: bytes, checkpoint: Checkpoint, at: datetime) -> None:
        for position, leaf in self.kept.items():
            data = leaf["data"]
            if leaf["type"] == "token.received" and data["token"] == encode_base64(der):
                imprint = hashlib.sha256(checkpoint.note.text.encode()).hexdigest()
                if (data["size"], data["root"], data["imprint"]) != (
                    checkpoint.size,
                    checkpoint.root.hex(),
                    imprint,
                ) or (instant(data["time"]).replace(microsecond=0) != at):
                    raise RefusedError(f"the leaf {position} says something else of it")

    def asic(self) -> None:
        if not self.about["asic"]:
            self.findings.say(
                "ASiC", NOT_CHECKED, "no token covers the package as a whole, and it claims none"
            )
            return
        if self.archive.read(ASIC_MANIFEST) != asic_manifest(outside_meta_inf(self.digests)):
            raise RefusedError(f"{ASIC_MANIFEST} is not over the files of the package")
        at = self._token(
            self.archive.read(ASIC_TOKEN),
            self.archive.read(ASIC_CERTIFICATES),
            self.archive.read(ASIC_MANIFEST),
            ("-token_in",),
        )
        self.findings.say("ASiC", OK, f"the whole package existed at {at:%Y-%m-%dT%H:%M:%SZ}, says its token")
        self._trust()

    # What is concluded, told, and left out

    def legal_time(self, position: int) -> str | None:
        """The legal time of a leaf, from the leaves of the package; ``None`` when they do not tell it."""
        leaf = self.kept[position]
        if "mail" in leaf:
            of = [
                at
                for at in sorted(self.kept)
                if self.kept[at]["subject"] == leaf["mail"] and self.kept[at]["type"] in MESSAGES
            ]
            return self.legal_time(of[0]) if of and "mail" not in self.kept[of[0]] else None
        stamp = leaf["data"].get("stamp")
        if leaf["type"] in MESSAGES and stamp is not None:
            return plain(stamp["time"])
        if leaf.get("history"):
            return plain(leaf["time"])
        for at, data in self.stamps():
            if at <= position <= at + data["count"]:
                return plain(data["time"])
        return None

    def basis(self) -> None:
        """What was concluded from: the texts, rates and readings that the record names last."""
        named = [leaf["data"]["digests"] for _, leaf in sorted(self.kept.items()) if leaf["type"] == BASIS]
        if not named:
            self.findings.say("basis", NOT_CHECKED, "the record does not name what is concluded from")
            return
        used = self.concluded["basis"]
        problems = [
            f"concluded from another {name} than the one on record ({named[-1].get(name, 'none')[:16]})"
            for name in sorted(used.keys() | named[-1].keys())
            if used.get(name) != named[-1].get(name)
        ]
        fine = f"concluded from the {len(used)} texts, tables and clocks that the record names"
        self.findings.judge("basis", problems, fine)

    def conclusions(self) -> None:
        problems, unknown = [], 0
        for row in self.concluded["conclusions"]:
            name = f"{row['rule']} ({row.get('subject')})"
            problems += [
                f"{name}: the quoted text is not the one of the digest"
                for quoted in row["quotations"]
                if hashlib.sha256(quoted["text"].encode()).hexdigest() != quoted["sha256"]
            ]
            for reason in row["because"]:
                position = reason["position"]
                if position not in self.kept:
                    if ("leaf", str(position)) not in self.omitted:
                        problems.append(
                            f"{name} rests on leaf {position}, neither there nor listed as omitted"
                        )
                    continue
                leaf, at = self.kept[position], self.legal_time(position)
                unknown += at is None
                if (leaf["subject"], leaf["type"], at or reason["legal_time"]) != (
                    reason["subject"],
                    reason["type"],
                    reason["legal_time"],
                ):
                    problems.append(f"{name} says of leaf {position} something else than the leaf")
        count = len(self.concluded["conclusions"])
        fine = f"{count} conclusions rest on leaves that are as they say; {unknown} times not derived again"
        self.findings.judge("conclusions", problems, f"{fine}. That they follow is argued, not proved")

    def reports(self) -> None:
        problems, there, unread = [], 0, []
        for _, name in self.named(REPORT_FILE):
            if not name.endswith(".txt"):
                unread.append(name)
                continue
            text = self.archive.read(name).decode("utf-8")
            before, begin, rest = text.partition(f"\n{REPORT_BEGIN}\n")
            told, end, after = rest.partition(f"{REPORT_END}\n")
            once = REPORT_BEGIN not in before + told + after and REPORT_END not in before + told + after
            there += 1
            if (
                not begin
                or not end
                or not once
                or hashlib.sha256(told.encode()).digest() != self.told_lines.digest()
            ):
                problems.append(f"{name} says something else than the leaves")
        if not there and ("report", "-") not in self.omitted:
            problems.append("there is no report, and none is listed as omitted")
        self.findings.judge("report", problems, f"{there} reports say of each fact what its leaf says")
        if unread:
            self.findings.say(
                "report", NOT_CHECKED, f"{', '.join(unread)}: compare it with the text beside it"
            )

    def completeness(self) -> None:
        covers = self.about["covers"]
        if set(covers) == {"from", "to"}:
            wanted = range(covers["from"], covers["to"])
            claim = f"every leaf from {covers['from']} to before {covers['to']}"
        else:
            wanted = covers["positions"]
            claim = f"{len(wanted)} facts of {self.about['subject']}; that these are all is the ledger's word"
        if not 0 <= min(wanted, default=0) <= max(wanted, default=0) < max(self.about["size"], 1):
            raise RefusedError("the package says to cover leaves that its checkpoint does not have")
        absent = [at for at in wanted if at not in self.hashes]
        problems = [
            f"leaf {at} is absent, and not listed as omitted"
            for at in absent
            if ("leaf", str(at)) not in self.omitted
        ]
        problems += [
            f"{what} {which} is listed as omitted, and is there"
            for what, which in sorted(self.omitted)
            if self._is_there(what, which)
        ]
        listed = ", ".join(map(str, absent[:NAMED_AT_MOST])) or "none"
        fine = f"covers {claim}; absent and listed: {listed}; {len(self.omitted)} omissions in all"
        self.findings.judge("completeness", problems, fine)

    def _is_there(self, what: str, which: str) -> bool:
        if what == "leaf":
            return which.isdecimal() and int(which) in self.hashes
        names = {
            "message": f"data/messages/{which}.eml",
            "mail": f"data/mails/{which}.eml",
            "checkpoint": f"data/checkpoints/{which}.note",
        }
        return (
            names.get(what) in self.archive.names
            if what in names
            else what == "value" and which in self.clear
        )


def verify(
    path: Path,
    *,
    pinned: Sequence[str] = (),
    authorities: bytes | None = None,
    extra: Mapping[int, Extra] | None = None,
) -> Findings:
    """Examine a package; never raises for what the file holds.

    ``pinned`` are verifier keys that must have signed it, ``authorities`` root certificates (PEM) that are
    trusted, ``extra`` verifies signatures of kinds that openssl cannot, by kind.
    """
    findings = Findings()
    try:
        archive = Archive(path)
    except (RefusedError, OSError, ValueError, TypeError, LookupError) as error:
        findings.say("ZIP", FAILED, str(error))
        return findings
    try:
        Package(archive, findings, pinned, authorities, extra or {}).examine()
    finally:
        archive.close()
    return findings


def told(findings: Findings, *, as_json: bool) -> str:
    """The checks as text for people, or as JSON."""
    if as_json:
        rows = [check._asdict() for check in findings.checks]
        return json.dumps({"accepted": findings.accepted, "checks": rows}, indent=2, ensure_ascii=False)
    lines = [f"{check.result:12} {check.name}: {check.sentence}" for check in findings.checks]
    verdict = "nothing failed" if findings.accepted else "REFUSED: what failed is named above"
    return "\n".join([*lines, f"=> {verdict}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: prints the checks, and returns 0 when nothing failed, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Verify a Greffe evidence package.")
    parser.add_argument("package", type=Path)
    parser.add_argument(
        "--key", action="append", default=[], help="a verifier key (vkey) that must have signed it"
    )
    parser.add_argument("--ca", type=Path, help="root certificates (PEM) of the authorities that you trust")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    given = parser.parse_args(arguments)
    authorities = None if given.ca is None else given.ca.read_bytes()
    findings = verify(given.package, pinned=given.key, authorities=authorities)
    print(told(findings, as_json=given.json))
    return 0 if findings.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
