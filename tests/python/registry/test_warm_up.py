"""The function warms the cache, as the program that Lambda would run, with a real registry on the other side."""

import time
import zipfile
from collections import Counter

import pytest
from harness.faults import ALWAYS, BROKEN, EXPIRED, THROTTLED, Corrupt, Cut
from harness.runtime import FunctionFailed

from .conftest import REPOSITORY, TAG, UPSTREAM
from .stage import Stage, named, reconcile, reconcile_until_registered, reference

BIG = (400_000_000, 60_000_000, 40_000_000)
MOST_MEMORY_MIB = 40


@pytest.fixture(scope="session")
def bootstrap(package, tmp_path_factory):
    """The function's program, out of its zip."""
    folder = tmp_path_factory.mktemp("function")
    with zipfile.ZipFile(package) as archive:
        program = folder / archive.extract("bootstrap", folder)
    program.chmod(0o755)
    return program


@pytest.fixture
def stage(face, bootstrap):
    """A world with the family `web`."""
    stage = Stage(face, bootstrap)
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture
def web(stage):
    """The same, and the family is there."""
    stage.register()
    return stage


def assert_registered(report, stage, image, pin="digest"):
    """The family has one more revision, with the image as it was asked for."""
    assert (report["outcome"], report["decision"], report["reason"]) == ("registered", "inject", None), report
    assert report["registered"].endswith(f":task-definition/{report['family']}:2")
    assert stage.revisions(report["family"]) == [1, 2]
    assert stage.sidecar_image(report["family"]) == reference(image, pin)


def assert_skipped(report, stage):
    """Nothing is registered, and a person learns which image is the trouble."""
    assert report["decision"] == "skip", report
    assert report["reason"] and report["registered"] is None
    assert UPSTREAM in report["message"]
    assert stage.revisions(report["family"]) == [1]


def whole(face):
    """How often each blob was sent completely and rightly."""
    return Counter(delivery.digest for delivery in face.deliveries if delivery.whole)


class TestFirstTime:
    @pytest.mark.parametrize("pin", ["digest", "tag"])
    def test_one_invocation_creates_the_rule_and_warms_and_registers(self, image, face, ecr, web, pin):
        report = reconcile(web.start(pin=pin))
        assert_registered(report, web, image, pin)
        (rule,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
        assert (rule["ecrRepositoryPrefix"], rule["upstreamRegistryUrl"]) == ("ecr-public", "public.ecr.aws")
        ids = [{"imageTag": TAG}]
        (detail,) = ecr.describe_images(repositoryName=REPOSITORY, imageIds=ids)["imageDetails"]
        assert detail["imageDigest"] == image.digest
        blobs = image.parts["amd64"].blobs()
        layers = ecr.batch_check_layer_availability(repositoryName=REPOSITORY, layerDigests=blobs)["layers"]
        assert [layer["layerAvailability"] for layer in layers] == ["AVAILABLE"] * len(blobs)

    def test_rule_that_is_there_is_used(self, image, face, web):
        face.ecr.add_rule("ecr-public")
        assert_registered(reconcile(web.start()), web, image)
        assert face.statuses("/CreatePullThroughCacheRule") == []

    @pytest.mark.parametrize(
        "options",
        [
            {"attestation": True},
            {"format": "docker"},
            {"architectures": ["amd64"], "index": False},
            {"architectures": ["amd64"], "index": False, "format": "docker"},
        ],
        ids=["attestation", "docker", "single", "docker-single"],
    )
    def test_images_of_every_kind(self, push, web, options):
        image = push(**options)
        assert_registered(reconcile(web.start()), web, image)

    @pytest.mark.parametrize("face", [False], indirect=True, ids=["direct"])
    def test_layers_without_a_redirect(self, image, web):
        assert_registered(reconcile(web.start()), web, image)

    def test_nothing_secret_is_logged(self, image, face, web):
        function = web.start(ECS_SIDECAR_LOG="trace")
        reconcile(function)
        secrets = face.secrets()
        assert len(secrets) > 1, "a token, and a signature for each layer"
        output = function.output()
        assert not [secret for secret in secrets if secret in output]


class TestCutOff:
    @pytest.mark.parametrize("pin", ["digest", "tag"])
    @pytest.mark.parametrize(("asked", "architecture"), [("X86_64", "amd64"), ("ARM64", "arm64")])
    def test_afterwards_what_is_registered_can_be_pulled(
        self, registries, image, stage, client, asked, architecture, pin
    ):
        stage.register(architecture=asked)
        assert_registered(reconcile(stage.start(pin=pin)), stage, image, pin)
        registries.cut_upstream()
        assert client.pull(*named(stage.sidecar_image()), architecture) == image.digest

    @pytest.mark.parametrize("pin", ["digest", "tag"])
    def test_before_nothing_is_registered(self, registries, image, web, pin):
        registries.cut_upstream()
        assert_skipped(reconcile(web.start(pin=pin)), web)

    def test_until_it_is_back(self, registries, image, web):
        registries.cut_upstream()
        function = web.start()
        assert_skipped(reconcile(function), web)
        registries.restore_upstream()
        assert_registered(reconcile(function), web, image)

    def test_tag_that_upstream_does_not_have(self, push, web):
        push(tag="2.x")
        assert_skipped(reconcile(web.start()), web)


class TestModes:
    def test_observing_pulls_nothing(self, image, face, web):
        face.ecr.add_rule("ecr-public")
        assert_skipped(reconcile(web.start(cache="observe")), web)
        assert not face.statuses("/v2/") and not face.pulls()

    def test_observing_takes_what_somebody_pulled(self, image, face, client, web):
        face.ecr.add_rule("ecr-public")
        client.pull(REPOSITORY, TAG, "amd64")
        before = face.pulls()
        assert_registered(reconcile(web.start(cache="observe")), web, image)
        assert face.pulls() == before

    def test_warming_needs_a_rule(self, image, face, web):
        assert_skipped(reconcile(web.start(cache="warm")), web)
        assert not face.ecr.rules
        face.ecr.add_rule("ecr-public")
        assert_registered(reconcile(web.start(cache="warm")), web, image)

    def test_plan_warms_nothing(self, image, face, web):
        report = web.start().invoke({"action": "plan", "family": "web"})
        assert report["registered"] is None
        assert not face.ecr.rules and not face.pulls()


class TestOnce:
    def test_ten_families_pull_each_layer_once(self, image, face, stage):
        families = [f"web-{number}" for number in range(10)]
        function = stage.start()
        for family in families:
            stage.register(family)
            assert_registered(reconcile(function, family), stage, image)
        assert set(face.pulls().values()) == {1}
        assert set(image.parts["amd64"].blobs()) <= set(face.pulls())

    def test_fresh_function_pulls_nothing_again(self, image, face, stage):
        for family in ("web", "shop"):
            stage.register(family)
            assert_registered(reconcile(stage.start(), family), stage, image)
        assert set(face.pulls().values()) == {1}


class TestRecovering:
    @pytest.fixture
    def image(self, push):
        """Layers that are sent in more than one chunk."""
        return push(layers=[3_000, 300_000, 200_000])

    @pytest.fixture
    def middle(self, image):
        """The layer that something happens to."""
        return image.parts["amd64"].layers[1]["digest"]

    def test_interrupted_layer(self, image, face, web, middle):
        ordered = face.fail(middle, how=Cut(after=100_000))
        assert_registered(reconcile_until_registered(web.start()), web, image)
        assert ordered.happened == 1 and face.pulls()[middle] == 2
        assert set(whole(face).values()) == {1}, "what was complete is not pulled again"

    def test_layer_that_another_function_did_not_get(self, image, face, web, middle):
        face.fail(middle, times=ALWAYS, how=Cut(after=100_000))
        try:
            assert_skipped(reconcile(web.start()), web)
        except FunctionFailed:
            assert web.revisions() == [1]
        face.faults.forget()
        assert_registered(reconcile(web.start()), web, image)
        assert set(whole(face).values()) == {1}, "what was complete is not pulled again"

    def test_corrupt_layer(self, image, face, web, middle):
        face.fail(middle, how=Corrupt())
        assert_registered(reconcile_until_registered(web.start()), web, image)
        assert face.pulls()[middle] == 2

    def test_layer_that_is_always_corrupt(self, image, face, web, middle):
        face.fail(middle, times=ALWAYS, how=Corrupt())
        report = reconcile(web.start())
        assert_skipped(report, web)
        assert report["reason"] == "imageCorrupt"

    @pytest.mark.parametrize("where", ["/manifests/", "/blobs/", "/layers/"])
    @pytest.mark.parametrize("how", [THROTTLED, BROKEN], ids=lambda how: str(how.status))
    def test_registry_that_says_later_twice(self, image, face, web, where, how):
        ordered = face.fail(where, times=2, how=how)
        assert_registered(reconcile_until_registered(web.start()), web, image)
        assert ordered.happened == 2

    @pytest.mark.parametrize("where", ["/manifests/", "/blobs/"])
    def test_token_that_expired(self, image, face, web, where):
        ordered = face.fail(where, how=EXPIRED)
        assert_registered(reconcile_until_registered(web.start()), web, image)
        assert ordered.happened == 1
        assert len(face.statuses("/GetAuthorizationToken")) >= 2

    def test_token_that_expired_between_two_invocations(self, registries, image, face, web):
        registries.cut_upstream()
        function = web.start()
        assert_skipped(reconcile(function), web)
        face.expire_tokens()
        registries.restore_upstream()
        assert_registered(reconcile_until_registered(function), web, image)


class TestArchitecture:
    @pytest.mark.parametrize("index", [True, False], ids=["index", "single"])
    def test_image_without_it(self, push, stage, index):
        push(architectures=["amd64"], index=index)
        stage.register(architecture="ARM64")
        report = reconcile(stage.start())
        assert_skipped(report, stage)
        assert report["reason"] == "architectureMissing"


def test_memory_stays_small(push, face, web, capsys):
    """A layer that is bigger than all that the function has."""
    image = push(layers=BIG, architectures=["amd64"])
    function = web.start()
    started = time.monotonic()
    report = reconcile(function, timeout=300)
    took = time.monotonic() - started
    peak = function.peak_memory_mib()
    megabytes = sum(delivery.sent for delivery in face.deliveries if delivery.whole) / 1e6
    with capsys.disabled():
        print(f"\nwarm-up of {megabytes:.0f} MB: peak {peak:.1f} MiB, {took:.1f} s")
    assert_registered(report, web, image)
    assert megabytes >= sum(BIG) / 1e6
    assert peak < MOST_MEMORY_MIB
