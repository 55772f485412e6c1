# `make report` on a fresh clone needs only make and Python 3.11 or newer.
# `make PYTHON=/path/to/python ...` chooses the Python that builds .venv.

PY := .venv/bin/python
# Touched only after a complete installation, so that an interrupted one is done again.
STAMP := .venv/.installed
CANDIDATES := $(or $(PYTHON),python3.11 python3 python3.14 python3.13 python3.12)
RECENT := import sys; sys.exit(sys.version_info < (3, 11))

# .ci/run calls make again; without this its last lines would be make's own.
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help report reports chains test slow peers bench doctest lint types layers golden ci clean .venv

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  make %-9s %s\n", $$1, $$2 }'

report: $(STAMP) ## make the lecture report, and print where its PDF is
	@$(PY) -m rnnderive report lecture --engine typst --output reports/lecture

chains: $(STAMP) ## make the report on gradient chains, in every language (some minutes)
	@$(PY) reports/build.py chains

reports: $(STAMP) ## build every published report anew (some minutes), with its checksums
	@$(PY) reports/build.py

test: $(STAMP) ## run every test and doctest
	@$(PY) -m pytest -n auto

slow: $(STAMP) ## what takes minutes: formulas of twelve steps by both engines, every network compiled, claims in full
	@$(PY) -m pytest tests -n auto -m slow

# The frameworks stay out of .venv: what is built and tested there needs none of them.
peers: .venv-peers/.installed ## compare with PyTorch, Keras and ONNX Runtime, in .venv-peers (large downloads)
	@.venv-peers/bin/python -m pytest tests/peers

# QUICK=1: few points and rounds, into build/benchmarks. A run that was interrupted goes on; AGAIN=1 starts anew.
bench: .venv-peers/.installed ## race against PyTorch, JAX and others, in .venv-peers (hours; QUICK=1 minutes)
	@.venv-peers/bin/python -m benchmarks all $(if $(QUICK),--quick) $(if $(AGAIN),--again)

.venv-peers/.installed: $(STAMP)
	@echo "Installing the frameworks into .venv-peers ..."
	@$(PY) -m venv .venv-peers 2>/dev/null || $(PY) -m virtualenv --quiet .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-input --editable '.[peers]'
	@touch $@

doctest: $(STAMP) ## run the examples in the docstrings and in README.md only
	@$(PY) -m pytest rnnderive $(wildcard README.md)

# tests/golden is excluded from ruff; its one hand-written file is named to be checked all the same.
LINTED := . $(wildcard tests/golden/update.py)

lint: $(STAMP) ## check style and formatting
	@$(PY) -m ruff check $(LINTED)
	@$(PY) -m ruff format --check $(LINTED)

types: $(STAMP) ## check types
	@$(PY) -m mypy

layers: $(STAMP) ## check which room imports which
	@.venv/bin/lint-imports

golden: $(STAMP) ## write the golden files anew (read the diff before committing)
	@$(PY) tests/golden/update.py

ci: ## everything that a commit must pass
	@.ci/run

clean: ## remove .venv, caches and build products; reports/ stays
	rm -rf .venv .venv-peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find rnnderive tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.venv: $(STAMP)

# A Python may lack venv (Debian packs it apart), so each candidate is tried in turn, then virtualenv.
$(STAMP): pyproject.toml
	@if ! $(PY) -c 'import pip; $(RECENT)' >/dev/null 2>&1; then \
	    recent=; made=; log=; \
	    for p in $(CANDIDATES); do \
	        "$$p" -c '$(RECENT)' >/dev/null 2>&1 || continue; \
	        recent="$${recent:-$$p}"; rm -rf .venv; \
	        log=$$("$$p" -m venv .venv 2>&1) && made=yes && break; \
	        rm -rf .venv; \
	        "$$p" -m virtualenv --quiet .venv >/dev/null 2>&1 && made=yes && break; \
	        virtualenv --quiet --python "$$p" .venv >/dev/null 2>&1 && made=yes && break; \
	    done; \
	    if [ -z "$$recent" ]; then \
	        echo "rnnderive needs Python 3.11 or newer; tried: $(CANDIDATES)." >&2; \
	        echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; \
	        exit 1; \
	    elif [ -z "$$made" ]; then \
	        rm -rf .venv; echo "$$log" >&2; \
	        echo "No virtual environment could be made with $$recent: see above." >&2; \
	        echo "On Debian or Ubuntu: apt install python3-venv; elsewhere: install virtualenv." >&2; \
	        exit 1; \
	    fi; \
	fi
	@echo "Installing rnnderive and its tools into .venv ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input --editable '.[dev]'
	@touch $@
