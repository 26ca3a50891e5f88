"""Loads one policy, from its file or from an object of an installed package. This runs its code.

A policy is foreign code: whatever its import does, the outcome is a policy or one sentence.
"""

import functools
import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from band.errors import FOREIGN_ERRORS, BandError, ErrorCode, described
from band.scheduler.params import default_of, freeze, is_required
from band.scheduler.policy import PolicyInfo

_MODULES: Final = "band._policies"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """A loaded policy.

    Attributes:
        name: what it declares in ``info``.
        ref: how it was asked for; what a PolicySwapped carries.
        path: its file, None if it has none.
        sha256: of the file's bytes, "" if it has none.
        info: what it says of itself.
        params_type: its frozen dataclass ``Params``.
        policy_type: its class.
        window: how many waiting jobs it sees by default, None for the core's default.
    """

    name: str
    ref: str
    path: Path | None
    sha256: str
    info: PolicyInfo
    params_type: type[Any]
    policy_type: type[Any]
    window: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """Return its name and its aliases."""
        return (self.name, *self.info.aliases)

    @property
    def needs_params(self) -> bool:
        """Return whether a parameter has no default."""
        return any(is_required(field) for field in fields(self.params_type))


def load_file(path: Path) -> PolicySource:
    """Return the policy of one file.

    Raises:
        BandError: POLICY_FAILED if it cannot be read, does not import or declares no policy.
    """
    sha256 = _sha256(path)
    module = _import_file(path.resolve(), sha256)
    declared = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and isinstance(getattr(value, "info", None), PolicyInfo)
    ]
    if len(declared) != 1:
        raise failed(str(path), f"declares {len(declared)} classes with `info`; one is needed")
    source = _source(declared[0], module, str(path), path, sha256)
    if source.name != path.stem:
        raise failed(str(path), f"declares the name {source.name!r}; it must be {path.stem!r}")
    return source


@functools.lru_cache(maxsize=256)
def _import_file(path: Path, sha256: str) -> ModuleType:
    """Import a policy file under a private name; the same content is imported once."""
    name = f"{_MODULES}.{path.stem}"
    if name in sys.modules:  # another file of that name, or another content of this one
        name = f"{name}_{sha256[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise failed(str(path), "cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their own module
    try:
        spec.loader.exec_module(module)
    except FOREIGN_ERRORS as error:
        del sys.modules[name]
        raise failed(str(path), f"does not import: {described(error)}") from error
    return module


def load_object(ref: str) -> PolicySource:
    """Return the policy that ``package:object`` names.

    Raises:
        BandError: UNKNOWN_POLICY if it does not import, POLICY_FAILED if it is no policy.
    """
    module_name, _, attribute = ref.partition(":")
    try:
        module = importlib.import_module(module_name)
        policy_type = functools.reduce(getattr, attribute.split("."), module)
    except FOREIGN_ERRORS as error:
        raise BandError(
            ErrorCode.UNKNOWN_POLICY,
            f"policy {ref!r} does not import: {described(error)}",
            policy=ref,
        ) from error
    home = sys.modules.get(getattr(policy_type, "__module__", ""), module)
    file = getattr(home, "__file__", None)
    path = Path(file) if file else None
    return _source(policy_type, home, ref, path, _sha256(path) if path else "")


def _source(
    policy_type: Any, module: ModuleType, ref: str, path: Path | None, sha256: str
) -> PolicySource:
    info = getattr(policy_type, "info", None)
    params_type = getattr(module, "Params", None)
    if not isinstance(info, PolicyInfo) or not callable(getattr(policy_type, "plan", None)):
        raise failed(ref, "declares no class with `info: PolicyInfo` and `plan(view)`")
    if not isinstance(info.aliases, tuple) or not all(
        isinstance(text, str) for text in (info.name, info.summary, info.source, *info.aliases)
    ):
        raise failed(ref, "declares an `info` that is not text, with a tuple of texts as `aliases`")
    parameters = getattr(params_type, "__dataclass_params__", None)
    if not isinstance(params_type, type) or parameters is None or not parameters.frozen:
        raise failed(ref, "declares no frozen dataclass `Params`")
    _check_defaults(params_type, ref)
    window = next((f.default for f in fields(params_type) if f.name == "window"), None)
    return PolicySource(
        name=info.name,
        ref=ref,
        path=path,
        sha256=sha256,
        info=info,
        params_type=params_type,
        policy_type=policy_type,
        window=window if isinstance(window, int) else None,
    )


def _check_defaults(params_type: type[Any], ref: str) -> None:
    for field in fields(params_type):
        try:
            if not is_required(field):
                freeze(default_of(field))
        except FOREIGN_ERRORS as error:
            problem = f"has no usable default of parameter {field.name!r}: {described(error)}"
            raise failed(ref, problem) from error


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise failed(str(path), f"cannot be read: {error.strerror}") from error


def failed(ref: str, problem: str) -> BandError:
    """Return the error of a policy that cannot be used; the problem goes on after its name."""
    return BandError(ErrorCode.POLICY_FAILED, f"policy {ref} {problem}", policy=ref)
