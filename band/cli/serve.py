"""``band serve``: the daemon, in the foreground, until SIGTERM or Ctrl-C."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.cli.console import err

if TYPE_CHECKING:
    from band.config.daemon import DaemonConfig
    from band.rpc.daemon import Daemon


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def serve(
        *,
        config: Annotated[
            Path | None, typer.Option(metavar="FILE", help="YAML; see configs/daemon.yaml.")
        ] = None,
        address: Annotated[
            str | None, typer.Option(metavar="A", help="HOST:PORT or unix:///PATH.")
        ] = None,
        device: Annotated[
            str | None, typer.Option(metavar="DEVICE", help="A shipped name or a device file.")
        ] = None,
        policy: Annotated[
            str | None, typer.Option(metavar="P", help="A name, PATH.py or PACKAGE:OBJECT.")
        ] = None,
        model: Annotated[
            list[str] | None,
            typer.Option(metavar="MODEL", help="A path or a zoo name; besides those of the file."),
        ] = None,
        record: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Write trace.jsonl and serve.inbox.jsonl there."),
        ] = None,
    ) -> None:
        """Serve models over gRPC; SIGTERM or Ctrl-C drains, a second one cancels."""
        # gRPC's own log repeats in its words what our errors say; it is read at the import.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from band.rpc.daemon import Daemon
        from band.rpc.signals import run_until_signal
        from band.rpc.startup import configured

        _log_to_stderr()
        chosen = configured(
            config,
            address=address,
            device=device,
            policy=policy,
            models=tuple(model or ()),
            record_dir=record,
        )
        _warn(chosen)
        with Daemon(chosen) as daemon:
            err.print(_ready_line(daemon), markup=False)
            run_until_signal(daemon)


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("band").setLevel(logging.INFO)


def _warn(config: "DaemonConfig") -> None:
    from band.rpc.address import parse_address

    if not config.models:
        err.print("warning: there is no model to serve; name one with --model or in --config")
    if not parse_address(config.address).loopback:
        err.print(
            f"warning: whoever reaches {config.address} can use this daemon: it asks for no "
            "password and encrypts nothing",
            markup=False,
        )


def _ready_line(daemon: "Daemon") -> str:
    stats = daemon.engine.stats()
    words = sorted({processor.word for processor in stats.processors} - {""})
    device = daemon.engine.device
    shown = f"{device.name} ({', '.join(words)})" if words else device.name
    models = ", ".join(info.name for info in daemon.engine.models()) or "none"
    return (
        f"serving at {daemon.address}: device {shown}, policy {stats.core.policy}, models {models}"
    )
