"""OUTSCALE's own consumption format, ``ReadConsumptionAccount``, read as facts.

Every field of an answer is optional (OUTSCALE API schema 1.40), numbers are taken from the JSON text
without passing through a float, and nothing is corrected: what looks wrong is flagged. What the API
shows is indicative; the invoice binds (art. 15.3; ``clauses.md`` row 14).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

import orjson

from ledger import instants
from ledger.errors import WrongCallError
from ledger.facts.catalogue import fact_type

SOURCE = "/outscale/ReadConsumptionAccount"
_TYPE = "consumption.recorded"
ENTRIES_IN_A_FACT = 250
BYTES_IN_A_FACT = 60_000
"""A leaf has at most 65,535 bytes, about 300 entries; some room is left for the envelope."""

ToDate = Literal["auto", "inclusive", "exclusive"]
Entry = dict[str, Any]

_FIELDS = frozenset(
    {
        "AccountId", "Category", "FromDate", "Operation", "PayingAccountId", "Price", "ResourceId", "Service",
        "SubregionName", "Title", "ToDate", "Type", "UnitPrice", "Value",
    }
)  # fmt: skip
_A_DAY = timedelta(days=1)
_SECONDS_IN_AN_HOUR = 3600
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})$")

# What the French titles say of the unit, the first that fits; the factor turns Value into the unit.
_TITLES: tuple[tuple[str, str, int], ...] = (
    (r"\bpar seconde", "second", 1),
    (r"\bpar minute", "second", 60),
    (r"\bpar heure|/ ?heure|/ ?h\b", "second", _SECONDS_IN_AN_HOUR),
    (r"\bpar million de requetes", "request", 1_000_000),
    (r"\bpar (millier de|1 ?000) requetes", "request", 1_000),
    (r"\bpar requete", "request", 1),
    (r"\b(par )?(gio?b?|go|gibioctets?|gibibytes?)( par |/ ?)mois", "GiB-month", 1),
    (r"\bpar (gio?b?|go|gibioctets?|gibibytes?)\b", "GiB", 1),
)
# Where the title says nothing: the key of the catalogue (Type), and its service.
_TYPES: tuple[tuple[str, str, str, int], ...] = (
    (r"BoxUsage:", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"Custom(Core|Ram)", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"ProductUsage", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"UseDedicated", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"BSU:VolumeUsage:", "fcu", "GiB-month", 1),
    (r"Snapshot:Usage", "fcu", "GiB-month", 1),
    (r"ElasticIP:", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"NatGatewayUsage", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"ConnectionUsage", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"Gpu:", "fcu", "second", _SECONDS_IN_AN_HOUR),
    (r"LBU:Usage", "lbu", "second", _SECONDS_IN_AN_HOUR),
    (r"enterprise$", "oos", "GiB-month", 1),
)


@dataclass(slots=True)
class Imported:
    """What an import made of an answer: CloudEvents, remarks, and the lines it could not read."""

    facts: list[dict[str, Any]] = field(default_factory=list)
    entries: int = 0
    remarks: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def read_answers(text: bytes) -> list[dict[str, Any]]:
    """The answers in a file: one, or a list of them; numbers as exact decimals.

    Raises:
        WrongCallError: the file holds no ``ReadConsumptionAccount`` answer.
    """
    try:
        parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise WrongCallError(f"the file is not JSON: {error}") from error
    answers = parsed if isinstance(parsed, list) else [parsed]
    for answer in answers:
        _check_no_error(answer)
        if not isinstance(answer, dict) or not isinstance(answer.get("ConsumptionEntries"), list):
            raise WrongCallError(
                "the file holds no ReadConsumptionAccount answer: no list ConsumptionEntries"
            )
    return answers


def _check_no_error(answer: object) -> None:
    """Refuse what the API answered instead of consumption, in its own words (OUTSCALE API, ErrorResponse)."""
    errors = answer.get("Errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list) or not errors:
        return
    told = "; ".join(_error(error) for error in errors)
    raise WrongCallError(f"the file holds no consumption but OUTSCALE's own error: {told}")


def _error(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    details = f": {error['Details']}" if error.get("Details") else ""
    return f"code {error.get('Code', 'unknown')}, {error.get('Type', 'of no type')}{details}"


def check_account(account: str) -> None:
    """Refuse the name of an account that no fact could bear.

    Raises:
        WrongCallError: it is none.
    """
    if re.fullmatch(fact_type(_TYPE).subject_pattern, f"{account}/consumption/1") is None:
        raise WrongCallError(
            f"{account!r} cannot name an account: 1 to 128 of A-Z a-z 0-9 . _ ~ -, and no word that begins"
            " other subjects (such as price or terms)"
        )


def import_answers(
    answers: Iterable[Mapping[str, Any]], account: str, *, to_date: ToDate = "auto"
) -> Imported:
    """Turn answers into ``consumption.recorded`` facts of ``account``.

    ``to_date`` says whether a ``ToDate`` belongs to the period; ``auto`` decides per answer on what it
    shows and says why. The ids depend on what the API told alone: an answer imported twice is recorded
    once, and imported again under another ``to_date`` it is refused as a conflict.
    """
    done = Imported()
    for number, answer in enumerate(answers):
        _import_answer(answer, f"answer {number}", account, to_date, done)
    done.remarks.append("the consumption is indicative: the invoice binds (art. 15.3)")
    return done


def _import_answer(
    answer: Mapping[str, Any], name: str, account: str, to_date: ToDate, done: Imported
) -> None:
    lines = _merged(answer["ConsumptionEntries"], name, done)
    _say_whose(lines, name, account, done)
    inclusive, because = _inclusive(lines, to_date)
    done.remarks.append(f"{name}: ToDate is taken as {'inclusive' if inclusive else 'exclusive'}: {because}")
    entries: list[tuple[str, Entry]] = []
    for place, line in lines:
        try:
            entries.append((_told(line), _entry(line, answer.get("Currency"), inclusive=inclusive)))
        except WrongCallError as error:
            done.unreadable.append(f"{name}, entry {place}: {error}")
            continue
        flags = (_price_flag(line), _quantity_flag(line, entries[-1][1]))
        done.remarks += [f"{name}, entry {place}: {flag}" for flag in flags if flag is not None]
    for chunk in _chunks(sorted(entries, key=lambda told: told[0])):
        done.facts.append(_fact(chunk, account))
    done.entries += len(entries)


def _merged(given: Sequence[Any], name: str, done: Imported) -> list[tuple[int, Entry]]:
    """Lines with their places, those that the API split over two objects joined again.

    A fragment has no ``Value``; it belongs to the next line, else to the one before, that says nothing
    else where both speak.
    """
    lines: list[tuple[int, Entry]] = []
    fragments: list[tuple[int, Entry]] = []
    for place, line in enumerate(given):
        if not isinstance(line, dict):
            done.unreadable.append(f"{name}, entry {place}: is not an object")
            continue
        if unknown := line.keys() - _FIELDS:
            done.remarks.append(
                f"{name}, entry {place}: unknown fields left out: {', '.join(sorted(unknown))}"
            )
        known = {key: value for key, value in line.items() if key in _FIELDS and value is not None}
        (lines if "Value" in known else fragments).append((place, known))
    for place, fragment in fragments:
        home = next((line for line in sorted(lines, key=lambda line: (line[0] < place, abs(line[0] - place)))
                     if _completes(fragment, line[1])), None)  # fmt: skip
        if home is None:
            done.unreadable.append(f"{name}, entry {place}: has no Value, and no line that it completes")
        else:
            home[1].update(fragment)
            done.remarks.append(
                f"{name}, entries {place} and {home[0]}: one line split over two objects, joined"
            )
    return lines


def _completes(fragment: Entry, line: Entry) -> bool:
    shared = fragment.keys() & line.keys()
    return (
        bool(shared) and all(fragment[key] == line[key] for key in shared) and not fragment.keys() <= shared
    )


def _say_whose(lines: Iterable[tuple[int, Entry]], name: str, account: str, done: Imported) -> None:
    others = sorted({str(line["AccountId"]) for _, line in lines if "AccountId" in line} - {account})
    if others:
        done.remarks.append(
            f"{name}: consumption of OUTSCALE account {', '.join(others)} is recorded for {account}"
        )


def _inclusive(lines: Sequence[tuple[int, Entry]], to_date: ToDate) -> tuple[bool, str]:
    """Whether the last day belongs to the periods of an answer, and why it is thought so."""
    if to_date != "auto":
        return to_date == "inclusive", "as told"
    for place, line in lines:
        try:
            start, end = _instant(line["FromDate"]), _instant(line["ToDate"])
        except (KeyError, WrongCallError):
            continue
        if not (_is_midnight(start) and _is_midnight(end)):
            continue
        if start == end:
            return True, f"entry {place} ends on the day it starts"
        hours = _hours(line)
        if "ResourceId" in line and hours is not None and hours > _length_hours(start, end):
            return True, f"one resource of entry {place} ran longer than the days before its ToDate"
        if start.day == 1 and (end + _A_DAY).day == 1:
            return True, f"entry {place} runs from the first to the last day of a month"
    return False, "as the API documents it (« This value is excluded from the time period »)"


def _is_midnight(instant: datetime) -> bool:
    """Whether a day begins, in the offset that the instant is told with."""
    return (instant.hour, instant.minute, instant.second, instant.microsecond) == (0, 0, 0, 0)


def _length_hours(start: datetime, end: datetime) -> Decimal:
    return Decimal((end - start) // timedelta(hours=1))


def _hours(line: Entry) -> Decimal | None:
    """How many hours a line tells of, when it is told in hours."""
    try:
        in_hours = _unit(line) == ("second", _SECONDS_IN_AN_HOUR)
        return _number(line, "Value") if in_hours else None
    except WrongCallError:
        return None


def _entry(line: Entry, currency: str | None, *, inclusive: bool) -> Entry:
    """One entry of a fact.

    Raises:
        WrongCallError: the line says too little, names the field.
    """
    for key in ("FromDate", "ToDate"):
        if key not in line:
            raise WrongCallError(f"{key} is missing")
    start, end = _instant(line["FromDate"]), _instant(line["ToDate"])
    if inclusive and _is_midnight(end):
        end += _A_DAY
    if end < start:
        raise WrongCallError(f"ToDate {line['ToDate']} lies before FromDate {line['FromDate']}")
    unit, factor = _unit(line)
    entry = {
        "service": _service(line),
        "resource": line.get("Type"),
        "resource_id": line.get("ResourceId"),
        "subregion": line.get("SubregionName"),
        "from": instants.canonical(start),
        "to": instants.canonical(end),
        "quantity": _plain(_number(line, "Value") * factor),
        "unit": unit,
    }
    if "UnitPrice" in line:
        entry["shown_unit_price"] = _plain(_number(line, "UnitPrice"))
    if "Price" in line:
        entry["shown_price"] = _plain(_number(line, "Price"))
    if currency and ("UnitPrice" in line or "Price" in line):
        entry["shown_currency"] = currency
    return {key: value for key, value in entry.items() if value is not None}


def _number(line: Entry, key: str) -> Decimal:
    number = line[key]
    if not isinstance(number, Decimal) or not number.is_finite() or number < 0:
        raise WrongCallError(f"{key} is not a number ≥ 0: {number!r}")
    return number


def _plain(number: Decimal) -> str:
    return format(number, "f")


def _instant(text: Any) -> datetime:  # noqa: ANN401 - any JSON
    """A date-time of the API, in the offset that it is told with (``+0000``), or a bare date in UTC."""
    if isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return instants.parse_instant(f"{text}T00:00:00Z")
    written = _OFFSET.sub(r"\1:\2", str(text))
    instants.parse_instant(written)
    return datetime.fromisoformat(written.upper())


def _unit(line: Entry) -> tuple[str, int]:
    """The unit of a line and the factor from its Value: the French title says it, else the Type.

    Raises:
        WrongCallError: neither does; a unit is never guessed.
    """
    title = (
        unicodedata.normalize("NFD", str(line.get("Title", ""))).encode("ascii", "ignore").decode().lower()
    )
    for pattern, unit, factor in _TITLES:
        if re.search(pattern, title):
            return unit, factor
    for pattern, _, unit, factor in _TYPES:
        if re.match(pattern, str(line.get("Type", ""))):
            return unit, factor
    raise WrongCallError(
        f"the unit is told neither by the Title {line.get('Title')!r} nor by the Type {line.get('Type')!r}"
    )


def _service(line: Entry) -> str:
    if "Service" in line:
        return str(line["Service"]).removeprefix("TinaOS-").lower()
    for pattern, service, _, _ in _TYPES:
        if re.match(pattern, str(line.get("Type", ""))):
            return service
    raise WrongCallError(f"the Service is missing, and the Type {line.get('Type')!r} does not tell it")


def _price_flag(line: Entry) -> str | None:
    """A remark when the price shown is not quantity × unit price, to the price's own decimals."""
    if not {"Price", "UnitPrice", "Value"} <= line.keys():
        return None
    price, expected = line["Price"], line["Value"] * line["UnitPrice"]
    exponent = price.as_tuple().exponent
    rounded = expected.quantize(Decimal(1).scaleb(min(int(exponent), 0)), ROUND_HALF_UP)
    if rounded == price:
        return None
    return (
        f"Price {_plain(price)} is not Value × UnitPrice = {_plain(expected)}: kept as shown, not corrected"
    )


def _quantity_flag(line: Entry, entry: Entry) -> str | None:
    """A remark when one resource ran longer than the period it is told for."""
    if "ResourceId" not in line or entry["unit"] != "second":
        return None
    start, end = instants.parse_instant(entry["from"]), instants.parse_instant(entry["to"])
    seconds = (end - start) // timedelta(seconds=1)
    if Decimal(entry["quantity"]) <= seconds:
        return None
    return f"{line['ResourceId']} ran {entry['quantity']} s in a period of {seconds} s: kept as told"


def _told(line: Entry) -> str:
    """A line as the API told it, one text whatever the order of its fields: what an id is made from."""
    return orjson.dumps(
        {key: _plain(value) if isinstance(value, Decimal) else str(value) for key, value in line.items()},
        option=orjson.OPT_SORT_KEYS,
    ).decode()


def _chunks(entries: Sequence[tuple[str, Entry]]) -> Iterator[Sequence[tuple[str, Entry]]]:
    """Entries in as few facts as leaves can hold."""
    chunk: list[tuple[str, Entry]] = []
    size = 0
    for told in entries:
        length = len(orjson.dumps(told[1]))
        if chunk and (len(chunk) == ENTRIES_IN_A_FACT or size + length > BYTES_IN_A_FACT):
            yield chunk
            chunk, size = [], 0
        chunk.append(told)
        size += length
    if chunk:
        yield chunk


def _fact(told: Sequence[tuple[str, Entry]], account: str) -> dict[str, Any]:
    """One fact; its id is made from what the API told, so that another reading of it is a conflict."""
    entries = [entry for _, entry in told]
    digest = hashlib.sha256("\n".join([account, *(line for line, _ in told)]).encode()).hexdigest()[:24]
    day = min(entry["from"] for entry in entries)[:10]
    return {
        "specversion": "1.0",
        "id": f"osc-{digest}",
        "source": SOURCE,
        "type": _TYPE,
        "subject": f"{account}/consumption/{day}-{digest}",
        "data": {"entries": entries},
    }


def to_lines(facts: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Facts as JSON Lines."""
    for fact in facts:
        yield orjson.dumps(fact) + b"\n"
