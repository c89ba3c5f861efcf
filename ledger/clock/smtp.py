"""A clock behind SMTP: a mail server whose long queue ids date what it takes (``mail.md``).

The queue id dates the first RCPT TO, so the envelope goes out in one pipelined burst (RFC 2920) when
the server offers it, and the text follows at once. Everything is bounded by one deadline; whatever the
server says that cannot be used is « no stamp », never a guess.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime

from ledger.clock.dkim import DkimSigner
from ledger.clock.journal import Journal
from ledger.clock.message import Outgoing, stamping_message
from ledger.clock.queue_id import decode
from ledger.clock.stamp import Stamp
from ledger.errors import ClockUnavailableError, WrongCallError

BOUND_SECONDS = 5.0
_QUEUED_AS = re.compile(r"queued as ([0-9A-Za-z]+)")
_LONGEST_REPLY_BYTES = 64 * 1024
_READY, _DONE, _GO_AHEAD = 220, 250, 354


class _Lost(Exception):  # noqa: N818 - not an error of its own: the connection says it has gone
    """The connection broke before the server can have taken the message."""


class SmtpSession:
    """One SMTP connection (RFC 5321), every step before one deadline (``time.monotonic``)."""

    def __init__(self, host: str, port: int, deadline: float) -> None:
        self._deadline = deadline
        self._buffer = b""
        self._socket = socket.create_connection((host, port), timeout=self._remaining())
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            greeting = self._expect(_READY)
            self.server = greeting.split()[0] if greeting.split() else host
            self._write(b"EHLO greffe.localhost\r\n")
            self.pipelining = "PIPELINING" in self._expect(_DONE).upper().split()
        except BaseException:
            self._socket.close()
            raise

    def send(self, message: Outgoing, *, sender: str, recipient: str, deadline: float) -> str:
        """Hand a message over; the text of the final 250 reply.

        Raises:
            _Lost: the connection was gone before the text was sent.
            OSError, ClockUnavailableError: anything later.
        """
        self._deadline = deadline
        envelope = (f"MAIL FROM:<{sender}>\r\n", f"RCPT TO:<{recipient}>\r\n", "DATA\r\n")
        try:
            if self.pipelining:
                self._write("".join(envelope).encode())
                self._expect(_DONE, _DONE, _GO_AHEAD)
            else:
                for command, code in zip(envelope, (_DONE, _DONE, _GO_AHEAD), strict=True):
                    self._write(command.encode())
                    self._expect(code)
        except (ConnectionError, EOFError) as error:
            raise _Lost(str(error)) from error
        text = re.sub(rb"^\.", b"..", message.body, flags=re.MULTILINE)
        self._write(text + b".\r\n")
        return self._expect(_DONE)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("it is too slow")
        return remaining

    def _write(self, data: bytes) -> None:
        self._socket.settimeout(self._remaining())
        self._socket.sendall(data)

    def _expect(self, *codes: int) -> str:
        """Read one reply per code, all of them before judging any; the text of the last."""
        replies = [self._reply() for _ in codes]
        for (code, text), expected in zip(replies, codes, strict=True):
            if code != expected:
                raise ClockUnavailableError(f"it refused: {code} {text}")
        return replies[-1][1]

    def _reply(self) -> tuple[int, str]:
        lines: list[str] = []
        while True:
            line = self._line()
            if not re.match(r"[2-5][0-9]{2}[ -]|[2-5][0-9]{2}$", line):
                raise ClockUnavailableError(f"it answered nonsense: {line[:200]!r}")
            lines.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(lines)

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_REPLY_BYTES:
                raise ClockUnavailableError("it answered nonsense: a line without end")
            self._socket.settimeout(self._remaining())
            received = self._socket.recv(4096)
            if not received:
                raise EOFError("it hung up")
            self._buffer += received
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("ascii", "replace")


class SmtpClock:
    """A mail server as a clock: Postfix by default, or the embedded server.

    ``name`` is ``postfix:HOST`` once the server has greeted; one message is under way at a time.
    ``signer`` signs stamping messages, if there is one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        origin: str,
        kind: str = "postfix",
        sender: str,
        recipient: str,
        journal: Journal | None,
        signer: DkimSigner | None = None,
        bound_seconds: float = BOUND_SECONDS,
    ) -> None:
        self._host, self._port = host, port
        self._origin, self._kind = origin, kind
        self._sender, self._recipient = sender, recipient
        self._signer = signer
        self._bound_seconds = bound_seconds
        self._session: SmtpSession | None = None
        self._lock = threading.Lock()
        self.journal = journal

    @property
    def name(self) -> str:
        """``embedded``, or the kind and the host that was asked for."""
        return self._kind if self._kind == "embedded" else f"{self._kind}:{self._host}"

    def stamp(self, digest: str, count: int, checkpoint: bytes = b"") -> Stamp:
        """Send the stamping message and read its stamp.

        Raises:
            ClockUnavailableError: the server is down, slow, refusing, or gave no usable queue id.
        """
        message = stamping_message(
            digest,
            count,
            origin=self._origin,
            sender=self._sender,
            recipient=self._recipient,
            checkpoint=checkpoint,
        )
        if self._signer is not None:
            message = self._signer.signed(message)
        reply, server = self.deliver(message, sender=self._sender, recipient=self._recipient)
        try:
            queue_id = queue_id_in(reply)
        except ClockUnavailableError as error:
            raise self._no_stamp(error) from error
        name = self._kind if self._kind == "embedded" else f"{self._kind}:{server}"
        return Stamp(decode(queue_id), name, queue_id, message.message_id, message.sha256)

    def deliver(self, message: Outgoing, *, sender: str, recipient: str) -> tuple[str, str]:
        """Hand any message to the server; its final reply, and its own name.

        A connection that had gone idle is opened again once; a message that the server may have taken
        is never sent twice.

        Raises:
            ClockUnavailableError: the server did not take it, or did not say so in time.
        """
        with self._lock:
            deadline = time.monotonic() + self._bound_seconds
            try:
                reused = self._session is not None
                session = self._connected(deadline)
                try:
                    reply = session.send(message, sender=sender, recipient=recipient, deadline=deadline)
                except (_Lost, ClockUnavailableError) as error:
                    if not reused or not _went_away(error):
                        raise
                    self._hang_up()
                    session = self._connected(deadline)
                    reply = session.send(message, sender=sender, recipient=recipient, deadline=deadline)
            except (OSError, EOFError, _Lost, ClockUnavailableError) as error:
                self._hang_up()
                raise self._no_stamp(error) from error
            return reply, session.server

    def greet(self) -> None:
        """Say hello to the server, and ask for no stamp.

        Raises:
            ClockUnavailableError: nobody answers there, or not as a mail server that takes mail.
        """
        with self._lock:
            try:
                self._connected(time.monotonic() + self._bound_seconds)
            except (OSError, EOFError, ClockUnavailableError) as error:
                raise self._no_stamp(error) from error

    def unfollowed(self, after: datetime | None, is_committed: Callable[[str], bool]) -> list[str]:
        """Queue ids in the journal that no commit followed; none when the journal is not at hand."""
        return self.journal.unfollowed(after, is_committed) if self.journal else []

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._hang_up()

    def _no_stamp(self, error: Exception) -> ClockUnavailableError:
        """Whatever went wrong, in the words of whoever recorded."""
        return ClockUnavailableError(
            f"the mail server at {self._host}:{self._port} gives no stamp ({error or 'no answer'});"
            " nothing was recorded: repeat the call"
        )

    def _connected(self, deadline: float) -> SmtpSession:
        if self._session is None:
            self._session = SmtpSession(self._host, self._port, deadline)
        return self._session

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _went_away(error: Exception) -> bool:
    return isinstance(error, _Lost) or "refused: 421" in str(error)


def queue_id_in(reply: str) -> str:
    """The long queue id in a server's final reply.

    Raises:
        ClockUnavailableError: there is none, or it carries no time.
    """
    match = _QUEUED_AS.search(reply)
    if match is None:
        raise ClockUnavailableError(f"the mail server took the message but gave no queue id: {reply[:200]!r}")
    try:
        decode(match.group(1))
    except WrongCallError as error:
        raise ClockUnavailableError(str(error)) from error
    return match.group(1)
