"""The face as a registry: what fills the cache, what does not, and what goes wrong when a test asks for it."""

import json

import pytest
from harness.faults import ALWAYS, BROKEN, EXPIRED, THROTTLED, Corrupt, Cut, Slow, Status
from harness.images import MANIFEST_TYPES, push_image
from harness.registry_client import PullFailed, RegistryClient

from .conftest import REPOSITORY, TAG, UPSTREAM


@pytest.fixture(autouse=True)
def rule(face):
    face.ecr.add_rule("ecr-public")


def availability(ecr, digests):
    """By digest, whether ECR says that it has the blob."""
    answer = ecr.batch_check_layer_availability(repositoryName=REPOSITORY, layerDigests=list(digests))
    assert not answer["failures"]
    return {layer["layerDigest"]: layer["layerAvailability"] for layer in answer["layers"]}


class TestFilling:
    @pytest.mark.parametrize("format", ["oci", "docker"])
    def test_pull_by_tag_is_what_fills_the_cache(self, push, client, ecr, format):
        image = push(format=format, attestation=True)
        for architecture, part in image.parts.items():
            assert client.pull(REPOSITORY, TAG, architecture) == image.digest
            assert set(availability(ecr, part.blobs()).values()) == {"AVAILABLE"}
        details = ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"]
        found = {detail["imageDigest"]: detail for detail in details}
        # An attestation is no image, but listed all the same, and ECR takes all that is listed.
        assert {image.digest, *(part.digest for part in image.parts.values())} < set(found) and len(found) == 4
        assert found[image.digest]["imageTags"] == [TAG]
        assert found[image.digest]["imageManifestMediaType"] == image.media_type

    def test_manifests_come_with_the_tag_and_layers_do_not(self, image, client, ecr):
        client.manifest(REPOSITORY, TAG)
        for part in image.parts.values():
            client.manifest(REPOSITORY, part.digest)
        assert set(availability(ecr, image.layers()).values()) == {"UNAVAILABLE"}

    def test_head_by_tag_fills_too(self, image, client):
        """As containerd resolves a tag, before it fetches by digest."""
        assert client.ask("HEAD", f"/v2/{REPOSITORY}/manifests/{TAG}").headers["docker-content-digest"] == image.digest
        client.manifest(REPOSITORY, image.digest)

    def test_pull_by_digest_fills_nothing(self, image, face, client):
        with pytest.raises(PullFailed) as failed:
            client.pull(REPOSITORY, image.digest, "amd64")
        assert failed.value.status == 404
        assert not face.ecr.repositories
        assert not face.registries.cache.storage.manifests(UPSTREAM)

    def test_digest_that_came_later_is_not_there(self, push, image, client):
        client.pull(REPOSITORY, TAG, "amd64")
        later = push("later", version="2")
        with pytest.raises(PullFailed, match="404"):
            client.manifest(REPOSITORY, later.digest)

    def test_single_manifest_is_an_image_too(self, push, client):
        image = push(architectures=["amd64"], index=False)
        assert client.pull(REPOSITORY, TAG, "amd64") == image.digest == image.parts["amd64"].digest

    def test_manifest_of_a_type_that_the_client_does_not_take(self, image, client):
        without_index = [kind for kind in MANIFEST_TYPES if "index" not in kind]
        assert client.ask("GET", f"/v2/{REPOSITORY}/manifests/{TAG}", accept=without_index).status == 404

    def test_each_blob_is_pulled_once(self, image, face, client):
        for architecture in image.parts:
            client.pull(REPOSITORY, TAG, architecture)
        assert face.pulls() == {blob: 1 for part in image.parts.values() for blob in part.blobs()}
        assert all(delivery.whole for delivery in face.deliveries)


class TestRules:
    @pytest.mark.parametrize(
        ("prefix", "upstream_prefix", "repository"),
        [
            ("ROOT", "ROOT", UPSTREAM),
            ("mirror/public", "ROOT", f"mirror/public/{UPSTREAM}"),
            ("tracing", "xray", "tracing/aws-xray-daemon"),
            ("ROOT", "xray", "aws-xray-daemon"),
        ],
    )
    def test_rule_says_where_upstream_it_lies(self, image, face, client, prefix, upstream_prefix, repository):
        face.ecr.add_rule(prefix, upstream_prefix=upstream_prefix)
        assert client.pull(repository, TAG, "arm64") == image.digest
        assert list(face.ecr.repositories) == [repository]

    def test_longest_prefix_counts(self, image, face, client):
        face.ecr.add_rule("ecr-public/xray", upstream_prefix="elsewhere")
        with pytest.raises(PullFailed, match="404"):
            client.pull(REPOSITORY, TAG, "amd64")

    @pytest.mark.parametrize("repository", [UPSTREAM, f"other/{UPSTREAM}", f"ecr-publicly/{UPSTREAM}"])
    def test_without_a_rule_nothing_is_pulled_through(self, image, face, client, repository):
        with pytest.raises(PullFailed, match="404"):
            client.pull(repository, TAG, "amd64")
        assert not face.ecr.repositories

    def test_rule_for_another_upstream_leads_elsewhere(self, image, face, client):
        face.ecr.add_rule("quay", upstream="quay.io")
        with pytest.raises(PullFailed, match="404"):
            client.pull(f"quay/{UPSTREAM}", TAG, "amd64")

    def test_what_was_pushed_needs_no_rule(self, registries, face, client, ecr):
        repository = f"mirror/{UPSTREAM}"
        face.ecr.add_repository(repository)
        image = push_image(registries.private.url, repository, TAG)
        registries.cut_upstream()
        assert client.pull(repository, image.digest, "arm64") == image.digest
        (detail,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": TAG}])["imageDetails"]
        assert detail["imageDigest"] == image.digest


class TestCutOff:
    def test_afterwards_every_part_comes_from_the_cache(self, registries, image, client):
        for architecture in image.parts:
            client.pull(REPOSITORY, TAG, architecture)
        registries.cut_upstream()
        for architecture in image.parts:
            for reference in (image.digest, TAG):
                assert client.pull(REPOSITORY, reference, architecture) == image.digest

    def test_before_nothing_is_there(self, registries, image, face, client):
        registries.cut_upstream()
        with pytest.raises(PullFailed, match="404"):
            client.pull(REPOSITORY, TAG, "amd64")
        assert not face.ecr.repositories

    def test_half_way_the_rest_is_missing(self, registries, image, client, ecr):
        client.pull(REPOSITORY, TAG, "amd64")
        registries.cut_upstream()
        with pytest.raises(PullFailed, match="404"):
            client.pull(REPOSITORY, image.digest, "arm64")
        there = availability(ecr, image.layers())
        assert [there[digest] for digest in image.parts["amd64"].blobs()[1:]] == ["AVAILABLE"] * 2
        assert [there[digest] for digest in image.parts["arm64"].blobs()[1:]] == ["UNAVAILABLE"] * 2

    def test_until_it_is_back(self, registries, image, client):
        registries.cut_upstream()
        with pytest.raises(PullFailed):
            client.pull(REPOSITORY, TAG, "amd64")
        registries.restore_upstream()
        assert client.pull(REPOSITORY, TAG, "amd64") == image.digest


class TestTokens:
    @pytest.mark.parametrize("authorization", [None, "Basic QVdTOm90aGluZw==", "Basic ?", "Bearer QVdT"])
    def test_wrong_token_is_refused(self, image, face, authorization):
        answer = RegistryClient(face.url, authorization).ask("GET", f"/v2/{REPOSITORY}/manifests/{TAG}")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")

    def test_token_expires(self, image, face, client):
        client.pull(REPOSITORY, TAG, "amd64")
        face.expire_tokens()
        with pytest.raises(PullFailed, match="401"):
            client.pull(REPOSITORY, TAG, "amd64")

    def test_version_check(self, client):
        assert client.ask("GET", "/v2/").status == 200


class TestRedirects:
    def test_target_refuses_an_authorization_header(self, image, client):
        client.manifest(REPOSITORY, TAG)
        (layer, *_) = image.layers()
        redirect = client.ask("GET", f"/v2/{REPOSITORY}/blobs/{layer}")
        assert redirect.status == 307
        assert client.ask("GET", redirect.headers["location"]).status == 400
        fetched = client.ask("GET", redirect.headers["location"], authorized=False)
        assert (fetched.status, fetched.digest) == (200, layer)

    def test_target_wants_a_signature(self, image, client):
        client.manifest(REPOSITORY, TAG)
        layer = image.layers()[0]
        assert client.ask("GET", f"/layers/{REPOSITORY}/{layer}", authorized=False).status == 403

    @pytest.mark.parametrize("face", [False], indirect=True, ids=["direct"])
    def test_blobs_may_come_without(self, image, client):
        client.manifest(REPOSITORY, TAG)
        (layer, *_) = image.layers()
        answer = client.ask("GET", f"/v2/{REPOSITORY}/blobs/{layer}")
        assert (answer.status, answer.digest) == (200, layer)
        assert client.pull(REPOSITORY, TAG, "arm64") == image.digest

    def test_head_tells_the_length_and_fetches_nothing(self, image, face, client):
        client.manifest(REPOSITORY, TAG)
        layer = image.parts["amd64"].layers[1]
        answer = client.ask("HEAD", f"/v2/{REPOSITORY}/blobs/{layer['digest']}")
        assert answer.headers["content-length"] == str(layer["size"])
        assert not face.pulls()

    def test_blob_that_nobody_has(self, image, client):
        client.manifest(REPOSITORY, TAG)
        assert client.ask("GET", f"/v2/{REPOSITORY}/blobs/sha256:{'0' * 64}").status == 404


class TestFaults:
    def test_interrupted_blob_is_not_available(self, image, face, client, ecr):
        layer = image.parts["amd64"].layers[1]["digest"]
        ordered = face.fail(layer, how=Cut(after=5_000))
        with pytest.raises(PullFailed, match="before the body did"):
            client.pull(REPOSITORY, TAG, "amd64")
        assert ordered.happened == 1
        assert [(d.sent, d.whole) for d in face.deliveries if d.digest == layer] == [(5_000, False)]
        self.assert_nobody_stored(layer, client, ecr)
        client.pull(REPOSITORY, TAG, "amd64")
        assert availability(ecr, [layer]) == {layer: "AVAILABLE"}
        assert face.pulls()[layer] == 2

    def test_corrupt_blob_is_not_available(self, image, face, client, ecr):
        layer = image.parts["amd64"].layers[0]["digest"]
        face.fail(layer, how=Corrupt())
        with pytest.raises(PullFailed, match="other bytes"):
            client.pull(REPOSITORY, TAG, "amd64")
        self.assert_nobody_stored(layer, client, ecr)
        client.pull(REPOSITORY, TAG, "amd64")
        assert availability(ecr, [layer]) == {layer: "AVAILABLE"}

    @staticmethod
    def assert_nobody_stored(layer, client, ecr):
        """The cache stores beside what it sends: only after some later blobs is it sure not to be at it still."""
        client.pull(REPOSITORY, TAG, "arm64")
        assert availability(ecr, [layer]) == {layer: "UNAVAILABLE"}

    @pytest.mark.parametrize("how", [Cut(after=10), Corrupt()], ids=["cut", "corrupt"])
    def test_blobs_that_are_there_can_be_spoiled_too(self, registries, image, face, client, how):
        client.pull(REPOSITORY, TAG, "amd64")
        registries.cut_upstream()
        face.fail(image.layers()[0], times=ALWAYS, how=how)
        for _ in range(3):
            with pytest.raises(PullFailed):
                client.pull(REPOSITORY, TAG, "amd64")
        face.faults.forget()
        client.pull(REPOSITORY, TAG, "amd64")

    @pytest.mark.parametrize(
        "how", [THROTTLED, BROKEN, EXPIRED, Status(403, "DENIED")], ids=lambda how: str(how.status)
    )
    @pytest.mark.parametrize("where", ["/manifests/", "/blobs/", "/layers/"])
    def test_other_answer_comes_as_often_as_it_was_ordered(self, image, face, client, how, where):
        face.fail(where, times=2, how=how)
        for _ in range(2):
            with pytest.raises(PullFailed) as failed:
                client.pull(REPOSITORY, TAG, "amd64")
            assert failed.value.status == how.status
        client.pull(REPOSITORY, TAG, "amd64")
        assert face.statuses(where).count(how.status) == 2

    def test_what_comes_with_it(self, image, face, client):
        face.fail("/manifests/", how=THROTTLED)
        face.fail("/manifests/", how=EXPIRED)
        path = f"/v2/{REPOSITORY}/manifests/{TAG}"
        answer = client.ask("GET", path)
        assert answer.headers["retry-after"] == "1"
        assert json.loads(answer.body)["errors"][0]["code"] == "TOOMANYREQUESTS"
        assert "www-authenticate" in client.ask("GET", path).headers

    def test_only_what_is_meant_goes_wrong(self, image, face, client):
        meant = image.parts["arm64"].layers[0]["digest"]
        ordered = face.fail(lambda method, path: method == "GET" and meant in path, times=ALWAYS, how=BROKEN)
        client.pull(REPOSITORY, TAG, "amd64")
        with pytest.raises(PullFailed):
            client.pull(REPOSITORY, TAG, "arm64")
        assert ordered.happened == 1

    def test_slowness_has_an_end(self, image, face, client):
        face.fail("/layers/", how=Slow(bytes_per_second=1, seconds=0.2))
        assert client.pull(REPOSITORY, TAG, "amd64") == image.digest

    def test_upstream_that_goes_away_before_the_layers(self, registries, image, face, client, ecr):
        """What the manifests promise is not there, and the pull fails."""

        def cut(method, path):
            if path.startswith("/layers/"):
                registries.cut_upstream()
            return False

        face.fail(cut)
        with pytest.raises(PullFailed, match="404"):
            client.pull(REPOSITORY, TAG, "amd64")
        assert image.digest in [manifest.digest for manifest in registries.cache.storage.manifests(UPSTREAM)]
        assert set(availability(ecr, image.layers()).values()) == {"UNAVAILABLE"}
