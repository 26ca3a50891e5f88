"""``band policies``: the installed policies, their parameters and what each is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from band.cli.console import JsonOption, emit_json, err, print_table

if TYPE_CHECKING:
    from dataclasses import Field

    from band.scheduler.policy_source import PolicySource

REFUSED_EXIT_CODE = 2


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("policies")
    def policies(
        *,
        policy_dir: Annotated[
            list[Path] | None,
            typer.Option(metavar="DIR", help="Folder with more policies; may be repeated."),
        ] = None,
        json: JsonOption = None,
    ) -> None:
        """List the policies that can be asked for by name."""
        list_policies(tuple(policy_dir or ()), json)


def list_policies(policy_dirs: tuple[Path, ...], json_target: str | None) -> None:
    """Print the table of installed policies, or write it as JSON.

    What lies there and cannot be asked for is told on stderr, and the exit code says so.
    """
    from band.scheduler.loader import find_policies

    installed = find_policies(policy_dirs)
    rows = [_row(source) for source in installed.sources]
    if json_target is None:
        print_table(_table(rows))
    else:
        refused = [{"place": one.place, "reason": str(one.error)} for one in installed.refused]
        emit_json({"policies": rows, "refused": refused}, json_target)
    for reason in dict.fromkeys(str(one.error) for one in installed.refused):
        err.print(f"not listed: {reason}", markup=False)
    if installed.refused:
        raise typer.Exit(REFUSED_EXIT_CODE)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("policy", no_wrap=True)
    for heading in ("other names", "parameters", "what it does"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        parameters = "\n".join(map(_parameter_text, row["params"]))
        cells = (row["name"], "\n".join(row["aliases"]), parameters, row["summary"])
        table.add_row(*map(Text, cells))  # a policy's words, not markup
    return table


def _parameter_text(parameter: dict[str, Any]) -> str:
    """Return a parameter as ``name: type = default (range)``, without what it has none of."""
    text = f"{parameter['name']}: {parameter['type']}"
    if not parameter["required"]:
        text += f" = {parameter['default']}"
    return f"{text} ({parameter['range']})" if parameter["range"] else text


def _row(source: "PolicySource") -> dict[str, Any]:
    from dataclasses import fields

    from band.scheduler.ranges import hints_of

    try:
        hints = hints_of(source.params_type)
    except NameError:  # it has no value that could be given, but it can still be listed
        hints = {}
    info = source.info
    return {
        "name": source.name,
        "aliases": list(info.aliases),
        "summary": info.summary,
        "source": info.source,
        "uses_fallback": info.uses_fallback,
        "work_conserving": info.work_conserving,
        "advises": hasattr(source.policy_type, "advise"),
        "path": None if source.path is None else str(source.path),
        "sha256": source.sha256,
        "params": [
            _parameter(field, hints.get(field.name, field.type))
            for field in fields(source.params_type)
        ],
    }


def _parameter(field: "Field[Any]", hint: Any) -> dict[str, Any]:
    from band.scheduler.params import default_of, freeze, is_required
    from band.scheduler.ranges import range_text

    required = is_required(field)
    return {
        "name": field.name,
        "type": hint if isinstance(hint, str) else _type_text(hint),
        "range": range_text(hint, field.name) or None,
        "required": required,
        "default": None if required else freeze(default_of(field)),
    }


def _type_text(kind: Any) -> str:
    """Return a type as one would write it: ``Mapping[str, float]``, ``fcfs | edf`` for choices."""
    from types import UnionType
    from typing import Annotated, Literal, Union, get_args, get_origin

    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_text(arguments[0])
    if origin is Literal:
        return " | ".join(str(choice) for choice in arguments)
    if origin in (Union, UnionType):
        return " | ".join(_type_text(argument) for argument in arguments)
    if kind is type(None):
        return "None"
    if kind is Ellipsis:
        return "..."
    name = getattr(origin or kind, "__name__", str(kind))
    return f"{name}[{', '.join(map(_type_text, arguments))}]" if arguments else name
