"""Checks that every way to cut a model computes exactly what the whole model does.

The reference is the shape-filled whole model on the same runtime. A model that the runtime cannot
run whole is refused; its slices without the ops to blame are still loaded and run.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from band.analysis.partition import Unsupported
from band.analysis.plan_kinds import Part, apart, plan_kinds, split
from band.clock import MonotonicClock
from band.device.rules import idle_rules
from band.errors import BandError
from band.model.graph import input_shapes, missing_shapes
from band.model.model import Model, with_shapes
from band.model.source import open_model
from band.model.tflite_writer import write_slice
from band.runtime.backends.protocol import Backend, BackendContext
from band.runtime.check_chain import PartRefusal, Whole, backend_load
from band.runtime.check_device import Kind, device_kinds, general_kinds
from band.runtime.check_report import (
    CheckedModel,
    CheckedPlan,
    CheckOptions,
    RefusedPart,
    ops_text,
    refused,
)
from band.runtime.discovery import open_backend
from band.runtime.seeded import seeded_values
from band.runtime.shapes import first_available

Stage = Callable[[str], None]


def check_model(ref: str, options: CheckOptions, stage: Stage) -> CheckedModel:
    """Check one model.

    Args:
        ref: a path or a zoo name.
        options: what to check it with.
        stage: told what is about to be done, such as ``K=2``.

    Raises:
        BandError: the device has no processor that can be used.
    """
    context = BackendContext(device=options.device, clock=MonotonicClock(), seed=options.seed)
    backend = open_backend(first_available(options.device), context)
    try:
        stage("reading")
        model = open_model(ref)
    except BandError as error:
        return refused(ref, error.message)
    else:
        return _Check(model, backend, options, stage).run()
    finally:
        backend.close()


class _Check:
    """The check of one model that can be read."""

    def __init__(self, model: Model, backend: Backend, options: CheckOptions, stage: Stage) -> None:
        self._model = model
        self._backend = backend
        self._load = backend_load(backend)
        self._options = options
        self._stage = stage

    def run(self) -> CheckedModel:
        """Compare every plan kind with the whole, or run what can be run of it."""
        options, model = self._options, self._model
        self._stage("the whole model")
        try:
            if missing_shapes(model.graph):
                shapes = self._backend.shapes(model.source, input_shapes(model.graph))
                model = with_shapes(model, shapes)
            whole = Whole(model, self._load, steps=options.steps, seed=options.seed)
        except BandError as error:
            return self._not_whole(error.message)
        kinds, reason = general_kinds(model.graph), None
        if options.own_plans:
            try:
                kinds += device_kinds(model, options.device)
            except BandError as error:
                reason = error.message
        plans = tuple(self._plan(whole, kind) for kind in kinds)
        differing = next((plan.reason for plan in plans if not plan.equal), None)
        return CheckedModel(
            model=model.name,
            ops=len(model.graph.ops),
            refused=reason is not None,
            reason=reason or differing,
            plans=plans,
            parts_run=len({part for kind in kinds for chain in kind.chains for part in chain}),
            warnings=idle_rules(options.rules, options.device, model.graph),
        )

    def _plan(self, whole: Whole, kind: Kind) -> CheckedPlan:
        self._stage(kind.name)
        try:
            differences = (whole.difference(chain) for chain in kind.chains)
            found = next((each for each in differences if each is not None), None)
        except PartRefusal as error:
            return CheckedPlan(
                kind=kind.name,
                parts=kind.parts,
                equal=False,
                max_abs_diff=None,
                reason=f"{kind.name}: the slice of {ops_text(error.ops)} does not run: "
                f"{error.reason}",
            )
        if found is None:
            return CheckedPlan(kind=kind.name, parts=kind.parts, equal=True)
        return CheckedPlan(
            kind=kind.name,
            parts=kind.parts,
            equal=False,
            max_abs_diff=found.largest,
            reason=f"{kind.name}: output tensor {found.tensor} differs from the whole model in "
            f"run {found.step + 1} by up to {found.largest}",
        )

    def _not_whole(self, message: str) -> CheckedModel:
        """Load and run all parts of all kinds that leave out the ops to blame."""
        graph = self._model.graph
        blamed = self._backend.probe(graph)
        ops = {entry.op for entry in blamed}
        parts = dict.fromkeys(apart(graph, ops) if ops else ())
        for chain in plan_kinds(graph).values():
            parts.update(dict.fromkeys(p for p in split(graph, chain, ops) if ops.isdisjoint(p)))
        self._stage("the parts of a model that does not run whole")
        tried = [(part, self._refusal(part)) for part in parts]
        return CheckedModel(
            model=graph.name,
            ops=len(graph.ops),
            refused=True,
            reason=_reasons(blamed) or message,
            parts_run=sum(1 for _, why in tried if why is None),
            parts_refused=tuple(
                RefusedPart(ops=part, reason=_reasons(blamed, part) or why)
                for part, why in tried
                if why is not None
            ),
        )

    def _refusal(self, part: Part) -> str | None:
        """Return why a part does not load or run on seeded inputs, None if it does."""
        try:
            written = write_slice(self._model, part)
            values = seeded_values(self._model.graph, written.inputs, self._options.seed)
            with self._load(written) as run:
                run(values)
        except BandError as error:
            return error.message
        return None


def _reasons(blamed: Sequence[Unsupported], part: Collection[int] | None = None) -> str:
    """Return the reasons for ops that a backend does not take, each with the ops; "" for none."""
    by_reason: defaultdict[str, list[int]] = defaultdict(list)
    for entry in blamed:
        if part is None or entry.op in part:
            by_reason[entry.reason].append(entry.op)
    return "; ".join(f"{reason} ({ops_text(ops)})" for reason, ops in by_reason.items())
