"""What the tests of the deployed stack share."""

import copy
import json
import subprocess

import judge
import pytest
from harness.closed_vpc import REGION, TRAIL, ClosedVpc, EndpointWire, Region
from harness.ecs_fake import EcsFake
from harness.owners import create_log_groups, create_roles
from harness.stack import REPOSITORY_ROOT

EXAMPLE = json.loads((REPOSITORY_ROOT / "examples" / "closed-vpc-fargate.json").read_text())
SECRET = "canary-5d1f0a"  # a value of the environment that must be seen nowhere outside the definition


@pytest.fixture
def definition(ministack, family):
    """A definition that asks for the sidecar, in the test's own family, with a role of its own."""
    mine = copy.deepcopy(EXAMPLE)
    mine["family"] = family
    mine["taskRoleArn"] = f"arn:aws:iam::{ministack.account}:role/app/{family[:60]}"  # a role's name has at most 64
    mine["containerDefinitions"][0]["environment"].append({"name": "TOKEN", "value": SECRET})
    create_roles(ministack, mine)
    create_log_groups(ministack, mine)
    return mine


@pytest.fixture(scope="session")
def endpoint_wire(ministack):
    """What lies between the doctor and the emulator."""
    daemon = "xray/aws-xray-daemon:3.x"
    images = [f"ecr-public/{daemon}", f"expiring/{daemon}", f"arm-only/{daemon}=arm64"]
    manifests = [f"half/{daemon}"]
    with EcsFake(images=images, manifests=manifests, region=REGION) as ecr, EndpointWire(ministack, ecr) as running:
        yield running


@pytest.fixture(scope="session")
def doctor_region(endpoint_wire, ministack):
    """What a Region has once: a trail. (The sidecar's image is ecs-fake's.)"""
    judge.need_binary()
    region = Region(endpoint_wire, ministack.account)
    cloudtrail = region.client("cloudtrail")
    cloudtrail.create_trail(Name=TRAIL, S3BucketName="audit")
    cloudtrail.start_logging(Name=TRAIL)
    return region


@pytest.fixture
def world(doctor_region, family):
    """A VPC and a service of the test's own."""
    return ClosedVpc(doctor_region, family)


@pytest.fixture
def doctor(endpoint_wire, doctor_region):
    """Runs the program; returns exit code, answer and standard error."""

    def doctor(*options, text=False, **environment):
        known = {
            "AWS_ENDPOINT_URL": endpoint_wire.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": doctor_region.account,
            "AWS_SECRET_ACCESS_KEY": "emulator",
            "HOME": "/nonexistent",
        }
        environment = {k: v for k, v in {**known, **environment}.items() if v is not None}
        command = [str(judge.BINARY.resolve()), "doctor", *options, *([] if text else ["--format", "json"])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout if text or not done.stdout else json.loads(done.stdout), done.stderr

    return doctor
