"""Temporary credentials of a role in the emulator, for a test that tries what the role's function could.

Knows how to become somebody. Knows nothing of what anybody may do.
"""

import hashlib
import json

import boto3
from botocore.config import Config


def become(ministack, role_arn):
    """Clients of a role: `become(...)(service)`, or `(service, region)`.

    Its trust policy lets Lambda assume it and nobody else. Here the account may as well: whom a role trusts is the template's
    test's business, and what it may do is not changed by it."""
    name = role_arn.rsplit("/", 1)[1]
    account = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ministack.account}:root"}, "Action": "sts:AssumeRole"}
    trust = ministack.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    widened = {**trust, "Statement": [*trust["Statement"], account]}
    ministack.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
    session = ministack.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="tried")["Credentials"]
    return lambda service, region=ministack.region: boto3.client(
        service,
        endpoint_url=ministack.endpoint,
        region_name=region,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
    )


def key_of(configuration):
    """The access key that the emulator gives to a function, by its configuration: so that the wire can tell functions apart."""
    return "ASIA" + hashlib.sha256(f"{configuration['FunctionArn']}:{configuration['Role']}".encode()).hexdigest()[:16].upper()
