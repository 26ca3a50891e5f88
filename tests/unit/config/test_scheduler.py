"""The settings of the scheduler core in YAML."""

from pathlib import Path

import pytest

from band.config.daemon import load_daemon
from band.config.scheduler import check_reservations, load_scheduler
from band.errors import BandError, ErrorCode
from band.rpc.startup import engine_options
from band.scheduler.codec import options_from_json, options_to_json
from band.scheduler.options import AdmissionOptions, CoreOptions, Margin, Reservation
from band.testing.tables import make_device

TEXT = """\
queue_limit: 9
window: 4
default_priority: 3
strict_classes: true
advise_pause_us: 250000
gather: true
admission:
  at_arrival: true
  while_waiting: true
  margin: p95
  count_queue: false
  window: 5
  quotas: {maps: 2, '': 1}
  default_quota: 7
  queue_limits:
    models: {hands: 4}
    streams: {camera: 2}
reservations:
  - {processor: gpu, period_us: 16667, length_us: 4000, offset_us: 50}
  - {processor: cpu, period_us: 100, length_us: 1, app: maps}
"""
OPTIONS = CoreOptions(
    queue_limit=9,
    window=4,
    default_priority=3,
    strict_classes=True,
    advise_pause_us=250_000,
    gather=True,
    admission=AdmissionOptions(
        at_arrival=True,
        while_waiting=True,
        margin=Margin.P95,
        count_queue=False,
        window=5,
        quotas={"maps": 2, "": 1},
        default_quota=7,
        model_queue_limits={"hands": 4},
        stream_queue_limits={"camera": 2},
    ),
    reservations=(
        Reservation(processor="gpu", period_us=16667, length_us=4000, offset_us=50),
        Reservation(processor="cpu", period_us=100, length_us=1, app="maps"),
    ),
)


def write(folder: Path, text: str) -> Path:
    file = folder / "scheduler.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_of_its_own_says_all_of_it(tmp_path: Path) -> None:
    assert load_scheduler(write(tmp_path, TEXT)) == OPTIONS
    assert load_scheduler(write(tmp_path, "window: 16\n")) == CoreOptions()


def test_a_daemon_takes_the_same_keys(tmp_path: Path) -> None:
    file = write(tmp_path, f"device: pixel4\n{TEXT}slices: {{quiet_us: 5}}\n")
    core = engine_options(load_daemon(file)).core
    assert (core.admission, core.reservations) == (OPTIONS.admission, OPTIONS.reservations)
    assert (core.queue_limit, core.strict_classes, core.load_quiet_us) == (9, True, 5)


def test_a_record_carries_them_exactly() -> None:
    assert options_from_json(options_to_json(OPTIONS)) == OPTIONS
    assert options_from_json({}) == CoreOptions()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"queue": 1}, "the core has no option 'queue'"),
        ({"admission": {"quota": 1}}, "malformed options of the core"),
        ({"admission": {"margin": "p50"}}, "'p50' is not a valid Margin"),
        ({"admission": 3}, "malformed options of the core"),
        ({"reservations": [{"processor": "gpu"}]}, "malformed options of the core"),
    ],
)
def test_options_of_a_record_that_are_not_ours_are_refused(
    document: dict[str, object], words: str
) -> None:
    with pytest.raises(BandError, match=words) as caught:
        options_from_json(document)
    assert caught.value.code is ErrorCode.INVALID_TRACE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("admision: {}\n", ":1: unknown key 'admision'; did you mean 'admission'?"),
        ("admission:\n  quota: {}\n", ":2: unknown key 'quota'; did you mean 'quotas'?"),
        ("admission: {margin: p99}\n", ":1: 'admission.margin' must be one of mean, p95, not"),
        ("admission: {default_quota: -1}\n", ":1: 'admission.default_quota' must be at least 0"),
        ("admission: {quotas: {a: many}}\n", ":1: 'admission.quotas.a' must be a whole number"),
        ("admission: {queue_limits: {hands: 3}}\n", ":1: unknown key 'hands'"),
        ("reservations: [{processor: gpu}]\n", ":1: 'reservations[0]' lacks the key 'period_us'"),
        (
            "window: 4\nreservations:\n  - {processor: gpu, period_us: 10, length_us: 10}\n",
            ":3: a slot on gpu of 10 us every 10 us from 0 us on: it must be longer than 0 and",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(BandError) as caught:
        load_scheduler(file)
    assert caught.value.message.removeprefix(str(file)).startswith(message)


def test_slots_on_a_processor_that_the_device_lacks_are_refused() -> None:
    check_reservations(OPTIONS, make_device())
    with pytest.raises(BandError, match="'gpu', which device 'test' lacks; did you mean 'npu'"):
        check_reservations(OPTIONS, make_device(["cpu", "npu"]))
