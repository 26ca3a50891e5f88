"""The configuration of a daemon: what it serves, on which device, by which rule, within limits."""

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr

from band.analysis.partition import Mode, Preparation
from band.config.op_rules import rules_at
from band.config.policy import PolicyConfig, PolicyEntry, Text, resolved
from band.config.scheduler import SchedulerConfig
from band.config.schema import Schema, parse
from band.config.yaml_loader import Document, load_yaml
from band.device.rules import NO_RULES, Rules
from band.model.source import with_shapes_named
from band.scheduler.options import DEFAULT_POLICY, CoreOptions

_CORE = CoreOptions()


class ModelConfig(Schema):
    """A model that is registered when the daemon starts.

    Attributes:
        name: what requests call it; the stem of the file or the zoo name if None.
        path: of a .tflite file; exactly one of ``path`` and ``zoo`` is given.
        zoo: a name of ``band models``.
        input_shapes: for inputs that the file leaves open (input name -> shape).
        rules, exclude, only, strict: see ``op_rules``.
    """

    name: Text | None = None
    path: Path | None = None
    zoo: Text | None = None
    input_shapes: dict[Text, tuple[int, ...]] = Field(default_factory=dict)
    rules: Any = None
    exclude: Any = None
    only: Any = None
    strict: Any = None
    _demands: Rules = PrivateAttr(default=NO_RULES)

    @property
    def demands(self) -> Rules:
        """Return what is laid down for this model."""
        return self._demands

    @property
    def ref(self) -> str:
        """Return what ``open_model`` takes."""
        return with_shapes_named(self.zoo or str(self.path), self.input_shapes)

    @property
    def served_name(self) -> str:
        """Return the name under which requests find it."""
        return self.name or self.zoo or (self.path.stem if self.path else "")


class AnalysisConfig(Schema):
    """How models are cut; see ``band analyze``.

    Attributes:
        minimum_subgraph_size: None for the default of the mode.
        plans: of how many best plans the parts are loaded, besides whole models.
    """

    mode: Mode = Mode.COST
    preparation: Preparation = Preparation.MERGE_UNIT_SUBGRAPH
    minimum_subgraph_size: int | None = Field(default=None, ge=1)
    plans: int = Field(default=3, ge=1)


class SlicesConfig(Schema):
    """Which slices are kept loaded; see docs/engine.md.

    Attributes:
        background_loads: load further useful slices while memory for them is free.
        quiet_us: a background load begins once no request has been under way for so long.
        pause_us: under requests that never pause, the least time between two background loads.
        share_percent: of the time that background loads may take under such requests.
        cache_mib: for files of slices that are loaded nowhere, out of the memory budget.
    """

    background_loads: bool = _CORE.background_loads
    quiet_us: int = Field(default=_CORE.load_quiet_us, ge=0)
    pause_us: int = Field(default=_CORE.load_pause_us, ge=0)
    share_percent: int = Field(default=_CORE.load_share_percent, ge=1, le=100)
    cache_mib: int = Field(default=0, ge=0)


class DaemonConfig(SchedulerConfig):
    """Everything that ``band serve`` takes from a file. All paths in it are complete.

    What the scheduler core itself is set to is inherited.

    Attributes:
        address: ``host:port`` or ``unix:///path``.
        server_name: as ServerMetadata reports it.
        device: a name or a path, as ``load_device`` takes it.
        policy_dirs: folders with policy files, searched before the shipped ones.
        record_dir: where traces and inboxes are recorded; None records nothing.
        max_message_mib: of one gRPC message, either way.
        policy_budget_us: processor time of one decision; a policy that needs more is replaced.
        advise_ms: time of one advice, unless the policy's parameters say ``advise_ms``.
        drain_timeout_s: how long accepted requests may take to finish after SIGTERM.
    """

    address: Text = "127.0.0.1:8001"
    server_name: Text = "band"
    device: Text = "host"
    policy: PolicyEntry = PolicyConfig(name=DEFAULT_POLICY)
    policy_dirs: tuple[Path, ...] = ()
    models: tuple[ModelConfig, ...] = ()
    record_dir: Path | None = None
    max_message_mib: int = Field(default=64, ge=1, le=2047)
    policy_budget_us: int = Field(default=50_000, ge=1)
    advise_ms: int = Field(default=5_000, ge=1)
    drain_timeout_s: float = Field(default=30.0, ge=0)
    analysis: AnalysisConfig = AnalysisConfig()
    slices: SlicesConfig = SlicesConfig()


def load_daemon(path: str | Path) -> DaemonConfig:
    """Return the configuration in a YAML file; paths in it are relative to its folder.

    Raises:
        BandError: NOT_FOUND if there is no such file, INVALID_CONFIG ``file:line`` if it is bad.
    """
    document = load_yaml(path)
    config = parse(document, DaemonConfig)
    folder = document.path.parent.absolute()
    device = config.device
    if "/" in device or device.endswith((".yaml", ".yml")):
        device = str(folder / device)
    policy = config.policy
    if ("policy",) in document.lines:
        policy = resolved(document, policy, ("policy",))
    return config.model_copy(
        update={
            "device": device,
            "policy": policy,
            "policy_dirs": tuple(folder / p for p in config.policy_dirs),
            "models": _models(document, config, folder),
            "record_dir": None if config.record_dir is None else folder / config.record_dir,
        }
    )


def _models(document: Document, config: DaemonConfig, folder: Path) -> tuple[ModelConfig, ...]:
    found: dict[str, ModelConfig] = {}
    for i, model in enumerate(config.models):
        if (model.path is None) == (model.zoo is None):
            what = "neither is given" if model.path is None else "not both"
            raise document.error(("models", i), f"a model has either a path or a zoo name; {what}")
        if model.served_name in found:
            text = f"there are two models named '{model.served_name}'; give one another name"
            raise document.error(("models", i), text)
        path = None if model.path is None else folder / model.path
        if path is not None and path.suffix != ".tflite":
            raise document.error(("models", i, "path"), f"'{model.path}' does not end in .tflite")
        complete = model.model_copy(update={"path": path})
        complete._demands = rules_at(document, ("models", i))
        found[model.served_name] = complete
    return tuple(found.values())
