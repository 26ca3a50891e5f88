"""``band decisions``: does a fresh core decide as an inbox recorded?"""

from pathlib import Path
from typing import Annotated

import typer

from band.cli.console import err, out

DIFFERS_EXIT_CODE = 1


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def decisions(
        inbox: Annotated[
            Path, typer.Argument(help="Recorded inbox (.inbox.jsonl).", metavar="RECORD")
        ],
        policy_dir: Annotated[
            list[Path] | None, typer.Option(help="Folder with further policies; may be repeated.")
        ] = None,
    ) -> None:
        """Feed a recorded inbox to a fresh core; exit 0 if it decides alike, 1 if it does not."""
        from band.replay.decisions import replay_decisions
        from band.trace.inbox import read_inbox

        with err.status("replaying decisions"):
            result = replay_decisions(read_inbox(inbox), policy_dirs=policy_dir or ())
        if result.difference is None:
            out.print(f"identical: {result.events} events led to the recorded commands")
            return
        found = result.difference
        out.print(
            f"{inbox}:{result.line}: after {result.events} equal events, the decisions differ "
            f"at {found.now_us} us",
            markup=False,
            soft_wrap=True,
        )
        for title, what in (
            ("event", found.event),
            ("recorded", found.recorded),
            ("now", found.replayed),
        ):
            out.print(f"  {title:<9} {what or 'nothing more'}", markup=False, soft_wrap=True)
        raise typer.Exit(DIFFERS_EXIT_CODE)
