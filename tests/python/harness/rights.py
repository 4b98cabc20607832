"""What a role of a template may do, once the template's parameters have their values.

Knows CloudFormation's intrinsic functions, as far as our templates use them; how IAM judges a request is ministack's evaluator's
business, which the emulator itself asks. Unlike the emulator, a test can give a request the condition keys that AWS gives it.
Knows no action by name.
"""

import re

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from . import template
from .ministack import ACCOUNT, REGION

STACK = "ecs-sidecar"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
_HERE = f"{REGION}:{ACCOUNT}"
# The ARN of a resource, by its type; `{}` is its logical id.
ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_HERE}:table/{STACK}-{{}}",
    "AWS::Events::Rule": f"arn:aws:events:{_HERE}:rule/{STACK}-{{}}",
    "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{ACCOUNT}:policy/{STACK}-{{}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_HERE}:function:{STACK}-{{}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:{STACK}-{{}}:*",
    "AWS::S3::Bucket": f"arn:aws:s3:::{STACK}-{{}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:{STACK}-{{}}",
}
_NOTHING = object()


class Rights:
    """The roles and policies of a template that was deployed with `parameters`; the others have their defaults."""

    def __init__(self, body, **parameters):
        self._resources = body["Resources"]
        self._conditions = body["Conditions"]
        self._parameters = {name: str(parameter.get("Default", "")) for name, parameter in body["Parameters"].items()}
        unknown = set(parameters) - set(self._parameters)
        assert not unknown, unknown
        self._parameters |= parameters
        self._documents = {}

    def arn(self, name):
        """The ARN of a resource."""
        return ARNS[self._resources[name]["Type"]].format(name)

    def documents(self, name):
        """The policy documents of a role (of its own, and of the stack's policies that it has), or of a policy."""
        if name not in self._documents:
            properties = self._resources[name]["Properties"]
            own = [properties] if "PolicyDocument" in properties else properties["Policies"]
            attached = [document for arn in properties.get("ManagedPolicyArns", []) for document in self.documents(arn["Ref"])]
            self._documents[name] = [self._resolved(policy["PolicyDocument"]) for policy in own] + attached
        return self._documents[name]

    def actions(self, name):
        """All that a role or policy grants, on whatever resource and condition."""
        return {
            action
            for document in self.documents(name)
            for statement in document["Statement"]
            for action in template.as_list(statement["Action"])
        }

    def may(self, name, action, resource="*", **keys):
        """Whether a role may make this request. `keys` are condition keys, with two underscores for the colon."""
        request = EvalContext(
            principal_arn=self.arn(name),
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=action,
            resource_arn=resource,
            region=keys.pop("region", REGION),
            service_context={key.replace("__", ":").lower(): value for key, value in keys.items()},
        )
        policies = [parse_policy_document(document) for document in self.documents(name)]
        return evaluate(request, policies).decision == "Allow"

    def _resolved(self, value):
        """A value with all intrinsic functions worked out."""
        if isinstance(value, list):
            return [item for item in map(self._resolved, value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._function(function, argument)
        return {name: member for name, part in value.items() if (member := self._resolved(part)) is not _NOTHING}

    def _function(self, function, argument):
        if function == "Ref":
            return _NOTHING if argument == "AWS::NoValue" else self._named(argument)
        if function == "Fn::GetAtt":
            return self._attribute(argument)
        if function == "Fn::Sub":
            text, local = argument if isinstance(argument, list) else (argument, {})
            local = {name: self._resolved(value) for name, value in local.items()}
            return re.sub(r"\$\{([^}]+)\}", lambda named: local.get(named[1]) or self._named(named[1]), text)
        if function == "Fn::If":
            condition, then, otherwise = argument
            return self._resolved(then if self._holds({"Condition": condition}) else otherwise)
        if function == "Fn::Join":
            delimiter, parts = argument
            return delimiter.join(self._resolved(parts))
        if function == "Fn::Split":
            delimiter, text = argument
            return self._resolved(text).split(delimiter)
        raise AssertionError(f"{function} is not known here")

    def _named(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            return self._parameters[name]
        if "." in name:
            return self._attribute(name)
        # A policy's Ref is its ARN; the others' are names.
        return self.arn(name) if self._resources[name]["Type"] == "AWS::IAM::ManagedPolicy" else f"{STACK}-{name}"

    def _attribute(self, path):
        name, attribute = path.split(".")
        assert attribute in ("Arn", "StreamArn"), path
        return self.arn(name) + ("/stream/2026-11-24T00:00:00.000" if attribute == "StreamArn" else "")

    def _holds(self, condition):
        ((function, argument),) = condition.items()
        if function == "Condition":
            return self._holds(self._conditions[argument])
        if function == "Fn::Equals":
            first, second = argument
            return self._resolved(first) == self._resolved(second)
        if function == "Fn::Not":
            return not self._holds(argument[0])
        if function == "Fn::And":
            return all(map(self._holds, argument))
        raise AssertionError(f"{function} is not known here")
