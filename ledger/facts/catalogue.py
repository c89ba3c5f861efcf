"""The register of fact types: what each is called, whose history it belongs to, and its model.

A module of facts declares each type with ``@fact``; importing this package's modules fills ``TYPES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TypeVar

from ledger.errors import WrongCallError
from ledger.facts.shape import SEGMENT, FactModel, Personal, PersonalPath, personal_paths

M = TypeVar("M", bound=type[FactModel])

RESERVED = frozenset(
    {
        "terms", "price", "rate", "region", "service", "mail", "subcontractors", "flaw",
        "force-majeure", "stamp", "keys", "tokens", "witnesses", "basis",
    }
)  # fmt: skip
"""First words of subjects that belong to no account: no account may bear them (``facts.md``)."""

COMMON = ""
"""The account under which facts that belong to no account are kept."""


class Opening(Enum):
    """Whether a fact starts the history of its subject, goes on with it, or may do either."""

    OPENS = "opens"
    CONTINUES = "continues"
    EITHER = "either"


@dataclass(frozen=True)
class FactType:
    """One row of the catalogue.

    ``subjects`` are the forms that its subject may take, ``A`` standing for the account and words in
    capitals for any segment (``A/reserve/ID``). ``by_ledger`` types are refused from a producer.
    """

    name: str
    subjects: tuple[str, ...]
    opening: Opening
    article: str
    model: type[FactModel]
    by_ledger: bool = False

    @cached_property
    def subject_pattern(self) -> re.Pattern[str]:
        """The forms of its subject as one regular expression."""
        return re.compile("|".join(_pattern(form) for form in self.subjects))

    @cached_property
    def personal(self) -> dict[PersonalPath, Personal]:
        """Where its data hold personal values."""
        return personal_paths(self.model)


_ACCOUNT = rf"(?!(?:{'|'.join(sorted(RESERVED))})(?:/|\Z)){SEGMENT}"


def _pattern(form: str) -> str:
    parts = [
        _ACCOUNT if part == "A" else SEGMENT if part.isupper() else re.escape(part)
        for part in form.split("/")
    ]
    no_dots = r"(?!(?:.*/)?\.{1,2}(?:/|\Z))"  # "." and ".." would change the path of a URL (RFC 3986, 5.2.4)
    return f"(?:{no_dots}" + "/".join(parts) + r")\Z"


TYPES: dict[str, FactType] = {}


def fact(
    name: str,
    *subjects: str,
    opening: Opening,
    article: str,
    by_ledger: bool = False,
) -> Callable[[M], M]:
    """Enter a model into the catalogue as the data of the fact type ``name``."""

    def enter(model: M) -> M:
        if name in TYPES:
            raise TypeError(f"two fact types are named {name}")
        TYPES[name] = FactType(name, subjects, opening, article, model, by_ledger)
        return model

    return enter


def fact_type(name: str) -> FactType:
    """The row of the catalogue named ``name``.

    Raises:
        WrongCallError: there is none.
    """
    try:
        return TYPES[name]
    except KeyError:
        raise WrongCallError(f"{name!r} is not a type of fact in the catalogue") from None


def account_of(subject: str) -> str:
    """The account whose history a subject belongs to, or ``COMMON`` when it belongs to none."""
    first = subject.partition("/")[0]
    return COMMON if first in RESERVED else first


def names_of(models: Iterable[type[FactModel]]) -> frozenset[str]:
    """The type names under which models are entered."""
    wanted = set(models)
    return frozenset(name for name, row in TYPES.items() if row.model in wanted)
