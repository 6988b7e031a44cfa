# A fresh Linux x86-64 machine with Python 3.11+ and package registries is enough: no root, no containers.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BOOTSTRAP := .waybill/bootstrap
# A uv that answers: the system's, or the one that pip brought.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BOOTSTRAP)/bin/uv)
PYTHON ?= python3
SIZES ?= 0.5 1
# System tests that run beside the others, so that both halves take the same time.
STORIES := tests/system/test_meaning.py tests/system/test_crash_meaning.py
export UV_FROZEN := 1
say = @printf '\033[1m== make $@:\033[0m %s\n' "$$(sed -n 's/^$@:.*\#\# //p' Makefile)"

.PHONY: help demo test check lint bench bench-large chaos fuzz up setup sync uv

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 19

demo: setup  ## set everything up, then watch files of two organisations go through, end to end
	$(say)
	$(UV) run waybill demo

test: setup lint  ## set everything up, then run every check and every test
	$(say)
	# Two at once, each with servers of its own: much of the time goes by while somebody waits.
	mkdir -p .waybill
	set -m  # a process group of its own, to be ended whole
	( status=0
	$(UV) run pytest --durations=10 libs services cli tests/architecture || status=$$?
	$(UV) run pytest --durations=10 $(STORIES) || status=$$?
	exit $$status ) > .waybill/test.log 2>&1 & parts=$$!
	set +m
	trap "kill -- -$$parts 2>/dev/null || true" EXIT
	status=0
	$(UV) run pytest --durations=10 tests/system $(STORIES:%=--ignore=%) || status=$$?
	wait $$parts || status=$$?
	cat .waybill/test.log
	exit $$status

check: lint  ## lint, format, types, import rules, size limits, SQL and client rules, contracts, fresh docs
	$(say)
	$(UV) run pytest -q tests/architecture libs/contracts

lint: sync  ## the part of check that runs no test
	$(say)
	$(UV) run ruff check .
	$(UV) run ruff format --check .
	$(UV) run mypy
	$(UV) run lint-imports

bench: setup  ## how fast, on the local stack; prints figures and writes them as JSON
	$(say)
	$(UV) run python -m bench

bench-large: setup  ## how much memory files of 0.5 and 1 GB take, plain and packed; SIZES="0.5 1 5" sets others
	$(say)
	$(UV) run python -m bench.large --gigabytes $(SIZES)

chaos: setup  ## every server away for two minutes under load; recovery without a restart
	$(say)
	WAYBILL_AWAY_SECONDS=120 $(UV) run pytest tests/system -m chaos --timeout=3600

fuzz: sync  ## damaged files of every format, ten minutes each; FORMATS="csv json" EACH=60 sets others
	$(say)
	$(UV) run python -m tests.fuzz --seconds $(or $(EACH),600) $(FORMATS)

up: setup  ## servers and services in the foreground until Ctrl-C
	$(say)
	$(UV) run waybill up

setup: sync  ## Python packages and the real servers (first time: some minutes)
	$(say)
	$(UV) run python -m stack fetch

sync: uv  ## Python packages as locked
	$(say)
	$(UV) sync --frozen

uv:
	@$(UV) --version >/dev/null 2>&1 && exit 0
	if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		echo "Python 3.11 or newer is needed: $(PYTHON) is missing or older (make PYTHON=/path/to/python3)" >&2
		exit 1
	fi
	echo "uv is missing: installing it with pip into $(BOOTSTRAP)"
	# --target is allowed where the system's Python is externally managed (PEP 668); a venv brings a pip of its own.
	if $(PYTHON) -m pip --version >/dev/null 2>&1; then
		$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target $(BOOTSTRAP) 'uv>=0.11,<0.14'
	elif $(PYTHON) -m venv $(BOOTSTRAP) >/dev/null 2>&1; then
		$(BOOTSTRAP)/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.11,<0.14'
	else
		echo "uv is missing, and $(PYTHON) has neither pip nor venv: install one of uv, python3-pip, python3-venv" >&2
		exit 1
	fi
	$(UV) --version
