"""Postfix's long queue ids, which carry the time (``enable_long_queue_ids = yes``; postconf(5)).

Alphabet of 52: digits, then letters without vowels, in ASCII order. Split at the *last* ``z``: on its
right the inode in base 51; on its left the last four characters are microseconds in base 52 and the
rest, six or more, Unix seconds in base 52. So the order of texts is the order of time until 2596.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger.errors import WrongCallError

ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_BASE, _INODE_BASE = 52, 51
_MICROSECOND_CHARACTERS, _LEAST_SECOND_CHARACTERS = 4, 6
_MICROSECONDS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode(queue_id: str) -> datetime:
    """The instant that a long queue id carries, in UTC with microseconds.

    Raises:
        WrongCallError: it is no long queue id (a short one carries no time that can be used alone).
    """
    seconds_and_micros, separator, inode = queue_id.rpartition("z")
    if (
        not separator
        or not inode
        or len(seconds_and_micros) < _LEAST_SECOND_CHARACTERS + _MICROSECOND_CHARACTERS
        or any(character not in _VALUE for character in queue_id)
    ):
        raise WrongCallError(
            f"{queue_id!r} is not a long queue id: the mail server needs enable_long_queue_ids = yes"
        )
    microseconds = _number(seconds_and_micros[-_MICROSECOND_CHARACTERS:], _BASE)
    if microseconds >= _MICROSECONDS:
        raise WrongCallError(f"{queue_id!r} is not a long queue id: {microseconds} microseconds in a second")
    seconds = _number(seconds_and_micros[:-_MICROSECOND_CHARACTERS], _BASE)
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
    except OverflowError as error:
        raise WrongCallError(f"{queue_id!r} is not a long queue id: {seconds} seconds since 1970") from error


def encode(instant: datetime, inode: int) -> str:
    """The long queue id of a message queued at ``instant`` in the file ``inode``."""
    since = instant - _EPOCH
    seconds = since // timedelta(seconds=1)
    return (
        _text(seconds, _BASE, _LEAST_SECOND_CHARACTERS)
        + _text(since.microseconds, _BASE, _MICROSECOND_CHARACTERS)
        + "z"
        + _text(inode, _INODE_BASE, 1)
    )


def _number(digits: str, base: int) -> int:
    number = 0
    for digit in digits:
        number = number * base + _VALUE[digit]
    return number


def _text(number: int, base: int, width: int) -> str:
    digits = ""
    while number or len(digits) < width:
        number, digit = divmod(number, base)
        digits = ALPHABET[digit] + digits
    return digits
