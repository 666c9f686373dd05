# Every target sets up what it needs: .venv from requirements.lock, nothing else on the machine is changed
# (the tests install Debian's chromium and PostgreSQL when they are missing, and a small model's server into .venv).

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What `confide` loads of its libraries: compiled once, on all cores; whatever else is there when it is first loaded.
LOADED := agate alembic altair attr click dagster dagster_dbt dagster_shared dateutil dbt dbt_common \
  dbt_semantic_interfaces dbtlabs filelock google great_expectations httpx2 jinja2 jsonschema mako marshmallow \
  mashumaro more_itertools narwhals networkx numpy onnxruntime packaging pandas pandera polars pydantic pydantic_core \
  pydantic_settings pygments pyparsing requests rich ruamel scipy snowplow_tracker sqlalchemy sqlglot structlog \
  tokenizers typer urllib3 yaml
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
SOURCES := dagster_project expectations training tests benchmarks docs/generate deploy

export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: install demo test test-long lint lint-python lint-sql ui docs bench audit lock clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 2>/dev/null \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@cd $(VENV)/lib/python3*/site-packages && ../../../bin/python -m compileall -q -j 0 -x '/tests?/' $(LOADED)
	@touch $@

demo: install
	@$(BIN)/confide demo

test: install lint
	@tests/support/install_chromium.sh
	@tests/support/install_postgres.sh
	@$(PYTEST) -m "not long"

# Homes that live for weeks, are killed, or run in Dagster's own processes.
test-long: install
	@tests/support/install_llama.sh
	@$(PYTEST) -m long

lint: install
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint-python lint-sql

lint-python:
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

lint-sql:
	@$(BIN)/python -m tests.support.lint_sql

ui: install
	@$(BIN)/confide ui

docs: install
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@$(BIN)/python -m pytest tests/unit/test_docs.py tests/unit/test_docs_generated.py tests/integration/test_docs_site.py
	@echo "The docs are in site/index.html. With search: $(BIN)/python -m http.server --directory site"

bench: install
	@for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

audit: install
	@CONFIDE_AUDIT=long $(BIN)/python -m pytest -n 2 --dist loadgroup tests/privacy tests/faults
	@CONFIDE_AUDIT=long $(BIN)/python -m pytest -m audit tests/integration tests/unit tests/browser

lock: $(STAMP)
	@$(BIN)/uv pip compile --quiet --extra postgres --extra dp --extra training --extra dev --generate-hashes --no-strip-extras --no-emit-index-url --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info demo-home site
