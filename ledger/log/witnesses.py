"""The ledger's side of C2SP tlog-witness: submits signed checkpoints, and verifies what comes back."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ledger.errors import NotCosignedError, ProofError, WrongCallError
from ledger.log.checkpoints import SignedCheckpoint, time_of, verify
from ledger.log.notes import Signature, VerifierKey, decode_count
from ledger.log.policy import Policy
from ledger.log.proofs import ConsistencyProof
from ledger.log.tiles import Tree
from ledger.log.witness import SIZE

TIMEOUT_SECONDS = 10.0
_LONGEST_ANSWER_BYTES = 1_000_000
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class WitnessClient:
    """Submits to one witness; one thread at a time.

    Args:
        url: its submission prefix (http or https); ``/add-checkpoint`` is added to it.
        keys: its keys; signatures by others are ignored.
        timeout_seconds: how long one request may take, whatever the witness does meanwhile.

    Raises:
        WrongCallError: the URL is not one of http or https.
    """

    def __init__(
        self, url: str, keys: Iterable[VerifierKey], *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        parts = urlsplit(url)
        try:
            self._connect = _CONNECTIONS[parts.scheme]
            self._host, self._port = parts.hostname or "", parts.port
        except (KeyError, ValueError) as error:
            raise WrongCallError(f"{url} is no address of a witness: http://… or https://…") from error
        self.url = url
        self.keys = tuple(keys)
        self._path = f"{parts.path.rstrip('/')}/add-checkpoint"
        self._timeout_seconds = timeout_seconds
        self._cosigned_size = 0

    def cosign(self, signed: SignedCheckpoint, tree: Tree) -> list[Signature]:
        """Have a signed checkpoint cosigned; ``tree`` gives the consistency proof.

        The witness is asked again, once, when it says that it last cosigned another size.

        Returns:
            The witness's cosignatures, verified; at least one.

        Raises:
            NotCosignedError: it was not reached, or refused; the message says which.
            ProofError: its answer bears a signature that is not what it says to be.
        """
        size = signed.checkpoint.size
        status, kind, text = self._submit(signed, tree, min(self._cosigned_size, size))
        if status == http.client.CONFLICT and kind == SIZE:
            known = self._size_told(text)
            if known > size:
                raise NotCosignedError(
                    f"the witness {self.url} cosigned a tree of {known} leaves, and this one has {size}:"
                    " another program submitted a newer checkpoint, or this ledger was restored from a"
                    " backup or its end was cut"
                )
            self._cosigned_size = known
            status, kind, text = self._submit(signed, tree, known)
        if status != http.client.OK:
            raise NotCosignedError(f"the witness {self.url} did not cosign ({status}): {text.strip()[:200]}")
        cosignatures = self._verified(signed, text)
        self._cosigned_size = size
        return cosignatures

    def _submit(self, signed: SignedCheckpoint, tree: Tree, old: int) -> tuple[int, str, str]:
        """One request: the status, the media type and the body of its answer."""
        hashes = tree.consistency(old, signed.checkpoint.size)
        body = ConsistencyProof(old, tuple(hashes), signed).to_bytes()
        with self._connected() as connection:
            connection.request("POST", self._path, body, {"Content-Type": "text/plain; charset=utf-8"})
            response = connection.getresponse()
            answer = response.read(_LONGEST_ANSWER_BYTES + 1)
            if len(answer) > _LONGEST_ANSWER_BYTES or response.length:
                raise NotCosignedError(f"the answer of the witness {self.url} is too long, or was cut short")
            kind = response.headers.get_content_type()
        return response.status, kind, answer.decode(errors="replace")

    @contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        """A connection that is shut when the time is over, also on a witness that answers drop by drop."""
        connection = self._connect(self._host, self._port, timeout=self._timeout_seconds)
        try:
            connection.connect()
            shutting = threading.Timer(self._timeout_seconds, _shut, (connection.sock,))
            shutting.daemon = True
            shutting.start()
            try:
                yield connection
            finally:
                shutting.cancel()
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise NotCosignedError(f"the witness {self.url} cannot be reached: {why}") from error
        finally:
            connection.close()

    def _size_told(self, text: str) -> int:
        try:
            return decode_count(text.removesuffix("\n"), "the size that the witness told")
        except ProofError as error:
            raise NotCosignedError(f"the witness {self.url} answers nonsense: {error}") from error

    def _verified(self, signed: SignedCheckpoint, text: str) -> list[Signature]:
        found = []
        for line in text.removesuffix("\n").split("\n"):
            signature = Signature.parse(line)
            for key in self.keys:
                if signature.is_by(key):
                    verify(signed.checkpoint, signature, key)
                    if time_of(signature, key) is None:
                        raise ProofError(f"the cosignature of {key.name} states no time")
                    found.append(signature)
        if not found:
            raise NotCosignedError(f"the witness {self.url} answered without a signature of a known key")
        return found


def _shut(open_socket: socket.socket) -> None:
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What the witnesses of a policy answered."""

    signed: SignedCheckpoint
    """The checkpoint with all cosignatures that came back."""

    cosignatures: tuple[Signature, ...]
    """Those alone."""

    is_met: bool
    """Whether they satisfy the policy."""

    refusals: tuple[str, ...]
    """Why the others did not cosign, one sentence each."""


class Witnesses:
    """The witnesses of a policy; those without a URL cannot be asked."""

    def __init__(self, policy: Policy, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.policy = policy
        keys: dict[str, list[VerifierKey]] = {}
        for witness in policy.witnesses:
            if witness.url is not None:
                keys.setdefault(witness.url, []).append(witness.key)
        self._clients = [WitnessClient(url, of, timeout_seconds=timeout_seconds) for url, of in keys.items()]

    def cosign(self, signed: SignedCheckpoint, tree: Tree) -> Cosigned:
        """Ask every witness, one after the other; a refusal of one does not end the round."""
        cosignatures: list[Signature] = []
        refusals = []
        for client in self._clients:
            try:
                cosignatures += client.cosign(signed, tree)
            except (NotCosignedError, ProofError) as error:
                refusals.append(str(error))
        whole = SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(cosignatures))
        return Cosigned(whole, tuple(cosignatures), self.policy.is_met(whole), tuple(refusals))
