# collatrisk: `make demo` shows it at work, `make test` proves it. Both start from nothing but python3 (3.11+), pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
OUT ?= out/demo

.PHONY: demo test test-slow lint format lock bench clean

demo: $(VENV)/.stamp-core
	$(BIN)/collatrisk warmup
	$(BIN)/collatrisk demo --out $(OUT)

test: $(VENV)/.stamp-test lint
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(VENV)/.stamp-test
	$(BIN)/pytest -m slow

lint: $(VENV)/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

format: $(VENV)/.stamp-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.stamp-test
	$(PIP) -e ".[bench]"
	$(BIN)/python benchmarks/run.py

lock:
	$(PYTHON) tools/lock.py

clean:
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/.stamp-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[test]"
	touch $@ $(VENV)/.stamp-core
