"""What the deployed macro makes of the app's templates: every definition has its sidecar or is left alone, and the operator
finds nothing to do for either."""

import pytest
from harness.families import newest
from harness.owners import create_log_groups
from harness.template_cases import TemplateCase
from macro.test_deployed import plain, registered, undone
from macro.test_lint import findings

from .test_templates import TASK_DEFINITION, of_type

# What the app's own parameters get, where it has them.
PARAMETERS = {"ImageTag": "1.4.2", "BootstrapVersion": "/cdk-bootstrap/hnb659fds/version"}
# Definitions that get no sidecar, by the beginning of their logical ids, and what the operator says of them. The macro
# heeds metadata, which are not deployed: for the operator nobody has asked.
LEFT_ALONE = {"Traced": "ownDaemon", "Declined": "notRequested", "OnHost": "networkModeHost"}
STACKS = ("Shop", "Left")


class Case(TemplateCase):
    """A template of the app, as the macro's other cases are written down."""

    @property
    def injects(self):
        """All of its definitions, for all of them are deployed and looked at."""
        return list(self.told["expect"])


@pytest.fixture(params=STACKS)
def case(request, templates):
    template = templates[request.param]
    values = {name: value for name, value in PARAMETERS.items() if name in template["Parameters"]}
    expect = {resource: reason_of(resource) for resource in of_type(template, TASK_DEFINITION)}
    return Case(request.param.lower(), template, {"parameters": values, "expect": expect}, None, None)


def reason_of(resource):
    return next((reason for name, reason in LEFT_ALONE.items() if resource.startswith(name)), "upToDate")


@pytest.fixture
def transformed(case, macro, surroundings):
    answer = macro.answer(case.template, case.parameters)
    assert answer["status"] == "success", answer.get("errorMessage")
    return answer["fragment"]


def test_no_stack_of_the_app_is_forgotten(templates):
    assert sorted(templates) == sorted(STACKS)


def test_nothing_changes_but_definitions_with_a_sidecar_and_their_roles(case, transformed):
    after, changed = transformed["Resources"], {}
    for resource, before in case.template["Resources"].items():
        if before != after[resource]:
            changed.setdefault(before["Type"], []).append(resource)
    injected = [resource for resource, reason in case.told["expect"].items() if reason == "upToDate"]
    assert changed.pop(TASK_DEFINITION, []) == injected
    assert len(changed.pop("AWS::IAM::Role", [])) == 2 * len(injected), "CDK gives each definition two roles of its own"
    assert not changed and list(after) == list(case.template["Resources"])
    assert {**transformed, "Resources": None} == {**case.template, "Resources": None}


def test_the_linter_finds_nothing_that_it_had_not_found(case, transformed, ministack):
    assert not findings(transformed, ministack.region) - findings(case.template, ministack.region)


def test_the_operator_finds_nothing_to_do(case, transformed, ministack, operator):
    before = after = registered(ministack, case, case.template)
    if transformed != case.template:  # CloudFormation refuses an update to what there is
        after = registered(ministack, case, transformed, update=True)
    for resource, reason in case.told["expect"].items():
        create_log_groups(ministack, after[resource])
        family = after[resource]["family"]
        report = operator.invoke("plan", family=family)
        decision = "upToDate" if reason == "upToDate" else "skip"
        assert (report["decision"], report["reason"]) == (decision, reason), report
        assert (report["edits"], report["grants"]) == ([], []), report
        if reason == "upToDate":
            assert undone(newest(ministack, family)) == plain(before[resource]), "what the app would have deployed"


def test_a_template_that_went_through_changes_no_more(case, transformed, macro):
    assert macro.answer(transformed, case.parameters)["fragment"] == transformed
