"""A received mail read for what a fact needs: a view of it, since the raw bytes are the evidence.

Broken mail (unknown charset, odd dates, no ``From``, eight-bit junk) is read as far as it goes and
never refused (``mail.md``; RFC 5322, RFC 2047).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser

from ledger.facts.personal import addresses_in

LONGEST_TEXT = 2_000
MOST_RECIPIENTS = 50
_PARSER = BytesParser(policy=policy.compat32)
_RESULT = re.compile(r"\b(dkim|spf|dmarc)=([a-z]+)", re.IGNORECASE)
_BULK = frozenset({"bulk", "junk", "list"})


@dataclass(frozen=True, slots=True)
class Letter:
    """What can be read of a mail; absent or unreadable parts are ``None`` or empty."""

    senders: tuple[str, ...]
    from_text: str | None
    recipients: tuple[str, ...]
    subject_line: str | None
    message_id: str | None
    automatic: bool
    authentication: dict[str, str]
    reported_queue_ids: tuple[str, ...]
    status: str | None
    diagnostic: str | None


def read_letter(raw: bytes) -> Letter:
    """Read a mail's headers, and the delivery report in it if it is one (RFC 3464)."""
    message = _PARSER.parsebytes(raw)
    queue_ids, status, diagnostic = _report(message)
    return Letter(
        senders=_addresses(message, "From"),
        from_text=_text(message, "From"),
        recipients=_addresses(message, "To", "Cc")[:MOST_RECIPIENTS],
        subject_line=_text(message, "Subject"),
        message_id=_text(message, "Message-ID"),
        automatic=_is_automatic(message),
        authentication=_authentication(message),
        reported_queue_ids=queue_ids,
        status=status,
        diagnostic=diagnostic,
    )


def _raw_headers(message: Message, name: str) -> list[str]:
    values: list[str] = []
    with suppress(Exception):  # the parser itself trips over some mails; what it gave so far counts
        values.extend(str(value) for value in message.get_all(name, []))
    return values


def _text(message: Message, name: str) -> str | None:
    """The first header of that name, decoded as far as it can be, cut to what a leaf may hold."""
    for value in _raw_headers(message, name):
        text = " ".join(_decoded(value).replace("\0", "").split())
        if text:
            return text[:LONGEST_TEXT]
    return None


def _decoded(value: str) -> str:
    try:
        parts = decode_header(value)
    except Exception:  # noqa: BLE001 - any defect of an encoded word: show it as it stands
        parts = [(value, None)]
    decoded = ""
    for part, charset in parts:
        decoded += part if isinstance(part, str) else _characters(part, charset)
    return decoded.encode("utf-8", "replace").decode("utf-8", "replace")


def _characters(part: bytes, charset: str | None) -> str:
    for candidate in (charset, "utf-8"):
        if candidate:
            with suppress(LookupError, UnicodeDecodeError):
                return part.decode(candidate)
    return part.decode("latin-1")


def _addresses(message: Message, *names: str) -> tuple[str, ...]:
    headers = [value for name in names for value in _raw_headers(message, name)]
    return tuple(dict.fromkeys(address for header in headers for address in addresses_in(header)))


def _is_automatic(message: Message) -> bool:
    """Whether answering would be wrong: automatic or bulk mail (RFC 3834 §2)."""
    submitted = " ".join(_raw_headers(message, "Auto-Submitted")).strip().lower()
    precedence = " ".join(_raw_headers(message, "Precedence")).strip().lower()
    return (submitted not in ("", "no")) or precedence in _BULK or bool(_raw_headers(message, "List-Id"))


def _authentication(message: Message) -> dict[str, str]:
    """The first ``Authentication-Results`` (RFC 8601): the server's own stands on top."""
    for value in _raw_headers(message, "Authentication-Results"):
        return {method.lower(): result.lower() for method, result in _RESULT.findall(value)}
    return {}


def _report(message: Message) -> tuple[tuple[str, ...], str | None, str | None]:
    """Queue ids that a delivery report speaks of, the first failed status and its diagnostic."""
    if message.get_content_type() != "multipart/report":
        return (), None, None
    ids: list[str] = []
    status = diagnostic = None
    with suppress(Exception):  # a report with broken parts is still a mail; it is recorded as one
        for part in message.walk():
            for fields in _blocks(part):
                ids += [value.strip() for value in _raw_headers(fields, "X-Postfix-Queue-ID")]
                failed = [
                    value for value in _raw_headers(fields, "Status") if value.strip()[:1] in ("4", "5")
                ]
                if failed and status is None:
                    status = failed[0].split()[0]
                    diagnostic = _text(fields, "Diagnostic-Code")
    return tuple(ids), status, diagnostic


def _blocks(part: Message) -> Iterable[Message]:
    """The groups of fields of a delivery status (RFC 3464 §2.1)."""
    payload = part.get_payload()
    if part.get_content_type() != "message/delivery-status" or not isinstance(payload, list):
        return []
    return [block for block in payload if isinstance(block, Message)]
