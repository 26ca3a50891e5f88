"""Serves small models with tflite-runtime and with ai-edge-litert, each on its own processor.

Run by test_engine_tflite_runtime.py with the Python of an environment that has both and numpy 1.
Prints {"numpy": version, "measured": {processor: [runtime, version]}, "checked": count}.
"""

import json
import sys

import numpy as np

from band.runtime.engine import Engine
from band.testing import models
from band.testing.devices import FALLBACK, make_device, make_processor
from band.testing.reference import Reference, assert_equal

RUNTIMES = {"cpu0": "ai-edge-litert", "cpu1": "tflite-runtime"}


def main() -> None:
    checked = 0
    measured: dict[str, list[str]] = {}
    two = make_device(
        *(make_processor(name, backend="cpu", runtime=r) for name, r in RUNTIMES.items())
    )
    with Engine(two) as engine:
        for model in (models.chain(), models.half_weights(), models.quantized()):
            name = engine.register(model).name
            for processor, runtime in RUNTIMES.items():
                reference = Reference(model, runtime=runtime)
                inputs = reference.inputs(1)
                result = engine.infer(name, inputs, processor=processor)
                assert_equal(result.outputs, reference.outputs(inputs))
                checked += 1
            for entry in engine.registration(name).measured:
                measured[entry.processor] = [entry.runtime, entry.runtime_version]
    split = make_device(
        make_processor("cpu0", backend="cpu", runtime="tflite-runtime", refused_ops=("CONV_2D",)),
        make_processor("cpu1", backend="cpu", runtime="tflite-runtime", refused_ops=FALLBACK),
    )
    with Engine(split) as engine:
        engine.register(models.chain())
        reference = Reference(models.chain(), runtime="tflite-runtime")
        inputs = reference.inputs(2)
        result = engine.infer("chain", inputs)
        assert result.record.split
        assert_equal(result.outputs, reference.outputs(inputs))
        checked += 1
    json.dump({"numpy": np.__version__, "measured": measured, "checked": checked}, sys.stdout)


if __name__ == "__main__":
    main()
