# Everything a developer runs. Needs Python 3.11 or later and make; `demo` and `test` need terraform as well.
#
#   PYTHON   the interpreter to use (default: the newest suitable one on this machine)
#   VENV     where its environment is made (default: .venv)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONFORMANCE ?= ../shared/conformance
JOBS ?= 2
# Most tests wait for servers and programs: more of them at once than there are cores.
TEST_JOBS ?= 4
TESTS ?= tests
SHELL_FILES = $(shell git ls-files -- 'shell/*.bash' 'completions/*.bash' '*.sh' '*.bash' .ci ':!*.py' ':!*.json' | sort -u)

.PHONY: help install lint format type test demo bench fuzz conformance wheel constraints clean terraform

help: ## what can be run
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

terraform:
	@command -v terraform >/dev/null || { \
	  echo 'error: terraform is not in PATH' >&2; \
	  echo 'hint: install Terraform 1.10 or later: developer.hashicorp.com/terraform/install' >&2; exit 1; }

install: $(READY) ## make the environment

$(READY): constraints-dev.txt pyproject.toml
	@.ci/make-venv '$(VENV)' '$(PYTHON)'
	@touch $@

lint: $(READY) ## style, layers, shell files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/shellcheck $(SHELL_FILES)
	$(BIN)/shfmt -d $(SHELL_FILES)
	.ci/lint-shells

format: $(READY) ## put the files into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/shfmt -w $(SHELL_FILES)

type: $(READY) ## mypy --strict
	$(BIN)/mypy

test: $(READY) | terraform ## the tests
	$(BIN)/pytest -n $(TEST_JOBS) --dist worksteal $(TESTS)

demo: $(READY) | terraform ## the main job, on an embedded AWS
	@$(BIN)/python -m tests.fakes.demo

bench: $(READY) | terraform ## measure start-up and overhead
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.chains
	$(BIN)/python -m tests.bench.hostile
	PATH="$$PWD/.ci/mise/node_modules/.bin:$$PATH" $(BIN)/python -m tests.bench.prompts
	$(BIN)/python -m tests.bench.completion

fuzz: $(READY) ## a million broken inputs
	FUZZ_EXAMPLES=300 $(BIN)/pytest -q -n $(TEST_JOBS) --timeout 0 tests/unit/stacks/test_laws.py
	$(BIN)/python -m tests.fuzz

conformance: $(READY) ## compare with the recorded behaviour of Atmos
	@[ -d '$(CONFORMANCE)' ] || { echo 'error: $(CONFORMANCE) is not there; name it: make conformance CONFORMANCE=…' >&2; exit 1; }
	$(BIN)/python -m tests.conformance '$(CONFORMANCE)' --jobs $(JOBS)

wheel: $(READY) ## build the wheel, install it into an empty environment, try it
	$(BIN)/python .ci/check_wheel.py

constraints: $(READY) ## resolve the dependencies anew (needs the network)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  --no-emit-index-url --no-emit-find-links --extra saml -o constraints.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  --no-emit-index-url --no-emit-find-links -c constraints.txt --group dev -o constraints-dev.txt pyproject.toml

clean: ## remove what was made here
	rm -rf .venv .venv-* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .import_linter_cache
