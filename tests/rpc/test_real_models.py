"""Real models over gRPC on an emulated phone: split over processors, exact to the bit."""

from pathlib import Path

import pytest

from band.config.daemon import DaemonConfig, ModelConfig
from band.model.tflite_reader import read_model
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.testing.data import NO_DATA, data_dir
from band.testing.reference import Reference, assert_equal

FOLDER = data_dir("models")
SEEDS = range(5)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(FOLDER is None, reason=NO_DATA)]


@pytest.mark.parametrize("name", ["hand_landmark_full", "pose_detection"])
def test_a_split_model_gives_the_bits_of_the_whole_one(name: str) -> None:
    path = Path(FOLDER or "") / f"{name}.tflite"
    reference = Reference(read_model(path))
    config = DaemonConfig(address="127.0.0.1:0", device="pixel4", models=(ModelConfig(path=path),))
    with Daemon(config) as daemon, Client(daemon.address) as client:
        assert len(client.plan(name).steps) > 1
        for seed in SEEDS:
            inputs = reference.inputs(seed)
            reply = client.infer(name, inputs)
            assert reply.record.split
            assert reply.word == "emulated"
            assert_equal(reply.outputs, reference.outputs(inputs))
        assert client.stats().loads_during_requests == 0
