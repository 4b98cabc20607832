"""The template as data, without CloudFormation: its short tags become what they stand for."""

import yaml

from .stack import TEMPLATE


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def load(path=TEMPLATE):
    """The template, every intrinsic in its long form."""
    return yaml.load(path.read_text(), _Loader)


def statements(document):
    """(statement, the condition it depends on or None) of a policy document."""
    for statement in document["Statement"]:
        if "Fn::If" in statement:
            condition, statement, otherwise = statement["Fn::If"]
            assert otherwise == {"Ref": "AWS::NoValue"}, "a statement is there or not, never another one"
            yield statement, condition
        else:
            yield statement, None


def as_list(value):
    """IAM writes a list of one without the list."""
    return value if isinstance(value, list) else [value]
