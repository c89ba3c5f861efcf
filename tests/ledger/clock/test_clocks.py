"""The clocks behind SMTP: the embedded server, a real Postfix, and servers that misbehave."""

from __future__ import annotations

import hashlib
import smtplib
import socket
import threading
import time
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from ledger.clock import open_mail
from ledger.clock.journal import Journal
from ledger.clock.message import read_stored
from ledger.clock.queue_id import decode
from ledger.clock.smtp import SmtpClock
from ledger.errors import ClockUnavailableError, WrongCallError, WrongLedgerError

DIGEST = hashlib.sha256(b"a commit").hexdigest()
ORIGIN = "greffe.test/clock"


def check_in_journal(clock, stamp):
    """The message lies in the journal under its id, carries the digest, and ends with what was sent."""
    raw = clock.journal.find(stamp.queue_id)
    assert raw is not None
    found = read_stored(raw)
    assert (found.queue_id, found.digest, found.origin) == (stamp.queue_id, DIGEST, ORIGIN)
    assert hashlib.sha256(found.sent).hexdigest() == stamp.message_sha256
    assert raw.endswith(found.sent)


class TestEmbedded:
    """The server that comes with the ledger."""

    @pytest.fixture
    def mail(self, tmp_path):
        """An embedded server over a folder."""
        mail = open_mail(f"embedded:{tmp_path / 'mail'}", origin=ORIGIN)
        yield mail
        mail.close()

    def test_stamps_are_in_the_journal(self, mail):
        """Each stamp's time is its queue id's, in order, and its message lies in the journal."""
        stamps = [mail.clock.stamp(DIGEST, 3) for _ in range(20)]
        assert [stamp.time for stamp in stamps] == sorted(decode(stamp.queue_id) for stamp in stamps)
        assert len({stamp.queue_id for stamp in stamps}) == len(stamps)
        for stamp in stamps:
            assert stamp.server == "embedded"
            check_in_journal(mail.clock, stamp)

    def test_the_journal_survives_a_restart(self, tmp_path):
        """A stamp of an earlier run is found again, and is unfollowed when no commit bears it."""
        first = open_mail(f"embedded:{tmp_path / 'mail'}", origin=ORIGIN)
        kept, lost = first.clock.stamp(DIGEST, 1), first.clock.stamp(DIGEST, 1)
        first.close()
        again = open_mail(f"embedded:{tmp_path / 'mail'}", origin=ORIGIN)
        try:
            check_in_journal(again.clock, lost)
            before = kept.time - timedelta(seconds=1)
            assert again.clock.unfollowed(before, {kept.queue_id}.__contains__) == [lost.queue_id]
            assert again.clock.unfollowed(lost.time, lambda _: False) == []
        finally:
            again.close()

    def test_another_ledgers_messages_are_not_ours(self, mail, tmp_path):
        """Messages of another origin in the same journal are not taken for unfollowed ones."""
        mail.clock.stamp(DIGEST, 1)
        stranger = Journal(tmp_path / "mail" / "journal", "somebody.else/ledger")
        assert stranger.unfollowed(None, lambda _: False) == []

    def test_one_process_only(self, mail, tmp_path):
        """A second server over the same folder is refused, and told who has it."""
        with pytest.raises(WrongLedgerError, match="one process only"):
            open_mail(f"embedded:{tmp_path / 'mail'}", origin=ORIGIN)
        assert mail.clock.stamp(DIGEST, 1)

    def test_the_intake_port_may_be_chosen(self, tmp_path):
        """With ?intake=PORT mail is taken in there; another option, or a port that is none, is refused."""
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
        mail = open_mail(f"embedded:{tmp_path / 'mail'}?intake={port}", origin=ORIGIN)
        mail.close()
        assert mail.intake_address == f"127.0.0.1:{port}"
        for wrong in ("?intake=x", "?intake=65536", "?intake=", "?journal=x"):
            with pytest.raises(WrongCallError, match="embedded:DIR"):
                open_mail(f"embedded:{tmp_path / 'mail'}{wrong}", origin=ORIGIN)

    def test_the_stamping_port_takes_no_mail_of_others(self, mail):
        """A client who finds the ledger's own port is told where mail is taken in, and nothing is lost."""
        port, letter = mail.clock._port, b"Subject: x\r\n\r\ny\r\n"
        refusal = pytest.raises(smtplib.SMTPDataError, match="the ledger's own")
        with smtplib.SMTP("127.0.0.1", port) as server, refusal as refused:
            server.sendmail("client@client.test", ["support@outscale.test"], letter)
        assert refused.value.smtp_code == 550

    def test_a_stopped_server_gives_no_stamp(self, tmp_path):
        """Once stopped it says that nothing was recorded."""
        mail = open_mail(f"embedded:{tmp_path / 'mail'}", origin=ORIGIN)
        mail.close()
        with pytest.raises(ClockUnavailableError, match="nothing was recorded"):
            mail.clock.stamp(DIGEST, 1)


@pytest.mark.postfix
class TestPostfix:
    """A real Postfix with long queue ids."""

    @pytest.fixture
    def mail(self, postfix):
        """The private Postfix as a mail server of the ledger."""
        mail = open_mail(postfix.url, origin=ORIGIN)
        yield mail
        mail.close()

    def test_stamps_are_in_the_journal(self, mail):
        """Two hundred stamps: time from the queue id, never going back, message in the journal."""
        stamps = [mail.clock.stamp(DIGEST, 3) for _ in range(200)]
        times = [stamp.time for stamp in stamps]
        assert times == [decode(stamp.queue_id) for stamp in stamps] == sorted(times)
        assert {stamp.server for stamp in stamps} == {"postfix:mx.outscale.test"}
        deadline = time.monotonic() + 20
        while mail.find(stamps[-1].queue_id) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        for stamp in stamps[::20]:
            check_in_journal(mail.clock, stamp)

    def test_stopped_and_started_again(self, mail, postfix):
        """With Postfix stopped there is no stamp; started again, the same clock goes on."""
        mail.clock.stamp(DIGEST, 1)
        postfix.stop()
        try:
            with pytest.raises(ClockUnavailableError):
                mail.clock.stamp(DIGEST, 1)
        finally:
            postfix.start()
        assert mail.clock.stamp(DIGEST, 1).server == "postfix:mx.outscale.test"


class Adversary:
    """An SMTP server that follows a script: for each connection, replies to send after each line group."""

    def __init__(self, *scripts):
        self.received: list[bytes] = []
        self._scripts = list(scripts)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        for script in self._scripts:
            connection, _ = self._socket.accept()
            with connection, suppress(ConnectionError):  # the clock may hang up first
                for reply in script:
                    if reply is None:  # hang up
                        break
                    if callable(reply):
                        reply()
                        continue
                    connection.sendall(reply)
                    self.received.append(self._until_quiet(connection))
        self._socket.close()

    @staticmethod
    def _until_quiet(connection):
        connection.settimeout(0.3)
        data = b""
        try:
            while piece := connection.recv(65536):
                data += piece
        except TimeoutError:
            pass
        return data


HELLO = (b"220 mx.test ESMTP\r\n", b"250-mx.test\r\n250 PIPELINING\r\n")
ENVELOPE = b"250 ok\r\n250 ok\r\n354 go\r\n"
GOOD = b"250 2.0.0 Ok: queued as 4jXrjs6ZNnzKHG6\r\n"


def clock_at(port, bound_seconds=3.0):
    return SmtpClock(
        "127.0.0.1", port, origin=ORIGIN, sender="a@b.test", recipient="c@d.test", journal=None,
        bound_seconds=bound_seconds,
    )  # fmt: skip


class TestMisbehaving:
    """Whatever the server says that cannot be used is « no stamp », never a guess."""

    def test_a_good_one(self):
        """The script of a good server gives its stamp, the whole envelope in one burst."""
        server = Adversary((*HELLO, ENVELOPE, GOOD))
        stamp = clock_at(server.port).stamp(DIGEST, 1)
        assert stamp.time == decode("4jXrjs6ZNnzKHG6")
        assert server.received[1].count(b"\r\n") == 3

    @pytest.mark.parametrize(
        "script",
        [
            (b"554 go away\r\n",),
            (b"hello, sailor\r\n",),
            (b"220 mx\r\n", b"502 what?\r\n"),
            (*HELLO, b"250 ok\r\n450 later\r\n354 go\r\n"),
            (*HELLO, b"550 no\r\n550 no\r\n503 no\r\n"),
            (*HELLO, ENVELOPE, b"451 4.3.0 later\r\n"),
            (*HELLO, ENVELOPE, b"250 2.0.0 Ok\r\n"),
            (*HELLO, ENVELOPE, b"250 2.0.0 Ok: queued as A1B2C3D4\r\n"),
            (*HELLO, ENVELOPE, b"250 2.0.0 Ok: queued as 4jXrjszzzzzKHG6\r\n"),
            (*HELLO, ENVELOPE, b"\xff\xfe\r\n"),
            (*HELLO, ENVELOPE, b"x" * 100_000),
            (b"220 mx\r\n", None),
        ],
        ids=lambda script: repr(script[-1])[:40],
    )
    def test_no_stamp(self, script):
        """Refusals, nonsense, missing or short ids and endless lines all end as « clock unavailable »."""
        with pytest.raises(ClockUnavailableError, match=r"nothing was recorded: repeat the call\Z"):
            clock_at(Adversary(script).port, 2.0).stamp(DIGEST, 1)

    def test_a_greeting(self):
        """A server that takes mail is greeted without a stamp; one that refuses, or is none, is named."""
        clock = clock_at(Adversary(HELLO).port)
        clock.greet()
        clock.close()
        for script in ((b"554 go away\r\n",), (b"hello, sailor\r\n",)):
            with pytest.raises(ClockUnavailableError, match=r"127\.0\.0\.1:.* gives no stamp"):
                clock_at(Adversary(script).port, 2.0).greet()

    def test_a_slow_server_is_bounded(self):
        """A server that answers too late is given up after the bound, however many steps it took."""
        server = Adversary((*HELLO, lambda: time.sleep(3), ENVELOPE, GOOD))
        started = time.monotonic()
        with pytest.raises(ClockUnavailableError):
            clock_at(server.port, 1.0).stamp(DIGEST, 1)
        assert time.monotonic() - started < 2.5

    def test_an_idle_connection_that_was_dropped_is_opened_once_more(self):
        """After an idle hang-up the next stamp comes over a new connection, without an error."""
        server = Adversary((*HELLO, ENVELOPE, GOOD, None), (*HELLO, ENVELOPE, GOOD))
        clock = clock_at(server.port)
        clock.stamp(DIGEST, 1)
        time.sleep(0.5)
        assert clock.stamp(DIGEST, 1).time == decode("4jXrjs6ZNnzKHG6")

    def test_a_message_that_may_have_been_taken_is_not_sent_twice(self):
        """When the server hangs up after the text, the clock does not send it again by itself."""
        server = Adversary((*HELLO, ENVELOPE, GOOD, ENVELOPE, None), (*HELLO, ENVELOPE, GOOD))
        clock = clock_at(server.port)
        clock.stamp(DIGEST, 1)
        with pytest.raises(ClockUnavailableError):
            clock.stamp(DIGEST, 1)
        texts = sum(data.count(b"X-Greffe-Digest") for data in server.received)
        assert texts == 2


@pytest.mark.parametrize(
    "url", ["embedded:", "smtp://", "smtp://host", "smtp://host:x", "smtp://h:25?jurnal=/x", "pop://h:1", ""]
)
def test_addresses_that_are_none(url):
    """An address of no mail server is refused in a sentence."""
    with pytest.raises(WrongCallError):
        open_mail(url, origin=ORIGIN)
