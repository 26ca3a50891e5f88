"""The scores, against their formulas."""

import math

import pytest

from band.xrbench.scores import Inference, energy_score, realtime_score, score


def done(
    model: str = "m",
    frame: int = 0,
    *,
    delay_ms: float = -5.0,
    energy_mj: float = 0.0,
    accuracy: float = 1.0,
) -> Inference:
    return Inference(
        accelerator=0,
        model=model,
        frame=frame,
        injected_ms=0.0,
        dispatched_ms=0.0,
        deadline_ms=10.0,
        completed_ms=10.0 + delay_ms,
        energy_mj=energy_mj,
        accuracy=accuracy,
    )


def test_the_real_time_score_is_almost_a_step_at_the_deadline() -> None:
    assert realtime_score(0.0) == 0.5
    assert realtime_score(-0.3) == pytest.approx(0.989, abs=1e-3)
    assert realtime_score(0.3) == pytest.approx(0.011, abs=1e-3)
    assert realtime_score(1e9) == pytest.approx(0.0, abs=1e-300)
    assert realtime_score(-1e9) == 1.0


def test_the_energy_score_falls_from_one_at_nothing_to_zero_at_the_limit() -> None:
    assert (energy_score(0.0), energy_score(1500.0)) == (1.0, 0.0)
    assert energy_score(35.329716) == pytest.approx(0.976447, abs=1e-6)
    assert energy_score(3000.0) == -1.0


def test_a_dropped_frame_counts_in_the_total_and_in_the_user_experience() -> None:
    scores = score(["m"], [done(frame=i) for i in range(3)], {"m": 1})
    model = scores.models["m"]
    assert (model.completed, model.dropped, model.on_time) == (3, 1, 3)
    assert model.qoe == 0.75
    assert model.total == pytest.approx(0.75)
    assert scores.overall == pytest.approx(100 * 0.75**2)


def test_means_are_over_completed_inferences_and_the_total_over_all_frames() -> None:
    inferences = [done(energy_mj=300.0), done(frame=1, delay_ms=50.0, energy_mj=900.0)]
    model = score(["m"], inferences, {"m": 2}).models["m"]
    assert model.realtime == pytest.approx(0.5)
    assert model.energy == pytest.approx(0.6)
    assert model.total == pytest.approx(0.8 / 4), "the products, not the product of the means"
    assert model.qoe == 0.5
    assert model.on_time == 1


def test_a_model_without_any_frame_scores_nothing_and_still_counts() -> None:
    scores = score(["idle", "m"], [done()], {})
    assert (scores.models["idle"].total, scores.models["idle"].qoe) == (0.0, 0.0)
    assert scores.overall == pytest.approx(50.0)
    assert not math.isnan(score(["idle"], [], {}).overall)


def test_accuracy_multiplies_an_inference_and_is_one_where_nobody_measured_it() -> None:
    assert score(["m"], [done(accuracy=0.5)], {}).overall == pytest.approx(50.0)
    assert score(["m"], [done()], {}).models["m"].accuracy == 1.0
