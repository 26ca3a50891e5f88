"""``band verify``: is a model file safe to hand to an interpreter?"""

from typing import Annotated, NamedTuple

import typer

from band.cli.console import JsonOption, emit_json, out

REFUSED_EXIT_CODE = 2


class Verdict(NamedTuple):
    """What the verifier says of one model; ``reason`` is None if it passes."""

    model: str
    reason: str | None


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("verify")
    def verify_command(
        models: Annotated[
            list[str], typer.Argument(metavar="MODEL...", help="Paths or zoo names.")
        ],
        *,
        json: JsonOption = None,
    ) -> None:
        """Check that model files are structurally safe, without running them.

        Exit code 0: all are; 2: one is refused.
        """
        verdicts = [_verdict(ref) for ref in models]
        if json is not None:
            emit_json(
                {
                    "models": [
                        {"model": v.model, "ok": v.reason is None, "reason": v.reason}
                        for v in verdicts
                    ]
                },
                json,
            )
        else:
            for v in verdicts:
                said = f"{v.model}: ok" if v.reason is None else f"{v.model}: refused: {v.reason}"
                out.print(said, markup=False, soft_wrap=True)
        if any(v.reason is not None for v in verdicts):
            raise typer.Exit(REFUSED_EXIT_CODE)


def _verdict(ref: str) -> Verdict:
    from pathlib import Path

    from band.errors import BandError
    from band.model.content import open_content
    from band.model.source import open_model
    from band.model.tflite_verify import verify_bytes

    try:
        if Path(ref).is_file():
            verify_bytes(open_content(Path(ref)), ref)
        else:
            open_model(ref)  # a name, a missing file: every file is verified when it is opened
    except BandError as error:
        return Verdict(ref, error.message)
    return Verdict(ref, None)
