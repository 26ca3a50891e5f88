"""How much of everything a model file may have, and how the verifier words a refusal."""

from dataclasses import dataclass
from typing import Final

from band.errors import BandError, ErrorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file may ask for; the largest real models stay far below.

    Attributes:
        tables: FlatBuffers tables that are visited, those reached twice counted twice.
        layouts: ways in which tables store their fields; writers share them.
        text_bytes: all names together.
        operands: tensor ids in all op, subgraph and signature lists together.
        rank: dimensions of a tensor.
        elements: values of one tensor; kernels count them in 32 bits.
        activation_bytes: all tensors that are not constants, together.
        scanned_bytes: vectors that are read to the end (scales, sparse indices, constants).
        call_depth: subgraphs that call each other.
    """

    tables: int = 50_000
    layouts: int = 4_096
    text_bytes: int = 16 << 20
    operands: int = 200_000
    rank: int = 8
    elements: int = (1 << 31) - 1
    activation_bytes: int = 4 << 30
    scanned_bytes: int = 128 << 20
    call_depth: int = 16


DEFAULT: Final = Limits()


def invalid(where: str, problem: str, **fields: object) -> BandError:
    """Return the error of a file that is not a usable model."""
    return BandError(ErrorCode.INVALID_MODEL, f"{where} {problem}", model=where, **fields)


def damaged(where: str, problem: str) -> BandError:
    """Return the error of a file whose bytes do not have the structure of a .tflite file."""
    return invalid(where, f"is damaged or truncated: {problem}; get the file again")


def too_large(where: str, problem: str) -> BandError:
    """Return the error of a file that asks for more than a limit allows."""
    return BandError(
        ErrorCode.UNSUPPORTED_FEATURE, f"{where} is over a limit: {problem}", model=where
    )
