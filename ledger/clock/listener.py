"""SMTP and LMTP servers on loopback (aiosmtpd), each in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from ledger.errors import GreffeError

LARGEST_MESSAGE_BYTES = 32 * 1024 * 1024
LONGEST_LINE_BYTES = 1024 * 1024
TRY_LATER = "451 4.3.0 the ledger cannot record now, try again later"
Take = Callable[[bytes, str, list[str]], str]
"""Takes raw bytes (CRLF), the envelope's sender and recipients; returns the final SMTP reply."""

_log = logging.getLogger(__name__)


class _Smtp(SMTP):
    """SMTP that takes lines longer than RFC 5321 §4.5.3.1.6 allows: broken mail is mail."""

    line_length_limit = LONGEST_LINE_BYTES


class _Lmtp(LMTP):
    """LMTP alike."""

    line_length_limit = LONGEST_LINE_BYTES


class _Handler:
    def __init__(self, take: Take) -> None:
        self._take = take

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        sender = (envelope.mail_from or "").strip("<>")  # aiosmtpd gives a null sender as « <> »
        recipients = list(envelope.rcpt_tos)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(None, self._take, raw, sender, recipients)
        except GreffeError as error:
            _log.warning("a mail from the server must wait: %s", error)
            return TRY_LATER
        except Exception:  # noqa: BLE001 - whatever it is, the mail server must keep the mail
            _log.exception("a mail could not be taken; the server keeps it")
            return TRY_LATER


class Listener(Controller):
    """A server on a loopback port (0 asks for any free one); ``port`` is the one it got."""

    def __init__(self, take: Take, *, host: str = "127.0.0.1", port: int = 0, lmtp: bool = False) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._speaks = _Lmtp if lmtp else _Smtp
        super().__init__(
            _Handler(take),
            hostname=host,
            port=self._socket.getsockname()[1],
            data_size_limit=LARGEST_MESSAGE_BYTES,
            decode_data=False,
            ident="Greffe",
        )

    def factory(self) -> Any:  # noqa: ANN401 - aiosmtpd is untyped
        """One protocol object per connection."""
        return self._speaks(self.handler, **self.SMTP_kwargs)

    def _create_server(self) -> Any:  # noqa: ANN401 - aiosmtpd is untyped
        return self.loop.create_server(self._factory_invoker, sock=self._socket)
