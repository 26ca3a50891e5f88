"""``band infer``: one request to a daemon, with inputs from .npy files."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from band.cli.console import err, out
from band.errors import BandError, ErrorCode
from band.units import format_us

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from band.rpc.reply import InferReply

    Array = npt.NDArray[np.generic]

DEFAULT_ADDRESS = "127.0.0.1:8001"


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def infer(
        model: Annotated[str, typer.Argument(metavar="MODEL", help="As the daemon names it.")],
        *,
        inputs: Annotated[
            list[str] | None,
            typer.Option("--input", metavar="NAME=FILE.npy", help="One for each input."),
        ] = None,
        address: Annotated[
            str, typer.Option(metavar="A", help="HOST:PORT or unix:///PATH.")
        ] = DEFAULT_ADDRESS,
        output: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Save each output as NAME.npy there.")
        ] = None,
        priority: Annotated[int, typer.Option(help="1 is highest, 0 the default.")] = 0,
        slo_us: Annotated[int | None, typer.Option(help="Deadline from arrival.")] = None,
        timeout_us: Annotated[
            int | None, typer.Option(help="Drop the request if it has not started by then.")
        ] = None,
        processor: Annotated[
            str | None, typer.Option(metavar="P", help="The processor it must run on.")
        ] = None,
    ) -> None:
        """Run a model once in a daemon and print its outputs."""
        from band.rpc.client import Client

        arrays = read_inputs(inputs or [])
        with Client(address) as client:
            reply = client.infer(
                model,
                arrays,
                priority=priority,
                slo_us=slo_us,
                timeout_us=timeout_us,
                processor=processor,
            )
        _print(reply)
        if output is not None:
            save_outputs(reply.outputs, output)


def read_inputs(written: list[str]) -> dict[str, Any]:
    """Return the arrays of ``NAME=FILE.npy`` texts.

    Raises:
        BandError: INVALID_REQUEST for a text of another form, a name given twice or a file that
            is no .npy array; NOT_FOUND for a missing file.
    """
    arrays: dict[str, Any] = {}
    for text in written:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise BandError(
                ErrorCode.INVALID_REQUEST, f"--input {text!r} is not of the form NAME=FILE.npy"
            )
        if name in arrays:
            raise BandError(ErrorCode.INVALID_REQUEST, f"--input {name!r} is given twice")
        arrays[name] = _read(Path(file))
    return arrays


def save_outputs(outputs: "dict[str, Array]", folder: Path) -> None:
    """Write each output to ``NAME.npy``; what a file name cannot hold becomes ``_``.

    Raises:
        BandError: INVALID_REQUEST if the folder cannot be written.
    """
    import numpy as np

    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken: set[str] = set()
        for name, array in outputs.items():
            stem = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "output"
            unique = stem
            while unique in taken:
                unique = f"{stem}_{len(taken)}"
            taken.add(unique)
            path = folder / f"{unique}.npy"
            np.save(path, array, allow_pickle=False)
            err.print(f"wrote {path}", markup=False)
    except OSError as error:
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"cannot write to {folder}: {error.strerror}"
        ) from error


def _read(path: Path) -> "Array":
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise BandError(ErrorCode.NOT_FOUND, f"there is no input file {path}") from None
    except (OSError, ValueError, EOFError) as error:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"{path} is not an array of numpy: {error}; write it with numpy.save",
        ) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"{path} holds several arrays; save one in a .npy file"
        )
    return array


def _print(reply: "InferReply") -> None:
    table = Table("output", "dtype", "shape", "min", "max")
    for name, array in reply.outputs.items():
        lowest, highest = (f"{array.min():g}", f"{array.max():g}") if array.size else ("-", "-")
        shape = "x".join(map(str, array.shape)) or "scalar"
        table.add_row(name, str(array.dtype), shape, lowest, highest)
    out.print(table)
    record = reply.record
    word = f" ({reply.word})" if reply.word else ""
    err.print(
        f"{format_us(record.latency_us)}{word} on {' > '.join(record.processors)}, "
        f"policy {reply.policy}",
        markup=False,
    )
