"""The tree speaks of the project alone: no machine paths, no registry hosts, no vague names."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VAGUE = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
# Written in two halves so that this file does not find itself.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"(?<![\w.])/(?:work" + r"|farm)/",
            r"pypi\." + "org",
            "python" + "hosted",
            r"registry\." + "npmjs",
            r"deb\.debian\." + "org",
        )
    )
)


def _tracked() -> list[Path]:
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_machine_path_or_a_registry_host() -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if FORBIDDEN.search(line)
        ]
    assert not found, f"remove machine paths or registry hosts: {found}"


def test_no_module_has_a_vague_name() -> None:
    vague = [p for p in _tracked() if p.suffix == ".py" and VAGUE & set(p.stem.split("_"))]
    assert not vague, f"name these after the idea they hold: {vague}"


def test_no_model_file_is_committed() -> None:
    models = [p for p in _tracked() if p.suffix in {".tflite", ".caffemodel"}]
    assert not models, f"models are generated or pulled, never committed: {models}"
