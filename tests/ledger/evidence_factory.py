"""A small ledger under an embedded mail server, and packages made from it."""

from __future__ import annotations

import io
import smtplib
import struct
import zipfile
from pathlib import Path

from recorder_factory import consumed, event, opened

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger.clock.servers import journal_of, open_mail
from ledger.evidence import verifier
from ledger.evidence.gather import Disclosure, Request, gather
from ledger.evidence.package import write
from ledger.facts.envelope import parse_events
from ledger.log.keys import Keys
from ledger.recorder import Recorder
from ledger.store import open_record

ORIGIN = "greffe.test/outscale/cgv-2021-06"
QUOTED = "Aucune réserve ne pourra être formulée au-delà du délai mentionné ci-dessus."


class SmallLedger:
    """A signed ledger with two accounts, a mail that arrived, and a journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.mail_url = f"embedded:{folder / 'mail'}"
        self.keys_folder = folder / "keys"
        mail = open_mail(self.mail_url, origin=ORIGIN)
        with Recorder(self.url, mail.clock, origin=ORIGIN, keys=self.keys_folder) as recorder:
            self.record = open_record(self.url)
            recorder.record(
                parse_events([opened(email="a@client.example"), opened("ACC-2", email="b@client.example")])
            )
            recorder.record(parse_events([consumed("c-1"), consumed("c-2", "ACC-2"), consumed("c-3")]))
            mail.start_intake(recorder.record, self.record)
            self._send(mail.intake_address)
            while self.record.size() < 12:
                pass
            mail.stop_intake()
            (self.mail_subject,) = {
                fact.subject for fact in self.record.facts(0, 99) if fact.type == "mail.received"
            }
            reserve = event(
                "r-1", "reserve.notified", "ACC-1/reserve/1", {"service": "fcu"}, mail=self.mail_subject
            )
            recorder.record(parse_events([reserve, consumed("c-4")]))
        mail.close()
        self.keys = Keys.open(self.keys_folder, ORIGIN)
        self.key = self.keys.verifier_keys[0].text

    @staticmethod
    def _send(address):
        host, _, port = address.partition(":")
        with smtplib.SMTP(host, int(port)) as server:
            server.sendmail(
                "a@client.example", ["support@provider.example"],
                b"From: a@client.example\r\nTo: support@provider.example\r\nSubject: reserve\r\n\r\nNous formulons une r\xe9serve.\r\n",
            )  # fmt: skip

    def conclusions(self):
        """A conclusion such as an explanation gives."""
        reasons = [
            fact
            for subject in ("ACC-1/reserve/1", self.mail_subject)
            for fact in self.record.history(subject)
        ]
        because = [
            {
                "position": fact.position, "subject": fact.subject, "type": fact.type,
                "legal_time": verifier.plain(fact.legal_time.isoformat(timespec="microseconds")[:-6] + "Z"),
            }
            for fact in reasons
        ]  # fmt: skip
        row = {
            "projection": "acceptance", "path": "/reserves/0/status", "subject": "ACC-1/reserve/1", "on_subject": True,
            "value": "undocumented", "rule": "reserve_standing", "article": "9.4", "because": because,
            "quotations": [QUOTED],
        }  # fmt: skip
        return {"as_of": "2026-12-01T00:00:00Z", "terms": "2021-06", "conclusions": [row]}

    def content(self, subject="ACC-1", disclosure=None, roots=()):
        """What a package about a subject holds."""
        return gather(
            self.record,
            Request(
                subject,
                "2026-12-01T00:00:00Z",
                self.conclusions(),
                disclosure or Disclosure("all"),
                journal_of(self.mail_url, ORIGIN),
                roots,
            ),
        )

    def package(self, subject="ACC-1", disclosure=None, authority=None, roots=()):
        """The bytes of a package."""
        return written(self.content(subject, disclosure, roots), self.keys, authority)


def written(content, keys, authority=None):
    """The bytes of a package."""
    target = io.BytesIO()
    write(content, target, keys, authority)
    return target.getvalue()


def files_of(package):
    """The files of a package, by name."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files):
    """Files as the writer would zip them, whatever they are."""
    from ledger.evidence.package import _zip  # noqa: PLC0415 - of the writer's inside

    target = io.BytesIO()
    _zip(files, target)
    return target.getvalue()


def rebagged(files, keys=None):
    """The same files under manifests made anew, and with keys under a new signature: what an insider could do."""
    from ledger.evidence.package import signed_text  # noqa: PLC0415

    files = dict(files)
    payload = {name: data for name, data in files.items() if name.startswith("data/")}
    digests = {name: verifier.hashlib.sha256(data).digest() for name, data in payload.items()}
    files[verifier.MANIFEST] = verifier.manifest_lines(digests)
    about = verifier.DECODER.decode(files["data/package.json"].decode())
    files[verifier.BAG_INFO] = verifier.bag_info(
        about["origin"], about["subject"], [len(d) for d in payload.values()]
    )
    if keys is not None:
        text = verifier.manifest_note_text(about["origin"], files[verifier.MANIFEST])
        files[verifier.MANIFEST_NOTE] = signed_text(keys, text).to_bytes()
    digests = {name: verifier.hashlib.sha256(data).digest() for name, data in files.items()}
    files[verifier.TAG_MANIFEST] = verifier.manifest_lines(verifier.tags_of(digests))
    return zipped(files)


def verified(package, folder, **options):
    """What the verifier finds, in this process."""
    path = Path(folder) / "package.zip"
    path.write_bytes(package)
    return verifier.verify(path, **options)


def failures(findings):
    """The names and sentences of what failed."""
    return [f"{check.name}: {check.sentence}" for check in findings.checks if check.result == verifier.FAILED]


CENTRAL_END = struct.Struct("<4s4H2LH")
