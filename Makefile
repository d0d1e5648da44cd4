# Each verb stands for itself on a fresh machine with Python 3.11 or newer: the environment is made first.

.DEFAULT_GOAL := help
.PHONY: help demo drill test up down check fmt bench lock environment

# Whatever the shell was told about another checkout or environment is not for us.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
python := .venv/bin/python
uv := PATH=".venv/bin:$$PATH" uv
# As the lock is made: for every platform and Python that we support, by hash, naming no index.
compile := $(uv) pip compile --quiet --universal --generate-hashes --no-header --all-extras --python-version 3.11

help: ## what there is to say to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: environment ## the tour: everything started, shown, checked and stopped again, in about five minutes
	@$(python) -m demo.tour

drill: environment ## kill it at every moment, break it in every way, under load; LENGTH=long for all of it
	@$(python) -m drill $(if $(LENGTH),--$(LENGTH)) $(PARTS)

test: environment ## all the tests, four processes side by side: most of the time they wait for real programs
	@$(python) -m pytest --numprocesses 4 --no-loadscope-reorder

up: environment ## the same stack, staying up; prints the addresses and how to log in
	@$(python) -m demo.stack up

down: environment ## end what `make up` started; its data stays in .flightworthy/
	@$(python) -m demo.stack down

check: environment ## style, types, the layers, and that the lock is what pyproject.toml asks for
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy
	$(python) -m mypy demo benchmarks drill
	.venv/bin/lint-imports
	@cp requirements.lock .venv/expected.lock && $(compile) pyproject.toml -o .venv/expected.lock
	@diff -u requirements.lock .venv/expected.lock || { echo 'requirements.lock is not what pyproject.toml asks for: make lock' >&2; exit 1; }

fmt: environment ## mend the style
	$(python) -m ruff check --fix
	$(python) -m ruff format

bench: environment ## measure; rewrites the table in docs/benchmarks.md
	@$(python) -m benchmarks

lock: environment ## resolve pyproject.toml anew, keeping the versions that may stay
	$(compile) pyproject.toml -o requirements.lock

environment:
	@./.ci/environment
