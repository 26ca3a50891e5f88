"""Where the command line writes: JSON and results to stdout, everything else to stderr."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

out = Console(soft_wrap=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def emit_json(document: Any, target: str) -> None:
    """Write one JSON document to a file, or to stdout when ``target`` is ``-``."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")
