"""What AWS CDK writes: task definitions of all kinds, in which little is known before they are deployed.

These are the inputs for the macro. What they have to have is tested, so that the macro is tried on what it will meet.
"""

import json

from .conftest import APP

TASK_DEFINITION = "AWS::ECS::TaskDefinition"


def of_type(template, kind):
    """Properties by logical id."""
    return {name: one["Properties"] for name, one in template["Resources"].items() if one["Type"] == kind}


def is_token(value):
    """Whether CloudFormation has to work it out."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def test_the_packages_are_pinned_wherever_they_come_from():
    wanted = json.loads((APP / "package.json").read_text())["dependencies"]
    packages = json.loads((APP / "package-lock.json").read_text())["packages"]
    assert packages[""]["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version, "a version, and no range"
    fetched = [one for path, one in packages.items() if path and not one.get("inBundle")]
    assert not any("resolved" in one for one in fetched), "npm takes them from the registry that it is told of"
    assert all(one["integrity"].startswith("sha512-") for one in fetched)


def test_there_are_definitions_of_each_kind(shop):
    definitions = of_type(shop, TASK_DEFINITION).values()
    kinds = sorted((one["NetworkMode"], *one["RequiresCompatibilities"], bool(one.get("Tags"))) for one in definitions)
    assert kinds == [
        ("awsvpc", "FARGATE", False),
        ("awsvpc", "FARGATE", True),
        ("awsvpc", "FARGATE", True),
        ("bridge", "EC2", True),
    ]


def test_what_the_sidecar_depends_on_is_not_known(shop):
    for definition in of_type(shop, TASK_DEFINITION).values():
        assert is_token(definition["TaskRoleArn"]) and is_token(definition["ExecutionRoleArn"])
        (container,) = definition["ContainerDefinitions"]
        options = container["LogConfiguration"]["Options"]
        assert is_token(container["Image"]) and is_token(options["awslogs-group"]) and is_token(options["awslogs-region"])


def test_a_schedule_pins_the_revision_that_is_deployed_and_a_workflow_the_family(shop):
    (rule,) = of_type(shop, "AWS::Events::Rule").values()
    pinned = rule["Targets"][0]["EcsParameters"]["TaskDefinitionArn"]["Ref"]
    assert pinned in of_type(shop, TASK_DEFINITION), "Ref is the ARN with its revision"
    (machine,) = of_type(shop, "AWS::StepFunctions::StateMachine").values()
    families = {one["Family"] for one in of_type(shop, TASK_DEFINITION).values()}
    _, parts = machine["DefinitionString"]["Fn::Join"]
    definition = json.loads("".join(part if isinstance(part, str) else "token" for part in parts))
    assert definition["States"]["Run"]["Parameters"]["TaskDefinition"] in families
