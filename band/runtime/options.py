"""Settings of an engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from band.device.rules import NO_RULES, Rules
from band.runtime.profiling import Profile
from band.runtime.registration import AnalysisOptions
from band.scheduler.options import CoreOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Settings of an engine, all with defaults.

    Attributes:
        analysis: how models are cut.
        rules: of single models, by the name they are registered with; they come after those of
            ``analysis`` and of the device.
        core: priorities, window, queue limit.
        profile: measured costs; what is in it is not measured again.
        profile_runs: how often each slice is run at registration to measure it, on processors
            that are not emulated.
        policy_budget_us: processor time that the policy may take for one event, twice in a row,
            before it is replaced; None for no limit.
        advise_ms: wall time that one advice may take, where the policy's own parameters do not
            say ``advise_ms``.
        slice_cache_bytes: files of slices that are loaded nowhere and kept, so that they need not
            be cut again; they count in the memory budget.
        seed: of the noise of emulated processors.
    """

    analysis: AnalysisOptions = field(default_factory=AnalysisOptions)
    rules: Mapping[str, Rules] = field(default_factory=dict)
    core: CoreOptions = field(default_factory=CoreOptions)
    profile: Profile | None = None
    profile_runs: int = 3
    policy_budget_us: int | None = 50_000
    advise_ms: int = 5_000
    slice_cache_bytes: int = 0
    seed: int = 0

    def analysis_of(self, model: str) -> AnalysisOptions:
        """Return how one model is cut, by the name it is registered with."""
        rules = self.analysis.rules.followed_by(self.rules.get(model, NO_RULES))
        return replace(self.analysis, rules=rules)
