"""What ``band replay --out DIR`` leaves: summary.json, trace.json and an inbox per policy."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from band.errors import BandError, ErrorCode
from band.metrics.chrome import chrome_trace
from band.metrics.runs import RunRecords
from band.metrics.summary import RunSummary
from band.trace.schema import Header


def document(header: Header, summaries: Sequence[RunSummary]) -> dict[str, Any]:
    """Return the replay document: what was played and one object per run."""
    return {
        "trace": {
            "scenario": header.scenario,
            "seed": header.seed,
            "seconds": header.seconds,
        },
        "runs": [summary.to_json() for summary in summaries],
    }


class OutputFolder:
    """The folder of one replay.

    Args:
        path: made if it is missing.

    Raises:
        BandError: INVALID_CONFIG if it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BandError(
                ErrorCode.INVALID_CONFIG, f"cannot write to {path}: {error.strerror}", path=path
            ) from error
        self.path = path

    def inbox(self, policy: str) -> Path:
        """Return where the inbox of a policy goes; a path or object gets a plain file name."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", policy.removesuffix(".py")).strip("_")
        return self.path / f"{stem}.inbox.jsonl"

    def write(self, replay: Mapping[str, Any], runs: Sequence[RunRecords]) -> tuple[Path, Path]:
        """Write summary and timeline; return their paths."""
        summary, timeline = self.path / "summary.json", self.path / "trace.json"
        text = json.dumps(replay, indent=2, ensure_ascii=False)
        summary.write_text(text + "\n", encoding="utf-8")
        with timeline.open("w", encoding="utf-8") as file:
            json.dump(chrome_trace(runs), file, separators=(",", ":"), ensure_ascii=False)
        return summary, timeline
