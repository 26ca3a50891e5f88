"""Policy files as their authors write them, made for one test."""

from pathlib import Path
from textwrap import dedent, indent
from typing import Final

_TEXT: Final = '''\
"""A policy that was made for a test."""

from dataclasses import dataclass

from band.scheduler.policy import PolicyInfo


@dataclass(frozen=True)
class Params:
{params}


class Made:
    info = PolicyInfo(name={name!r}, summary={summary!r}, source="a test", aliases={aliases!r})

    def __init__(self, params):
{init}

    def plan(self, view):
{plan}
'''


def write_policy(
    folder: Path,
    name: str,
    plan: str = "return ()",
    *,
    params: str = "pass",
    init: str = "self.params = params",
    summary: str = "made for a test",
    aliases: tuple[str, ...] = (),
) -> Path:
    """Write ``name.py`` into a folder, which is made if it is not there, and return its path.

    Args:
        folder: for the file.
        name: of the policy.
        plan: lines of ``plan(self, view)``; what they need, they import.
        params: the fields of ``Params``.
        init: lines of ``__init__(self, params)``.
        summary: what it says of itself.
        aliases: its other names.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    text = _TEXT.format(
        name=name,
        summary=summary,
        aliases=aliases,
        params=_block(params, 1),
        init=_block(init, 2),
        plan=_block(plan, 2),
    )
    path.write_text(text, encoding="utf-8")
    return path


def _block(lines: str, depth: int) -> str:
    return indent(dedent(lines).strip(), "    " * depth)
