# Everything a contributor or a first-time user needs; each target sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test lint format soak bench docs clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (make PYTHON=python3.12)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/tinyfleet demo

test: setup lint
	$(BIN)/pytest --numprocesses auto --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The property tests with fifty times the examples, and every power cut of every chip.
soak: setup
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest -m "hypothesis or soak" --timeout 3600

bench: setup
	$(BIN)/tinyfleet bench mcu --flags --check
	$(BIN)/tinyfleet bench rollout --runs 1000 --harmful 50
	$(BIN)/tinyfleet bench engine

docs: setup
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv build site demo *.egg-info
