"""Commitments to personal values (``proof.md``, Personal data).

``opening = HMAC-SHA-256(K, value)`` and ``commitment = SHA-256(opening ‖ value)``, K being the random
key of one account and one retention class. A leaf holds ``~`` and the commitment in base64url (RFC
4648 §5, without padding); equal values of one account and class have equal commitments.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ledger.facts.refusals import escaped
from ledger.facts.shape import ADDRESS, Personal, PersonalPath, Retention

_NOT_AN_ADDRESS = re.compile(r'"(?:[^"\\]|\\.)*"(?!@)|\((?:[^()\\]|\\.)*\)|[\r\n\t]+')
"""Quoted strings that are no local part, comments, and the folds of a header."""

_BRACKETED = re.compile(r"<([^<>]*)>")
COMMITMENT = re.compile(r"~[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")

Seal = Callable[[Retention, str], str]
"""Turns a personal value of a retention class into its commitment (and keeps the value in the vault)."""


def opening_of(key: bytes, value: bytes) -> bytes:
    """What discloses a value beside the value itself: HMAC-SHA-256 (RFC 2104) under the class's key."""
    return hmac.digest(key, value, hashlib.sha256)


def commitment_to(opening: bytes, value: bytes) -> str:
    """The commitment that stands in a leaf for ``value``."""
    digest = hashlib.sha256(opening + value).digest()
    return "~" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def sealed(data: Mapping[str, Any], personal: Mapping[PersonalPath, Personal], seal: Seal) -> dict[str, Any]:
    """The data with a commitment in place of each personal value."""
    result = dict(data)
    for path, mark in personal.items():
        result = _replace(result, path, mark.retention, _of_addresses(seal) if mark.address else seal)
    return result


def normalised(address: str) -> str:
    """An address for comparison: its domain has no case (RFC 5321 §2.4), its local part keeps its own."""
    local, separator, domain = address.strip().strip("<>").rpartition("@")
    return f"{local}{separator}{domain.lower()}"


def addresses_in(header: str) -> list[str]:
    """The addresses of a header such as ``From`` (RFC 5322 §3.4), in its order; what is none is left out.

    Where angle brackets stand, the address is between them: a display name that looks like one is none.
    """
    found = []
    for mailbox in _NOT_AN_ADDRESS.sub(" ", header).split(","):
        bracketed = _BRACKETED.search(mailbox)
        text = bracketed.group(1) if bracketed else mailbox.rpartition(":")[2].strip(" ;")
        if ADDRESS.match(text.strip()):
            found.append(normalised(text))
    return list(dict.fromkeys(found))


def _of_addresses(seal: Seal) -> Seal:
    """Seal an address so that one mailbox has one commitment, however its domain is written."""
    return lambda retention, address: seal(retention, normalised(address))


def _replace(node: Any, path: PersonalPath, retention: Retention, seal: Seal) -> Any:  # noqa: ANN401 - JSON
    if not path:
        return seal(retention, node)
    step, rest = path[0], path[1:]
    if step == "*":
        if isinstance(node, dict):
            return {key: _replace(item, rest, retention, seal) for key, item in node.items()}
        return [_replace(item, rest, retention, seal) for item in node]
    if step not in node:
        return node
    return {**node, step: _replace(node[step], rest, retention, seal)}


def values_at(node: Any, path: PersonalPath) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Every value at a path, with its JSON pointer (RFC 6901)."""
    if not path:
        yield "", node
        return
    step, rest = path[0], path[1:]
    items: Iterable[tuple[str | int, Any]]
    if step == "*":
        items = node.items() if isinstance(node, dict) else enumerate(node)
    else:
        items = ((step, node[step]),) if step in node else ()
    for key, item in items:
        for pointer, value in values_at(item, rest):
            yield f"/{escaped(str(key))}{pointer}", value
