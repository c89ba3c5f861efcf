"""A timestamping authority for tests: OpenSSL behind a loopback HTTP server, with a root of its own."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import CertificateBuilder, load_pem_x509_certificate, random_serial_number

CONFIG = """
[ req ]
distinguished_name = name
[ name ]
[ ca ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ stamping ]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ serving ]
basicConstraints = CA:FALSE
extendedKeyUsage = critical, serverAuth
[ issuing ]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
[ agreeing ]
basicConstraints = CA:FALSE
keyUsage = critical, keyAgreement
extendedKeyUsage = critical, timeStamping
[ careless ]
basicConstraints = CA:FALSE
extendedKeyUsage = timeStamping
[ mixed ]
basicConstraints = CA:FALSE
extendedKeyUsage = critical, timeStamping, codeSigning
[ tsa ]
default_tsa = here
[ here ]
dir = .
serial = ./serial
crypto_device = builtin
signer_cert = ./tsa.pem
signer_key = ./tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(folder, *arguments, data=None):
    """Run openssl in a folder; its standard output."""
    done = subprocess.run(["openssl", *arguments], cwd=folder, input=data, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout


class OpensslAuthority:
    """Root, certificate and key in a folder; ``reply`` answers a query as ``openssl ts`` does.

    ``purpose`` is a section of the configuration above; ``days`` how long the certificate is valid from now;
    ``settings`` are more lines of ``openssl ts``; ``through`` makes the certificate an intermediate's.
    """

    def __init__(
        self, folder, *, purpose="stamping", days=3650, name="Test Authority", settings="", through=None
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / "openssl.cnf").write_text(CONFIG + settings, encoding="utf-8")
        (folder / "serial").write_text("01\n")
        for key in ("root", "tsa"):
            openssl(
                folder,
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                f"{key}.key",
            )
        openssl(
            folder, "req", "-x509", "-new", "-key", "root.key", "-config", "openssl.cnf", "-extensions", "ca",
            "-subj", f"/CN={name} Root", "-days", "7300", "-out", "root.pem",
        )  # fmt: skip
        self._issuer = "root"
        if through:
            openssl(
                folder,
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                "mid.key",
            )
            self.certify("mid", through, 3650, f"{name} Intermediate")
            self._issuer = "mid"
        self.certify("tsa", purpose, days, name)
        self.root_pem = folder / "root.pem"

    def certify(self, file, purpose, days=3650, name="Test Authority"):
        """A certificate of a purpose, as ``FILE.pem``, for ``FILE.key`` or else the authority's own key."""
        key = f"{file}.key" if (self.folder / f"{file}.key").exists() else "tsa.key"
        openssl(
            self.folder, "req", "-new", "-utf8", "-key", key, "-config", "openssl.cnf", "-subj", f"/CN={name}",
            "-out", f"{file}.csr",
        )  # fmt: skip
        openssl(
            self.folder, "x509", "-req", "-in", f"{file}.csr", "-CA", f"{self._issuer}.pem", "-CAkey", f"{self._issuer}.key",
            "-CAcreateserial", "-extfile", "openssl.cnf", "-extensions", purpose, "-days", str(days),
            "-out", f"{file}.pem",
        )  # fmt: skip

    def certify_until(self, end):
        """Put a certificate in place that ends at an instant (``openssl x509`` knows whole days only)."""
        now = load_pem_x509_certificate((self.folder / "tsa.pem").read_bytes())
        root_key = load_pem_private_key((self.folder / "root.key").read_bytes(), password=None)
        built = CertificateBuilder(
            now.issuer, now.subject, now.public_key(), random_serial_number(), now.not_valid_before_utc, end
        )
        for extension in now.extensions:
            built = built.add_extension(extension.value, extension.critical)
        brief = built.sign(root_key, SHA256())
        (self.folder / "tsa.pem").write_bytes(brief.public_bytes(Encoding.PEM))

    def token_by(self, purpose, data, *, names_certificate=True):
        """A token over some bytes, signed with a certificate of another purpose, as OpenSSL itself refuses to do.

        The TSTInfo of a good token is signed again (CMS, with ESS signing-certificate-v2 unless it is to name no
        certificate) and put into a response.
        """
        self.certify("wrong", purpose)
        (self.folder / "good.tsr").write_bytes(self.token_over(data))
        openssl(self.folder, "ts", "-reply", "-in", "good.tsr", "-token_out", "-out", "good.cms")
        openssl(
            self.folder,
            "cms",
            "-verify",
            "-noverify",
            "-inform",
            "DER",
            "-in",
            "good.cms",
            "-out",
            "info.der",
        )
        openssl(
            self.folder, "cms", "-sign", "-binary", "-nodetach", *(["-cades"] if names_certificate else []), "-md", "sha256", "-in", "info.der",
            "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-signer", "wrong.pem", "-inkey", "tsa.key",
            "-outform", "DER", "-out", "wrong.cms",
        )  # fmt: skip
        content = b"\x30\x03\x02\x01\x00" + (self.folder / "wrong.cms").read_bytes()
        return b"\x30\x82" + len(content).to_bytes(2) + content

    def reply(self, query):
        """The DER response to a DER query."""
        (self.folder / "query.tsq").write_bytes(query)
        openssl(
            self.folder, "ts", "-reply", "-config", "openssl.cnf", "-section", "here", "-queryfile", "query.tsq",
            "-out", "reply.tsr",
        )  # fmt: skip
        return (self.folder / "reply.tsr").read_bytes()

    def token_over(self, data):
        """The DER response over some bytes, without a nonce."""
        (self.folder / "data").write_bytes(data)
        openssl(
            self.folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-no_nonce", "-out", "own.tsq"
        )
        return self.reply((self.folder / "own.tsq").read_bytes())

    def accepts(self, der, data, *more):
        """Whether ``openssl ts -verify`` accepts a response over some bytes, with this root."""
        (self.folder / "judged.tsr").write_bytes(der)
        (self.folder / "judged").write_bytes(data)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "judged", "-in", "judged.tsr", "-CAfile", "root.pem", *more],
            cwd=self.folder, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0


@contextmanager
def served(answer, *, pause_seconds=0.0):
    """A loopback server that answers each query with what ``answer`` makes of it; gives its URL.

    With a pause it sends byte by byte, for as long as anybody listens.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = self.rfile.read(int(self.headers["Content-Length"]))
            reply = answer(query)
            self.send_response(200 if reply else 503)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            if not pause_seconds:
                self.wfile.write(reply)
                return
            with suppress(ConnectionError):
                for byte in reply:
                    self.wfile.write(bytes([byte]))
                    time.sleep(pause_seconds)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = threading.Thread(target=server.serve_forever, daemon=True)
    running.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        running.join(10)
