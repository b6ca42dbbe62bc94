# What people type. Everything it needs beyond Python 3.11, make and git it brings itself.

SHELL := /bin/bash
PYTHON ?= python3.11
UV_VERSION := 0.13.9
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
# Two processes, each with engines of its own; what shares something costly stays in one of them.
SIDE_BY_SIDE := -n 2 --dist loadgroup
MIGRATIONS := shared/migrations/*.sql services/*/migrations/*.sql

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-long check bench

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Bring the locked dependencies and the engines.

# The stamp makes a second run instant; it is renewed when a lock changes.
$(READY): Makefile uv.lock pyproject.toml dev/kafka.lock dev/webfiles.lock
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(VENV)/bin/uv sync --frozen --all-extras --quiet
	$(RUN) dev engines
	@touch $@

demo: setup ## Watch one paid session go from search to bank payout.
	$(RUN) dev demo

up: setup ## Run the marketplace, seeded, until Ctrl-C.
	$(RUN) dev up --seeded

test: setup ## Run every test that a change must pass.
	$(RUN) dev.chromium
	$(RUN) pytest $(SIDE_BY_SIDE) -m "not long" --durations=25

test-long: setup ## Run all tests, the long sweeps included.
	$(RUN) dev.chromium
	$(RUN) pytest $(SIDE_BY_SIDE)

check: setup ## Check format, lint, types, import contracts, migrations and dependencies.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/basedpyright
	$(VENV)/bin/lint-imports
	$(VENV)/bin/squawk --config .squawk.toml $(MIGRATIONS)
	$(RUN) dev.audit

bench: setup ## Run the benchmarks, each beside its control (ARGS="--quick").
	$(RUN) bench $(ARGS)
