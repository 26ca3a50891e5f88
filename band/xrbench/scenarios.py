"""The seven scenarios of XRBench (MLSys 2023), as data.

A model runs at a camera's rate; one that depends on another reads its result, frame by frame. The
multiply-accumulate counts are sums over the layers that the release lists.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode

RUN_MS: Final = 700
"""Length of a run."""

SAME_NETWORK: Final = {
    "OD_D2go_FasterRCNN": "D2go_FastRCNN",
    "D2go_FastRCNN": "OD_D2go_FasterRCNN",
}
"""The one object detector has two names in the release; costs under either serve both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioModel:
    """One model of a scenario.

    Attributes:
        name: as in cost tables and results.
        fps: rate of its input, 1 to 1000.
        probability: that a frame is wanted at all; below 1 the scenario is stochastic.
        depends_on: models whose result of the same frame it needs.
        gmac: billions of multiply-accumulates an inference; None if nobody says.
    """

    name: str
    fps: int
    probability: float = 1.0
    depends_on: tuple[str, ...] = ()
    gmac: float | None = None

    @property
    def period_ms(self) -> int:
        """Return the time between frames: whole milliseconds, as XRBench has it."""
        return 1000 // self.fps

    @property
    def frames(self) -> int:
        """Return how many frames a run has."""
        return RUN_MS // self.period_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Models that run together.

    Attributes:
        models: each after those it depends on.
    """

    name: str
    models: tuple[ScenarioModel, ...]

    @property
    def stochastic(self) -> bool:
        """Return whether runs differ by what is drawn."""
        return any(model.probability < 1 for model in self.models)

    def model(self, name: str) -> ScenarioModel:
        """Return the model of that name.

        Raises:
            BandError: UNKNOWN_MODEL if the scenario has none.
        """
        for model in self.models:
            if model.name == name:
                return model
        known = [model.name for model in self.models]
        hint = suggestion(name, known, noun="models")
        message = f"scenario {self.name} has no model '{name}'; {hint}"
        raise BandError(ErrorCode.UNKNOWN_MODEL, message, model=name)


def _model(
    name: str, fps: int, gmac: float, *, after: str | None = None, probability: float = 1.0
) -> ScenarioModel:
    depends_on = () if after is None else (after,)
    return ScenarioModel(
        name=name, fps=fps, probability=probability, depends_on=depends_on, gmac=gmac
    )


_EYES: Final = (
    _model("ES_RITNet", 60, 1.085),
    _model("GE_FBNet_C", 60, 7.082, after="ES_RITNet"),
)


def _speech(probability: float) -> tuple[ScenarioModel, ...]:
    return (
        _model("KD_res8_narrow", 3, 0.007),
        _model("ASR_EM_24L", 3, 9.664, after="KD_res8_narrow", probability=probability),
    )


def _hands(fps: int) -> ScenarioModel:
    return _model("HT_hand_graph_cnn_half", fps, 4.167)


_DEPTH: Final = _model("DE_midas_v21_small", 30, 37.840)
_PLANES: Final = _model("PD_Plane_RCNN_Quarter", 15, 8.735)
_SEGMENTS: Final = _model("SS_HRViT_b1", 10, 27.023)

SCENARIOS: Final = tuple(
    Scenario(name=name, models=models)
    for name, models in (
        ("VR_gaming", (*_EYES, _hands(45))),
        ("AR_gaming", (_hands(45), _DEPTH, _PLANES)),
        (
            "AR_Assistant",
            (*_speech(0.5), _SEGMENTS, _DEPTH, _PLANES, _model("OD_D2go_FasterRCNN", 10, 14.350)),
        ),
        (
            "outdoor_activity_A",
            (*_speech(0.2), _SEGMENTS, _model("OD_D2go_FasterRCNN", 30, 14.350)),
        ),
        ("outdoor_activity_B", (*_speech(0.2), _model("D2go_FastRCNN", 30, 14.350))),
        ("social_interactionA", (*_EYES, _model("DR_RGBd_200", 30, 19.079), _hands(30))),
        ("social_interactionB", (*_EYES, _model("AS_ED_TCN", 30, 0.372))),
    )
)
"""All scenarios of the release, in the order of its table."""


def find_scenario(name: str, scenarios: Iterable[Scenario] = SCENARIOS) -> Scenario:
    """Return the scenario of that name.

    Raises:
        BandError: NOT_FOUND, with the nearest name, if there is none.
    """
    known = {scenario.name: scenario for scenario in scenarios}
    if name in known:
        return known[name]
    hint = suggestion(name, known, noun="scenarios")
    message = f"there is no XRBench scenario '{name}'; {hint}"
    raise BandError(ErrorCode.NOT_FOUND, message, scenario=name)
