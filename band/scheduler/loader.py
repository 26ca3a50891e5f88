"""Finds and loads policies: by name, by ``path.py``, by ``package:object``.

The one module of the scheduler that does I/O. A name is looked for in the user's policy folders,
in the shipped folder and among the entry points of group ``band.policies``; found twice, it is an
error that lists both. Loading a policy runs its code: only the operator's own command line and
configuration may name a path, never a request.
"""

import dataclasses
import difflib
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.scheduler.events import PolicySwapped
from band.scheduler.params import ParseParams, check_params, freeze, is_required, parse_names
from band.scheduler.policy import Policy, PolicyInfo
from band.share import share_dir

ENTRY_POINTS: Final = "band.policies"
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


def resolve(ref: str, *, policy_dirs: Sequence[Path] = ()) -> PolicySource:
    """Return the policy that a reference names.

    Args:
        ref: a name or alias, a path that ends in ``.py``, or ``package:object``.
        policy_dirs: folders searched for names, before the shipped one.

    Raises:
        BandError: UNKNOWN_POLICY if there is none, INVALID_CONFIG if there are two of that name,
            POLICY_FAILED if the file does not import or declares no policy.
    """
    if ref.endswith(".py"):
        path = Path(ref)
        if not path.is_file():
            raise BandError(
                ErrorCode.UNKNOWN_POLICY, f"there is no policy file {ref}; check the path", path=ref
            )
        return dataclasses.replace(load_file(path), ref=ref)
    if ":" in ref:
        return _load_object(ref)
    known = list_policies(policy_dirs)
    for source in known:
        if ref in source.names:
            return dataclasses.replace(source, ref=ref)
    close = difflib.get_close_matches(ref, [n for s in known for n in s.names], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise BandError(
        ErrorCode.UNKNOWN_POLICY,
        f"unknown policy {ref!r}; {hint}known: {', '.join(s.name for s in known)}",
        policy=ref,
    )


def list_policies(policy_dirs: Sequence[Path] = ()) -> tuple[PolicySource, ...]:
    """Return every policy that can be asked for by name, sorted by name.

    Raises:
        BandError: a folder is missing, a file does not load, or two policies share a name.
    """
    sources: dict[str, PolicySource] = {}
    for folder in (*policy_dirs, share_dir("policies")):
        if not folder.is_dir():
            raise BandError(
                ErrorCode.NOT_FOUND, f"there is no policy folder {folder}; check policy_dirs"
            )
        for path in sorted(folder.glob("*.py")):
            sources[str(path.resolve())] = load_file(path)
    for value in _entry_points():
        sources[value] = _load_object(value)
    taken: dict[str, str] = {}
    for place, source in sources.items():
        for name in source.names:
            other = taken.setdefault(name, place)
            if other != place:
                raise BandError(
                    ErrorCode.INVALID_CONFIG,
                    f"two policies are named {name!r}: {other} and {place}; rename one",
                    policy=name,
                )
    return tuple(sorted(sources.values(), key=lambda source: source.name))


def policy_swapped(
    ref: str,
    params: Mapping[str, Any] | None = None,
    *,
    policy_dirs: Sequence[Path] = (),
    parse: ParseParams | None = None,
    sha256: str = "",
) -> PolicySwapped:
    """Return the event that puts a policy in force, with every parameter filled in.

    Args:
        ref: as for :func:`resolve`.
        params: the parameters given; the others take their defaults.
        policy_dirs: as for :func:`resolve`.
        parse: checks the types of the parameters (``band.config.params.parse_params``); without
            it only their names and ranges are checked.
        sha256: of the file that it must be; "" for any.

    Raises:
        BandError: the policy is not found or not loadable, its file is another one, or a parameter
            is unknown, missing or out of its range.
    """
    source = resolve(ref, policy_dirs=policy_dirs)
    _check_file(source, sha256, "asked for")
    where = f"policy {source.name}"
    given = (parse or parse_names)(source.params_type, params or {}, where)
    check_params(given, where)
    values = ((field.name, freeze(getattr(given, field.name))) for field in fields(given))
    return PolicySwapped(ref, source.sha256, tuple(sorted(values)))


def make_policy(event: PolicySwapped, *, policy_dirs: Sequence[Path] = ()) -> Policy:
    """Return the policy that an event puts in force. The core is given this function.

    Raises:
        BandError: the policy is not found or not loadable, its file is not the one that the event
            was made with, or its parameters do not fit.
    """
    source = resolve(event.name, policy_dirs=policy_dirs)
    _check_file(source, event.sha256, "recorded")
    where = f"policy {source.name}"
    params = parse_names(source.params_type, dict(event.params), where)
    check_params(params, where)
    policy: Policy = source.policy_type(params)
    return policy


def _check_file(source: PolicySource, sha256: str, wanted: str) -> None:
    """Refuse a policy of another file than the one wanted; "" is any."""
    if sha256 and sha256 != source.sha256:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"policy {source.ref!r} is not the one {wanted}: {source.path} has sha256 "
            f"{source.sha256[:12]}, not {sha256[:12]}",
            policy=source.ref,
        )


def load_file(path: Path) -> PolicySource:
    """Return the policy of one file.

    Raises:
        BandError: POLICY_FAILED if it does not import or declares no policy.
    """
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    module = _import_file(path.resolve(), sha256)
    declared = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and isinstance(getattr(value, "info", None), PolicyInfo)
    ]
    if len(declared) != 1:
        raise _failed(str(path), f"declares {len(declared)} classes with `info`; one is needed")
    source = _source(declared[0], module, str(path), path, sha256)
    if source.name != path.stem:
        raise _failed(str(path), f"declares the name {source.name!r}; it must be {path.stem!r}")
    return source


@functools.lru_cache(maxsize=256)
def _import_file(path: Path, sha256: str) -> ModuleType:
    """Import a policy file under a private name; the same content is imported once."""
    name = f"{_MODULES}.{path.stem}"
    if name in sys.modules:  # another file of that name, or another content of this one
        name = f"{name}_{sha256[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _failed(str(path), "cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their own module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed(str(path), f"does not import: {type(error).__name__}: {error}") from error
    return module


@functools.cache
def _entry_points() -> tuple[str, ...]:
    """Return the objects that installed distributions declare; looking them up takes a while."""
    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return tuple(entry_point.value for entry_point in found)


def _load_object(ref: str) -> PolicySource:
    module_name, _, attribute = ref.partition(":")
    try:
        module = importlib.import_module(module_name)
        policy_type = functools.reduce(getattr, attribute.split("."), module)
    except Exception as error:
        raise BandError(
            ErrorCode.UNKNOWN_POLICY,
            f"policy {ref!r} does not import: {type(error).__name__}: {error}",
            policy=ref,
        ) from error
    home = sys.modules.get(getattr(policy_type, "__module__", ""), module)
    file = getattr(home, "__file__", None)
    path = Path(file) if file else None
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
    return _source(policy_type, home, ref, path, sha256)


def _source(
    policy_type: Any, module: ModuleType, ref: str, path: Path | None, sha256: str
) -> PolicySource:
    info = getattr(policy_type, "info", None)
    params_type = getattr(module, "Params", None)
    if not isinstance(info, PolicyInfo) or not callable(getattr(policy_type, "plan", None)):
        raise _failed(ref, "declares no class with `info: PolicyInfo` and `plan(view)`")
    parameters = getattr(params_type, "__dataclass_params__", None)
    if not isinstance(params_type, type) or parameters is None or not parameters.frozen:
        raise _failed(ref, "declares no frozen dataclass `Params`")
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


def _failed(ref: str, problem: str) -> BandError:
    return BandError(ErrorCode.POLICY_FAILED, f"policy {ref} {problem}", policy=ref)
