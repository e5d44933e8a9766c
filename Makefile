PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
REAL   := $(patsubst %/requirements.txt,%/.venv/installed,$(wildcard tests/acceptance/clients/*/requirements.txt))
NODE   := tests/acceptance/node_modules/.installed tests/support/node_modules/.installed
PORT   ?= 8750
# One more process than processors: tests often wait for the programs that they start.
TESTERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# What `make load` does: for how long, and with how many clients.
SECONDS := 60
CLIENTS := 500

.PHONY: help install demo serve test test-fast kills check bench load docs constraints clean

help: ## what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(VENV)/installed ## make .venv with the command outhaul

demo: $(VENV)/installed ## a sample subscription, a server and two extracts, shown step by step
	@$(BIN)/outhaul demo

serve: $(VENV)/installed ## the sample subscription, kept running on port 8750
	@$(BIN)/outhaul demo --serve --data sample --port $(PORT)

test: $(VENV)/developing $(NODE) $(REAL) ## every test
	$(BIN)/pytest -n $(TESTERS) --durations 12

test-fast: $(VENV)/developing ## what needs no server and no network: for while you work
	$(BIN)/pytest -q -n auto --hypothesis-profile fast tests/unit

kills: $(VENV)/developing ## kill workers and servers for a minute, on SQLite and on PostgreSQL with S3
	OUTHAUL_KILL_SECONDS=60 $(BIN)/pytest -q tests/integration/test_kills.py

check: $(VENV)/developing ## style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/developing ## speed and memory, in ratios
	$(BIN)/python benchmarks/run.py
	PYTHONPATH=. $(BIN)/python benchmarks/bucket.py

load: $(VENV)/developing ## many clients at once: make load SECONDS=60 CLIENTS=500
	$(BIN)/python benchmarks/load.py --seconds $(SECONDS) --clients $(CLIENTS)

docs: $(VENV)/developing ## write the tables of settings; check that the pages agree with the code
	$(BIN)/python -m tests.support.setting_tables
	$(BIN)/pytest -q tests/unit/test_docs.py

constraints: $(VENV)/developing ## resolve the versions anew
	$(BIN)/uv pip compile --quiet --universal --upgrade --no-emit-index-url --no-header \
		--python-version 3.11 --all-extras pyproject.toml --output-file constraints.txt

clean: ## remove what was installed and what tests leave
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		tests/acceptance/node_modules tests/support/node_modules $(REAL:/installed=)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "outhaul needs Python 3.11 or later; set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "cannot make a virtual environment: on Debian, apt-get install python3-venv" >&2; \
		     rm -rf $(VENV); exit 1; }

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing outhaul into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@# pip compiles what it installs, but not this folder: each start would, where Python may not write.
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/developing: $(VENV)/installed
	@echo "installing what tests and checks need …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# One of the real clients is a Node package, and so is the emulator of Azure's storage; without npm
# the tests that need them are skipped, and say so.
tests/%/node_modules/.installed: tests/%/package.json
	@if command -v npm >/dev/null; then \
		npm install --prefix tests/$* --no-package-lock --no-audit --no-fund --silent \
		&& touch $@; \
	else echo "npm is not installed: tests that need packages of tests/$* will be skipped"; fi

# Other clients are Python programs that need older libraries than ours, and so have environments of their
# own. Nothing of them needs to be compiled; without them their tests are skipped, and say so.
tests/acceptance/clients/%/.venv/installed: tests/acceptance/clients/%/requirements.txt | $(VENV)/bin/python
	@echo "installing $* into $(@D) …"
	@$(BIN)/python -m venv --clear $(@D)
	@PENDULUM_EXTENSIONS=0 $(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@
