"""What outside parties say of the newest checkpoint is recorded, and causes nothing more to be asked."""

from __future__ import annotations

import base64
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest
import uvicorn
from openssl_authority import OpensslAuthority
from openssl_authority import served as answering
from recorder_factory import opened

from api.server import address_of, listen
from api.witness import create_witness_app
from ledger import instants
from ledger.errors import WrongCallError
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint
from ledger.log.notes import Signature, VerifierKey
from ledger.log.policy import Policy
from ledger.log.tokens import Authority, verify_token
from ledger.log.witness import Witness
from ledger.log.witnesses import Witnesses
from ledger.recorder import Recorder
from ledger.store import open_record
from ledger.vouching import Vouching


@contextmanager
def served(witness):
    """The witness behind a real server; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(create_witness_app(witness), log_level="error"))
    with closing(listen("127.0.0.1", 0)) as listening:
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        running.start()
        try:
            yield address_of(listening)
        finally:
            server.should_exit = True
            running.join(10)


class Watched:
    """A signed ledger of one account, and a witness of two keys over it."""

    def __init__(self, desk, folder, stack):
        self.url = desk.place.url("watched")
        self.recorder = stack.enter_context(Recorder(self.url, desk.clock, keys=folder / "keys"))
        self.recorder.record(parse_events([opened("ACC-1")]))
        self.record = open_record(self.url)
        stack.callback(self.record.close)
        self.witness = Witness(folder / "w", self.recorder.notary.verifier_keys, "witness.test/w")
        first, second = self.witness.verifier_keys
        address = stack.enter_context(served(self.witness))
        self.policy = Policy.parse(
            f"witness a {first.text} {address}\nwitness b {second.text} {address}\ngroup w any a b\nquorum w\n"
        )

    def vouching(self):
        return Vouching(self.recorder, self.record, Witnesses(self.policy))

    @property
    def cosigned(self):
        return [fact.fields["data"] for fact in self.record.history("witnesses")]


@pytest.fixture
def watched(desk, tmp_path):
    with ExitStack() as stack:
        yield Watched(desk, tmp_path, stack)


def test_a_round_records_what_the_witness_signed(watched):
    """Each cosignature becomes a fact that verifies, and the checkpoint is kept with it."""
    found = watched.vouching().round()
    assert (found.cosignatures, found.policy_met, found.refusals) == (2, True, ())
    for data in watched.cosigned:
        line = Signature.parse(base64.b64decode(data["signature"]).decode().removesuffix("\n"))
        assert line.is_by(VerifierKey.parse(data["witness"]))
        assert data["size"] == found.size
    kept = dict(watched.record.checkpoints())[found.size]
    assert isinstance(kept, SignedCheckpoint)
    assert watched.policy.is_met(kept)


def test_the_ledgers_own_facts_cause_no_round(watched):
    """What a round recorded is no reason for another one; a fact of somebody else is."""
    vouching = watched.vouching()
    assert vouching.round() is not None
    assert vouching.round() is None
    assert watched.vouching().round() is None  # nor after a restart
    watched.recorder.record(parse_events([opened("ACC-2")]))
    assert vouching.round() is not None
    assert len(watched.cosigned) == 4


def test_a_witness_that_cannot_be_reached(watched):
    """A refusal is told, nothing is recorded of it, and the next round asks again."""
    nobody = Policy.parse(f"witness a {watched.witness.verifier_keys[0].text} http://127.0.0.1:9\nquorum a\n")
    vouching = Vouching(watched.recorder, watched.record, Witnesses(nobody))
    for _ in range(2):
        found = vouching.round()
        assert (found.cosignatures, found.policy_met) == (0, False)
        assert "cannot be reached" in found.refusals[0]
    assert watched.cosigned == []


def test_an_authority_timestamps_the_checkpoint(watched, tmp_path):
    """A token over the signed text becomes a fact that verifies, and is not asked for again."""
    made = OpensslAuthority(tmp_path / "tsa")
    with answering(made.reply) as url:
        authority = Authority.parse(f"{url}|{made.root_pem}")
        vouching = Vouching(watched.recorder, watched.record, authorities=[authority])
        found = vouching.round()
        assert (found.tokens, found.refusals, found.policy_met) == (1, (), None)
        assert vouching.round() is None
    (fact,) = watched.record.history("tokens")
    data = fact.fields["data"]
    checkpoint = Checkpoint(watched.record.identity.origin, data["size"], bytes.fromhex(data["root"]))
    token = verify_token(base64.b64decode(data["token"]), checkpoint.text.encode(), authority.roots)
    assert instants.canonical(token.time) == data["time"]
    assert watched.record.tree().root(data["size"]) == checkpoint.root


def test_a_token_is_renewed_before_its_certificate_expires(watched, tmp_path):
    """While an authority's certificate has less than thirty days left, each round asks for a newer token."""
    made = OpensslAuthority(tmp_path / "tsa", days=20)
    with answering(made.reply) as url:
        authority = Authority.parse(f"{url}|{made.root_pem}")
        vouching = Vouching(watched.recorder, watched.record, authorities=[authority])
        assert [vouching.round().tokens for _ in range(2)] == [1, 1]


def test_an_authority_that_does_not_answer(watched, tmp_path):
    """What went wrong is told, nothing is recorded of it, and the next round asks again."""
    made = OpensslAuthority(tmp_path / "tsa")
    authority = Authority.parse(f"http://127.0.0.1:9/|{made.root_pem}")
    vouching = Vouching(watched.recorder, watched.record, authorities=[authority])
    for _ in range(2):
        found = vouching.round()
        assert (found.tokens, len(found.refusals)) == (0, 1)
    assert watched.record.history("tokens") == []


def test_an_unsigned_ledger(desk):
    """A ledger without keys has nothing to vouch for."""
    with pytest.raises(WrongCallError, match="not signed"):
        Vouching(desk.recorder, desk.record, None)
