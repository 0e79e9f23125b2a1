# `make book` builds the book, `make test` runs the tests; both make their own environment first.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: help book test benchmark lock check clean
.DEFAULT_GOAL := help

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

book: $(STAMP) ## run every chapter that changed and build _build/html/index.html
	@$(BIN)/doit -n 2 -f dodo.py book $(if $(SNAPSHOT),snapshots=$(SNAPSHOT)) \
	  $(if $(CONNECTOME),connectome=$(CONNECTOME))

test: $(STAMP) book ## build the book if it is stale, then run the whole test suite
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

check: $(STAMP) ## style and static checks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

benchmark: $(STAMP) ## time the engines against their peers and keep the result
	@$(BIN)/python -m benchmarks

lock: $(STAMP) ## resolve requirements.in anew for all platforms (needs uv)
	uv pip compile requirements.in --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 -o requirements.lock

clean: ## remove everything that a build made
	rm -rf _build data/derived .doit.db*

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make an environment: install its venv module (Debian: python3-venv)" >&2; exit 1; }
	@echo "installing the locked environment into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.installed-* && touch $@
