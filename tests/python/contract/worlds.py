"""The worlds that the contract is asked of, each arranged alike: a role, a table and a queue, and nothing else.

Knows how each is started. Knows nothing of what is asked.
"""

import socket
import subprocess
import sys

import boto3
from botocore.config import Config
from harness.ecs_fake import EcsFake
from harness.ministack import Ministack
from harness.processes import answers, end_group, quiet_environment
from harness.waiting import until

from .calls import TRUST

REGION = "eu-west-1"


class Fake(EcsFake):
    """Our own world, over HTTP."""

    def __init__(self):
        super().__init__(roles=["web"], more=["--queue", "families", "--table", "operator"])

    def queue(self):
        """URL of the queue."""
        return f"{self.url}/111122223333/families"


class Emulator:
    """What the emulators have in common."""

    def arrange(self):
        """Makes the role, the table and the queue."""
        self.client("iam").create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
        keys = ("kind", "HASH"), ("id", "RANGE")
        self.client("dynamodb").create_table(
            TableName="operator",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        self._queue = self.client("sqs").create_queue(QueueName="families")["QueueUrl"]
        return self

    def queue(self):
        """URL of the queue."""
        return self._queue


class MinistackWorld(Emulator, Ministack):
    """ministack, which lets everybody do everything."""

    def __enter__(self):
        super().__enter__()
        return self.arrange()


class Moto(Emulator):
    """moto's server, with the policies that AWS has."""

    def __enter__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env={**quiet_environment(), "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            until(lambda: answers(self._process, f"{self.url}/moto-api/data.json", "moto"), "moto to answer", seconds=60)
            return self.arrange()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        end_group(self._process)

    def client(self, service):
        """A client of `service`."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
