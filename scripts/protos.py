"""Generate the committed protobuf code: band/v1 and the descriptor set of the inference protocol.

`make protos` writes into the tree; the drift test writes elsewhere and compares bytes.

    python scripts/protos.py [--out FOLDER]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BAND_PROTO = "band/v1/band.proto"
INFERENCE_PROTO = "inference/v2/inference.proto"
DESCRIPTOR_SET = "band/rpc/inference.binpb"
WIRE_TYPES = "band/rpc/wire.pyi"


def generate(out: Path) -> tuple[str, ...]:
    """Write the generated files under ``out``; return their paths relative to it."""
    (out / "band/rpc").mkdir(parents=True, exist_ok=True)
    _protoc(f"--python_out={out}", f"--mypy_out=quiet:{out}", BAND_PROTO)
    # The classes of package `inference` are made at run time from this set: generated code would
    # register them in protobuf's default pool, where tritonclient's own already are.
    _protoc(f"--descriptor_set_out={out / DESCRIPTOR_SET}", INFERENCE_PROTO)
    with tempfile.TemporaryDirectory() as folder:
        _protoc(f"--mypy_out=quiet:{folder}", INFERENCE_PROTO)
        types = (Path(folder) / INFERENCE_PROTO).with_name("inference_pb2.pyi")
        (out / WIRE_TYPES).write_bytes(types.read_bytes())
    return ("band/v1/band_pb2.py", "band/v1/band_pb2.pyi", DESCRIPTOR_SET, WIRE_TYPES)


def _protoc(*arguments: str) -> None:
    # The plugin is that of this interpreter's environment, which need not be on the path.
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={ROOT / 'protos'}",
            f"--plugin=protoc-gen-mypy={plugin}",
            *arguments,
        ],
        check=True,
        cwd=ROOT,
    )


def main() -> None:
    """Generate into the tree, or into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT)
    out = parser.parse_args().out.resolve()
    for name in generate(out):
        sys.stdout.write(f"{out / name}\n")


if __name__ == "__main__":
    main()
