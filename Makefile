# `make demo` runs the dashboard. `make` lists all commands.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo board test faults matrix conformance live lint messages lock lock-peers bench bench-peers clean

help:
	@echo "make demo          run the dashboard at http://127.0.0.1:8000 with generated orders, until Ctrl-C"
	@echo "  PORT=8123        use another port"
	@echo "  RESET=1          delete the demo's orders and users first"
	@echo "  RISINGWAVE_URL=postgres://root@host:4566/dev DATABASE_URL=postgres://..."
	@echo "                   use a RisingWave and a PostgreSQL of yours; see docs/settings.md for more variables"
	@echo "make board RISINGWAVE_URL=postgres://user@host:4566/dev"
	@echo "                   show the materialized views of any RisingWave; writes nothing there, SELECT suffices"
	@echo "make test          run all tests"
	@echo "make faults        kill, freeze and fill what the dashboard depends on, and write docs/reliability.md"
	@echo "make matrix        run the backend's tests on each supported Python, Django and driver"
	@echo "make conformance   run Django's own tests on the backend, or those of some apps: APP=\"basic lookup\""
	@echo "make live RISINGWAVE_URL=postgres://root@127.0.0.1:4566/dev"
	@echo "                   test everything that needs a RisingWave on one that is meant for tests"
	@echo "make lint          check style, types and imports"
	@echo "make bench         run all benchmarks of the dashboard and the backend"
	@echo "make bench-peers   benchmark the dashboard and its alternatives; see docs/benchmarks.md"
	@echo "make messages      update the catalogs of translations, and print what has no translation"
	@echo "make lock          update the pinned dependencies"
	@echo "make lock-peers    update the pinned dependencies of the alternatives"
	@echo "make clean         delete everything that make created, including the demo's data"

# exec: Ctrl-C and SIGTERM reach the supervisor, not a shell around it.
demo: $(VENV)/demo
	@exec $(VENV)/bin/python -m demo

# make passes RISINGWAVE_URL and DATABASE_URL on.
board: $(VENV)/demo
	@exec $(VENV)/bin/python -m demo --board

# Four on two cores, because most tests wait for a server or a browser. Each has servers of its own and takes
# whole files, so that what a file's tests share is set up once, in the order of tests/conftest.py.
test: $(VENV)/dev
	@exec $(VENV)/bin/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

faults: $(VENV)/dev
	@exec $(VENV)/bin/python -m tests.faults $(ARGS)

# uv downloads a Python that it doesn't find on the PATH, where pyenv doesn't put its own.
matrix: $(VENV)/dev
	@PATH="$$PATH$$(printf ':%s' "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/*/bin)" \
	  exec $(VENV)/bin/tox run-parallel --parallel 2 --parallel-no-spinner $(ARGS)

conformance: $(VENV)/dev
	@exec $(VENV)/bin/python -m tests.conformance $(ARGS) $(APP)

# make passes RISINGWAVE_URL, RISINGWAVE_KILL and RISINGWAVE_START on.
live: $(VENV)/dev
	@exec $(VENV)/bin/python -m tests.risingwave $(ARGS)

lint: $(VENV)/dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache

bench: $(VENV)/dev
	$(VENV)/bin/python -m benchmarks.startup
	$(VENV)/bin/python -m benchmarks.load
	$(VENV)/bin/python -m benchmarks.cost
	$(VENV)/bin/python -m benchmarks.ranked_reads
	$(VENV)/bin/python -m benchmarks.windows
	$(VENV)/bin/python -m benchmarks.history
	$(VENV)/bin/python -m benchmarks.latency
	$(VENV)/bin/python -m benchmarks.page
	$(VENV)/bin/python -m benchmarks.first_view
	$(VENV)/bin/python -m benchmarks.hearing
	$(VENV)/bin/python -m benchmarks.fanout
	$(VENV)/bin/python -m benchmarks.frames
	$(VENV)/bin/python -m benchmarks.polling
	$(VENV)/bin/python -m benchmarks.backend

bench-peers: $(VENV)/dev
	$(VENV)/bin/python -m benchmarks.peers $(ARGS)

messages: $(VENV)/dev
	@exec $(VENV)/bin/python -m tests.messages

# UPGRADE= locks what pyproject.toml has added and leaves the rest as it is.
UPGRADE ?= --upgrade
# A lock for the oldest Python that a Django supports has markers for the newer ones. A package in several locks has
# the same versions in each, apart from Django itself and the locks of the lowest versions.
UV_COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes $(UPGRADE) \
	--custom-compile-command "make lock" pyproject.toml
LOCK := $(UV_COMPILE) --python-version 3.11
DRIVER_ONLY := --no-emit-package django --no-emit-package asgiref --no-emit-package sqlparse
LOCK_DRIVER := $(LOCK) --constraint requirements/dev.txt $(DRIVER_ONLY)
LOCK_LOWEST_DRIVER := $(LOCK) --resolution lowest-direct --constraint requirements/lowest.txt $(DRIVER_ONLY)
LOCK_DJANGO := --extra live --extra standin --group site --group test
lock: $(VENV)/dev
	$(LOCK) --extra psycopg2 --extra live --extra standin --group site --output-file requirements/demo.txt
	$(LOCK) --extra psycopg2 --extra live --extra standin --group site --group dev \
		--constraint requirements/demo.txt --output-file requirements/dev.txt
	$(LOCK_DRIVER) --extra psycopg2 --output-file requirements/psycopg2.txt
	$(LOCK_DRIVER) --extra psycopg3 --group pool --output-file requirements/psycopg3.txt
	$(LOCK) $(LOCK_DJANGO) --group django52 --output-file requirements/django-5.2.txt
	$(UV_COMPILE) --python-version 3.12 $(LOCK_DJANGO) --group django60 --output-file requirements/django-6.0.txt
	$(UV_COMPILE) --python-version 3.12 $(LOCK_DJANGO) --group django61 --output-file requirements/django-6.1.txt
	$(LOCK) --resolution lowest-direct $(LOCK_DJANGO) --output-file requirements/lowest.txt
	$(LOCK_LOWEST_DRIVER) --extra psycopg2 --output-file requirements/lowest-psycopg2.txt
	$(LOCK_LOWEST_DRIVER) --extra psycopg3 --group pool --output-file requirements/lowest-psycopg3.txt

# The alternatives that the dashboard is compared with, each in an environment of its own.
PEERS := benchmarks/peers/requirements
lock-peers: $(VENV)/dev
	for peer in groups eventstream dash streamlit plot; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --custom-compile-command "make lock-peers" $(PEERS)-$$peer.in --output-file $(PEERS)-$$peer.txt || exit; \
	done

clean:
	rm -rf $(VENV) .tox .demo .conformance .faults .live .peers staticfiles .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results
	find . -name __pycache__ -prune -exec rm -rf {} +

# The files $(VENV)/demo and $(VENV)/dev mark when requirements/demo.txt and dev.txt were installed.
$(VENV)/%: requirements/%.txt $(VENV)/bin/python
	$(PIP) install --require-hashes --requirement $<
	@touch $@

# A link to the Python that created the environment: when that Python is removed, make creates the environment again.
$(VENV)/bin/python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "$(PYTHON) is not installed. Install Python 3.11, 3.12 or 3.13, or choose one: make demo PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "$$("$(PYTHON)" --version) is not supported. Choose Python 3.11, 3.12 or 3.13: make demo PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) can't create virtual environments. On Debian and Ubuntu, run: apt install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
