"""Checks a YAML document against a pydantic model and words what is wrong with it.

Validation is strict (a number in quotes is not a number) and refuses unknown keys. The first
mistake in the order of the file is reported, with the number of further ones.
"""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from band.config.mistakes import real_mistakes, sentence
from band.config.yaml_loader import Document, Location
from band.errors import BandError

SchemaT = TypeVar("SchemaT", bound=BaseModel)


class Schema(BaseModel):
    """Base of all schemas: unknown keys refused, nothing coerced, instances immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def parse(document: Document, model: type[SchemaT], at: Location = ()) -> SchemaT:
    """Return the instance of ``model`` that a document, or its part at a location, describes.

    Raises:
        BandError: INVALID_CONFIG ``file:line: sentence`` for the first mistake of the part.
    """
    try:
        # JSON mode: strict about scalars, but lists make tuples and words make enums.
        return model.model_validate_json(json.dumps(document.part(at)))
    except ValidationError as error:
        raise document_error(document, error, model, at) from error


def document_error(
    document: Document, error: ValidationError, model: Any, at: Location = ()
) -> BandError:
    """Return the error for what pydantic found wrong in the part of a document below ``at``."""
    mistakes = sorted(
        (
            (document.line((*at, *e["loc"])), i, e)
            for i, e in enumerate(real_mistakes(error.errors()))
        ),
        key=lambda mistake: mistake[:2],
    )
    first = mistakes[0][2]
    more = len(mistakes) - 1
    tail = f" ({more} more mistake{'s' if more > 1 else ''} in this file)" if more else ""
    return document.error((*at, *first["loc"]), sentence(first, model, at) + tail)
