"""Asking the outside parties of a ledger: from its settings, and again and again while it is served."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from api.runtime import Runtime
from ledger.errors import GreffeError, WrongCallError
from ledger.log.policy import Policy
from ledger.log.tokens import Authority
from ledger.log.witnesses import Witnesses
from ledger.vouching import Vouching

_log = logging.getLogger(__name__)


def vouching_of(runtime: Runtime) -> Vouching | None:
    """What asks the witnesses and authorities that the settings name; ``None`` when they name none.

    Raises:
        WrongCallError: the policy, or the file of an authority's roots, cannot be read or is none.
    """
    settings = runtime.settings
    if runtime.recorder is None or (settings.witnesses is None and not settings.tsa):
        return None
    authorities = [Authority.parse(text) for text in settings.tsa]
    witnesses = None if settings.witnesses is None else Witnesses(_policy(settings.witnesses))
    return Vouching(runtime.recorder, runtime.record, witnesses, authorities)


def _policy(path: Path) -> Policy:
    try:
        return Policy.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCallError(f"the witness policy {path} cannot be read: {error}") from error


class AskingAgain:
    """Asks every ``seconds`` while it is entered, in a thread of its own; a round that fails is logged."""

    def __init__(self, vouching: Vouching | None, seconds: float) -> None:
        self._vouching = vouching
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="greffe-vouching", daemon=True)

    def __enter__(self) -> Self:
        if self._vouching is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while self._vouching is not None and not self._stopping.is_set():
            try:
                self._vouching.round()
            except GreffeError as error:
                _log.warning("nobody vouched: %s", error)
            except Exception:  # noqa: BLE001 - whatever it is, the next round is tried
                _log.exception("nobody vouched")
            self._stopping.wait(self._seconds)
