# Everything with one command: `make demo`. `make` alone tells what else there is.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test conformance lint lock bench clean

help:
	@echo "make demo          run the dashboard at http://127.0.0.1:8000, with made-up orders; Ctrl-C ends it"
	@echo "  PORT=8123        at another port"
	@echo "  RESET=1          from the beginning: forget all orders and users of the demo"
	@echo "  RISINGWAVE_URL=postgres://root@host:4566/dev DATABASE_URL=postgres://..."
	@echo "                   on a real RisingWave and a real PostgreSQL; docs/settings.md has more"
	@echo "make test          run all tests"
	@echo "make conformance   run Django's own tests on the backend: docs/conformance.md; APP=\"basic lookup\" some"
	@echo "make lint          check style and types"
	@echo "make bench         measure: start-up, loading, cost, latency, the backend next to Django's"
	@echo "make lock          pin the dependencies anew, as pyproject.toml allows"
	@echo "make clean         remove all that make made, the demo's data too"

# exec: Ctrl-C and SIGTERM reach the supervisor itself, not a shell around it.
demo: $(VENV)/demo
	@exec $(VENV)/bin/python -m config.demo

test: $(VENV)/dev
	@exec $(VENV)/bin/python -m pytest $(ARGS)

conformance: $(VENV)/dev
	@exec $(VENV)/bin/python -m tests.conformance $(ARGS) $(APP)

lint: $(VENV)/dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	SECRET_KEY=lint $(VENV)/bin/mypy

bench: $(VENV)/dev
	$(VENV)/bin/python -m benchmarks.startup
	$(VENV)/bin/python -m benchmarks.load
	$(VENV)/bin/python -m benchmarks.cost
	$(VENV)/bin/python -m benchmarks.latency
	$(VENV)/bin/python -m benchmarks.backend

# The oldest Python that is supported gets the widest range of versions: its markers cover the newer ones.
UV_COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" pyproject.toml
lock: $(VENV)/bin/python
	$(PIP) install --quiet uv
	$(UV_COMPILE) --upgrade --extra psycopg2 --extra live --extra standin --output-file requirements/demo.txt
	$(UV_COMPILE) --upgrade --extra psycopg2 --extra live --extra standin --group dev \
		--constraint requirements/demo.txt --output-file requirements/dev.txt

clean:
	rm -rf $(VENV) .demo .conformance staticfiles .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results
	find . -name __pycache__ -prune -exec rm -rf {} +

# The files $(VENV)/demo and $(VENV)/dev say when requirements/demo.txt and dev.txt were installed.
$(VENV)/%: requirements/%.txt $(VENV)/bin/python
	$(PIP) install --require-hashes --requirement $<
	@touch $@

# Follows the link to the Python it was made with, and so is made anew when that one is gone.
$(VENV)/bin/python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or later, or name one: PYTHON=python3.12 make demo" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$("$(PYTHON)" --version) is too old: 3.11 or later is needed. Name one: PYTHON=python3.12 make demo" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python can't make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
