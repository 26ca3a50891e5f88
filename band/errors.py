"""The one exception type of the project and the one table from its codes to the outside world.

Every error that a user can cause is a :class:`BandError`: one sentence that names the thing and
says what to do. ``OUTCOMES`` maps each code to the gRPC status and the exit code of the command
line; nothing else in the project makes that choice.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple


class ErrorCode(StrEnum):
    """What went wrong, in terms of what the caller can do about it."""

    INVALID_MODEL = "invalid_model"
    INVALID_CONFIG = "invalid_config"
    INVALID_TRACE = "invalid_trace"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_POLICY = "unknown_policy"
    UNKNOWN_DEVICE = "unknown_device"
    NOT_FOUND = "not_found"
    MODEL_EXISTS = "model_exists"
    UNSUPPORTED_MODEL = "unsupported_model"
    FALLBACK_REFUSED = "fallback_refused"
    NO_PROCESSOR = "no_processor"
    UNSUPPORTED_FEATURE = "unsupported_feature"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    QUEUE_FULL = "queue_full"
    QUOTA = "quota"
    OUT_OF_MEMORY = "out_of_memory"
    MESSAGE_TOO_LARGE = "message_too_large"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    SUPERSEDED = "superseded"
    PARENT_DROPPED = "parent_dropped"
    CANCELLED = "cancelled"
    DRAINING = "draining"
    WORKER_DOWN = "worker_down"
    UNREACHABLE = "unreachable"
    POLICY_FAILED = "policy_failed"
    BACKEND_FAILED = "backend_failed"
    INTERNAL = "internal"


FOREIGN_ERRORS: Final = (Exception, SystemExit)
"""What code of others (policies, observers) may raise without ending us: all but Ctrl-C."""


class Outcome(NamedTuple):
    """How an error leaves the process: gRPC status name and exit code of the command line."""

    status: str
    exit_code: int


_INVALID: Final = Outcome("INVALID_ARGUMENT", 2)
_NOT_FOUND: Final = Outcome("NOT_FOUND", 2)
_PRECONDITION: Final = Outcome("FAILED_PRECONDITION", 3)
_EXHAUSTED: Final = Outcome("RESOURCE_EXHAUSTED", 4)
_ABORTED: Final = Outcome("ABORTED", 4)
_UNAVAILABLE: Final = Outcome("UNAVAILABLE", 5)
_INTERNAL: Final = Outcome("INTERNAL", 70)

OUTCOMES: Final[Mapping[ErrorCode, Outcome]] = MappingProxyType(
    {
        ErrorCode.INVALID_MODEL: _INVALID,
        ErrorCode.INVALID_CONFIG: _INVALID,
        ErrorCode.INVALID_TRACE: _INVALID,
        ErrorCode.INVALID_REQUEST: _INVALID,
        ErrorCode.UNKNOWN_MODEL: _NOT_FOUND,
        ErrorCode.UNKNOWN_POLICY: _NOT_FOUND,
        ErrorCode.UNKNOWN_DEVICE: _NOT_FOUND,
        ErrorCode.NOT_FOUND: _NOT_FOUND,
        ErrorCode.MODEL_EXISTS: Outcome("ALREADY_EXISTS", 2),
        ErrorCode.UNSUPPORTED_MODEL: _PRECONDITION,
        ErrorCode.FALLBACK_REFUSED: _PRECONDITION,
        ErrorCode.NO_PROCESSOR: _PRECONDITION,
        ErrorCode.UNSUPPORTED_FEATURE: Outcome("UNIMPLEMENTED", 3),
        ErrorCode.UNAUTHENTICATED: Outcome("UNAUTHENTICATED", 3),
        ErrorCode.PERMISSION_DENIED: Outcome("PERMISSION_DENIED", 3),
        ErrorCode.QUEUE_FULL: _EXHAUSTED,
        ErrorCode.QUOTA: _EXHAUSTED,
        ErrorCode.OUT_OF_MEMORY: _EXHAUSTED,
        ErrorCode.MESSAGE_TOO_LARGE: _EXHAUSTED,
        ErrorCode.DEADLINE_EXCEEDED: Outcome("DEADLINE_EXCEEDED", 4),
        ErrorCode.SUPERSEDED: _ABORTED,
        ErrorCode.PARENT_DROPPED: _ABORTED,
        ErrorCode.CANCELLED: Outcome("CANCELLED", 4),
        ErrorCode.DRAINING: _UNAVAILABLE,
        ErrorCode.WORKER_DOWN: _UNAVAILABLE,
        ErrorCode.UNREACHABLE: _UNAVAILABLE,
        ErrorCode.POLICY_FAILED: _INTERNAL,
        ErrorCode.BACKEND_FAILED: _INTERNAL,
        ErrorCode.INTERNAL: _INTERNAL,
    }
)


class BandError(Exception):
    """An error the caller can act on.

    Attributes:
        code: the kind of error; ``OUTCOMES[code]`` gives status and exit code.
        message: one sentence that names the thing and the way out.
        fields: what the sentence is about (``model="x"``, ``op=12``), for programs.
    """

    def __init__(self, code: ErrorCode, message: str, **fields: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields: Mapping[str, object] = MappingProxyType(fields)

    @property
    def outcome(self) -> Outcome:
        """Return the gRPC status name and the exit code of this error."""
        return OUTCOMES[self.code]

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Process pools send errors back pickled; the default would lose code and fields.
        return _again, (self.code, self.message, dict(self.fields))


def described(error: BaseException) -> str:
    """Return an error of foreign code as ``ZeroDivisionError: division by zero``."""
    name = type(error).__name__
    try:
        text = str(error)
    except FOREIGN_ERRORS:
        return name
    return f"{name}: {text}" if text else name


def _again(code: ErrorCode, message: str, fields: Mapping[str, Any]) -> BandError:
    return BandError(code, message, **fields)
