"""cfn-lint on the results: no error is found that was not found of the template before. (A warning may be new: a parameter
that nobody reads any more, where the task grew beyond it.)"""

import json
from collections import Counter

import pytest
from cfnlint.api import lint
from harness.template_cases import all_cases

CASES = [case for case in all_cases() if case.injects]


def findings(template, region):
    """How often each pair of rule and path is found; paths without positions, since lists become longer."""
    found = Counter()
    for match in lint(json.dumps(template), regions=[region]):
        if not match.rule.id.startswith("E"):
            continue
        path = [part for part in match.path or [] if not isinstance(part, int)]
        found[match.rule.id, "/".join(path)] += 1
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_finding_that_the_template_had_not(case):
    region = case.told.get("region", "eu-west-1")
    assert not findings(case.result, region) - findings(case.template, region)


def test_the_judge_would_find_a_member_that_cloudformation_has_not():
    case = next(case for case in CASES if case.name == "fargate-literal")
    case.result["Resources"]["Task"]["Properties"]["ContainerDefinitions"][-1]["readonlyRootFilesystem"] = True
    assert findings(case.result, "eu-west-1") - findings(case.template, "eu-west-1")
