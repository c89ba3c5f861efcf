"""A private Postfix, to measure and to test with: own folders, own ports, stopped by its pid.

Settings as production needs them: long queue ids; a listener for stamping messages that adds no copy
(``receive_override_options = no_address_mappings``); a public listener whose mail is copied to the
ledger by LMTP (``always_bcc``); the journal is a Maildir. Needs root, as Postfix's master does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAMP_ADDRESS = "stamp@ledger.test"
PROVIDER = "support@outscale.test"
HOSTNAME = "mx.outscale.test"
_START_SECONDS = 20.0

_MAIN_CF = """\
compatibility_level = 3.7
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
myhostname = {hostname}
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
enable_long_queue_ids = yes
delay_logging_resolution_limit = 6
smtpd_timeout = 10s
alias_maps =
alias_database =
local_transport = error:no local mail
default_transport = error:no mail leaves this test
relay_domains =
virtual_mailbox_domains = ledger.test, outscale.test, client.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
always_bcc = copy@greffe.invalid
transport_maps = texthash:{folder}/etc/transport
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
bounce_queue_lifetime = 1d
smtputf8_enable = yes
"""

_MASTER_CF = """\
127.0.0.1:{stamping} inet n - n - - smtpd
    -o receive_override_options=no_address_mappings
127.0.0.1:{public} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


def why_not() -> str | None:
    """Why no private Postfix can run here, or ``None`` when it can."""
    if shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        return "postfix is not installed"
    if os.geteuid() != 0:
        return "a private postfix needs root"
    return None


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PrivatePostfix:
    """One Postfix over one folder; it may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stamping_port, self.public_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.journal = folder / "mail" / "journal"
        self._master: subprocess.Popen[bytes] | None = None
        self._lay_out()

    @property
    def url(self) -> str:
        """The ``--mail`` address of this server."""
        return (
            f"smtp://127.0.0.1:{self.stamping_port}?journal={self.journal}"
            f"&to={STAMP_ADDRESS}&from={STAMP_ADDRESS}&lmtp={self.lmtp_port}"
        )

    def start(self) -> None:
        """Start, and wait until both listeners greet."""
        command = ["/usr/sbin/postfix", "-c", str(self.folder / "etc"), "start-fg"]
        with (self.folder / "log" / "start.log").open("ab") as log:
            self._master = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - ours
        deadline = time.monotonic() + _START_SECONDS
        while not all(map(_greets, (self.stamping_port, self.public_port))):
            if self._master.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"postfix did not start: {self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the master that was started here by its own pid, and with it its children."""
        if self._master is None:
            return
        pid_file = self.folder / "queue" / "pid" / "master.pid"
        if pid_file.exists():  # the command's process is a shell above the master
            master = int(pid_file.read_text())
            with suppress(ProcessLookupError):
                os.kill(master, signal.SIGTERM)
            deadline = time.monotonic() + _START_SECONDS
            while Path(f"/proc/{master}").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        self._master.terminate()
        self._master.wait(timeout=_START_SECONDS)
        self._master = None

    def forget(self) -> None:
        """Let go of every message that waits to be delivered."""
        command = ["/usr/sbin/postsuper", "-c", str(self.folder / "etc"), "-d", "ALL"]
        subprocess.run(command, check=True, capture_output=True, timeout=_START_SECONDS)  # noqa: S603 - ours

    def log(self) -> str:
        """What Postfix logged so far."""
        files = [self.folder / "log" / name for name in ("start.log", "mail.log")]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def delivered(self, box: str) -> list[bytes]:
        """The messages in a mailbox: ``journal``, ``provider`` or ``client``."""
        folder = self.folder / "mail" / box / "new"
        return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []

    def _lay_out(self) -> None:
        user = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail", "log"):
            (self.folder / name).mkdir(parents=True)
        for name in ("data", "mail"):
            os.chown(self.folder / name, user.pw_uid, user.pw_gid)
        etc = self.folder / "etc"
        values = {
            "folder": self.folder,
            "hostname": HOSTNAME,
            "uid": user.pw_uid,
            "gid": user.pw_gid,
        }
        (etc / "main.cf").write_text(_MAIN_CF.format(**values))
        (etc / "master.cf").write_text(
            _MASTER_CF.format(stamping=self.stamping_port, public=self.public_port)
        )
        (etc / "mailboxes").write_text(
            f"{STAMP_ADDRESS} journal/\n@outscale.test provider/\n@client.test client/\n"
        )
        (etc / "transport").write_text(f"copy@greffe.invalid lmtp:inet:127.0.0.1:{self.lmtp_port}\n")


@contextmanager
def private_postfix() -> Iterator[PrivatePostfix]:
    """A started Postfix in a folder of its own that its daemons can reach, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="greffe-postfix-"))
    folder.chmod(0o755)
    server = PrivatePostfix(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4).startswith(b"220")
    except OSError:
        return False
