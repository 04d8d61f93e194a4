# `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv
PYTHON := $(VENV)/bin/python
AZURE := .work/azure/venv
RIG := tests/containers/rig
export CONTAINERS_CONF := $(CURDIR)/tests/containers/containers.conf
PLATFORM ?= debian12

.PHONY: help venv demo demo-info demo-down test unit reliability soak broken azure molecule bench lint host host-down clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

venv: $(VENV)/.ready ## the pinned control machine in .venv

$(VENV)/.ready: requirements-test.txt
	@$(RIG) packages
	@echo "==> preparing $(VENV)" >&2
	@test -x $(PYTHON) || /usr/bin/python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement requirements-test.txt
	@site=$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	    mkdir -p $$site/ansible_collections/secure_ftp; \
	    ln -sfn $(CURDIR) $$site/ansible_collections/secure_ftp/server
	@touch $@

host: venv ## start a bare host: make host NAME=x PLATFORM=debian11|debian12|debian13|ubuntu2004
	@test -n "$(NAME)" || { echo "error: NAME is missing: make host NAME=x PLATFORM=debian12" >&2; exit 2; }
	@$(RIG) host "$(NAME)" "$(PLATFORM)"

host-down: ## remove it: make host-down NAME=x
	@test -n "$(NAME)" || { echo "error: NAME is missing: make host-down NAME=x" >&2; exit 2; }
	@$(RIG) host-down "$(NAME)"

demo: venv ## a server in a container, configured and proved with real transfers
	@$(PYTHON) tests/demo/demo.py up

demo-info: ## what the demo is, as JSON
	@python3 tests/demo/demo.py info

demo-down: ## remove the demo
	@python3 tests/demo/demo.py down

test: lint unit reliability molecule ## what CI runs

lint: venv
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

unit: venv ## the library, on this machine
	@$(PYTHON) -m pytest tests/unit --quiet --numprocesses auto

reliability: venv ## the user store killed, raced, corrupted and out of space
	@$(PYTHON) -m pytest tests/reliability --quiet -rs

soak: venv ## the same for longer, with five times as many kills and damaged files
	@SECURE_FTP_KILLS=5000 SECURE_FTP_DAMAGED=5000 $(PYTHON) -m pytest tests/reliability --quiet -rs

broken: venv ## break the user store on purpose, one way at a time: a test must notice each
	@$(PYTHON) tests/broken/broken.py "$(ONLY)"

azure: venv $(AZURE)/.ready ## the Azure backend, real module and SDK, against a stand-in for Azure
	@SECURE_FTP_COLLECTIONS=$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    tests/azure/run $(AZURE) --quiet

$(AZURE)/.ready: tests/azure/requirements.txt requirements-azure.txt
	@echo "==> preparing $(AZURE)" >&2
	@test -x $(AZURE)/bin/python || /usr/bin/python3 -m venv $(AZURE)
	@$(AZURE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/azure/requirements.txt
	@touch $@

molecule: venv ## the roles, on real hosts with real clients
	@tests/containers/molecule test

bench: venv ## speed, as ratios inside one run
	@$(PYTHON) tests/bench/bench.py $(addprefix --suite=,$(SUITE))

clean: demo-down ## remove what the tests and the demo made
	@rm -rf .work .cache
