# Needs Python 3.11+ and make; everything else is brought along. Nothing runs again, and nothing needs a network, when nothing changed.
PYTHON ?= python3
ARGS ?=
DATA ?= .santral

BIN := .venv/bin
STAMPS := .venv/stamps
DIST := services/web/dist
GUIDE := services/web/guide
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
WEB := $(wildcard services/web/*.html services/web/*.json services/web/*.ts services/web/*.mjs services/web/*.py) \
       $(shell find services/web/src -type f 2>/dev/null)
PAGES := $(shell find docs -type f) $(wildcard *.md) $(shell find ingest profiles router services shared -name node_modules -prune -o -name README.md -print)
PYTEST := $(BIN)/python -m pytest -m "not bench and not long"
# In two processes, each with servers of its own; what starts the whole system, or kills it, runs alone.
AT_ONCE := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup run test check test-unit test-integration test-e2e test-chaos test-long bench corpus audit format migrate build lock docs reference

help: ## Show this help
	@echo "make TARGET [ARGS=\"…\"]"
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1|\2/' | awk -F'|' '{printf "  %-18s %s\n", $$1, $$2}'

setup: $(STAMPS)/project ## Make .venv with everything pinned in requirements.lock

run: $(STAMPS)/project $(DIST)/.built $(GUIDE)/.stamp ## Start everything with the demo; ARGS="--port 8080 --ready-file FILE"; Ctrl-C stops it
	@exec $(BIN)/santral serve --demo --data $(DATA) $(ARGS)

test: $(STAMPS)/project $(DIST)/.built $(GUIDE)/.stamp ## Run every test: real PostgreSQL, real Kafka, real browser
	$(BIN)/python -m services.web.build --test
	$(PYTEST) $(AT_ONCE) tests/unit tests/contract tests/integration $(ARGS) && parts=0 || parts=1; \
	$(PYTEST) tests/e2e tests/chaos $(ARGS) && exit $$parts

check: $(STAMPS)/project ## Style, types, arrows between rooms; the front end's too; the documentation's links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m services.web.build --check
	$(BIN)/python -m tests.support.guide_site --check

test-unit: $(STAMPS)/project ## The tests without servers
	$(BIN)/python -m services.web.build --test
	$(PYTEST) $(AT_ONCE) tests/unit tests/contract $(ARGS)

test-integration: $(STAMPS)/project $(DIST)/.built $(GUIDE)/.stamp ## The tests with real PostgreSQL and Kafka
	$(PYTEST) $(AT_ONCE) tests/integration $(ARGS)

test-e2e: $(STAMPS)/project $(DIST)/.built $(GUIDE)/.stamp ## The tests that start everything, with a real browser
	$(PYTEST) tests/e2e $(ARGS)

test-chaos: $(STAMPS)/project $(DIST)/.built $(GUIDE)/.stamp ## The tests that kill things
	$(PYTEST) tests/chaos $(ARGS)

test-long: $(STAMPS)/project ## The whole API document with many examples of each operation; ONLY='^create_' for some
	$(BIN)/python -m pytest -m long -s tests/integration $(ARGS)

bench: $(STAMPS)/project $(DIST)/.built ## Measure; docs/operate/measured.md comes from here
	$(BIN)/python -m pytest -m bench -s tests/bench $(ARGS)

corpus: $(STAMPS)/project ## Read the corpus (mails, webhooks, call rows) and count what comes out right; ARGS="--wrong" lists the rest
	$(BIN)/python -m tests.support.corpus $(ARGS)

audit: $(STAMPS)/project ## Licences, the bill of materials (dist/santral.cdx.json), known vulnerabilities; ARGS="licences bill" without a network
	$(BIN)/python -m tests.support.audit $(ARGS)

format: $(STAMPS)/project ## Put the code into shape
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .
	$(BIN)/python -m services.web.build --format

migrate: $(STAMPS)/project ## Bring the database of SANTRAL_DATABASE_OWNER_URL to this release
	$(BIN)/santral migrate $(ARGS)

build: $(STAMPS)/project $(DIST)/.built $(GUIDE)/.stamp ## Build the wheel into dist/
	$(BIN)/hatchling build -t wheel

lock: $(STAMPS)/project ## Pin dependencies anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url -o requirements.lock $(ARGS)

docs: $(STAMPS)/project $(GUIDE)/.stamp ## Build the documentation's site; the API shows it under /docs/guide

reference: $(STAMPS)/project ## Write anew what docs/ has from the source; ARGS=--rooms prints what each README should say it writes
	$(BIN)/python -m tests.support.generated $(ARGS)

# A virtual environment is made once; its stamps live in it, so that removing .venv starts over.
$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Santral needs Python 3.11 or newer, and $(PYTHON) is older or missing: make PYTHON=python3.12 …"; exit 1; }
	@echo "Making .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "No virtual environment could be made (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

# What counts is the content: a file that only looks newer installs nothing.
$(STAMPS)/requirements: requirements.lock | $(STAMPS)/venv
	@cmp -s requirements.lock $@ || { echo "Installing what requirements.lock names" && $(PIP) install --require-hashes -r requirements.lock; }
	@cp requirements.lock $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/requirements
	@cmp -s pyproject.toml $@ || { echo "Installing Santral itself" && $(PIP) install --quiet --no-deps --no-build-isolation --editable .; }
	@cp pyproject.toml $@

$(DIST)/.built: $(WEB) | $(STAMPS)/project
	@echo "Building the front end"
	@$(BIN)/python -m services.web.build
	@touch $@

$(GUIDE)/.stamp: $(PAGES) | $(STAMPS)/project
	@echo "Building the documentation"
	@$(BIN)/python -m tests.support.guide_site
	@touch $@
