"""What ministack answers to ECS calls otherwise than ECS does, put right on the wire.

The function is written for ECS; what it rests on must be true in the emulator too:
- `registeredBy` names the session that registered a revision (ministack: always the account's root),
- a bare family means its newest ACTIVE revision (ministack: the newest of any status),
- the prefix of ListTaskDefinitions is a whole family name (ministack: the beginning of one),
- members that nobody set are absent (ministack: empty texts and nulls), and tags come if asked for (ministack: always).
"""

import json

from .families import family_of

PREFIX = "AmazonEC2ContainerServiceV20141113."


class Corrections:
    """Puts right the answers to one caller, whose session ARN is `caller`."""

    def __init__(self):
        self.caller = None
        self._registered = set()

    def apply(self, call, answer, ask):
        """The answer (a dict) that ECS would have given. `ask(action, parameters)` asks the emulator something else;
        None means that ECS would have refused."""
        if call.action == "ListTaskDefinitions" and (family := call.parameters.get("familyPrefix")):
            answer["taskDefinitionArns"] = [arn for arn in answer["taskDefinitionArns"] if family_of(arn) == family]
        elif call.action == "DescribeTaskDefinition" and ":" not in call.parameters["taskDefinition"]:
            answer = self._newest_active(call, answer, ask)
        if not answer or "taskDefinition" not in answer:
            return answer
        definition = answer["taskDefinition"]
        if call.action == "RegisterTaskDefinition":
            self._registered.add(definition["taskDefinitionArn"])
        if definition["taskDefinitionArn"] in self._registered:
            definition["registeredBy"] = self.caller
        answer["taskDefinition"] = {k: v for k, v in definition.items() if v not in ("", None)}
        if call.action == "DescribeTaskDefinition" and "TAGS" not in call.parameters.get("include", []):
            answer.pop("tags", None)
        return answer

    @staticmethod
    def _newest_active(call, answer, ask):
        if answer["taskDefinition"]["status"] == "ACTIVE":
            return answer
        family = call.parameters["taskDefinition"]
        listed = ask("ListTaskDefinitions", {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC"})
        for arn in listed["taskDefinitionArns"]:
            if family_of(arn) == family:
                return ask(call.action, {**call.parameters, "taskDefinition": arn})
        return None


REFUSAL = json.dumps({"__type": "ClientException", "message": "Unable to describe task definition."}).encode()
