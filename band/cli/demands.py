"""The options ``--rules`` and ``--strict`` of verbs that cut models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from band.cli.console import err

if TYPE_CHECKING:
    from band.device.profile import Device
    from band.device.rules import Rules
    from band.model.graph import Graph

RulesOption = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", help="Keep ops off or on processors; YAML."),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Refuse a model of which an op would fall back to a CPU."),
]


class Demands(NamedTuple):
    """A device on which the rules of the command line hold, and these rules."""

    device: "Device"
    rules: "Rules"

    def warn_idle(self, graph: "Graph") -> None:
        """Say on stderr which rules have nothing to say of a model."""
        from band.device.rules import idle_rules

        for sentence in idle_rules(self.rules, self.device, graph):
            err.print(f"warning: {sentence}", markup=False)


def demanded(ref: str, rules: Path | None, *, strict: bool) -> Demands:
    """Return a device by name or path with the rules of a file.

    Args:
        ref: of the device, as ``load_device`` takes it.
        rules: a file of rules, None for none.
        strict: refuse fallback even if no file says so; processors that the file names stay.

    Raises:
        BandError: as ``load_device``, ``load_rules`` and ``with_rules``.
    """
    from band.config.device import load_device
    from band.config.op_rules import load_rules
    from band.device.rules import NO_RULES, Rules, with_rules

    found = NO_RULES if rules is None else load_rules(rules)
    if strict and not isinstance(found.strict, tuple):
        found = found.followed_by(Rules(strict=True))
    return Demands(with_rules(load_device(ref), found), found)
