"""Damaged models: the verifier never crashes, and what it passes never kills an interpreter.

The models are made from a seed (see ``band.testing.mutations``). Without real models the series is
that of the builder's alone.
"""

import hashlib

import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.atoms import atoms
from band.model.model import Model
from band.model.tflite_reader import read_model
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_quarantine import QUARANTINE, Quarantined, check_quarantine
from band.model.tflite_writer import write_slice, write_whole
from band.testing.data import NO_DATA, real_models
from band.testing.models import RUNNABLE
from band.testing.mutation_survey import Survey, sources, survey
from band.testing.mutations import Mutation, mutated

SLOWEST_S = 1.0
MOST_BYTES = 200 << 20
SLICES_PER_MODEL = 6


def check(found: Survey) -> None:
    """Check what every series must show."""
    assert not found.kills, "\n".join(map(str, found.kills))
    assert found.slowest_s[0] < SLOWEST_S
    assert found.rss_bytes < MOST_BYTES
    assert found.endings["ok"] > found.files // 20, "too few pass to say anything"
    assert found.refused > found.files // 4, "the damage does too little"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_of_a_thousand_damaged_models_none_that_passes_kills_its_process() -> None:
    check(survey(sources(), range(1_000), seed=11))


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_of_ten_thousand_damaged_models_none_that_passes_kills_its_process() -> None:
    check(survey(sources(), range(10_000)))


def test_a_damaged_model_is_known_by_its_number() -> None:
    built = sources(real=False)
    for number in range(40):
        assert mutated(built, 5, number) == mutated(built, 5, number)
    assert len({mutated(built, 5, number).content for number in range(40)}) > 35


def test_the_verifier_raises_nothing_but_its_error_for_any_damage() -> None:
    built = sources(real=False)
    refusals = [error for n in range(600) if (error := _refusal(mutated(built, 6, n)))]
    assert 100 < len(refusals) < 600
    assert {e.code for e in refusals} <= {ErrorCode.INVALID_MODEL, ErrorCode.UNSUPPORTED_FEATURE}
    for error in refusals:
        assert error.message.startswith(str(error.fields["model"]))
        assert "\n" not in error.message


def _refusal(made: Mutation) -> BandError | None:
    try:
        verify_bytes(made.content, made.source)
    except BandError as error:
        return error
    return None


def _slices(model: Model) -> list[bytes]:
    """Return the whole model as written, and slices of evenly spread atoms."""
    parts = atoms(model.graph)
    made = [write_whole(model).content]
    for part in parts[:: max(1, len(parts) // SLICES_PER_MODEL)]:
        try:
            made.append(write_slice(model, part).content)
        except BandError:
            continue  # a part that may not be cut out
    return [bytes(content) for content in made]


@pytest.mark.skipif(not real_models(), reason=NO_DATA)
def test_no_real_model_is_refused() -> None:
    for path in real_models():
        verify_bytes(path.read_bytes(), path.name)


@pytest.mark.parametrize("name", sorted(RUNNABLE))
def test_no_slice_of_a_built_model_is_refused(name: str) -> None:
    for content in _slices(RUNNABLE[name]()):
        verify_bytes(content, name)


@pytest.mark.slow
@pytest.mark.skipif(not real_models(), reason=NO_DATA)
def test_no_slice_of_a_real_model_is_refused() -> None:
    checked = 0
    for path in real_models():
        for content in _slices(read_model(path)):
            verify_bytes(content, path.name)
            checked += 1
    assert checked > 5 * len(real_models())


def test_a_quarantined_file_is_refused_by_its_content_alone() -> None:
    content = bytes(np.random.default_rng(1).integers(0, 256, 1_000, dtype=np.uint8))
    digest = hashlib.sha256(content).hexdigest()
    known = {digest: Quarantined(len(content), "it is only a test")}
    with pytest.raises(BandError, match="m is quarantined: it is only a test") as caught:
        check_quarantine(memoryview(content), "m", known)
    assert caught.value.code is ErrorCode.INVALID_MODEL
    check_quarantine(memoryview(content[:-1] + b"\0"), "m", known)
    check_quarantine(memoryview(content), "m", QUARANTINE)
