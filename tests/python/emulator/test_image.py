"""The image of the sidecar, fetched by the deployed function: the emulator has a table, and ECR is ecs-fake's."""

from harness.stack import UPSTREAM

REPOSITORY, TAG = UPSTREAM.split(":")


def test_the_image_is_fetched_through_a_rule_before_anything_refers_to_it(stack, wire, definition, trail):
    trail.register(definition)
    stack.until_idle()
    ecr = wire.ecr.client("ecr")
    (rule,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert (rule["ecrRepositoryPrefix"], rule["upstreamRegistryUrl"]) == ("ecr-public", "public.ecr.aws")
    (image,) = ecr.describe_images(repositoryName=f"ecr-public/{REPOSITORY}", imageIds=[{"imageTag": TAG}])["imageDetails"]
    made = [call.action for call in wire.calls]
    assert made.index("CreatePullThroughCacheRule") < made.index("RegisterTaskDefinition")
    assert made.count("CreatePullThroughCacheRule") == 1, "one rule for all families"
    (item,) = stack.table.rows("image")
    assert item["id"]["S"] == f"{stack.ministack.account}/ecr-public/{REPOSITORY}:{TAG}"
    assert item["digest"]["S"] == image["imageDigest"]
    assert not {"leaseOwner", "leaseUntil", "fetched"} & set(item), "nobody fetches it any more"


def test_no_login_is_in_the_log(stack, wire):
    password = "password-0"  # ecs-fake's
    assert "GetAuthorizationToken" in {call.action for call in wire.calls}
    assert stack.log_lines()
    assert not [line for line in stack.log_lines() if password in str(line)]
