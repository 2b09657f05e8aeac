# make demo | test | lint | bench | docs : each sets up .venv by itself; set-up is skipped when nothing changed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# pins hold in pip's build environments too
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: demo test lint bench docs clean
demo: $(STAMP)
	$(BIN)/prostate-alm demo --out prostate_alm_demo

# one process a core, one thread each. The rooms that others import: every line and branch is covered
COVERED := alm losses metrics figures networks operating_point

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope $(COVERED:%=--cov=prostate_alm.%) --cov-branch --cov-fail-under=100 --cov-report=term:skip-covered

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pyright

bench: $(STAMP)
	$(BIN)/python tools/bench.py

docs: $(STAMP)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
