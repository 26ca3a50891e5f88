"""Reads the scenario files of the release: blocks of text, one a network.

    Network NAME {
      FPS: 60
      Probability: 0.5            // optional, 1 without
      Dependency: { OTHER }       // optional
      Layer conv1 { Type: CONV  Dimensions: { N: 1, K: 16, C: 3, Y: 160, X: 100, R: 3, S: 3 } }
    }

Layers only tell how many multiply-accumulates a network has; costs come from a cost table.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode
from band.xrbench.scenarios import RUN_MS, Scenario, ScenarioModel

_TOKEN: Final = re.compile(r"//[^\n]*|[{}:,;]|[^\s{}:,;]+")
_KEYS: Final = ("FPS", "Probability", "Dependency", "Layer")
_SEPARATORS: Final = frozenset(":,;")
_MOST_FPS: Final = 1000
_MOST_DIGITS: Final = 9
_MOST_MACS: Final = 10**18
_GIGA: Final = 1e9


class _Token(NamedTuple):
    """A word or a bracket, and its line; the last one of a file is empty."""

    text: str
    line: int


def read_scenario(path: Path) -> Scenario:
    """Return the scenario of a file, named by the file.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_CONFIG ``file:line`` if a block, a
            key or a number is wrong, a dependency is not in the file, or they go in a circle.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"there is no scenario file '{path}'"
        raise BandError(ErrorCode.NOT_FOUND, message, path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"scenario file '{path}' cannot be read as text"
        raise BandError(ErrorCode.INVALID_CONFIG, message, path=str(path)) from error
    return Scenario(name=path.stem, models=_Reader(path, text).models())


class _Reader:
    """Reads one file, token by token."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._tokens = list(_tokens(text))
        self._at = 0
        self._lines: dict[str, int] = {}

    def models(self) -> tuple[ScenarioModel, ...]:
        """Return the networks, each behind those it depends on."""
        models: dict[str, ScenarioModel] = {}
        while self._peek().text:
            model, line = self._network()
            if model.name in models:
                first = self._lines[model.name]
                raise self._bad(line, f"network {model.name} is given twice, first on line {first}")
            models[model.name] = model
            self._lines[model.name] = line
        if not models:
            raise self._bad(1, "the file has no block 'Network NAME { ... }'")
        return self._ordered(models)

    def _network(self) -> tuple[ScenarioModel, int]:
        word = self._next()
        if word.text != "Network":
            raise self._bad(word.line, f"'{word.text}' stands where 'Network NAME {{' is expected")
        name = self._word("the name of the network")
        self._open(f"network {name.text}")
        fps, probability, gmac = 0, 1.0, 0.0
        depends_on: tuple[str, ...] = ()
        while (key := self._next()).text != "}":
            match key.text:
                case "FPS":
                    fps = self._fps()
                case "Probability":
                    probability = self._probability()
                case "Dependency":
                    depends_on = self._names()
                case "Layer":
                    gmac += self._layer()
                case "":
                    raise self._bad(name.line, f"network {name.text} is not closed with '}}'")
                case _:
                    hint = suggestion(key.text, _KEYS, noun="keys of a network")
                    raise self._bad(key.line, f"a network has no key '{key.text}'; {hint}")
        if not fps:
            raise self._bad(name.line, f"network {name.text} has no FPS")
        model = ScenarioModel(
            name=name.text,
            fps=fps,
            probability=probability,
            depends_on=depends_on,
            gmac=gmac or None,
        )
        return model, name.line

    def _fps(self) -> int:
        value = self._value("FPS")
        fps = _whole(value.text) or 0
        if not 1 <= fps <= _MOST_FPS or 1000 // fps > RUN_MS:
            raise self._bad(
                value.line, f"FPS must be a whole number from 2 to {_MOST_FPS}, not '{value.text}'"
            )
        return fps

    def _probability(self) -> float:
        value = self._value("Probability")
        try:
            probability = float(value.text)
        except ValueError:
            probability = math.nan
        if not 0 <= probability <= 1:
            raise self._bad(value.line, f"Probability must be from 0 to 1, not '{value.text}'")
        return probability

    def _names(self) -> tuple[str, ...]:
        self._open("Dependency")
        names = []
        while (token := self._next()).text != "}":
            if token.text in ("", "{"):
                raise self._bad(token.line, "Dependency is not closed with '}'")
            names.append(token.text)
        return tuple(dict.fromkeys(names))

    def _layer(self) -> float:
        """Return the billions of multiply-accumulates of a layer: the product of its dimensions."""
        name = self._word("the name of the layer")
        self._open(f"layer {name.text}")
        gmac = 0.0
        while (key := self._next()).text != "}":
            if not key.text:
                raise self._bad(name.line, f"layer {name.text} is not closed with '}}'")
            if key.text == "Dimensions":
                gmac = self._dimensions()
            elif key.text == "{":
                self._skip(key.line)
        return gmac

    def _dimensions(self) -> float:
        self._open("Dimensions")
        product = 1
        while (key := self._next()).text != "}":
            size = _whole(self._next().text)
            if size is None:
                raise self._bad(key.line, f"dimension {key.text or '?'} is no whole number")
            product *= size
            if product > _MOST_MACS:
                raise self._bad(key.line, "no layer has that many multiply-accumulates")
        return product / _GIGA

    def _skip(self, line: int) -> None:
        """Pass over a block that nobody needs."""
        depth = 1
        while depth:
            token = self._next()
            if not token.text:
                raise self._bad(line, "this block is not closed with '}'")
            depth += {"{": 1, "}": -1}.get(token.text, 0)

    def _ordered(self, models: dict[str, ScenarioModel]) -> tuple[ScenarioModel, ...]:
        """Return the networks, upstream ones first, otherwise as in the file."""
        for model in models.values():
            for upstream in model.depends_on:
                if upstream not in models:
                    hint = suggestion(upstream, models, noun="networks")
                    text = f"{model.name} depends on '{upstream}', which is not here; {hint}"
                    raise self._bad(self._lines[model.name], text)
        ordered: dict[str, ScenarioModel] = {}
        while len(ordered) < len(models):
            ready = [
                model
                for model in models.values()
                if model.name not in ordered and all(d in ordered for d in model.depends_on)
            ]
            if not ready:
                first = next(name for name in models if name not in ordered)
                text = f"the dependencies of {first} go in a circle"
                raise self._bad(self._lines[first], text)
            ordered |= {model.name: model for model in ready[:1]}
        return tuple(ordered.values())

    def _value(self, key: str) -> _Token:
        return self._word(f"the value of {key}")

    def _word(self, what: str) -> _Token:
        token = self._next()
        if token.text in ("", "{", "}"):
            raise self._bad(token.line, f"{what} is missing")
        return token

    def _open(self, what: str) -> None:
        token = self._next()
        if token.text != "{":
            raise self._bad(token.line, f"{what} needs a '{{', not '{token.text}'")

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _bad(self, line: int, sentence: str) -> BandError:
        message = f"{self._path}:{line}: {sentence}"
        return BandError(ErrorCode.INVALID_CONFIG, message, path=str(self._path), line=line)


def _whole(text: str) -> int | None:
    """Return a whole number, None if the text is none or has more digits than any here."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return int(text)


def _tokens(text: str) -> Iterator[_Token]:
    """Yield words and brackets, then the empty token of the last line; separators say nothing."""
    line = 1
    at = 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        word = found.group()
        if word not in _SEPARATORS and not word.startswith("//"):
            yield _Token(word, line)
    yield _Token("", line)
