# One command each. `make run` on a fresh checkout sets everything up first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run shell test check lock train doctor bench clean
# Without compiled files every start would compile Rasa anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
# Settings for `make run` and the like may lie in .env; docs/setup.md lists them.
ENV := set -a; if [ -f .env ]; then . ./.env; fi; set +a;
QUIET := RASA_TELEMETRY_ENABLED=false SQLALCHEMY_SILENCE_UBER_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## make .venv with Python 3.10 and everything pinned (instant when up to date)
	@sh scripts/setup.sh

run: setup  ## serve the chat page at http://127.0.0.1:5005/ until Ctrl-C
	@$(ENV) exec $(PYTHON) -m bot run $(ARGS)

shell: setup  ## talk to Attune in this terminal
	@$(ENV) exec $(PYTHON) -m bot shell $(ARGS)

doctor: setup  ## check settings, database, weights, model and ports
	@$(ENV) exec $(PYTHON) -m bot doctor $(ARGS)

train: setup  ## train the Rasa model if its sources have changed
	@$(ENV) exec $(PYTHON) -m bot train $(ARGS)

test: setup  ## run every test (TESTS=tests/unit for some of them)
	@$(QUIET) $(PYTHON) -m pytest $(or $(TESTS),tests) $(ARGS)

check: setup  ## lint, formatting, types, and the bot's data
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(QUIET) $(PYTHON) -m rasa data validate --fail-on-warnings
	$(QUIET) $(PYTHON) -m bot guidance validate

bench: setup  ## compare turns, start and memory with Rasa's stock bot (about 15 minutes)
	@$(PYTHON) -m benchmarks.turns $(ARGS)

lock:  ## renew requirements.txt from pyproject.toml
	@sh scripts/lock.sh

clean:  ## remove what can be made again; keeps .venv and the data in var
	rm -rf models .rasa results .mypy_cache .ruff_cache .pytest_cache .hypothesis attune.egg-info .setup-lock
	find . -name __pycache__ -not -path './.venv/*' -not -path './.uv/*' -prune -exec rm -rf {} +
