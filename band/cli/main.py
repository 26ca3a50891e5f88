"""The command ``band``: collects the verbs, maps every error to one sentence and an exit code.

Each other module of this package that has a function ``register(app)`` is one verb. Verbs import
what is heavy (scipy, grpc, interpreters) inside the function that needs it.
"""

import errno
import importlib
import pkgutil
import sys
import traceback
from typing import Annotated

import typer

import band.cli
from band import __version__
from band.cli.console import err
from band.errors import OUTCOMES, BandError, ErrorCode

INTERRUPTED_EXIT_CODE = 130
USAGE_EXIT_CODE = 2
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def build_app() -> typer.Typer:
    """Return the application with all verbs."""
    app = typer.Typer(
        name="band",
        help="Run many TFLite models at once on one device with several processors.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root(
        *,
        debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
        version: Annotated[
            bool,
            typer.Option(
                "--version", help="Print the version.", is_eager=True, callback=_say_version
            ),
        ] = False,
    ) -> None:
        del debug  # read from argv by main(), so that it also covers errors before this call
        del version  # its callback has printed it: without a verb this one is never called

    for module in sorted(m.name for m in pkgutil.iter_modules(band.cli.__path__)):
        verb = importlib.import_module(f"band.cli.{module}")
        if hasattr(verb, "register"):
            verb.register(app)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        from band.scheduler.core import COMPILED

        typer.echo(f"band {__version__}{', compiled core' if COMPILED else ''}")
        raise typer.Exit


def main() -> None:
    """Run the command line and exit with the code of the error table."""
    debug = "--debug" in sys.argv[1:]
    args = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        code = build_app()(args=args, standalone_mode=False)
        if code == INTERRUPTED_EXIT_CODE:  # what typer makes of a KeyboardInterrupt
            err.print("interrupted")
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Abort:
        err.print("interrupted")
        sys.exit(INTERRUPTED_EXIT_CODE)
    except typer.TyperException as error:
        text = error.format_message()
        err.print(text if text.startswith("Usage:") else f"error: {text}", markup=False)
        sys.exit(USAGE_EXIT_CODE)
    except BandError as error:
        if debug:
            traceback.print_exc()
        err.print(f"error: {error.message}", markup=False)
        sys.exit(error.outcome.exit_code)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(INTERRUPTED_EXIT_CODE)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        if debug:
            traceback.print_exc()
        sys.exit(_report(error))


def _report(error: Exception) -> int:
    """Say what no verb foresaw, and return the exit code."""
    if _was_interrupted(error):
        err.print("interrupted")
        return INTERRUPTED_EXIT_CODE
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        err.print(f"error: {error.strerror}; make room and run it again", markup=False)
        return OUTCOMES[ErrorCode.OUT_OF_MEMORY].exit_code
    err.print(f"internal error: {type(error).__name__}: {error} (run with --debug)", markup=False)
    return OUTCOMES[ErrorCode.INTERNAL].exit_code


def _was_interrupted(error: BaseException | None) -> bool:
    """Return whether an error is what a library in the middle of its import made of Ctrl-C."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
