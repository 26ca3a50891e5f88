"""Finds policies: by name, by ``path.py``, by ``package:object``.

A name is looked for in the user's policy folders, in the shipped folder and among the entry points
of group ``band.policies``. What does not load there, and two policies of one name, are in the way
of that name alone. Loading a policy runs its code: only the operator's own command line and
configuration may name a path, never a request.
"""

import dataclasses
import difflib
import functools
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

from band.errors import FOREIGN_ERRORS, BandError, ErrorCode, described
from band.scheduler.events import PolicySwapped
from band.scheduler.params import ParseParams, check_params, freeze, parse_names
from band.scheduler.policy import Policy
from band.scheduler.policy_source import PolicySource, failed, load_file, load_object
from band.share import share_dir

ENTRY_POINTS: Final = "band.policies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file or an entry point that nothing can be asked for from.

    Attributes:
        place: the file, or ``package:object``.
        names: what it would be asked for by, as far as that is known.
        error: why it cannot be.
    """

    place: str
    names: tuple[str, ...]
    error: BandError


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What there is to ask for by name.

    Attributes:
        sources: the policies, sorted by name.
        refused: what does not load, or shares a name with another.
    """

    sources: tuple[PolicySource, ...]
    refused: tuple[Refused, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name that stands for something here, be it only for an error."""
        usable = [name for source in self.sources for name in source.names]
        return (*usable, *(name for refused in self.refused for name in refused.names))

    def find(self, name: str) -> PolicySource:
        """Return the policy of a name or an alias.

        Raises:
            BandError: UNKNOWN_POLICY if there is none; why it is refused, if it is.
        """
        for refused in self.refused:
            if name in refused.names:
                raise refused.error
        for source in self.sources:
            if name in source.names:
                return dataclasses.replace(source, ref=name)
        close = difflib.get_close_matches(name, self.names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        known = ", ".join(source.name for source in self.sources)
        broken = ", ".join(refused.place for refused in self.refused)
        text = f"unknown policy {name!r}; {hint}known: {known}"
        raise BandError(
            ErrorCode.UNKNOWN_POLICY,
            f"{text}; these do not load: {broken}" if broken else text,
            policy=name,
        )


def resolve(ref: str, *, policy_dirs: Sequence[Path] = ()) -> PolicySource:
    """Return the policy that a reference names.

    Args:
        ref: a name or alias, a path that ends in ``.py``, or ``package:object``.
        policy_dirs: folders searched for names, before the shipped one.

    Raises:
        BandError: UNKNOWN_POLICY if there is none, INVALID_CONFIG if there are two of that name,
            POLICY_FAILED if the file does not import or declares no policy, NOT_FOUND if a folder
            is missing.
    """
    if ref.endswith(".py"):
        path = Path(ref)
        if not path.is_file():
            raise BandError(
                ErrorCode.UNKNOWN_POLICY, f"there is no policy file {ref}; check the path", path=ref
            )
        return dataclasses.replace(load_file(path), ref=ref)
    if ":" in ref:
        return load_object(ref)
    return find_policies(policy_dirs).find(ref)


def list_policies(policy_dirs: Sequence[Path] = ()) -> tuple[PolicySource, ...]:
    """Return every policy that can be asked for by name, sorted by name.

    Raises:
        BandError: NOT_FOUND, a folder is missing.
    """
    return find_policies(policy_dirs).sources


def find_policies(policy_dirs: Sequence[Path] = ()) -> Installed:
    """Return what can be asked for by name, and what cannot though it lies there.

    Raises:
        BandError: NOT_FOUND, a folder is missing.
    """
    found: dict[str, PolicySource] = {}
    refused: dict[str, Refused] = {}
    for place, name, load in _places(policy_dirs):
        try:
            found[place] = load()
        except BandError as error:
            refused[place] = Refused(place=place, names=(name,), error=error)
    for place, clash in _clashes({**refused, **found}).items():
        if place in found:
            names = found.pop(place).names
            refused[place] = Refused(place=place, names=names, error=clash)
    sources = tuple(sorted(found.values(), key=lambda source: source.name))
    return Installed(sources=sources, refused=tuple(refused.values()))


def _clashes(found: Mapping[str, PolicySource | Refused]) -> dict[str, BandError]:
    """Return the places that share a name with another, each with the error that lists both."""
    owners: dict[str, str] = {}
    clashes: dict[str, BandError] = {}
    for place, one in found.items():
        for name in one.names:
            other = owners.setdefault(name, place)
            if other != place:
                clashes[place] = clashes[other] = BandError(
                    ErrorCode.INVALID_CONFIG,
                    f"two policies are named {name!r}: {other} and {place}; rename one",
                    policy=name,
                )
    return clashes


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
        BandError: the policy is not found or not loadable, its file is another one, its parameters
            cannot be made, or one is unknown, missing or out of its range.
    """
    source = resolve(ref, policy_dirs=policy_dirs)
    _check_file(source, sha256, "asked for")
    where = f"policy {source.name}"
    try:
        given = (parse or parse_names)(source.params_type, params or {}, where)
        check_params(given, where)
        values = [(field.name, freeze(getattr(given, field.name))) for field in fields(given)]
    except BandError:
        raise
    except FOREIGN_ERRORS as error:  # `Params` is the policy's code
        raise failed(ref, f"does not take these parameters: {described(error)}") from error
    return PolicySwapped(ref, source.sha256, tuple(sorted(values)))


def make_policy(event: PolicySwapped, *, policy_dirs: Sequence[Path] = ()) -> Policy:
    """Return the policy that an event puts in force. The core is given this function.

    Without a hash, the name of a shipped policy means that one, whatever lies in the folders: so
    the core asks for its default policy.

    Raises:
        BandError: the policy is not found or not loadable, its file is not the one that the event
            was made with, or its parameters do not fit.
    """
    shipped = None if event.sha256 else _shipped(event.name)
    source = load_file(shipped) if shipped else resolve(event.name, policy_dirs=policy_dirs)
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


def _shipped(name: str) -> Path | None:
    """Return the file of a shipped policy, None if none is named so."""
    path = share_dir("policies") / f"{name}.py"
    return path if name.isidentifier() and path.is_file() else None


def _places(
    policy_dirs: Sequence[Path],
) -> Iterator[tuple[str, str, Callable[[], PolicySource]]]:
    """Yield where policies may lie: the place, the name it goes by, and what loads it."""
    for folder in (*policy_dirs, share_dir("policies")):
        if not folder.is_dir():
            raise BandError(
                ErrorCode.NOT_FOUND, f"there is no policy folder {folder}; check policy_dirs"
            )
        for path in sorted(folder.glob("*.py")):
            yield str(path.resolve()), path.stem, partial(load_file, path)
    for name, value in _entry_points():
        yield value, name, partial(load_object, value)


@functools.cache
def _entry_points() -> tuple[tuple[str, str], ...]:
    """Return the objects that installed distributions declare; looking them up takes a while."""
    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return tuple((entry_point.name, entry_point.value) for entry_point in found)
