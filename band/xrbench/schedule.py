"""XRBench's result files: the schedule (a row a completed inference) and the summary.

Both are CSV with six decimals. A schedule tells no dropped frames; they are found from the
scenario.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from band.errors import BandError, ErrorCode
from band.xrbench.result import Mode
from band.xrbench.scenarios import Scenario, ScenarioModel
from band.xrbench.scores import Inference, Scores, score

COLUMNS: Final = (
    "AcceleratorID",
    "Model Name",
    "Frame ID",
    "Injection Time (ms)",
    "Dispatch Time (ms)",
    "Deadline Time (ms)",
    "Completion Time (ms)",
    "Violated Deadline Amount (ms)",
    "Energy (mJ)",
)
ACCURACY: Final = "Accuracy"
"""A tenth column of ours, written only where an accuracy is not 1."""

SUMMARY_COLUMNS: Final = (
    "Model Name",
    "Real-time Score",
    "Energy Score",
    "User-Experience Score",
)
OVERALL: Final = "Overall Score"


def schedule_csv(inferences: Sequence[Inference]) -> str:
    """Return a schedule file: grouped by accelerator, in order of completion."""
    accuracy = any(inference.accuracy != 1 for inference in inferences)
    rows = [[*COLUMNS, ACCURACY] if accuracy else list(COLUMNS)]
    for i in sorted(inferences, key=lambda i: (i.accelerator, i.completed_ms)):
        times = (i.injected_ms, i.dispatched_ms, i.deadline_ms, i.completed_ms, i.delay_ms)
        figures = [f"{value:.6f}" for value in (*times, i.energy_mj)]
        if accuracy:
            figures.append(f"{i.accuracy:.6f}")
        rows.append([str(i.accelerator), i.model, str(i.frame), *figures])
    return _text(rows)


def summary_csv(scores: Scores) -> str:
    """Return a summary file."""
    rows = [list(SUMMARY_COLUMNS)]
    for name, model in scores.models.items():
        rows.append([name, *(f"{v:.6f}" for v in (model.realtime, model.energy, model.qoe))])
    rows.append([OVERALL, f"{scores.overall:.6f}"])
    return _text(rows)


def read_schedule(path: Path) -> tuple[Inference, ...]:
    """Return the inferences of a schedule file, in its order.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_TRACE ``file:line`` if a row is not
            what the header says.
    """
    rows = _rows(path)
    line, header = next(rows, (1, []))
    accuracy = header == [*COLUMNS, ACCURACY]
    if not accuracy and header != list(COLUMNS):
        raise _bad(path, line, f"a schedule begins with the columns {', '.join(COLUMNS)}")
    return tuple(_inference(path, line, row, accuracy=accuracy) for line, row in rows)


def read_summary(path: Path) -> tuple[Mapping[str, tuple[float, float, float]], float]:
    """Return (real-time, energy, user experience) of each model and the overall score of a file.

    Raises:
        BandError: as ``read_schedule``.
    """
    rows = _rows(path)
    line, header = next(rows, (1, []))
    if header != list(SUMMARY_COLUMNS):
        columns = ", ".join(SUMMARY_COLUMNS)
        raise _bad(path, line, f"a summary begins with the columns {columns}")
    models: dict[str, tuple[float, float, float]] = {}
    for line, row in rows:
        if row[:1] == [OVERALL] and len(row) == 2:
            return models, _number(path, line, row[1], OVERALL)
        if len(row) != len(SUMMARY_COLUMNS):
            raise _bad(path, line, f"a row has {len(SUMMARY_COLUMNS)} columns, this {len(row)}")
        figures = zip(row[1:], SUMMARY_COLUMNS[1:], strict=True)
        realtime, energy, qoe = (_number(path, line, text, name) for text, name in figures)
        models[row[0]] = (realtime, energy, qoe)
    raise _bad(path, line, f"the file ends without its row '{OVERALL}'")


def score_schedule(scenario: Scenario, inferences: Sequence[Inference], mode: Mode) -> Scores:
    """Return the scores of a schedule.

    In correct mode every frame that is not in it was dropped. The release forgets what waits or
    runs when the last frame of all arrives; so in compat mode only missing frames that were late
    by then count as dropped. One that was late and still ran then counts too: the file cannot tell
    it from a dropped one (see ``maybe_running``).

    Args:
        scenario: that was played, without models of a probability below 1: no file tells which of
            their frames were wanted.
        inferences: of the schedule.
        mode: that it was made in.

    Raises:
        BandError: UNKNOWN_MODEL for a model that the scenario does not have; INVALID_TRACE for a
            frame beyond its run or given twice; INVALID_REQUEST for a stochastic scenario.
    """
    if scenario.stochastic:
        message = (
            f"scenario {scenario.name} tosses coins, and a schedule does not tell which of its "
            "frames were wanted; score it where it is played"
        )
        raise BandError(ErrorCode.INVALID_REQUEST, message, scenario=scenario.name)
    seen: dict[str, set[int]] = {model.name: set() for model in scenario.models}
    for inference in inferences:
        model = scenario.model(inference.model)
        if inference.frame in seen[model.name] or inference.frame >= model.frames:
            problem = "is given twice" if inference.frame < model.frames else "is beyond its run"
            message = f"frame {inference.frame} of {model.name} {problem}; check the schedule"
            raise BandError(ErrorCode.INVALID_TRACE, message, model=model.name)
        seen[model.name].add(inference.frame)
    dropped = {
        model.name: sum(
            number not in seen[model.name]
            and (mode is Mode.CORRECT or _due_ms(model, number) < _last_arrival_ms(scenario))
            for number in range(model.frames)
        )
        for model in scenario.models
    }
    return score(seen, inferences, dropped)


def maybe_running(scenario: Scenario, inferences: Sequence[Inference]) -> tuple[str, ...]:
    """Return the frames that compat mode counts as dropped but that may have run at its end.

    Such a frame is late when the last one of all arrives, and some accelerator had nothing to do
    any more when it was due: it may have started it in time and not finished. The release does not
    count that as a drop, so where there is such a frame its own score may be higher.

    Args:
        scenario: that was played.
        inferences: of the schedule.

    Returns:
        The name of the model and the number of the frame, of each.
    """
    free_ms: dict[int, float] = {}
    for i in inferences:
        free_ms[i.accelerator] = max(free_ms.get(i.accelerator, 0.0), i.completed_ms)
    seen = {(i.model, i.frame) for i in inferences}
    first_free_ms, last_ms = min(free_ms.values(), default=0.0), _last_arrival_ms(scenario)
    return tuple(
        f"{model.name} {number}"
        for model in scenario.models
        for number in range(model.frames)
        if (model.name, number) not in seen and first_free_ms <= _due_ms(model, number) < last_ms
    )


def _due_ms(model: ScenarioModel, number: int) -> float:
    return (number + 1) * model.period_ms


def _last_arrival_ms(scenario: Scenario) -> float:
    return max((model.frames - 1) * model.period_ms for model in scenario.models)


def _inference(path: Path, line: int, row: list[str], *, accuracy: bool) -> Inference:
    wanted = len(COLUMNS) + accuracy
    if len(row) != wanted:
        raise _bad(path, line, f"a row has {wanted} columns, this {len(row)}")
    accelerator, frame = (_whole(path, line, row[at], COLUMNS[at]) for at in (0, 2))
    names = (*COLUMNS, ACCURACY)
    figures = [_number(path, line, row[at], names[at]) for at in range(3, wanted)]
    injected, dispatched, deadline, completed, _, energy = figures[:6]
    return Inference(
        accelerator=accelerator,
        model=row[1],
        frame=frame,
        injected_ms=injected,
        dispatched_ms=dispatched,
        deadline_ms=deadline,
        completed_ms=completed,
        energy_mj=energy,
        accuracy=figures[6] if accuracy else 1.0,
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the rows that hold anything."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        message = f"there is no file '{path}'"
        raise BandError(ErrorCode.NOT_FOUND, message, path=str(path)) from error
    except UnicodeDecodeError as error:
        raise _bad(path, 1, "this is not a CSV file: it is not UTF-8 text") from error
    except OSError as error:
        message = f"'{path}' cannot be read: {error.strerror}"
        raise BandError(ErrorCode.INVALID_TRACE, message, path=str(path)) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if row:
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise _bad(path, reader.line_num, f"this is not a CSV file: {error}") from error


def _number(path: Path, line: int, text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _bad(path, line, f"'{text}' in column {column} is not a number")
    return value


def _whole(path: Path, line: int, text: str, column: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _bad(path, line, f"'{text}' in column {column} is not a whole number")
    return int(text)


def _text(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _bad(path: Path, line: int, sentence: str) -> BandError:
    message = f"{path}:{line}: {sentence}"
    return BandError(ErrorCode.INVALID_TRACE, message, path=str(path), line=line)
