"""Parameters that a policy or a backend declares as a frozen dataclass of plain types."""

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import Field, ValidationError, create_model

from band.config.mistakes import real_mistakes, sentence
from band.config.schema import Schema
from band.errors import BandError, ErrorCode

ParamsT = TypeVar("ParamsT")


def parse_params(params_type: type[ParamsT], raw: Mapping[str, object], where: str) -> ParamsT:
    """Return an instance of a dataclass made from written values, strictly.

    Args:
        params_type: a dataclass of plain types (numbers, text, booleans, tuples of them). It may
            refuse a value with a ValueError from ``__post_init__``.
        raw: values by field name, as YAML or JSON give them.
        where: what the values belong to, such as ``daemon.yaml:7`` or ``policy heft``; it begins
            the message of the error.

    Raises:
        BandError: INVALID_CONFIG naming the first wrong key, and the nearest right one.
    """
    declared: Any = params_type
    try:
        schema = _schema(declared)
    except NameError as error:
        text = f"the types of {params_type.__name__} cannot be read: {error}"
        raise _error(where, text) from error
    try:
        values = schema.model_validate_json(json.dumps(dict(raw)))
        return params_type(**{name: getattr(values, name) for name in schema.model_fields})
    except ValidationError as error:
        mistakes = real_mistakes(error.errors())
        more = len(mistakes) - 1
        tail = f" ({more} more mistake{'s' if more > 1 else ''})" if more else ""
        raise _error(where, sentence(mistakes[0], schema) + tail) from error
    except (TypeError, ValueError) as error:
        raise _error(where, str(error)) from error


def _error(where: str, text: str) -> BandError:
    return BandError(ErrorCode.INVALID_CONFIG, f"{where}: {text}", where=where)


@cache
def _schema(params_type: type[Any]) -> type[Schema]:
    """Return a schema with the fields of a dataclass; the dataclass itself stays untouched."""
    hints = get_type_hints(params_type, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(params_type):
        if not field.init:
            continue
        if field.default is not dataclasses.MISSING:
            fields[field.name] = (hints[field.name], field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = Field(default_factory=field.default_factory)
            fields[field.name] = (hints[field.name], default)
        else:
            fields[field.name] = (hints[field.name], ...)
    return create_model(params_type.__name__, __base__=Schema, **fields)
