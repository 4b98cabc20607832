"""The macro's stack, deployed beside the operator's, and its function called as CloudFormation would.

Knows the contract of a macro's function. Knows nothing of what it makes of a template.
"""

import json

from . import template
from .stack import CODE_BUCKET, REPOSITORY_ROOT
from .waiting import until

TEMPLATE = REPOSITORY_ROOT / "infra" / "cloudformation" / "macro.yaml"


class Macro:
    """The deployed macro: its function, called as CloudFormation would call it, and its stack's outputs."""

    def __init__(self, ministack, outputs):
        self._ministack = ministack
        self.outputs = outputs

    def answer(self, template, parameters=None, **changed):
        """What the function answers to the documented request."""
        request = {
            "region": self._ministack.region,
            "accountId": self._ministack.account,
            "fragment": {key: value for key, value in template.items() if key != "Transform"},
            "transformId": f"{self._ministack.account}::EcsSidecar",
            "params": {},
            "requestId": "request-1",
            "templateParameterValues": parameters or {},
            **changed,
        }
        answer = self._ministack.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps(request).encode()
        )
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        return body


def deploy_macro(operator, package):
    """The macro's stack, without the resource that the emulator does not know: the macro itself."""
    ministack = operator.ministack
    ministack.client("s3").put_object(Bucket=CODE_BUCKET, Key=package.name, Body=package.read_bytes())
    body = template.load(TEMPLATE)
    del body["Resources"]["Macro"], body["Outputs"]["MacroName"]
    values = {
        "CodeBucket": CODE_BUCKET,
        "CodeKey": package.name,
        "EndpointUrl": operator.wire.endpoint,
        "TableName": operator.outputs["TableName"],
        "ExecutionPolicyArn": operator.outputs["ExecutionPolicyArn"],
    }
    described = deploy(ministack, "macro", body, values)
    return Macro(ministack, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]})


def deploy(ministack, name, body, parameters, update=False):
    """Creates or updates a stack; returns its description."""
    cloudformation = ministack.client("cloudformation")
    request = dict(
        StackName=name,
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    (cloudformation.update_stack if update else cloudformation.create_stack)(**request)

    def settled():
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

    description = until(settled, f"stack {name} to settle", seconds=60)
    wanted = "UPDATE_COMPLETE" if update else "CREATE_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert description["StackStatus"] == wanted, [event.get("ResourceStatusReason") for event in events]
    return description
