"""One ministack process on loopback, with a life no longer than its `with` block.

Knows how to start, reach and end the emulator. Knows nothing of the operator.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from botocore.config import Config

from .processes import answers, end_group, quiet_environment
from .waiting import NeverHappened, until

ACCOUNT = "111122223333"
REGION = "eu-west-1"


class Ministack:
    """A running emulator. `client(service)` speaks to it as `account` in `region`."""

    def __init__(self, account=ACCOUNT, region=REGION, enforce_iam=False):
        self.account = account
        self.region = region
        # Signatures and the policies of roles are checked; the account's own key stays all-powerful.
        self._enforce_iam = enforce_iam
        self.endpoint = None
        self._process = None
        self._directory = None
        self._clients = {}

    def __enter__(self):
        # Nobody can reserve a port for another process, so that a free one may be taken before ministack binds it.
        for attempts_left in (2, 1, 0):
            try:
                self._start(free_port())
                return self
            except NeverHappened:
                log = self.log()
                self.stop()
                if not attempts_left or "address already in use" not in log.lower():
                    raise NeverHappened(f"ministack did not start:\n{log[-2000:]}") from None
            except BaseException:  # also Ctrl-C: __exit__ is not called for a block that was never entered
                self.stop()
                raise
        raise AssertionError("unreachable")

    def __exit__(self, *_):
        self.stop()

    def _start(self, port):
        self._directory = Path(tempfile.mkdtemp(prefix="ecs-sidecar-ministack-"))
        self.endpoint = f"http://127.0.0.1:{port}"
        environment = {
            **quiet_environment(),
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
            "BIND_HOST": "127.0.0.1",  # it binds every interface otherwise
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": self.account,
            "MINISTACK_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "emulator",
            "AUTH": "true" if self._enforce_iam else "false",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        with open(self._directory / "log", "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=environment,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that its functions' processes end with it, and a Ctrl-C reaches us first.
                start_new_session=True,
            )
        until(self._answers, "ministack to answer", seconds=60)

    def _answers(self):
        return answers(self._process, f"{self.endpoint}/_ministack/health", "ministack")

    def stop(self):
        """Ends the process group and removes its directory; may be called again."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process)
        directory, self._directory = self._directory, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def log(self):
        """What ministack wrote, for an error message."""
        path = self._directory and self._directory / "log"
        return path.read_text(errors="replace") if path and path.exists() else ""

    def client(self, service):
        """A client of `service`; made once, since making one takes longer than a call."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id=self.account,  # a 12-digit key is the account to ministack
                aws_secret_access_key="emulator",
                config=Config(retries={"max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
            )
        return self._clients[service]


def free_port():
    """A port of loopback that was free just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
