"""AWS's own description of an API, as botocore has it, as a judge of requests and answers. Knows no service by name."""

import botocore.session
from botocore.validate import ParamValidator

TYPES = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "timestamp": (int, float),
    "list": list,
    "map": dict,
    "structure": dict,
}


class ServiceModel:
    """The model of one service."""

    def __init__(self, service):
        self._model = botocore.session.get_session().get_service_model(service)

    def objections_to_request(self, operation, parameters):
        """What the model has against these parameters; an empty text if nothing."""
        shape = self._model.operation_model(operation).input_shape
        unknown = sorted(set(parameters) - set(shape.members))
        report = ParamValidator().validate(parameters, shape).generate_report()
        return "\n".join([*(f"there is no parameter {name}" for name in unknown), *([report] if report else [])])

    def objections_to_answer(self, operation, answer):
        """What the model has against this answer, a line each."""
        return list(_objections(self._model.operation_model(operation).output_shape, answer, operation))

    def errors(self, operation):
        """Codes of the errors that the operation is documented to answer."""
        return {shape.name for shape in self._model.operation_model(operation).error_shapes}


def _objections(shape, value, path):
    if isinstance(value, bool) != (shape.type_name == "boolean") or not isinstance(value, TYPES[shape.type_name]):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "structure":
        for name, member in value.items():
            if name in shape.members:
                yield from _objections(shape.members[name], member, f"{path}.{name}")
            else:
                yield f"{path}: there is no member {name}"
        yield from (f"{path}: {name} is missing" for name in shape.required_members if name not in value)
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _objections(shape.member, member, f"{path}[{number}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            yield from _objections(shape.value, member, f"{path}[{name}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
