"""docs/verify.md says what the verifier does."""

import dataclasses
import re
from pathlib import Path

from band.model.tflite_verify_limits import DEFAULT

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "verify.md").read_text(encoding="utf-8")


def test_the_page_lists_every_limit_with_its_value() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, flags=re.MULTILINE))
    assert {name: int(value) for name, value in listed.items()} == dataclasses.asdict(DEFAULT)
