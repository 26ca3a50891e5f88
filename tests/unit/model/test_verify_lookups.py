"""Constants that address values stay inside what they address."""

from typing import Any

import numpy as np
import pytest

from band.errors import BandError
from band.testing.op_models import OPS, Given, OpModel


def model(kind: str) -> OpModel:
    """Return the sound model of an op, as data that can be changed."""
    made: Any = OPS[f"op_{kind.lower()}"]
    (op,) = made.args
    assert isinstance(op, OpModel)
    return op


def changed(kind: str, position: int, values: Any) -> OpModel:
    """Return the model of an op with other values in one of its constants."""
    op = model(kind)
    given = Given(values=np.array(values, np.int32))
    return op._replace(inputs=(*op.inputs[:position], given, *op.inputs[position + 1 :]))


REFUSED: dict[str, tuple[OpModel, str]] = {
    "sparse index": (changed("SPARSE_TO_DENSE", 0, [1, 5]), r"an index outside the shape \[5\]"),
    "sparse shape": (changed("SPARSE_TO_DENSE", 1, [0]), r"makes a tensor of shape \[0\]"),
    "sparse rows": (changed("SPARSE_TO_DENSE", 1, [5, 5]), "has indices of 1 numbers"),
    "scattered row": (changed("SCATTER_ND", 0, [[0], [8]]), r"an index outside the shape \[8, 4\]"),
    "negative row": (changed("SCATTER_ND", 0, [[0], [-1]]), "an index outside"),
    "gathered entry": (changed("GATHER", 1, [1, 0, 8]), "takes an entry outside 8"),
    "gathered place": (changed("GATHER_ND", 1, [[0, 1], [1, 2]]), r"outside the shape \[1, 8\]"),
    "gathered depth": (changed("GATHER_ND", 1, [[0, 1, 1]]), "has indices of 3 numbers"),
    "looked up row": (changed("EMBEDDING_LOOKUP", 0, [0, 4, 1]), "a row that 4 rows do not have"),
    "segment order": (changed("SEGMENT_SUM", 1, [0, 1, 0, 1]), "segment numbers out of order"),
    "segment count": (changed("SEGMENT_SUM", 1, [0, 1]), "has 2 segment numbers"),
    "segment outside": (changed("UNSORTED_SEGMENT_SUM", 1, [0, 1, 3, 0]), "number outside 3"),
    "none of many": (changed("TOPK_V2", 1, 0), r"takes the \[0\] largest of 8 values"),
    "more than many": (changed("TOPK_V2", 1, 9), r"takes the \[9\] largest of 8 values"),
    "long sequence": (changed("REVERSE_SEQUENCE", 1, [9]), r"reverses the first \[9\] of 8"),
    "negative classes": (changed("ONE_HOT", 1, -1), r"has \[-1\] classes"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_constant_that_points_outside_is_refused(what: str) -> None:
    op, says = REFUSED[what]
    with pytest.raises(BandError, match=says):
        op.build()
