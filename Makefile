# Everything a person needs to type; `make help` lists it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
# Tests wait more than they compute: one process more than there are cores, a file of tests each.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, (os.cpu_count() or 1) + 1))')
BESIDE := -n $(WORKERS) --dist loadfile

.PHONY: help demo test test-long test-fast check fix bench bench-match faults lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## build the example plant, run the hub until nothing is left to do, show what happened
	@$(BIN)/nave demo $(DEMO)

test: $(VENV)/.dev ## install what the tests need, and pass them
	@scripts/install-services
	@$(BIN)/python -m pytest -m "not long" $(BESIDE)

test-long: $(VENV)/.dev ## the tests that take minutes each: kills, partitions, planted defects, two hundred histories
	@scripts/install-services
	@$(BIN)/python -m pytest -m long

test-fast: $(VENV)/.dev ## the quick loop, under a minute: the heart of it, no servers, nothing slow
	@$(BIN)/python -m pytest -q -m "not slow and not service and not long" $(BESIDE) tests/core tests/workers tests/mappings tests/api

check: $(VENV)/.dev ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(VENV)/.dev ## format, and mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure, beside the raw limit of this machine in the same run
	@$(BIN)/python -m bench

bench-match: $(VENV)/.dev ## measure matching on public labelled sets, beside Splink and recordlinkage
	@scripts/bench-match

faults: $(VENV)/.dev ## break everything, for hours; goes on where it ended (COUNT=ci|small|full|release, JOBS=3)
	@scripts/install-services
	@$(BIN)/python -m tests.faults

lock: $(VENV)/.dev ## pin all dependencies anew, with hashes
	@scripts/lock

clean: ## forget the environment and everything that was built
	@rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/out

$(VENV)/bin/python:
	@scripts/make-environment $(PYTHON) $(VENV)

# The demo needs less than the tests; each target installs its own set once per lock file.
$(VENV)/.run: $(VENV)/bin/python requirements/run.txt pyproject.toml
	@test -e $(VENV)/.dev || scripts/install $(VENV) requirements/run.txt
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements/dev.txt pyproject.toml
	@scripts/install $(VENV) requirements/dev.txt
	@touch $@ $(VENV)/.run
