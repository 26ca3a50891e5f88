"""Where the command line writes: JSON and results to stdout, everything else to stderr."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.measure import Measurement

_MAX_TABLE_WIDTH = 1000

out = Console(soft_wrap=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def print_table(table: RenderableType) -> None:
    """Print a table to stdout, in a pipe or a narrow terminal at its own width."""
    unlimited = out.options.update(max_width=_MAX_TABLE_WIDTH)
    width = max(out.width, Measurement.get(out, unlimited, table).maximum)
    Console(file=out.file, width=width, highlight=False).print(table, crop=False)


def emit_json(document: Any, target: str) -> None:
    """Write one JSON document to a file, or to stdout when ``target`` is ``-``."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")
