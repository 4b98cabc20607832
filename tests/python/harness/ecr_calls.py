"""ECR's own API, as far as a warm-up of images needs it: each method is an operation, with its parameters and answer.

Answers from what is there. Nothing here reaches the upstream: only a pull does (see ecr_face). Knows nothing of HTTP.
"""

import re

from .ecr_state import ACCOUNT, PUBLIC, REGION, ROOT, pages
from .storage import is_digest

PREFIX = re.compile(r"((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)")
UPSTREAMS = {PUBLIC: "ecr-public", "registry.k8s.io": "k8s", "quay.io": "quay"}
MOST_RULES = 50


class CallRefused(Exception):
    """An error that ECR answers; its code is a name of the service model."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def no_repository(name, registry_id=ACCOUNT):
    """The refusal for a repository that does not exist."""
    message = f"The repository with name '{name}' does not exist in the registry with id '{registry_id}'"
    return CallRefused("RepositoryNotFoundException", message)


class Rules:
    """Operations on pull-through cache rules."""

    def DescribePullThroughCacheRules(self, parameters):
        rules = sorted(self.ecr.rules.values())
        if prefixes := parameters.get("ecrRepositoryPrefixes"):
            for prefix in set(prefixes) - set(self.ecr.rules):
                message = f"Cache rule for repository prefix '{prefix}' was not found"
                raise CallRefused("PullThroughCacheRuleNotFoundException", message)
            rules = [rule for rule in rules if rule.prefix in prefixes]
        return paged("pullThroughCacheRules", [_rule(rule) for rule in rules], parameters)

    def CreatePullThroughCacheRule(self, parameters):
        prefix, upstream = parameters["ecrRepositoryPrefix"], parameters["upstreamRegistryUrl"]
        if not PREFIX.fullmatch(prefix):
            raise CallRefused("ValidationException", f"'{prefix}' is no repository prefix")
        if upstream not in UPSTREAMS:
            message = f"The upstream registry '{upstream}' is not supported"
            raise CallRefused("UnsupportedUpstreamRegistryException", message)
        if prefix != ROOT:
            prefix = prefix.rstrip("/")
        if prefix not in self.ecr.rules and len(self.ecr.rules) >= MOST_RULES:
            raise CallRefused("LimitExceededException", "The maximum number of cache rules is reached")
        rule = self.ecr.add_rule(prefix, upstream, parameters.get("upstreamRepositoryPrefix", ROOT))
        if rule is None:
            message = f"A pull-through cache rule for the prefix '{prefix}' already exists"
            raise CallRefused("PullThroughCacheRuleAlreadyExistsException", message)
        return _rule(rule)


class Images:
    """Operations on what repositories hold."""

    def DescribeImages(self, parameters):
        name = parameters["repositoryName"]
        place = self.ecr.place(self.repository(parameters).name)
        if "imageIds" not in parameters:
            return paged("imageDetails", [_image(place, name, found) for found in place.manifests()], parameters)
        details = []
        for image_id in parameters["imageIds"]:
            found, failure = _find(place, image_id)
            if failure:
                message = f"The image with imageId {image_id} does not exist within the repository with name '{name}'"
                raise CallRefused("ImageNotFoundException", message)
            details.append(_image(place, name, found))
        return {"imageDetails": details}

    def BatchGetImage(self, parameters):
        name = parameters["repositoryName"]
        place = self.ecr.place(self.repository(parameters).name)
        images, failures = [], []
        for image_id in parameters["imageIds"]:
            found, failure = _find(place, image_id)
            if found and found.media_type not in parameters.get("acceptedMediaTypes", [found.media_type]):
                failure = ("ImageNotFound", "Requested image is of none of the accepted media types")
            if failure:
                failures.append({"imageId": image_id, "failureCode": failure[0], "failureReason": failure[1]})
                continue
            images.append(
                {
                    "registryId": ACCOUNT,
                    "repositoryName": name,
                    "imageId": {**image_id, "imageDigest": found.digest},
                    "imageManifest": found.body.decode(),
                    "imageManifestMediaType": found.media_type,
                }
            )
        return {"images": images, "failures": failures}

    def BatchCheckLayerAvailability(self, parameters):
        place = self.ecr.place(self.repository(parameters).name)
        types = {blob["digest"]: blob["mediaType"] for manifest in place.manifests() for blob in manifest.blobs()}
        layers, failures = [], []
        for digest in parameters["layerDigests"]:
            if not is_digest(digest):
                why = "Invalid layer digest"
                failures.append({"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": why})
            elif (blob := place.blob(digest)) is None:
                layers.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
            else:
                of_it = {"layerSize": blob.stat().st_size, "mediaType": types.get(digest, "application/octet-stream")}
                layers.append({"layerDigest": digest, "layerAvailability": "AVAILABLE", **of_it})
        return {"layers": layers, "failures": failures}


class Repositories:
    """Operations on repositories themselves."""

    def CreateRepository(self, parameters):
        name = parameters["repositoryName"]
        repository = self.ecr.add_repository(name)
        if repository is None:
            message = f"The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"
            raise CallRefused("RepositoryAlreadyExistsException", message)
        return {"repository": self._described(repository)}

    def DescribeRepositories(self, parameters):
        if parameters.get("registryId", ACCOUNT) != ACCOUNT:
            raise no_repository("*", parameters["registryId"])
        if names := parameters.get("repositoryNames"):
            found = [self.repository({"repositoryName": name}) for name in names]
        else:
            found = [self.ecr.repositories[name] for name in sorted(self.ecr.repositories)]
        return paged("repositories", [self._described(repository) for repository in found], parameters)

    def GetLifecyclePolicy(self, parameters):
        repository = self.repository(parameters)
        if repository.lifecycle_policy is None:
            message = f"Lifecycle policy does not exist for the repository with name '{repository.name}'"
            raise CallRefused("LifecyclePolicyNotFoundException", message)
        return self._lifecycle(repository)

    def PutLifecyclePolicy(self, parameters):
        repository = self.repository(parameters)
        repository.lifecycle_policy = parameters["lifecyclePolicyText"]
        return self._lifecycle(repository)

    def _described(self, repository):
        return {
            "repositoryArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository.name}",
            "registryId": ACCOUNT,
            "repositoryName": repository.name,
            "repositoryUri": f"{self.ecr.registry_host}/{repository.name}",
            "createdAt": repository.created_at,
            "imageTagMutability": "MUTABLE",
        }

    @staticmethod
    def _lifecycle(repository):
        return {
            "registryId": ACCOUNT,
            "repositoryName": repository.name,
            "lifecyclePolicyText": repository.lifecycle_policy,
        }


class Calls(Rules, Images, Repositories):
    """All of them, on one account's ECR."""

    def __init__(self, ecr):
        self.ecr = ecr

    def knows(self, operation):
        """Whether it is one of the operations here."""
        return bool(re.fullmatch("[A-Z][A-Za-z]+", operation)) and callable(getattr(self, operation, None))

    def answer(self, operation, parameters):
        """Does what is asked for; may raise CallRefused."""
        return getattr(self, operation)(parameters)

    def repository(self, parameters):
        """The repository that a call is about."""
        name, registry_id = parameters["repositoryName"], parameters.get("registryId", ACCOUNT)
        if registry_id != ACCOUNT or name not in self.ecr.repositories:
            raise no_repository(name, registry_id)
        return self.ecr.repositories[name]


def paged(member, items, parameters):
    """An answer with the page that is asked for."""
    try:
        page, token = pages(items, parameters)
    except ValueError:
        raise CallRefused("InvalidParameterException", "Invalid parameter at 'nextToken'") from None
    return {member: page, **({"nextToken": token} if token else {})}


def _rule(rule):
    return {
        "ecrRepositoryPrefix": rule.prefix,
        "upstreamRegistryUrl": rule.upstream,
        "upstreamRegistry": UPSTREAMS[rule.upstream],
        "upstreamRepositoryPrefix": rule.upstream_prefix,
        "createdAt": rule.created_at,
        "registryId": ACCOUNT,
    }


def _find(place, image_id):
    """The manifest that an imageId means, and why there is none: code and reason, or None."""
    tag, digest = image_id.get("imageTag"), image_id.get("imageDigest")
    if not tag and not digest:
        return None, ("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    if digest and not is_digest(digest):
        return None, ("InvalidImageDigest", "Invalid request parameters: image digest should satisfy the regex")
    found = place.manifest(digest or tag)
    if found and digest and tag and tag not in place.tags_of(digest):
        return None, ("ImageTagDoesNotMatchDigest", "The tag stands for another digest")
    return (found, None) if found else (None, ("ImageNotFound", "Requested image not found"))


def _image(place, name, manifest):
    detail = {
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageDigest": manifest.digest,
        "imagePushedAt": manifest.since,
        "imageManifestMediaType": manifest.media_type,
    }
    if tags := place.tags_of(manifest.digest):
        detail["imageTags"] = tags
    if blobs := manifest.blobs():
        detail["imageSizeInBytes"] = sum(blob["size"] for blob in blobs)
        detail["artifactMediaType"] = blobs[0]["mediaType"]
    return detail
