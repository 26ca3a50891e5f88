"""XRBench's published costs and scores for tests, from the folder that BAND_TEST_DATA names."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from band.testing.data import data_dir
from band.xrbench.case import Case, make_case
from band.xrbench.costs import CostTable, load_costs
from band.xrbench.scenarios import find_scenario

NO_XRBENCH: Final = (
    "needs XRBench's costs: set BAND_TEST_DATA to the folder that holds xrbench/costs.json"
)
DUAL_SETTINGS: Final = ("Dual_4K__WS_OS", "Dual_8K__RS_RS", "Dual_8K__WS_OS")
DUAL_SCENARIOS: Final = ("VR_gaming", "AR_gaming", "social_interactionA")


def xrbench_folder() -> Path | None:
    """Return the folder with ``costs.json``, None without data."""
    folder = data_dir("xrbench")
    return folder if folder is not None and (folder / "costs.json").is_file() else None


@cache
def cost_table(folder: Path) -> CostTable:
    """Return the published cost table."""
    return load_costs(folder / "costs.json")


def expected(folder: Path) -> list[dict[str, Any]]:
    """Return the published scores: ``setting``, ``scenario``, ``overall``, ``models``."""
    entries: list[dict[str, Any]] = json.loads(
        (folder / "expected.json").read_text(encoding="utf-8")
    )
    return entries


def dual_cases(folder: Path) -> list[Case]:
    """Return the nine dual cases whose costs are complete."""
    table = cost_table(folder)
    return [
        make_case(table, setting, find_scenario(scenario))
        for setting in DUAL_SETTINGS
        for scenario in DUAL_SCENARIOS
    ]
