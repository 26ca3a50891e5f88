"""Starting the command line stays cheap: nothing heavy is imported before it is needed."""

import subprocess
import sys

HEAVY = ("scipy", "grpc", "ai_edge_litert", "tflite_runtime", "flatbuffers")
PROGRAM = """
import sys
from band.cli.main import build_app
try:
    build_app()(args=["--help"], standalone_mode=False)
finally:
    heavy = [m for m in {heavy!r} if m in sys.modules]
    assert not heavy, heavy
"""


def test_help_imports_no_scipy_grpc_or_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Commands" in done.stdout


def test_importing_band_imports_nothing_heavy() -> None:
    program = f"import sys, band; assert not [m for m in {HEAVY!r} if m in sys.modules]"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
