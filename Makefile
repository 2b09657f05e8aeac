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

# one process a core, one thread each
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope
# the rooms that others import: their own tests cover every line and branch. The others are not traced, which takes half
# their time again
COVERED := alm losses metrics figures networks operating_point
OWN_TESTS := $(foreach room,$(COVERED),$(wildcard tests/$(room) tests/test_$(room)*.py))

test: $(STAMP)
	covered=0; $(PYTEST) $(OWN_TESTS) $(COVERED:%=--cov=prostate_alm.%) --cov-fail-under=100 \
		--cov-report=term:skip-covered || covered=$$?; \
	$(PYTEST) $(OWN_TESTS:%=--ignore=%) && exit $$covered

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
