# The two commands of a newcomer are `make demo` and `make test`; each sets up what it needs first.
# Nothing here installs system packages.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# The first Python that is new enough; `make PYTHON=…` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?=

.PHONY: help setup demo test soak lint format clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## create .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt tools/install.sh
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed; found none on the PATH" >&2; exit 1; }
	@PYTHON="$(PYTHON)" sh tools/install.sh $(VENV)
	@touch $@

demo: $(STAMP)  ## play the built-in clip through the whole pipeline; ARGS="--until-alert --timeout-s 120"
	@$(BIN)/gend-monitor demo $(ARGS)

# These hold a clock against what is promised, so nothing runs beside them.
ALONE := tests/monitor/demo/test_show.py tests/monitor/test_stopping.py

# Several at a time; the tests of one file share a service, or an encoder, in their order, and files with long tests
# begin first (tests/conftest.py). The libraries of the research side and those of the service do not meet in one process,
# as in use: a process has one fork server for both. Tests of faults wait more than they compute: three at a time.
MANY := --dist loadfile --no-loadscope-reorder

# The tests start hundreds of processes, each of which would compile the project anew where bytecode is not kept; and of
# two that compute beside each other, neither is helped by threads for cores that the other has.
test: export PYTHONDONTWRITEBYTECODE :=
test: export OMP_NUM_THREADS ?= 1
test: $(STAMP)  ## run the tests; ARGS="-k name" for some of them
ifeq ($(strip $(ARGS)),)
	@failed=0; $(BIN)/python -m pytest -n 2 $(MANY) tests/gend || failed=1; \
	$(BIN)/python -m pytest -n 2 $(MANY) tests/test_*.py tests/monitor $(addprefix --ignore=,$(ALONE)) || failed=1; \
	$(BIN)/python -m pytest $(ALONE) || failed=1; \
	$(BIN)/python -m pytest -n 3 $(MANY) tests/faults || failed=1; exit $$failed
else
	@$(BIN)/python -m pytest $(ARGS)
endif

soak: $(STAMP)  ## hours of faults: the long forms of tests/faults, then many streams; ARGS="--hours 2 --out DIR"
	@GEND_SOAK=1 $(BIN)/python -m pytest tests/faults
	@GEND_SOAK=1 $(BIN)/python -m pytest -m long tests/gend
	@GEND_SOAK=1 $(BIN)/python -m pytest -m long tests/monitor
	@$(BIN)/python -m benchmarks.soak $(ARGS)

lint: $(STAMP)  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove .venv and caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
