"""What a daemon is started with: the configuration file, and the command line over it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from band.config.daemon import DaemonConfig, ModelConfig, load_daemon
from band.config.params import parse_params
from band.config.policy import PolicyConfig, PolicyEntry, load_policy
from band.errors import BandError, ErrorCode
from band.model.source import is_path
from band.runtime.options import EngineOptions
from band.runtime.registration import AnalysisOptions
from band.scheduler.loader import policy_swapped
from band.units import BYTES_PER_MIB


def configured(
    path: Path | None,
    *,
    address: str | None = None,
    device: str | None = None,
    policy: str | None = None,
    models: tuple[str, ...] = (),
    record_dir: Path | None = None,
) -> DaemonConfig:
    """Return the configuration of a file, with what the command line says instead or besides.

    Args:
        path: of the file; None for the defaults.
        address: instead of the file's.
        device: instead of the file's.
        policy: a name, ``path.py``, ``package:object`` or YAML file, instead of the file's.
        models: paths or zoo names, besides the file's.
        record_dir: instead of the file's.

    Raises:
        BandError: the file cannot be used, or two models have one name.
    """
    config = DaemonConfig() if path is None else load_daemon(path)
    named = {model.served_name: model for model in config.models}
    for ref in models:
        model = ModelConfig(path=Path(ref)) if is_path(ref) else ModelConfig(zoo=ref)
        if model.served_name in named:
            raise BandError(
                ErrorCode.INVALID_CONFIG,
                f"there are two models named {model.served_name!r}; name one in a --config file",
                model=model.served_name,
            )
        named[model.served_name] = model
    given = {"address": address, "device": device, "record_dir": record_dir}
    update: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if policy is not None:
        update["policy"] = _policy(policy)
    return config.model_copy(update={**update, "models": tuple(named.values())})


def engine_options(config: DaemonConfig) -> EngineOptions:
    """Return the engine's settings in a configuration."""
    analysis = config.analysis
    return EngineOptions(
        analysis=AnalysisOptions(
            mode=analysis.mode,
            preparation=analysis.preparation,
            minimum_subgraph_size=analysis.minimum_subgraph_size,
            plans=analysis.plans,
        ),
        rules={model.served_name: model.demands for model in config.models},
        core=replace(
            config.core_options(),
            background_loads=config.slices.background_loads,
            load_quiet_us=config.slices.quiet_us,
            load_pause_us=config.slices.pause_us,
            load_share_percent=config.slices.share_percent,
        ),
        slice_cache_bytes=config.slices.cache_mib * BYTES_PER_MIB,
        policy_budget_us=config.policy_budget_us,
        advise_ms=config.advise_ms,
    )


def check_policy(config: DaemonConfig) -> None:
    """Check the policy and its parameters; a mistake is named with its file and line.

    Raises:
        BandError: UNKNOWN_POLICY, POLICY_FAILED or INVALID_CONFIG.
    """
    policy = config.policy

    def parse(params_type: type, raw: Any, where: str) -> Any:
        return parse_params(params_type, raw, policy.where or where)

    policy_swapped(policy.ref, policy.params, policy_dirs=config.policy_dirs, parse=parse)


def _policy(text: str) -> PolicyConfig:
    # As JSON, since a strict schema takes text for a path only from a file.
    entry: PolicyConfig = TypeAdapter(PolicyEntry).validate_json(json.dumps(text))
    return entry if entry.file is None else load_policy(entry.file)
