"""The committed protobuf code is what the .proto files give."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_generated_code_is_current(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/protos.py", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    generated = [Path(line).relative_to(tmp_path) for line in done.stdout.splitlines()]
    assert len(generated) == 4
    stale = [str(g) for g in generated if (tmp_path / g).read_bytes() != (ROOT / g).read_bytes()]
    assert not stale, f"run `make protos`: {stale}"
