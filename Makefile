# Everything a newcomer or CI runs. `make help` lists it.
# Needs make, bash and Python 3.11 or later as python3 (or PYTHON=/path/to/python).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PYTEST_ARGS ?=
BIN := .venv/bin
STAMP := .venv/.installed

# Nothing here may phone home, and no library may look for a hub while tests or the demo run.
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export HF_HUB_OFFLINE := 1
# Matplotlib keeps a list of fonts; not in the home of whoever runs this.
export MPLCONFIGDIR := $(CURDIR)/.venv/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where the environment forbids bytecode, every command would compile 5,000 modules anew (8 s).
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo up down secrets test test-slow lint types imports environment unit docs figures figures-parts figures-families figures-kinds audit-figures bench bench-smoke bench-gpu fuzz house pins clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with the command .venv/bin/tuni in it

$(STAMP): pyproject.toml constraints.txt constraints-torch.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not there; install Python 3.11 or later, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), and tuni needs Python 3.11 or later; say make PYTHON=/path/to/newer/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make environments; install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv: 2 to 5 minutes and 7 GB the first time, seconds after that (log: .venv/install.log)"
	@log=.venv/install.log; start=$$SECONDS; \
	( while sleep 10 >/dev/null 2>&1; do printf '  %4d s  %s\n' $$((SECONDS - start)) "$$(grep -E '^ *(Collecting|Building|Installing|Successfully)' $$log | tail -n 1 | cut -c 1-70)"; done ) & beat=$$!; \
	trap 'kill $$beat 2>/dev/null || true' EXIT; \
	pip="$(BIN)/python -m pip install --progress-bar off --no-input --no-compile"; \
	{ $$pip --require-hashes --only-binary=:all: --no-deps -r constraints.txt \
	  && $$pip -r constraints-torch.txt \
	  && $$pip --no-deps --no-build-isolation -e . \
	  && $(BIN)/python -m pip check; } >$$log 2>&1 \
	  || { grep -v '^WARNING: Location' $$log | tail -n 15 >&2; echo "make: the installation failed; all of it is in $$log" >&2; exit 1; }; \
	echo "installed in $$((SECONDS - start)) s: $(BIN)/tuni"
	@touch $@

demo: $(STAMP) ## the whole job on a checkpoint with known members, then verdicts for a watch list
	@TUNI_HOME="$(CURDIR)/.demo" $(BIN)/tuni demo

up: $(STAMP) ## MLflow's and Prefect's pages of the demo, on this machine alone
	@TUNI_HOME="$(CURDIR)/.demo" $(BIN)/tuni up

down: $(STAMP) ## end what `make up` started
	@TUNI_HOME="$(CURDIR)/.demo" $(BIN)/tuni down

secrets: ## passwords and keys for docker/compose.yaml, in docker/secrets
	@bash docker/make-secrets

test: lint types imports environment unit ## what every change must pass: style, types, imports and the tests but the slow ones

lint: $(STAMP) ## style of code and of the image's recipe
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/hadolint docker/Dockerfile

types: $(STAMP) ## mypy --strict on the packages and the benchmarks
	@$(BIN)/mypy

imports: $(STAMP) ## which package may import which
	@$(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache

environment: $(STAMP) ## what is installed fits together
	@$(BIN)/python -m pip check

# One thread a worker: two workers on two cores, and sums that don't depend on the machine's load.
unit: export OMP_NUM_THREADS := 1
# Temporary folders in memory, where it has room: a disk would be waited for at every transaction.
unit: export MARKED ?= not slow
unit: $(STAMP) ## the tests alone; PYTEST_ARGS="-k name" picks some
	@free=$$(df --output=avail --block-size=G /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9); \
	if [ "$${free:-0}" -ge 6 ]; then export TMPDIR=$$(mktemp -d /dev/shm/tuni-tests-XXXXXX); chmod 711 $$TMPDIR; trap 'rm -rf $$TMPDIR' EXIT; fi; \
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --durations 10 --durations-min 10 -ra -m "$(MARKED)" $(PYTEST_ARGS)

test-slow: export MARKED := slow
test-slow: ## the tests that `make test` leaves out: the same simulations with more draws
	@$(MAKE) unit

docs: $(STAMP) ## write docs/cli.md and the tables of docs/guide.md anew from the code
	@$(BIN)/python docs/make_reference.py

figures: $(STAMP) ## the measured figures of docs/results.md (an hour)
	@$(BIN)/python benchmarks/figures.py

figures-parts: $(STAMP) ## whether a name part decides: the targets of docs/results.md (two hours; goes on in ./parts)
	@$(BIN)/python benchmarks/parts.py
	@for vocabulary in closed own; do $(BIN)/python benchmarks/part_lists.py --vocabulary $$vocabulary --out part-lists-$$vocabulary.json; done

figures-families: $(STAMP) ## power by family of models: the targets of docs/results.md (two hours; goes on in ./families)
	@$(BIN)/python benchmarks/families.py

figures-kinds: $(STAMP) ## contact data in captions: the targets of docs/results.md (three hours; goes on in ./kinds)
	@$(BIN)/python benchmarks/kinds.py

bench: $(STAMP) ## how fast tuni is, side by side with the plain ways (35 minutes); writes .venv/speed.json
	@$(BIN)/python benchmarks/speed --out .venv/speed.json

house: $(STAMP) ## how large the house is, and how many files a name passes on its way (3 minutes)
	@$(BIN)/python benchmarks/house.py --walk

bench-smoke: $(STAMP) ## the same, figures-parts and figures-families in tiny sizes: whether they run, not how fast
	@$(BIN)/python benchmarks/speed --smoke
	@$(BIN)/python benchmarks/speed --smoke --only gpu
	@parts=$$(mktemp -d); trap 'rm -rf $$parts' EXIT; \
	$(BIN)/python benchmarks/parts.py --smoke --folder $$parts --regimes short own --out $$parts/parts.json; \
	$(BIN)/python benchmarks/part_lists.py --smoke --folder $$parts --out $$parts/lists.json; \
	$(BIN)/python benchmarks/families.py --smoke --folder $$parts/families --out $$parts/families.json; \
	$(BIN)/python benchmarks/kinds.py --smoke --kinds name_phone phone --folder $$parts --out $$parts/kinds.json

fuzz: $(STAMP) ## 50,000 changed inputs for everything that reads others' files (goes on in ./fuzz.json)
	@PYTHONPATH=. $(BIN)/python -m tests.fuzz

bench-gpu: $(STAMP) ## what a GPU does, in at most ten minutes; skipped where torch finds none
	@$(BIN)/python benchmarks/speed --gpu --out .venv/speed-gpu.json

audit-figures: $(STAMP) ## the measured figures of docs/scaling.md: audits under fire, the ledger's cost
	@$(BIN)/python benchmarks/audits.py

pins: $(STAMP) ## write the constraints anew from what is installed, with hashes (5 minutes)
	@$(BIN)/python .ci/pins.py

clean: ## remove what the targets above made, the environment and the demo included
	@rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
