# make quickstart    set up and run a first job, in about two minutes on two cores
# make test          set up and pass the tests; the real data sets are read from BNNRAY_DATA
# make test-faults   kill, fill up and take away what a run needs, and look at what is left
# make lab           a real Slurm of three nodes on this machine, and the first job on it; needs root
# make test-lab      what may happen to a job on Slurm, tried there
# make check         style, types and the import rules
# make docs          write docs/results.md and docs/metrics.md anew
# make TORCH_ARGS='--index-url URL' ...   take torch from another index, such as PyTorch's for CPUs
# make clean         remove the virtual environment

PYTHON ?= python3
TORCH_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: quickstart test test-faults lab test-lab check format docs clean

quickstart: $(READY)
	$(BIN)/bnnray run jobs/quickstart.toml

# Three on two cores: a third of the time is waiting, for Ray, signals and limits.
test: $(READY)
	$(BIN)/bnnray warmup
	$(BIN)/python -m pytest -n 3 --dist loadfile --ignore tests/faults --ignore tests/lab

test-faults: $(READY)
	$(BIN)/bnnray warmup
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/faults

lab: $(READY)
	tests/lab/install.sh
	$(BIN)/python tests/lab/slurm_lab.py quickstart

test-lab: $(READY)
	tests/lab/install.sh
	$(BIN)/bnnray warmup
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/lab

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY)
	$(BIN)/python -c 'from bnnray.results.schema import as_markdown; print(as_markdown())' \
		> docs/results.md
	$(BIN)/python -c 'from bnnray.runtime.metrics import as_markdown; print(as_markdown())' \
		> docs/metrics.md

clean:
	rm -rf $(VENV)

# torch comes first and alone: what is installed after it then finds it there, and does not
# bring another build of several gigabytes.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "bnnray needs Python 3.11 or later; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt $(TORCH_ARGS) torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
