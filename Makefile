# Everything runs in an environment of its own, .venv, which is made when it is
# missing and brought up to date when requirements.txt or pyproject.toml changes.
# PYTHON chooses the interpreter it is made with: make test PYTHON=python3.12
# LEGACY_PYTHON chooses that of .venv-legacy, which tests/legacy run beside it.
# COUNT chooses how many damaged files are read: make fuzz COUNT=1000
# DEMO chooses the new folder of the demo: make demo DEMO=demo-2

PYTHON ?= python3.13 python3.12 python3.11 python3 python
LEGACY_PYTHON ?= python3.11 $(PYTHON)
WORKERS ?= 2
COUNT ?= 10000
DEMO ?= demo

BIN := .venv/bin
READY := .venv/ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LEGACY_PIP := .venv-legacy/bin/python -m pip --disable-pip-version-check --quiet

# Programs, not names, are asked: a version manager's python3.13 may be a signpost
# to nothing, and Debian ships a Python without ensurepip.
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
CAN_VENV := import ensurepip, venv
# TensorFlow Addons have no wheels for others.
IS_LEGACY := import ensurepip, platform, sys; \
    where = (platform.system(), platform.machine(), sys.version_info[:2]); \
    sys.exit(where != ("Linux", "x86_64", (3, 11)))

# Its notice of another program's future is no warning of ours.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup legacy demo lint test fuzz docs serve-docs clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv with the exact versions of requirements.txt

legacy: .venv-legacy/ready ## make .venv-legacy: TensorFlow 2.15.1 and TensorFlow Addons

demo: $(READY) ## train on made-up hearts, register one; DEMO=folder chooses where
	$(BIN)/dlir-tf demo --output "$(DEMO)"

lint: $(READY) ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint legacy ## lint, then all tests and docstring examples
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

fuzz: $(READY) ## read COUNT damaged files of every format, and say what came of it
	$(BIN)/python tests/robustness/fuzz.py --count $(COUNT)

docs: $(READY) ## build the documentation as a site, into site/
	$(SITE) build --strict

serve-docs: $(READY) ## show it at http://127.0.0.1:8000, and follow changes
	$(SITE) serve

clean: ## remove everything that was made
	rm -rf .venv .venv-legacy demo site build dist dlir_tf.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@found=; bare=; \
	for python in $(PYTHON); do \
	    "$$python" -c '$(IN_RANGE)' >/dev/null 2>&1 || continue; \
	    bare=$${bare:-$$python}; \
	    "$$python" -c '$(CAN_VENV)' >/dev/null 2>&1 && found=$$python && break; \
	done; \
	if [ -n "$$found" ]; then \
	    echo "Making .venv with $$("$$found" --version)"; \
	    "$$found" -m venv --clear .venv; \
	elif [ -n "$$bare" ]; then \
	    echo "$$bare can't make virtual environments: install its venv package (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	    exit 1; \
	else \
	    echo "No Python 3.11, 3.12 or 3.13 among: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi

# What TensorFlow needs includes setuptools, so the package itself is built with
# the pinned one instead of a second download.
$(READY): requirements.txt requirements-ants.txt pyproject.toml $(BIN)/python
	@echo "Installing requirements.txt into .venv (some minutes the first time)"
	@$(PIP) install --requirement requirements.txt
	@$(PIP) install --no-deps --requirement requirements-ants.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Without the right Python its tests are skipped, and say so. pip leaves out what the
# pinned packages ask for but don't need; bytecode is made of what is imported.
.venv-legacy/ready: tests/legacy/requirements.txt
	@found=; \
	for python in $(LEGACY_PYTHON); do \
	    "$$python" -c '$(IS_LEGACY)' >/dev/null 2>&1 && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "No Python 3.11 for Linux on x86-64 among: $(LEGACY_PYTHON). The tests against TensorFlow 2.15.1 will be skipped. Install one, or name it: make legacy LEGACY_PYTHON=/path/to/python3.11" >&2; \
	    exit 0; \
	fi; \
	echo "Making .venv-legacy with $$("$$found" --version)"; \
	"$$found" -m venv --clear .venv-legacy && \
	$(LEGACY_PIP) install --no-deps --no-compile --requirement $< && \
	touch $@
