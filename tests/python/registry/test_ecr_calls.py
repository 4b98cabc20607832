"""The face as ECR's API, asked by AWS's own client: shapes, errors, paging."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from harness.ecr_calls import MOST_RULES
from harness.ecr_state import ACCOUNT
from harness.faults import THROTTLED, Refusal
from harness.images import MANIFEST_TYPES
from harness.registry_client import RegistryClient
from harness.service_model import ServiceModel

from .conftest import REPOSITORY, TAG

NOBODY = "sha256:" + "0" * 64


@pytest.fixture
def cached(face, image, client):
    """The image, pulled through by tag, for amd64."""
    face.ecr.add_rule("ecr-public")
    client.pull(REPOSITORY, TAG, "amd64")
    return image


def refused(call, **parameters):
    """The code of the error that a call answers."""
    with pytest.raises(ClientError) as failed:
        call(**parameters)
    return failed.value.response["Error"]["Code"]


class TestTokens:
    def test_token_opens_the_registry_at_the_endpoint(self, face, ecr):
        (datum,) = ecr.get_authorization_token()["authorizationData"]
        assert base64.b64decode(datum["authorizationToken"]).startswith(b"AWS:")
        assert datum["proxyEndpoint"] == face.url
        assert timedelta(hours=11) < datum["expiresAt"] - datetime.now(UTC) < timedelta(hours=13)
        client = RegistryClient(datum["proxyEndpoint"], f"Basic {datum['authorizationToken']}")
        assert client.ask("GET", "/v2/").status == 200


class TestRules:
    def create(self, ecr, prefix="ecr-public", **more):
        return ecr.create_pull_through_cache_rule(
            **{"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": "public.ecr.aws", **more}
        )

    def test_created_rule_is_described(self, ecr):
        assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
        created = self.create(ecr, "tracing", upstreamRepositoryPrefix="xray")
        (rule,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
        assert rule == {key: value for key, value in created.items() if key != "ResponseMetadata"}
        assert rule.pop("createdAt")
        assert rule == {
            "ecrRepositoryPrefix": "tracing",
            "upstreamRegistryUrl": "public.ecr.aws",
            "upstreamRegistry": "ecr-public",
            "upstreamRepositoryPrefix": "xray",
            "registryId": ACCOUNT,
        }

    def test_created_rule_is_pulled_through(self, image, ecr, client):
        self.create(ecr)
        assert client.pull(REPOSITORY, TAG, "amd64") == image.digest

    def test_prefix_has_one_rule(self, ecr):
        self.create(ecr)
        for prefix in ("ecr-public", "ecr-public/"):
            assert refused(self.create, ecr=ecr, prefix=prefix) == "PullThroughCacheRuleAlreadyExistsException"

    def test_only_known_upstreams(self, ecr):
        code = refused(self.create, ecr=ecr, upstreamRegistryUrl="example.com")
        assert code == "UnsupportedUpstreamRegistryException"

    @pytest.mark.parametrize("prefix", ["Upper", "a_", "ends//twice", "root space"])
    def test_prefix_is_a_repository_name(self, ecr, prefix):
        assert refused(self.create, ecr=ecr, prefix=prefix) == "ValidationException"

    def test_their_number_is_limited(self, face, ecr):
        for number in range(MOST_RULES):
            face.ecr.add_rule(f"rule-{number:02}")
        assert refused(self.create, ecr=ecr) == "LimitExceededException"
        assert refused(self.create, ecr=ecr, prefix="rule-07") == "PullThroughCacheRuleAlreadyExistsException"

    def test_they_come_in_pages(self, face, ecr):
        prefixes = [f"rule-{number:02}" for number in range(7)]
        for prefix in prefixes:
            face.ecr.add_rule(prefix)
        pages = list(
            ecr.get_paginator("describe_pull_through_cache_rules").paginate(PaginationConfig={"PageSize": 3})
        )
        assert [len(page["pullThroughCacheRules"]) for page in pages] == [3, 3, 1]
        assert [rule["ecrRepositoryPrefix"] for page in pages for rule in page["pullThroughCacheRules"]] == prefixes

    def test_they_are_found_by_prefix(self, face, ecr):
        face.ecr.add_rule("one")
        face.ecr.add_rule("two")
        describe = ecr.describe_pull_through_cache_rules
        (rule,) = describe(ecrRepositoryPrefixes=["two"])["pullThroughCacheRules"]
        assert rule["ecrRepositoryPrefix"] == "two"
        assert refused(describe, ecrRepositoryPrefixes=["three"]) == "PullThroughCacheRuleNotFoundException"

    def test_wrong_token_of_a_page(self, ecr):
        assert refused(ecr.describe_pull_through_cache_rules, nextToken="?") == "InvalidParameterException"


class TestImages:
    @pytest.mark.parametrize("by", ["imageTag", "imageDigest"])
    def test_described_by_tag_or_digest(self, cached, ecr, by):
        image_id = {by: TAG if by == "imageTag" else cached.digest}
        (detail,) = ecr.describe_images(
            repositoryName=REPOSITORY, imageIds=[image_id], registryId=ACCOUNT
        )["imageDetails"]
        assert detail["imageDigest"] == cached.digest
        assert detail["imageTags"] == [TAG]
        assert detail["imageManifestMediaType"] == cached.media_type
        assert abs(datetime.now(UTC) - detail["imagePushedAt"]) < timedelta(minutes=5)

    def test_image_of_one_architecture_has_a_size_and_no_tag(self, cached, ecr):
        part = cached.parts["arm64"]
        ids = [{"imageDigest": part.digest}]
        (detail,) = ecr.describe_images(repositoryName=REPOSITORY, imageIds=ids)["imageDetails"]
        assert "imageTags" not in detail
        assert detail["imageSizeInBytes"] == sum(blob["size"] for blob in (part.config, *part.layers))

    @pytest.mark.parametrize("image_id", [{"imageTag": "4.x"}, {"imageDigest": NOBODY}])
    def test_image_that_is_not_there(self, cached, ecr, image_id):
        code = refused(ecr.describe_images, repositoryName=REPOSITORY, imageIds=[image_id])
        assert code == "ImageNotFoundException"

    @pytest.mark.parametrize("where", [{"repositoryName": "other"}, {"registryId": "444455556666"}])
    def test_repository_that_is_not_there(self, cached, ecr, where):
        """Another account's registry has no such repository, whatever ours has."""
        parameters = {"repositoryName": REPOSITORY, **where}
        layers = {"layerDigests": [NOBODY]}
        ids = {"imageIds": [{"imageTag": TAG}]}
        for call, more in (
            (ecr.describe_images, ids),
            (ecr.batch_get_image, ids),
            (ecr.batch_check_layer_availability, layers),
            (ecr.get_lifecycle_policy, {}),
        ):
            assert refused(call, **parameters, **more) == "RepositoryNotFoundException"

    def test_manifests_are_had_as_they_are(self, cached, ecr, client):
        digests = [cached.digest, *(part.digest for part in cached.parts.values())]
        answer = ecr.batch_get_image(
            repositoryName=REPOSITORY,
            imageIds=[{"imageDigest": digest} for digest in digests],
            acceptedMediaTypes=MANIFEST_TYPES,
        )
        assert [image["imageId"]["imageDigest"] for image in answer["images"]] == digests
        for image in answer["images"]:
            manifest, digest = client.manifest(REPOSITORY, image["imageId"]["imageDigest"])
            assert json.loads(image["imageManifest"]) == manifest
            assert image["imageManifestMediaType"] == manifest["mediaType"]
            assert digest == image["imageId"]["imageDigest"]

    @pytest.mark.parametrize(
        ("image_id", "code"),
        [
            ({"imageTag": "4.x"}, "ImageNotFound"),
            ({"imageDigest": NOBODY}, "ImageNotFound"),
            ({"imageDigest": "sha256:short"}, "InvalidImageDigest"),
            ({}, "MissingDigestAndTag"),
        ],
    )
    def test_failures_come_beside_what_is_there(self, cached, ecr, image_id, code):
        answer = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": TAG}, image_id])
        assert [image["imageId"] for image in answer["images"]] == [{"imageTag": TAG, "imageDigest": cached.digest}]
        assert [(failure["imageId"], failure["failureCode"]) for failure in answer["failures"]] == [(image_id, code)]

    def test_type_that_is_not_accepted(self, cached, ecr):
        answer = ecr.batch_get_image(
            repositoryName=REPOSITORY, imageIds=[{"imageTag": TAG}], acceptedMediaTypes=["application/json"]
        )
        assert not answer["images"] and len(answer["failures"]) == 1

    def test_calls_never_reach_the_upstream(self, face, image, ecr):
        """Only a pull does: here the repository and the rule are there, and the upstream has the image."""
        face.ecr.add_rule("ecr-public")
        face.ecr.add_repository(REPOSITORY)
        ids = [{"imageTag": TAG}]
        assert refused(ecr.describe_images, repositoryName=REPOSITORY, imageIds=ids) == "ImageNotFoundException"
        answer = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=ids)
        assert answer["failures"][0]["failureCode"] == "ImageNotFound"
        layers = ecr.batch_check_layer_availability(repositoryName=REPOSITORY, layerDigests=image.layers())["layers"]
        assert {layer["layerAvailability"] for layer in layers} == {"UNAVAILABLE"}

    def test_layers(self, cached, ecr):
        there, missing = cached.parts["amd64"], cached.parts["arm64"]
        answer = ecr.batch_check_layer_availability(
            repositoryName=REPOSITORY, layerDigests=[*there.blobs(), *missing.blobs(), "sha256:short"]
        )
        available = {layer["layerDigest"]: layer for layer in answer["layers"] if "layerSize" in layer}
        for blob in (there.config, *there.layers):
            layer = available.pop(blob["digest"])
            assert layer["layerAvailability"] == "AVAILABLE"
            assert (layer["layerSize"], layer["mediaType"]) == (blob["size"], blob["mediaType"])
        assert not available
        assert [failure["failureCode"] for failure in answer["failures"]] == ["InvalidLayerDigest"]


class TestRepositories:
    def test_created_repository_is_described(self, ecr):
        created = ecr.create_repository(repositoryName="mirror/xray")["repository"]
        assert ecr.describe_repositories(repositoryNames=["mirror/xray"])["repositories"] == [created]
        assert created["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/mirror/xray"
        assert refused(ecr.create_repository, repositoryName="mirror/xray") == "RepositoryAlreadyExistsException"
        assert ecr.describe_images(repositoryName="mirror/xray")["imageDetails"] == []

    def test_first_pull_creates_it(self, cached, ecr):
        (repository,) = ecr.describe_repositories()["repositories"]
        assert repository["repositoryName"] == REPOSITORY

    def test_lifecycle_policy(self, ecr):
        ecr.create_repository(repositoryName="mirror/xray")
        assert refused(ecr.get_lifecycle_policy, repositoryName="mirror/xray") == "LifecyclePolicyNotFoundException"
        selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
        text = json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
        ecr.put_lifecycle_policy(repositoryName="mirror/xray", lifecyclePolicyText=text)
        assert ecr.get_lifecycle_policy(repositoryName="mirror/xray")["lifecyclePolicyText"] == text


class TestFaults:
    def test_call_is_refused_as_often_as_it_was_ordered(self, face, ecr):
        face.fail("/DescribeRepositories", how=Refusal("ServerException", status=500))
        face.fail("/DescribeRepositories", how=THROTTLED)
        codes = [refused(ecr.describe_repositories) for _ in range(2)]
        assert codes == ["ServerException", "ThrottlingException"]
        ecr.describe_repositories()
        assert face.statuses("/DescribeRepositories") == [500, 429, 200]

    def test_unknown_operation(self, ecr):
        assert refused(ecr.describe_registry) == "UnknownOperationException"

    def test_request_that_the_service_model_does_not_know(self, face):
        status, answer = face.judged("DescribeImages", {"repository": "r"})
        assert status == 400
        assert "there is no parameter repository" in answer["message"] and "repositoryName" in answer["message"]


class TestServiceModel:
    """The judge of the face's own answers, for a judge that never objects judges nothing."""

    @pytest.mark.parametrize(
        ("answer", "objection"),
        [
            ({"images": []}, None),
            ({"pictures": []}, "there is no member pictures"),
            ({"images": {}}, "is no list"),
            ({"images": [{"imageManifest": 1}]}, "is no string"),
            ({"failures": [{"failureCode": "Nonsense"}]}, "is none of"),
        ],
    )
    def test_objections(self, answer, objection):
        objections = ServiceModel("ecr").objections_to_answer("BatchGetImage", answer)
        assert (objection is None) == (not objections)
        assert objection is None or objection in objections[0]
