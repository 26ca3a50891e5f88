"""Policies are found by name, alias, path and object; every mistake is one clear sentence."""

import hashlib
import importlib.metadata
import sys
import types
from functools import partial
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.scheduler import loader
from band.scheduler.commands import JobOutcome, Run
from band.scheduler.core import Core
from band.scheduler.events import ModelAdded, PolicySwapped, RequestArrived, WorkerUp
from band.scheduler.loader import (
    ENTRY_POINTS,
    find_policies,
    list_policies,
    make_policy,
    policy_swapped,
    resolve,
)
from band.scheduler.options import DEFAULT_POLICY
from band.share import share_dir
from band.sim.simulator import simulate
from band.testing.arrivals import periodic
from band.testing.tables import make_device, whole

FIRST_COME = """
from dataclasses import dataclass
from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.rules import whole_span

@dataclass(frozen=True)
class Params:
    greeting: str
    window: int = 4
    sizes: tuple = (1, 2)

class FirstCome:
    info = PolicyInfo(name="{name}", summary="first come", source="a test", aliases={aliases})

    def __init__(self, params):
        self.params = params

    def plan(self, view):
        for processor, wait_us in enumerate(view.waits_us):
            for job in view.window if wait_us == 0 else ():
                table = view.table(job.model)
                span = whole_span(table, job, processor)
                if span is not None:
                    return [Dispatch((TaskSpec.of(job, table, span),))]
        return []
"""


def write(folder: Path, stem: str, *, name: str | None = None, aliases: str = "()") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{stem}.py"
    path.write_text(FIRST_COME.format(name=name or stem, aliases=aliases), encoding="utf-8")
    return path


def test_the_shipped_policies_are_found_by_name() -> None:
    names = [source.name for source in list_policies()]
    assert names == sorted(path.stem for path in share_dir("policies").glob("*.py"))
    assert "shortest_expected_latency" in names


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("heterogeneous_earliest_finish_time", "heft"),
        ("least_slack_time_first", "least_slack_first"),
        ("sel", "shortest_expected_latency"),
    ],
)
def test_bands_own_names_are_aliases(alias: str, name: str) -> None:
    source = resolve(alias)
    assert (source.name, source.ref) == (name, alias)


def test_a_file_in_a_folder_is_found_with_no_other_line(tmp_path: Path) -> None:
    path = write(tmp_path / "mine", "first_come")
    source = resolve("first_come", policy_dirs=[path.parent])
    assert (source.path, source.window, source.needs_params) == (path, 4, True)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_path_is_loaded_under_a_private_module_name(tmp_path: Path) -> None:
    source = resolve(str(write(tmp_path, "first_come")))
    assert source.policy_type.__module__.startswith("band._policies.first_come")
    assert "first_come" not in sys.modules


def test_package_and_object_are_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path, "a_package_of_policies", name="first_come")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = resolve("a_package_of_policies:FirstCome")
    assert (source.name, source.ref) == ("first_come", "a_package_of_policies:FirstCome")


def test_entry_points_are_found_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path, "another_package", name="from_entry_point")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint(
        "from_entry_point", "another_package:FirstCome", ENTRY_POINTS
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: [point])
    loader._entry_points.cache_clear()
    try:
        assert resolve("from_entry_point").name == "from_entry_point"
        (tmp_path / "another_package.py").write_text("raise SystemExit", encoding="utf-8")
        del sys.modules["another_package"]
        importlib.invalidate_caches()
        fails(ErrorCode.UNKNOWN_POLICY, "does not import: SystemExit", "from_entry_point")
        assert resolve("heft").name == "heft"
    finally:
        loader._entry_points.cache_clear()


def fails(code: ErrorCode, message: str, ref: str, *dirs: Path) -> None:
    with pytest.raises(BandError) as caught:
        resolve(ref, policy_dirs=dirs)
    assert caught.value.code is code
    assert message in caught.value.message


def test_an_unknown_name_names_the_nearest(tmp_path: Path) -> None:
    fails(ErrorCode.UNKNOWN_POLICY, "unknown policy 'hetf'; did you mean 'heft'? known: ", "hetf")
    fails(ErrorCode.UNKNOWN_POLICY, "there is no policy file", str(tmp_path / "none.py"))
    fails(ErrorCode.UNKNOWN_POLICY, "does not import: ModuleNotFoundError", "no_such_package:x")
    fails(ErrorCode.UNKNOWN_POLICY, "does not import: AttributeError", "band.errors:NoSuchThing")
    fails(ErrorCode.NOT_FOUND, "there is no policy folder", "heft", tmp_path / "none")


@pytest.mark.parametrize(("stem", "aliases"), [("heft", "()"), ("mine", "('heft',)")])
def test_the_same_name_twice_lists_both_places(tmp_path: Path, stem: str, aliases: str) -> None:
    path = write(tmp_path, stem, aliases=aliases)
    for name in ("heft", stem):
        with pytest.raises(BandError) as caught:
            resolve(name, policy_dirs=[tmp_path])
        assert caught.value.code is ErrorCode.INVALID_CONFIG
        assert str(path) in caught.value.message
        assert str(share_dir("policies") / "heft.py") in caught.value.message
    assert resolve("round_robin", policy_dirs=[tmp_path]).name == "round_robin"


BROKEN = "def plan(:"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a folder with a policy, a half-saved file, and a name that is no file."""
    write(tmp_path, "first_come", aliases="('fc',)")
    (tmp_path / "wip.py").write_text(BROKEN, encoding="utf-8")
    (tmp_path / "folder.py").mkdir()
    return tmp_path


def test_a_broken_file_is_in_the_way_of_its_own_name_alone(broken: Path) -> None:
    assert resolve("fc", policy_dirs=[broken]).name == "first_come"
    assert resolve("heft", policy_dirs=[broken]).name == "heft"
    fails(ErrorCode.POLICY_FAILED, "wip.py does not import: SyntaxError", "wip", broken)
    fails(ErrorCode.POLICY_FAILED, "folder.py cannot be read: Is a directory", "folder", broken)
    fails(ErrorCode.UNKNOWN_POLICY, "did you mean 'wip'?", "wipp", broken)
    not_loaded = f"these do not load: {broken / 'folder.py'}, {broken / 'wip.py'}"
    fails(ErrorCode.UNKNOWN_POLICY, not_loaded, "an_alias", broken)


def test_what_does_not_load_is_told_beside_what_does(broken: Path) -> None:
    installed = find_policies([broken])
    assert {"first_come", "heft"} < {source.name for source in installed.sources}
    assert [refused.names for refused in installed.refused] == [("folder",), ("wip",)]
    assert {"fc", "sel", "wip"} < set(installed.names)


def test_a_broken_file_of_a_policys_name_may_be_the_one_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "heft.py").write_text(BROKEN, encoding="utf-8")
    fails(ErrorCode.POLICY_FAILED, "heft.py does not import", "heft", tmp_path)
    assert [refused.names[0] for refused in find_policies([tmp_path]).refused] == ["heft"] * 2


def test_without_a_hash_a_shipped_policy_is_meant_whatever_lies_in_the_folders(
    tmp_path: Path,
) -> None:
    shipped = make_policy(PolicySwapped("heft", ""))
    (tmp_path / "heft.py").write_text(BROKEN, encoding="utf-8")
    assert type(make_policy(PolicySwapped("heft", ""), policy_dirs=[tmp_path])) is type(shipped)
    assert make_policy(PolicySwapped("heft", ""), policy_dirs=[tmp_path / "none"])
    with pytest.raises(BandError, match="unknown policy"):
        make_policy(PolicySwapped("../policies/heft", ""))


def test_the_core_never_raises_for_what_lies_in_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    text = write(folder, "first_come").read_text(encoding="utf-8")
    text = text.replace("greeting: str", "greeting: str = ''")
    text = text.replace(
        "for processor, wait_us", "1 // view.window[0].job\n        for processor, wait_us"
    )
    (folder / "first_come.py").write_text(text, encoding="utf-8")
    core = Core(make_policy=partial(make_policy, policy_dirs=(folder,)))
    core.handle(policy_swapped("first_come", policy_dirs=(folder,)), 0)
    core.handle(WorkerUp(0, "cpu", "cpu", 1 << 30), 0)
    core.handle(ModelAdded(whole("m", cpu=1000)), 0)
    (folder / "wip.py").write_text(BROKEN, encoding="utf-8")
    (folder / "shortest_expected_latency.py").write_text(BROKEN, encoding="utf-8")
    commands = core.handle(RequestArrived(0, "m"), 1)
    assert [type(command) for command in commands] == [Run]
    assert core.status().reason == "it raised ZeroDivisionError: integer division or modulo by zero"
    core.handle(PolicySwapped("none", ""), 2)
    assert core.status().reason.startswith("unknown policy 'none'; ")
    assert core.status().policy == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "does not import: ModuleNotFoundError"),
        ("def broken(:", "does not import: SyntaxError"),
        ("x = 1", "declares 0 classes with `info`"),
        (FIRST_COME.format(name="another", aliases="()"), "declares the name 'another'"),
        (FIRST_COME.format(name="mine", aliases="()").replace("frozen=True", ""), "no frozen"),
        (FIRST_COME.format(name="mine", aliases="()").replace("def plan", "def go"), "`plan("),
        (FIRST_COME.format(name="mine", aliases="('a')"), "an `info` that is not text"),
        ("import sys; sys.exit(3)", "does not import: SystemExit: 3"),
        (
            FIRST_COME.format(name="mine", aliases="()").replace("= (1, 2)", "= 1j"),
            "no usable default of parameter 'sizes': TypeError: 1j is no plain data",
        ),
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    fails(ErrorCode.POLICY_FAILED, message, str(path))
    if "does not import" in message:
        left = [m for m in sys.modules.values() if getattr(m, "__file__", None) == str(path)]
        assert not left, "a broken module stays behind"


def test_an_object_that_is_no_policy_is_refused() -> None:
    fails(ErrorCode.POLICY_FAILED, "declares no class", "band.errors:BandError")


def test_the_event_carries_every_parameter_sorted_and_the_files_hash(tmp_path: Path) -> None:
    path = write(tmp_path, "first_come")
    event = policy_swapped(str(path), {"greeting": "hello", "sizes": [3, [4]]})
    assert event.params == (("greeting", "hello"), ("sizes", (3, (4,))), ("window", 4))
    assert event == PolicySwapped(str(path), resolve(str(path)).sha256, event.params)
    policy = make_policy(event)
    assert policy.params.greeting == "hello"  # type: ignore[attr-defined]


def test_a_parameter_unknown_or_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="policy heft: unknown parameter 'windw'; did you mean"):
        policy_swapped("heft", {"windw": 3})
    with pytest.raises(BandError, match="unknown parameter 'zzz'; known: window"):
        policy_swapped("heft", {"zzz": 3})
    with pytest.raises(BandError, match="parameter 'greeting' has no default; give it"):
        policy_swapped(str(write(tmp_path, "first_come")))


@pytest.mark.parametrize(
    ("check", "problem"),
    [("raise SystemExit(2)", "SystemExit: 2"), ("1 // 0", "ZeroDivisionError: integer")],
)
def test_parameters_that_a_policy_refuses_in_its_own_way_are_one_sentence(
    tmp_path: Path, check: str, problem: str
) -> None:
    path = write(tmp_path, "first_come")
    after = f"sizes: tuple = (1, 2)\n    def __post_init__(self): {check}"
    text = path.read_text(encoding="utf-8").replace("sizes: tuple = (1, 2)", after)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BandError, match=f"does not take these parameters: {problem}") as caught:
        policy_swapped(str(path), {"greeting": "hello"})
    assert caught.value.code is ErrorCode.POLICY_FAILED


def test_a_parameter_that_a_record_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BandError, match=r"TypeError: \{1\} is no plain data"):
        policy_swapped(str(write(tmp_path, "first_come")), {"greeting": {1}})


def test_the_given_parser_checks_the_parameters() -> None:
    asked = []

    def parse(params_type: type, raw: object, where: str) -> object:
        asked.append((params_type.__name__, raw, where))
        return params_type(window=99)

    event = policy_swapped("heft", {"window": "99"}, parse=parse)
    assert event.params == (("window", 99),)
    assert asked == [("Params", {"window": "99"}, "policy heft")]


def test_a_recorded_policy_whose_file_has_changed_is_refused() -> None:
    event = policy_swapped("heft")
    make_policy(event)
    with pytest.raises(BandError, match="policy 'heft' is not the one recorded"):
        make_policy(event._replace(sha256="0" * 64))


def test_a_policy_of_another_file_than_asked_for_is_refused() -> None:
    event = policy_swapped("heft")
    assert policy_swapped("heft", sha256=event.sha256) == event
    with pytest.raises(BandError, match=f"'heft' is not the one asked for.*not {'0' * 12}$"):
        policy_swapped("heft", sha256="0" * 64)


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    path = write(tmp_path, "first_come")
    before = resolve(str(path))
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert resolve(str(path)).sha256 != before.sha256


def test_a_dropped_in_policy_runs_a_trace(tmp_path: Path) -> None:
    write(tmp_path, "first_come")
    run = simulate(
        device=make_device(["cpu", "gpu"]),
        models=[ModelAdded(whole("m", cpu=900, gpu=500))],
        policy=policy_swapped("first_come", {"greeting": "hi"}, policy_dirs=[tmp_path]),
        make_policy=partial(make_policy, policy_dirs=[tmp_path]),
        source=periodic({"m": 50.0}, 1.0),
    )
    assert {r.outcome for r in run.requests} == {JobOutcome.COMPLETED}
    assert len(run.requests) == 50
    assert not run.policy_reports


def test_a_module_without_a_file_has_no_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("made_up")
    exec(FIRST_COME.format(name="made_up", aliases="()"), vars(module))
    monkeypatch.setitem(sys.modules, "made_up", module)
    assert resolve("made_up:FirstCome").sha256 == ""
