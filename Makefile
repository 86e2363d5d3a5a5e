# Two commands on a machine with only Python, pip and make: `make demo` and `make test`.
# Both work in a virtual environment of their own, .venv, made when it is missing and brought up to date when
# pyproject.toml or constraints.txt has changed.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$p && break; done)
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
TYPES := build/types
ITEMS ?= 4000
PORT ?= 8050
PYTEST_ARGS ?= -q --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

export MYPYPATH := $(TYPES)

.PHONY: demo test check format types browser clean help

help:
	@echo "make demo    install, build the demo collection and open its dashboard (ITEMS=$(ITEMS) PORT=$(PORT))"
	@echo "make test    install with extras, check the code and run all tests"
	@echo "make check   ruff and mypy alone"
	@echo "make format  let ruff mend what it can"
	@echo "make clean   remove the environment and what was built"

demo: $(VENV)/.demo
	@$(BIN)/thoughtspace demo --items $(ITEMS) --port $(PORT)

# One process a core, each with one thread: the models of the tests are so small that threads only wait for each other.
test: check browser
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.test types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy -p thoughtspace

format: $(VENV)/.test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Type checkers do not see through the names of an editable install, so they get the package as folders.
types:
	@mkdir -p $(TYPES)/thoughtspace
	@for part in explorer analysis dashboards datasets; do ln -sfn ../../../$$part $(TYPES)/thoughtspace/$$part; done

# A Chromium of the system, or from its packages, or Playwright's own: whichever is to be had.
browser: $(VENV)/.test
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq >/dev/null \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; then exit 0; fi; \
	$(BIN)/playwright install chromium >/dev/null || { \
		echo "Got no Chromium and none could be installed; install chromium by hand and run make test again." >&2; exit 1; }

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Got no Python from 3.11 to 3.13; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Got a Python without venv; install it (on Debian: apt-get install python3-venv)." >&2; exit 1; }

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV); this takes a few minutes the first time ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) with the extras for tests; this takes a few minutes the first time ..."
	@$(PIP) --editable ".[test,dev]"
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
