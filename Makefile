# `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv
PYTHON := $(VENV)/bin/python
AZURE := .work/azure/venv
RIG := tests/containers/rig
export CONTAINERS_CONF := $(CURDIR)/tests/containers/containers.conf
# Hundreds of programs of .venv start in a test run. Where they may not keep what they compile, each takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
PLATFORM ?= debian12

.PHONY: help venv rig demo demo-info demo-down test lint sanity unit unit-oldest unit-newest unit-all lock cores cores-oldest platforms package build bundle docs release reliability \
    soak broken azure readme takeover examples molecule clients vm bench host host-down clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

venv: $(VENV)/.ready ## the pinned control machine in .venv: ansible-core, by pip alone, as any user
	@echo "$(VENV) is ready. Write inventory.yml as in README.md, \"Your own server\", then see what a run would change:"
	@echo "    $(VENV)/bin/ansible-playbook -i inventory.yml playbooks/site.yml -K --ask-vault-pass --check --diff"

rig: $(VENV)/.tests ## what the tests and the demo need: packages of the distribution (as root), more of Python in .venv

# The Python of the distribution, as the headers that the rig installs. Without the rig: make venv PYTHON3=python3.12
PYTHON3 ?= /usr/bin/python3
# What is installed has the hash that the lock names; see requirements/lock. Python compiles what it imports: of the
# collections that come with Ansible that is a small part.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement
# One environment for all: the checks must see the ansible-core and the collections that the tests run with.
CHECKED := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

# A venv that was made without python3-venv has no pip.
define PREPARE
	@echo "==> preparing $(VENV)" >&2
	@test -x $(VENV)/bin/pip || $(PYTHON3) -m venv --clear $(VENV)
	@$(PYTHON) $(INSTALL) $<
	@site=$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	    mkdir -p $$site/ansible_collections/secure_ftp; \
	    ln -sfn $(CURDIR) $$site/ansible_collections/secure_ftp/server
	@touch $@
endef

$(VENV)/.ready: requirements/control.txt
	$(PREPARE)

$(VENV)/.tests: requirements/test.txt
	@$(RIG) packages
	$(PREPARE)

$(VENV)/.checks: requirements/lint.txt $(VENV)/.tests
	@echo "==> adding the checks to $(VENV)" >&2
	@$(PYTHON) $(INSTALL) $<
	@mkdir -p $(VENV)/types/ansible_collections/secure_ftp
	@ln -sfn ../../../.. $(VENV)/types/ansible_collections/secure_ftp/server
	@touch $@

host: rig ## start a bare host: make host NAME=x PLATFORM=debian12, or another of tests/containers/rig platforms
	@test -n "$(NAME)" || { echo "error: NAME is missing: make host NAME=x PLATFORM=debian12" >&2; exit 2; }
	@$(RIG) host "$(NAME)" "$(PLATFORM)"

host-down: ## remove it: make host-down NAME=x
	@test -n "$(NAME)" || { echo "error: NAME is missing: make host-down NAME=x" >&2; exit 2; }
	@$(RIG) host-down "$(NAME)"

demo: rig ## a server in a container, configured and proved with real transfers
	@$(PYTHON) tests/demo/demo.py up

demo-info: ## what the demo is, as JSON
	@python3 tests/demo/demo.py info

demo-down: ## remove the demo
	@python3 tests/demo/demo.py down

# Three, for two processors: what runs on one host waits for it, and one test after the other keeps no processor busy.
BESIDE := lint sanity unit unit-oldest unit-newest package reliability
ONE_HOST := takeover readme cores-oldest
HOSTS := molecule
test: $(VENV)/.checks ## what CI runs, in three lanes: as long as the longest one
	@tests/lanes "$(BESIDE)" "$(ONE_HOST)" "$(HOSTS)"

lint: $(VENV)/.checks ## ruff, mypy, yamllint, ansible-lint, shellcheck, changelog fragments, stale documentation
	@$(CHECKED) ruff check .
	@$(CHECKED) ruff format --check .
	@$(CHECKED) mypy
	@$(CHECKED) yamllint --strict .
	@$(CHECKED) ansible-lint
	@git ls-files -z | xargs -0 awk 'FNR == 1 && /^#!.*sh$$/ { print FILENAME } { nextfile }' | xargs shellcheck
	@$(CHECKED) antsibull-changelog lint
	@$(CHECKED) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent .
	@$(PYTHON) docs/generate.py --check

sanity: $(VENV)/.checks ## ansible-test sanity, on every Python found that a host may have
	@tests/sanity/run

unit: rig ## the library, on this machine
	@$(PYTHON) -m pytest tests/unit --quiet --numprocesses auto

unit-oldest: rig ## the library on Python 3.8, the oldest of a host, if there is one
	@tests/python/unit 3.8

unit-newest: rig ## the library on the newest Python there is
	@tests/python/unit newest

unit-all: rig ## the library on every Python found, 3.8 and newer
	@tests/python/unit all

lock: ## write requirements/*.txt anew: make lock, or make lock OPTIONS=--upgrade-package=ruff
	@requirements/lock $(OPTIONS)

package: $(VENV)/.checks ## build the collection, import it as Galaxy does, use it from where it was installed
	@$(CHECKED) pytest -p no:cacheprovider tests/package --quiet -rs --numprocesses 2

build: $(VENV)/.ready ## the tarball of the collection, in .work
	@mkdir -p .work
	@$(VENV)/bin/ansible-galaxy collection build --force --output-path .work .

bundle: $(VENV)/.ready ## that, and ansible-core, for a control machine without a network, in .work
	@$(PYTHON) requirements/bundle.py

docs: $(VENV)/.checks ## the documentation as HTML, in .work/docs
	@docs/site/build .work/docs

release: $(VENV)/.checks ## collect the changelog fragments for the version in galaxy.yml
	@$(CHECKED) antsibull-changelog release --update-existing
	@$(PYTHON) docs/generate.py

reliability: rig ## the user store killed, raced, corrupted and out of space
	@$(PYTHON) -m pytest tests/reliability --quiet -rs

soak: rig ## the same for longer, with five times as many kills and damaged files
	@SECURE_FTP_SWAPS=1000 SECURE_FTP_FAULT_STRIDE=1 SECURE_FTP_MANAGER_KILLS=1000 SECURE_FTP_KILLS=5000 SECURE_FTP_DAMAGED=5000 $(PYTHON) -m pytest tests/reliability --quiet -rs

broken: rig ## break the user store and the jail on purpose, one way at a time: a test must notice each
	@$(PYTHON) tests/broken/broken.py "$(ONLY)"

azure: rig $(AZURE)/.ready ## the Azure backend, real module and SDK, against a stand-in for Azure
	@SECURE_FTP_COLLECTIONS=$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    tests/azure/run $(AZURE) --quiet

$(AZURE)/.ready: requirements/azure.txt
	@echo "==> preparing $(AZURE)" >&2
	@test -x $(AZURE)/bin/python || /usr/bin/python3 -m venv $(AZURE)
	@$(AZURE)/bin/python $(INSTALL) $<
	@touch $@

readme: rig ## every command of the README as it is printed, by an ordinary user with a fresh clone and a bare server
	@$(PYTHON) -m pytest -p no:cacheprovider tests/readme --quiet -rs

takeover: rig ## servers made by hand, and what a run does to them, on one host
	@PLATFORM=$(PLATFORM) $(PYTHON) -m pytest -p no:cacheprovider tests/takeover --quiet -rs

examples: rig ## each inventory of examples/ on a bare host, twice, then real clients; on one host
	@PLATFORM=$(PLATFORM) $(PYTHON) -m pytest -p no:cacheprovider tests/examples --quiet -rs

cores: rig ## site.yml by every ansible-core that is supported, each on a bare host
	@tests/cores/run "$(or $(CORES),all)"

cores-oldest: rig ## the same by the oldest on the oldest; the newest is what Molecule uses
	@SECURE_FTP_PLATFORMS=focal-alike tests/cores/run oldest

platforms: rig ## site.yml with its defaults on a bare host of each platform
	@SECURE_FTP_PLATFORMS="$${SECURE_FTP_PLATFORMS:-$$($(RIG) platforms)}" tests/cores/run newest

molecule: rig ## the roles, on real hosts with real clients
	@tests/containers/molecule test

clients: rig ## some thirty real clients, each with everything it can do, on two hosts: make clients, or ONLY=curl,lftp PLATFORM=debian13; PICTURES=1: the pictures of the docs
	@$(PYTHON) tests/clients/matrix.py $(if $(filter command line,$(origin PLATFORM)),--platform=$(PLATFORM)) $(addprefix --only=,$(ONLY)) $(if $(PICTURES),--pictures)
	@$(PYTHON) docs/generate.py

vm: rig ## a virtual machine with a kernel of its own: reboots, a lock-out, power cuts (an hour or more; SECURE_FTP_CUTS=20)
	@tests/vm/build packages
	@$(PYTHON) -m pytest -p no:cacheprovider tests/vm --verbose --capture=no -rs --durations=0 --durations-min=1

bench: rig ## speed, as ratios inside one run
	@$(PYTHON) tests/bench/bench.py $(addprefix --suite=,$(SUITE))

clean: demo-down ## remove what the tests and the demo made
	@rm -rf .work .cache
