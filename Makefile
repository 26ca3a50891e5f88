# Two commands on a fresh machine with Python 3.11: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
TFLITE_VENV ?= .venv-tflite
PYTEST := $(BIN)/python -m pytest
BAND_TEST_DATA ?=
export BAND_TEST_DATA

.PHONY: demo test slow soak lint format types contracts fast wheel bench compiled protos clean

demo: $(VENV)/.core
	@$(BIN)/band demo

test: lint types contracts fast wheel

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check --quiet . && echo "format: ok"
	@$(BIN)/ruff check --quiet . && echo "lint: ok"

format: $(VENV)/.dev
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: $(VENV)/.dev
	@$(BIN)/mypy

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports --no-cache | tail -n 3

fast: $(VENV)/.dev
	@$(PYTEST) -m "not slow and not wheel and not soak" -n 2

wheel: $(VENV)/.dev
	@$(PYTEST) -m wheel

slow: $(VENV)/.dev $(TFLITE_VENV)/.done
	@BAND_TFLITE_PYTHON=$(abspath $(TFLITE_VENV)/bin/python) $(PYTEST) -m slow -n 2 --dist loadgroup

soak: $(VENV)/.dev
	@$(PYTEST) -m soak

bench: $(VENV)/.dev
	@for b in benchmarks/*.py; do $(BIN)/python $$b || exit 1; done

# PYTHONPATH=build/compiled puts it in front of the checkout.
compiled: $(VENV)/.core
	@scripts/make-compiled $(BIN)/python build/compiled

protos: $(VENV)/.dev
	@$(BIN)/python scripts/protos.py

$(VENV)/.core: pyproject.toml constraints.txt
	@scripts/make-venv $(PYTHON) $(VENV) "."
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@scripts/make-venv $(PYTHON) $(VENV) ".[dev]"
	@touch $@ $(VENV)/.core

# The frozen tflite-runtime needs numpy 1, so it gets an environment of its own.
$(TFLITE_VENV)/.done: pyproject.toml
	@CONSTRAINTS= scripts/make-venv $(PYTHON) $(TFLITE_VENV) ".[tflite-runtime]"
	@touch $@

clean:
	@rm -rf $(VENV) $(TFLITE_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
