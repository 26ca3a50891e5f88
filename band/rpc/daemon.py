"""The daemon: one engine behind both services, from its configuration to an orderly end."""

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from band.config.daemon import DaemonConfig
from band.config.device import load_device
from band.rpc.address import parse_address
from band.rpc.calls import Calls
from band.rpc.control import BandService
from band.rpc.hub import Hub
from band.rpc.inference import InferenceService
from band.rpc.recording import Recorders, Recordings, record_inbox, trace_model
from band.rpc.server import Server
from band.rpc.startup import check_policy, engine_options
from band.runtime.engine import Engine
from band.trace.schema import TraceModel

# For answers that are on their way when the engine has ended everything.
_LAST_ANSWERS_S: Final = 2.0
_LOG = logging.getLogger(__name__)


class Daemon:
    """Serves the models of a configuration; a context manager.

    Entering it loads the models and opens the address; from then on requests are taken.

    Args:
        config: with complete paths.

    Attributes:
        address: where it listens, with the port that was taken.
        engine: runs the requests.
        recorders: are given every event of the engine's core with its commands.

    Raises:
        BandError: on entering: the device, the policy, a model or the address cannot be used.
    """

    def __init__(self, config: DaemonConfig) -> None:
        self.address = config.address
        self.engine: Engine
        self.recorders = Recorders()
        self._config = config
        self._hub = Hub()
        self._opened = ExitStack()
        self._inference: InferenceService
        self._server: Server

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._open(opening)
            self._opened = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def drain(self) -> bool:
        """Refuse new requests and wait for those under way.

        Returns:
            Whether all of them ended within the configured time.
        """
        self.engine.drain(0)  # first, so that whoever sees it not ready is refused as well
        self._inference.ready = False
        self._server.set_serving(serving=False)
        return self.engine.drain(self._config.drain_timeout_s)

    def cancel(self) -> None:
        """End every request that is under way as cancelled."""
        self.engine.close()

    def close(self) -> None:
        """Cancel what is under way and free everything. May be called again."""
        self._opened.close()

    def _open(self, opening: ExitStack) -> None:
        config = self._config
        address = parse_address(config.address)
        device = load_device(config.device)
        options = engine_options(config)
        check_policy(config)
        folder = config.record_dir
        if folder is not None:
            opening.enter_context(record_inbox(folder, options.core, self.recorders))
        self.engine = engine = opening.enter_context(
            Engine(
                device,
                policy=config.policy.ref,
                policy_params=config.policy.params,
                policy_dirs=config.policy_dirs,
                options=options,
                recorder=self.recorders,
            )
        )
        for model in config.models:
            engine.register(model.ref, name=model.served_name)
        engine.add_observer(self._hub)
        recordings = Recordings(
            folder, clock=engine.clock, models=self._trace_models, recorders=self.recorders
        )
        opening.callback(recordings.close)
        if folder is not None:
            opening.callback(recordings.end, recordings.begin(folder / "trace.jsonl"))
        calls = Calls(engine)
        self._inference = InferenceService(engine, calls, server_name=config.server_name)
        band = BandService(
            engine,
            calls,
            hub=self._hub,
            recordings=recordings,
            policy_dirs=config.policy_dirs,
        )
        self._server = Server(
            address,
            inference=self._inference.handlers(),
            band=band.handlers(),
            max_message_mib=config.max_message_mib,
        )
        self.address = self._server.start()
        opening.callback(self._server.stop, _LAST_ANSWERS_S)
        opening.callback(self._hub.close)
        self._inference.ready = True
        self._server.set_serving(serving=True)

    def _trace_models(self, folder: Path) -> tuple[TraceModel, ...]:
        references = {model.served_name: model.ref for model in self._config.models}
        return tuple(
            trace_model(info.name, references[info.name], info.sha256, folder)
            for info in self.engine.models()
        )
