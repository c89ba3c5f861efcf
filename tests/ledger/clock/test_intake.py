"""Mail intake: what arrives is recorded under its own stamp, whatever state it is in."""

from __future__ import annotations

import hashlib
import smtplib
import time
from pathlib import Path

import pytest

CORPUS = sorted((Path(__file__).parents[2] / "data" / "mail" / "corpus").glob("*.eml"))
LETTER = (
    b"From: A Client <client@client.test>\r\nTo: support@outscale.test\r\n"
    b"Subject: =?utf-8?q?R=C3=A9serve?=\r\nMessage-ID: <m1@client.test>\r\n\r\nVM i-1 indisponible.\r\n"
)

REPORT = b"""From: MAILER-DAEMON@mx.elsewhere.test
To: billing@outscale.test
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

No such mailbox.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.outscale.test
X-Postfix-Queue-ID: QUEUE_ID

Final-Recipient: rfc822; client@client.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such mailbox

--b--
""".replace(b"\n", b"\r\n")


def send(address, sender, body, to=("support@outscale.test",)):
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port)) as server:
        server.sendmail(sender, list(to), body)


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def office(open_office):
    """An office over the embedded server, taking mail; OUTSCALE writes from outscale.test."""
    office = open_office(provider=("outscale.test",))
    office.start_intake()
    return office


def test_who_wrote_and_to_which_mailbox(open_office):
    """Senders are addresses, sealed; of the provider's mailboxes those it lists by name, in clear."""
    office = open_office(provider=("support@outscale.test", "outscale.test"))
    office.start_intake()
    letter = LETTER.replace(b"To: ", b"To: Jean <jean@outscale.test>, ")
    send(office.mail.intake_address, "client@client.test", letter)
    wait_until(lambda: office.facts("mail.received"))
    (mail,) = office.facts("mail.received")
    assert mail.data.mailboxes == ["support@outscale.test"]
    (opened,) = office.facts("account.opened")
    assert mail.data.senders == [opened.data.email]
    assert b"jean@" not in mail.leaf
    assert b"client@" not in mail.leaf


class TestEmbedded:
    def test_a_mail_with_a_line_that_is_too_long(self, office):
        """A mail that breaks RFC 5321's limit of a line is recorded as it came."""
        letter = LETTER + b"x" * 100_000 + b"\r\n"
        send(office.mail.intake_address, "client@client.test", letter)
        wait_until(lambda: office.facts("mail.received"))
        (fact,) = office.facts("mail.received")
        assert office.record.message(fact.fields["data"]["message_sha256"]).endswith(letter)

    def test_a_clients_mail(self, office):
        """A client's mail becomes a fact of its account, at its own stamp, its bytes kept."""
        send(office.mail.intake_address, "client@client.test", LETTER)
        wait_until(lambda: office.facts("mail.received"))
        (fact,) = office.facts("mail.received")
        data = fact.fields["data"]
        assert fact.subject == f"ACC-1/mail/{data['stamp']['queue_id']}"
        assert fact.legal_time <= fact.not_after == fact.recorded_at
        raw = office.record.message(data["message_sha256"])
        assert raw.endswith(LETTER)
        assert hashlib.sha256(raw).hexdigest() == data["message_sha256"]
        assert office.record.unseal([data["subject_line"]]) == {data["subject_line"]: "Réserve"}

    def test_it_is_acknowledged_once(self, office):
        """The client's mail is acknowledged by mail, and the acknowledgement recorded under its own stamp."""
        send(office.mail.intake_address, "client@client.test", LETTER)
        wait_until(lambda: office.facts("notification.sent"))
        time.sleep(0.3)
        (sent,) = office.facts("notification.sent")
        (mail,) = office.facts("mail.received")
        assert (sent.fields["data"]["kind"], sent.fields["data"]["about"]) == (
            "acknowledgement",
            mail.subject,
        )
        assert sent.legal_time > mail.legal_time
        assert b"Auto-Submitted: auto-replied" in office.record.message(sent.fields["data"]["message_sha256"])

    @pytest.mark.parametrize(
        ("sender", "header"),
        [
            ("", b""),
            ("client@client.test", b"Auto-Submitted: auto-generated\r\n"),
            ("client@client.test", b"Precedence: bulk\r\n"),
            ("client@client.test", b"List-Id: <l.client.test>\r\n"),
        ],
    )
    def test_automatic_mail_is_never_answered(self, office, sender, header):
        """A null sender, automatic or bulk mail is recorded and not acknowledged (RFC 3834)."""
        send(office.mail.intake_address, sender, header + LETTER)
        wait_until(lambda: office.facts("mail.received"))
        time.sleep(0.5)
        assert office.facts("notification.sent") == []

    @pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
    def test_broken_mail_is_recorded_too(self, office, path):
        """Unknown charsets, bad dates, bounces, signed mail: each is recorded, bytes and all."""
        raw = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        send(office.mail.intake_address, "someone@elsewhere.test", raw)
        wait_until(lambda: office.facts("mail.received"))
        (fact,) = office.facts("mail.received")
        assert fact.subject.startswith("mail/")
        assert raw.rstrip() in office.record.message(fact.fields["data"]["message_sha256"])

    def test_no_from_and_eight_bit_junk(self, office):
        """A message without From, with a null byte and invalid UTF-8, is recorded."""
        send(office.mail.intake_address, "x@y.test", b"Subject: \xff\xfe\x00 caf\xe9\r\n\r\n\x00\x80\r\n")
        wait_until(lambda: office.facts("mail.received"))

    def test_an_address_of_two_accounts(self, office):
        """A mail from an address that two accounts gave is kept until somebody attributes it."""
        office.open_account("ACC-2", "client@CLIENT.test")
        send(office.mail.intake_address, "client@client.test", LETTER)
        wait_until(lambda: office.facts("mail.received"))
        assert office.facts("mail.received")[0].subject.startswith("mail/")

    def test_an_outgoing_copy_is_a_notification(self, office):
        """What the provider sends to an account's address is a notification, its kind not yet qualified."""
        body = b"From: billing@outscale.test\r\nTo: client@client.test\r\nSubject: Facture\r\n\r\nBonjour\r\n"
        send(office.mail.intake_address, "billing@outscale.test", body, ["client@client.test"])
        wait_until(lambda: office.facts("notification.sent"))
        (sent,) = office.facts("notification.sent")
        assert (sent.account, sent.fields["data"]["kind"]) == ("ACC-1", "unqualified")
        (opened,) = office.facts("account.opened")
        assert sent.fields["data"]["to"] == opened.fields["data"]["email"]

    def test_a_bounce_is_told_of_its_notification(self, office):
        """A delivery report that names the queue id of a notification records that it bounced (RFC 3464)."""
        body = b"From: billing@outscale.test\r\nTo: client@client.test\r\nSubject: Facture\r\n\r\nBonjour\r\n"
        send(office.mail.intake_address, "billing@outscale.test", body, ["client@client.test"])
        wait_until(lambda: office.facts("notification.sent"))
        (sent,) = office.facts("notification.sent")
        report = REPORT.replace(b"QUEUE_ID", sent.fields["data"]["stamp"]["queue_id"].encode())
        send(office.mail.intake_address, "", report, ["billing@outscale.test"])
        wait_until(lambda: office.facts("notification.bounced"))
        (bounced,) = office.facts("notification.bounced")
        assert (bounced.subject, bounced.fields["data"]["status"]) == (sent.subject, "5.1.1")

    def test_mail_waits_in_the_spool(self, open_office):
        """Mail that arrives while nobody records is taken in at the next start, under its own stamp."""
        first = open_office()
        send(first.mail.intake_address, "client@client.test", LETTER)
        first.close()
        time.sleep(0.2)
        again = open_office()
        assert again.facts("mail.received") == []
        again.start_intake()
        wait_until(lambda: again.facts("mail.received"))
        (fact,) = again.facts("mail.received")
        assert fact.legal_time < fact.recorded_at

    def test_an_acknowledgement_that_a_crash_lost(self, open_office):
        """A mail that was recorded and never acknowledged is acknowledged at the next start."""
        first = open_office()
        first.mail.start_intake(first.recorder.record, first.record)
        first.mail._intake._acknowledger.close()
        send(first.mail.intake_address, "client@client.test", LETTER)
        wait_until(lambda: first.facts("mail.received"))
        first.close()
        again = open_office()
        again.start_intake()
        wait_until(lambda: again.facts("notification.sent"))
        assert again.facts("notification.sent")[0].fields["data"]["kind"] == "acknowledgement"


@pytest.mark.postfix
class TestPostfix:
    @pytest.fixture
    def office(self, open_office, postfix):
        """An office over the private Postfix, taking its copies by LMTP."""
        return open_office(postfix.url, provider=("outscale.test",))

    def test_mail_is_taken_in_and_acknowledged(self, office, postfix):
        """A client's mail comes by LMTP with Postfix's own stamp; its acknowledgement goes out once."""
        office.start_intake()
        send(f"127.0.0.1:{postfix.public_port}", "client@client.test", LETTER)
        wait_until(lambda: office.facts("notification.sent"))
        time.sleep(1)
        (mail,) = office.facts("mail.received")
        assert mail.clock == "postfix:mx.outscale.test"
        assert mail.legal_time <= mail.recorded_at
        assert len(office.facts("notification.sent")) == 1
        wait_until(lambda: any(b"auto-replied" in raw for raw in postfix.delivered("client")))

    def test_stamps_are_never_taken_in(self, office, postfix):
        """The ledger's own stamping messages do not come back as mail, or it would stamp for ever."""
        office.start_intake()
        before = len(postfix.delivered("journal"))
        for number in range(5):
            office.open_account(f"ACC-X{number}", f"x{number}@client.test")
        wait_until(lambda: len(postfix.delivered("journal")) >= before + 5)
        time.sleep(1)
        assert {fact.type for fact in office.facts()} == {"account.opened"}

    def test_nothing_is_lost_while_the_ledger_is_down(self, office, postfix):
        """Postfix keeps what arrives while nobody listens, and it comes in later under its old stamp."""
        send(f"127.0.0.1:{postfix.public_port}", "client@client.test", LETTER.replace(b"m1@", b"m2@"))
        time.sleep(1.5)
        assert office.facts("mail.received") == []
        office.start_intake()
        wait_until(lambda: office.facts("mail.received"), 40)
        (mail,) = office.facts("mail.received")
        assert (mail.recorded_at - mail.legal_time).total_seconds() > 1
