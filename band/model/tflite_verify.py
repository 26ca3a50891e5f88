"""The verifier: is a .tflite file safe to hand to an interpreter?

It reads nothing but bytes, so that neither an interpreter nor generated code ever sees a file that
lies about itself. Three levels, each of which may trust the ones before it:

1. structure (``tflite_verify_structure``): offsets, tables, vectors and strings lie in the file.
2. the model (``tflite_verify_indices``, ``_order``, ``_tensors``): indices, arity, order of the
   ops, sizes, data, quantisation, sparsity.
3. what kernels take for granted (``tflite_verify_kernels`` and the rules that it collects).
"""

from band.model.tflite_schema import IDENTIFIER, VERSION
from band.model.tflite_verify_facts import FileFacts
from band.model.tflite_verify_indices import read_facts
from band.model.tflite_verify_kernels import check_kernels
from band.model.tflite_verify_limits import DEFAULT, Limits, invalid
from band.model.tflite_verify_order import check_order
from band.model.tflite_verify_quarantine import check_quarantine
from band.model.tflite_verify_state import check_state
from band.model.tflite_verify_structure import parse
from band.model.tflite_verify_tensors import check_tensors

_HEADER_BYTES = 8


def verify_bytes(content: bytes | memoryview, where: str, limits: Limits = DEFAULT) -> FileFacts:
    """Check that a .tflite file is safe to load, allocate and run.

    Args:
        content: the file.
        where: the file, for messages.
        limits: how much of everything it may have.

    Returns:
        What the file says about its tensors and ops.

    Raises:
        BandError: INVALID_MODEL if it is not safe; UNSUPPORTED_FEATURE if it is over a limit or
            keeps weights in another file. Nothing else, whatever the bytes are.
    """
    view = memoryview(content)
    if not view:
        raise invalid(where, "is empty; get the file again")
    if len(view) < _HEADER_BYTES or bytes(view[4:_HEADER_BYTES]) != IDENTIFIER:
        raise invalid(where, "is not a .tflite file (no TFL3 identifier)")
    check_quarantine(view, where)
    model = parse(view, where, limits)
    if model.version != VERSION:
        raise invalid(where, f"has schema version {model.version}; only version 3 can be read")
    if not model.subgraphs:
        raise invalid(where, "has no subgraph; get the file again")
    facts = read_facts(model, view, where, limits)
    check_order(facts)
    check_tensors(facts)
    check_kernels(facts)
    check_state(facts)
    return facts
