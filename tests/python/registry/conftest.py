"""What the tests of the image's way share: registries, ECR's face before them, and who speaks to it."""

import boto3
import pytest
from botocore.config import Config
from harness.ecr_face import EcrFace
from harness.images import push_image
from harness.registries import Registries
from harness.registry_client import RegistryClient

UPSTREAM = "xray/aws-xray-daemon"
REPOSITORY = f"ecr-public/{UPSTREAM}"
TAG = "3.x"


@pytest.fixture(scope="session")
def running():
    """Registries for the whole run; starting them takes longer than most tests."""
    with Registries() as started:
        yield started


@pytest.fixture
def registries(running):
    """An upstream and a cache, both empty."""
    running.forget()
    return running


@pytest.fixture(params=[True], ids=["redirects"])
def face(registries, request):
    """ECR before them, without any rule; layers are redirected unless a test says otherwise."""
    with EcrFace(registries, redirects=request.param) as running:
        yield running


@pytest.fixture
def push(registries, request):
    """Pushes an image to the upstream whose bytes no other test has: see push_image for what it may be told."""

    def push(tag=TAG, version="1", **options):
        return push_image(registries.upstream.url, UPSTREAM, tag, version=f"{request.node.name} {version}", **options)

    return push


@pytest.fixture
def image(push):
    """A small image of two architectures, in the upstream."""
    return push()


@pytest.fixture
def ecr(face):
    """AWS's own client of the face."""
    return ecr_client(face)


@pytest.fixture
def client(face, ecr):
    """A puller with a token that is good."""
    return logged_in(face, ecr)


def ecr_client(face):
    """A boto3 client that tries everything once."""
    return boto3.client(
        "ecr",
        endpoint_url=face.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def logged_in(face, ecr):
    """A puller with a fresh token."""
    (datum,) = ecr.get_authorization_token()["authorizationData"]
    return RegistryClient(datum["proxyEndpoint"], f"Basic {datum['authorizationToken']}")
