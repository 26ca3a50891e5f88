"""How a YAML file names a policy and gives it parameters."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr

from band.config.schema import Schema, parse
from band.config.yaml_loader import Document, Location, load_yaml

Text = Annotated[str, Field(min_length=1)]

_WAYS = ("name", "path", "entry_point", "file")


class PolicyConfig(Schema):
    """A policy, named in exactly one way, and its parameters.

    Attributes:
        name: of an installed policy, or an alias.
        path: of a ``.py`` file.
        entry_point: ``package:object``.
        file: a YAML file that says all this; it is read in place of this entry.
        params: checked against the policy's own ``Params`` by ``parse_params``.
    """

    name: Text | None = None
    path: Path | None = None
    entry_point: Text | None = None
    file: Path | None = None
    params: dict[str, Any] = {}
    _where: str = PrivateAttr(default="")

    @property
    def ref(self) -> str:
        """Return the reference that the policy loader takes."""
        return self.name or self.entry_point or str(self.path)

    @property
    def where(self) -> str:
        """Return ``file:line`` of the parameters, "" if they come from no file."""
        return self._where


def _spelled_out(value: object) -> object:
    """Turn the short form ``policy: heft`` into the long one."""
    if not isinstance(value, str):
        return value
    if value.endswith((".yaml", ".yml")):
        return {"file": value}
    if value.endswith(".py"):
        return {"path": value}
    return {"entry_point": value} if ":" in value else {"name": value}


PolicyEntry = Annotated[PolicyConfig, BeforeValidator(_spelled_out)]


def load_policy(path: str | Path) -> PolicyConfig:
    """Return the policy that a YAML file names, its paths made independent of the current folder.

    Raises:
        BandError: NOT_FOUND if there is no such file, INVALID_CONFIG ``file:line`` if it is bad.
    """
    document = load_yaml(path)
    policy = parse(document, PolicyConfig)
    if policy.file is not None:
        raise document.error(("file",), "a policy file cannot name another; give a name or a path")
    return resolved(document, policy, ())


def resolved(document: Document, policy: PolicyConfig, at: Location) -> PolicyConfig:
    """Return a policy of a document with its file read and its paths completed.

    Args:
        document: the file that names it.
        policy: as written there.
        at: where it is written there.

    Raises:
        BandError: as ``load_policy``; also if it is not named in exactly one way.
    """
    folder = document.path.parent.absolute()
    given = [way for way in _WAYS if getattr(policy, way) is not None]
    if len(given) != 1:
        what = f"not {' and '.join(given)}" if given else "none is given"
        raise document.error(at, f"a policy has exactly one of {', '.join(_WAYS)}; {what}")
    if policy.file is not None:
        if policy.params:
            text = f"the parameters of a policy stand in its own file, {policy.file}"
            raise document.error((*at, "params"), text)
        return load_policy(folder / policy.file)
    if policy.path is not None and policy.path.suffix != ".py":
        raise document.error((*at, "path"), f"the policy file '{policy.path}' does not end in .py")
    path = None if policy.path is None else folder / policy.path
    found = policy.model_copy(update={"path": path})
    found._where = f"{document.path}:{document.line((*at, 'params'))}"
    return found
