"""A running private Postfix, and a small ledger over a mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from places import Place

from ledger.clock import Mail, MailSettings, open_mail
from ledger.facts.envelope import parse_events
from ledger.facts.recorded import Recorded
from ledger.recorder import Recorder
from ledger.store import Record, open_record
from scripts.bench.postfix import PrivatePostfix, private_postfix, why_not

ORIGIN = "greffe.test/clock"


@pytest.fixture(scope="module")
def running_postfix() -> Iterator[PrivatePostfix]:
    """A private Postfix, or the reason why there is none."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with private_postfix() as server:
        yield server


@pytest.fixture
def postfix(running_postfix: PrivatePostfix) -> PrivatePostfix:
    """The private Postfix, without the mail that the test before left in its queue."""
    running_postfix.forget()
    return running_postfix


class Office:
    """A ledger over a mail server, with one account whose address is ``client@client.test``."""

    def __init__(self, url: str, mail_url: str, settings: MailSettings) -> None:
        self._opened = ExitStack()
        self.url = url
        self.mail: Mail = open_mail(mail_url, origin=ORIGIN, settings=settings)
        self._opened.callback(self.mail.close)
        self.recorder = self._opened.enter_context(Recorder(self.url, self.mail.clock, origin=ORIGIN))
        self.record: Record = open_record(self.url)
        self.open_account("ACC-1", "client@client.test")

    def open_account(self, account: str, address: str) -> None:
        """Open an account with an address."""
        self.recorder.record(
            parse_events(
                [
                    {
                        "specversion": "1.0",
                        "id": f"open-{account}",
                        "source": "/test",
                        "type": "account.opened",
                        "subject": account,
                        "data": {"email": address},
                    }
                ]
            )
        )

    def start_intake(self) -> None:
        """Take mail from now on."""
        self.mail.start_intake(self.recorder.record, self.record)

    def facts(self, kind: str | None = None) -> list[Recorded]:
        """The facts so far, of one type or of all."""
        found = self.record.facts(0, self.record.size())
        return [fact for fact in found if kind in (None, fact.type)]

    def close(self) -> None:
        """Close it all, as an orderly stop does."""
        self.mail.stop_intake()
        self.record.close()
        self._opened.close()


OpenOffice = Callable[..., Office]


@pytest.fixture
def open_office(place: Place, tmp_path: Path) -> Iterator[OpenOffice]:
    """Opens offices over one ledger and one folder of mail; all are closed in the end."""
    url = place.url()
    offices: list[Office] = []

    def open_one(mail_url: str | None = None, *, provider: tuple[str, ...] = ()) -> Office:
        settings = MailSettings(provider=provider, acknowledgement_sender="support@outscale.test")
        office = Office(url, mail_url or f"embedded:{tmp_path / 'mail'}", settings)
        offices.append(office)
        return office

    yield open_one
    for office in offices:
        office.close()
