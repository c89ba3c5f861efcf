"""The stamping message: what is sent to be dated, and how it is found again in the journal.

The message is CRLF text that begins with ``X-Greffe-Digest``. The mail server adds lines on top of it
and changes none, so the stored message ends with the bytes that were sent (``proof.md``, Leaf).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

FIRST_HEADER = b"X-Greffe-Digest: "
_RECEIVED = re.compile(rb"^Received:(?P<text>(?:.*\r\n)(?:[ \t].*\r\n)*)", re.MULTILINE | re.IGNORECASE)
_QUEUE_ID = re.compile(rb"\bid ([0-9A-Za-z]+)\b")
_BEGIN = b"-----BEGIN GREFFE CHECKPOINT-----"
_END = b"-----END GREFFE CHECKPOINT-----"
_LONGEST_LINE = 988
"""Base64 characters in a line: RFC 5322 §2.1.1 allows 998, and each line costs the mail server time."""
_BY = re.compile(rb"\bby ([^\s;()]+)")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to be sent: its Message-ID, its bytes (CRLF), and their SHA-256 in hexadecimal."""

    message_id: str
    body: bytes

    @property
    def sha256(self) -> str:
        """Of the message as sent."""
        return hashlib.sha256(self.body).hexdigest()


def stamping_message(
    digest: str, count: int, *, origin: str, sender: str, recipient: str, checkpoint: bytes = b""
) -> Outgoing:
    """The message that carries the digest of a commit of ``count`` facts to the mail server.

    It carries the checkpoint that was signed last too, in base64 (a line of mail is shorter than a
    post-quantum signature), so that every commit lies between two stamps of one clock.
    Its ``Date`` is the sender's own, as in any mail; no rule reads it.
    """
    domain = sender.rpartition("@")[2] or "localhost"
    message_id = f"<{digest[:32]}.{secrets.token_hex(8)}@{domain}>"
    lines = (
        FIRST_HEADER.decode() + digest,
        f"X-Greffe-Count: {count}",
        f"X-Greffe-Origin: {origin}",
        f"Message-ID: {message_id}",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: Greffe commit {digest[:16]}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"The ledger {origin} asks this server for the time of a commit of {count} facts:",
        digest,
        *_enclosed(checkpoint),
        "",
    )
    return Outgoing(message_id, "\r\n".join(lines).encode("ascii"))


def _enclosed(checkpoint: bytes) -> list[str]:
    if not checkpoint:
        return []
    encoded = base64.b64encode(checkpoint).decode("ascii")
    lines = [encoded[at : at + _LONGEST_LINE] for at in range(0, len(encoded), _LONGEST_LINE)]
    return [_BEGIN.decode(), *lines, _END.decode()]


def checkpoint_in(message: bytes) -> bytes | None:
    """The signed checkpoint that a stamping message (CRLF) carries; ``None`` when it carries none."""
    _, begin, rest = message.partition(b"\r\n" + _BEGIN + b"\r\n")
    encoded, end, _ = rest.partition(b"\r\n" + _END + b"\r\n")
    if not (begin and end):
        return None
    try:
        return base64.b64decode(encoded.replace(b"\r\n", b""), validate=True)
    except binascii.Error:
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """A message from the journal, with CRLF line ends: who stamped it, and the bytes as sent."""

    raw: bytes
    queue_id: str | None
    server: str | None
    sent: bytes

    @property
    def return_path(self) -> str | None:
        """The envelope sender that the server wrote on top: empty when null, ``None`` when not written."""
        match = re.match(rb"Return-Path:[ \t]*<([^>\r\n]*)>", self.raw, re.IGNORECASE)
        return match.group(1).decode("utf-8", "replace") if match else None

    @property
    def digest(self) -> str:
        """The digest that the message carries, or nothing when it is no stamping message."""
        if not self.sent:
            return ""
        return self.sent[len(FIRST_HEADER) :].split(b"\r\n", 1)[0].decode("ascii", "replace")

    @property
    def origin(self) -> str:
        """The ledger that sent it."""
        match = re.search(rb"^X-Greffe-Origin: (.*?)\r\n", self.sent, re.MULTILINE)
        return match.group(1).decode("ascii", "replace") if match else ""


def with_crlf(raw: bytes) -> bytes:
    """The message with CRLF line ends: a Maildir keeps bare LF (RFC 5322 §2.1 lines end in CRLF)."""
    return re.sub(rb"\r?\n", b"\r\n", raw)


def read_stored(raw: bytes) -> Found:
    """Read a message as a mail server stored it: the top ``Received`` line is that server's own."""
    message = with_crlf(raw)
    received = _RECEIVED.search(message)
    text = received.group("text") if received else b""
    queue_id, server = _QUEUE_ID.search(text), _BY.search(text)
    at = message.find(b"\r\n" + FIRST_HEADER)
    start = 0 if message.startswith(FIRST_HEADER) else at + 2 if at >= 0 else len(message)
    return Found(
        message,
        queue_id.group(1).decode() if queue_id else None,
        server.group(1).decode("ascii", "replace") if server else None,
        message[start:],
    )
