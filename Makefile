# Everything a newcomer needs: `make run`, `make test`. `make help` lists the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --quiet --disable-pip-version-check --no-input

SCRIPTS := functions/pages/static/docs.js functions/pages/static/embed.js $(wildcard functions/pages/static/viewer/*.js)

COMPOSE := docker compose --env-file var/docker/.env --file infra/compose.yaml

.DEFAULT_GOAL := help
.PHONY: help install run test test-long test-lowest test-newest test-pythons test-wheel lint audit format chalice-local load-test bench faults verifiers demo screenshot \
  docker package deploy scan lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

install: $(VENV)/.installed  ## make .venv with the audit-log command in it
run: install  ## the service on http://127.0.0.1:8000, SQLite, no other server (ARGS="--port 8080")
	@exec $(BIN)/audit-log serve $(ARGS)

PYTEST := $(BIN)/python -m pytest --numprocesses=4 --dist=worksteal

test test-long: export PYTHONDONTWRITEBYTECODE :=  # each process that a test starts would compile the packages again
test: $(VENV)/.installed-dev  ## the test suite (ARGS="-k token -x", ARGS=--cov)
ifeq ($(CI)$(ARGS),true)  # coverage takes a fifth of the time, and says nothing where tests are left out or skipped
	@$(PYTEST) --cov --cov-report=
	@$(BIN)/coverage report --include='core/*,functions/*' --fail-under=95 > /dev/null \
	  || { echo 'coverage of core and functions fell below 95 %: coverage report shows where'; exit 1; }
else
	@$(PYTEST) $(ARGS)
endif

test-long: $(VENV)/.installed-dev  ## the pages in Chromium and Firefox, and each fault in a few rounds
	@$(PYTEST) tests/browsers tests/faults $(ARGS)

test-lowest:  ## the unit and functional tests on the lowest versions that pyproject.toml allows
	@bash .ci/lowest $(ARGS)

test-newest:  ## the unit and functional tests on the newest versions that pyproject.toml allows
	@bash .ci/newest $(ARGS)

test-pythons:  ## the unit and contract tests on each supported Python that this machine has
	@bash .ci/pythons $(ARGS)

test-wheel:  ## the unit, functional and contract tests against the built wheels, not the checkout
	@bash .ci/wheel $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff, mypy --strict, imports, dependencies, spelling, JavaScript
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m infra.checks.imports
	@$(BIN)/deptry .
	@$(BIN)/deptry --config audit_log_client/pyproject.toml audit_log_client
	@$(BIN)/codespell
	@$(BIN)/python -m infra.checks.wording
	@$(BIN)/oxlint --config infra/checks/oxlint.json --deny-warnings $(SCRIPTS)
	@$(BIN)/oxfmt --config infra/checks/oxfmt.json --check $(SCRIPTS)
	@! LC_ALL=C.UTF-8 grep -nE '.{121}' $(SCRIPTS)  # comments and texts, which the formatter does not wrap

audit: $(VENV)/.installed-dev  ## known vulnerabilities of the dependencies, and bandit over the code
	@$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements.txt
	@$(BIN)/pip-audit --require-hashes --disable-pip --requirement dev-requirements.txt
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml audit_log_client core functions local_runner chalice_config/app.py

format: $(VENV)/.installed-dev  ## let ruff and oxfmt rewrite what they can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/oxfmt --config infra/checks/oxfmt.json $(SCRIPTS)

chalice-local: $(VENV)/.installed-dev  ## the same service under Chalice's local server
	@PATH="$(CURDIR)/$(BIN):$$PATH" exec chalice --project-dir chalice_config local --port 8001

demo: install  ## the service with a month of made-up events, and where to look at them (ARGS="--port 8080")
	@exec $(BIN)/audit-log demo $(ARGS)

screenshot: $(VENV)/.installed-dev  ## pictures of the log viewer with the sample data: docs/images/viewer.png, others in .cache/screenshots
	@$(BIN)/python -m tests.browsers.viewer.screenshot

load-test: $(VENV)/.installed-dev  ## load a service that is already running (ARGS="--requests 20000 --connections 64")
	@$(BIN)/audit-log load-test $(ARGS)

bench: $(VENV)/.installed-dev  ## this service compared with a plain FastAPI one, in one run
	@$(BIN)/python -m benchmarks.compare $(ARGS)

faults: $(VENV)/.installed-dev  ## every fault in full, and what became of the events (ARGS="kill" for some, "--short", "--rounds 20")
	@$(BIN)/python -m tests.faults $(ARGS)

docker: var/docker/.env var/docker/jwt-key.pem  ## the service on RabbitMQ and PostgreSQL, by docker compose
	@$(COMPOSE) up --build --detach --wait
	@echo 'Serving on http://127.0.0.1:8000 and :8001. Register a client, and stop it all, by:'
	@echo '  $(COMPOSE) exec api audit-log client create --name NAME'
	@echo '  $(COMPOSE) down'

# The directory keeps others out; the files in it have to be readable for the user inside the containers.
var/docker/.env:
	@mkdir -p -m 700 var && mkdir -p -m 700 var/docker
	@for name in POSTGRES RABBITMQ; do echo "$${name}_PASSWORD=$$(openssl rand -hex 24)"; done > $@

var/docker/jwt-key.pem:
	@mkdir -p -m 700 var && mkdir -p -m 700 var/docker
	@openssl genpkey -algorithm ed25519 -out $@ && chmod 644 $@

verifiers: $(VENV)/.installed-dev build/verifiers/.installed  ## proofs on three databases by verifiers of others (ARGS="SQLite --events 20")
	@$(BIN)/python -m tests.verifiers $(ARGS)

# In a separate environment, because their requirements exclude each other.
build/verifiers/.installed: tests/verifiers/verifiers.txt tests/verifiers/alone.txt
	@$(PYTHON) -m venv build/verifiers
	@build/verifiers/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  -r tests/verifiers/verifiers.txt -r tests/verifiers/alone.txt
	@touch $@

package: $(VENV)/.installed-dev  ## the package and the template for AWS, in dist/aws/
	@$(BIN)/python -m infra.build

deploy: package  ## to AWS: says what it would do, and asks (ARGS="--stage dev --bucket NAME")
	@$(BIN)/python -m infra.deploy $(ARGS)

scan: package build/checkov/bin/checkov  ## the template for AWS by checkov; what it is not to say is in infra/checkov.yaml
	@build/checkov/bin/checkov --quiet --compact --skip-download --config-file infra/checkov.yaml --file dist/aws/sam.yaml

# In a separate environment, because it pins versions that conflict with the development tools.
build/checkov/bin/checkov:
	@$(PYTHON) -m venv build/checkov
	@build/checkov/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30

# The extras of `make install`: all but load-test, which comes with the development tools.
EXTRAS := aws keys kafka mongodb mysql otel postgres rabbitmq redis schemas timestamps

# audit-log-client is installed from this checkout: a lock file has its dependencies and not the client itself.
lock: $(VENV)/.installed-dev  ## pin all dependencies again, with hashes and without URLs
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --no-emit-package audit-log-client $(addprefix --extra ,$(EXTRAS)) pyproject.toml \
	  --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --no-emit-package audit-log-client --all-extras --constraint requirements.txt \
	  pyproject.toml --group dev --group bench --output-file dev-requirements.txt
	@$(BIN)/uv pip compile --quiet --python-platform x86_64-manylinux2014 --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --constraint requirements.txt --group lambda \
	  --output-file chalice_config/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade tests/support/sqs_server.in --output-file tests/support/sqs_server.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --no-deps tests/support/axe.in --output-file tests/support/axe.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --no-deps tests/support/geckodriver.in --output-file tests/support/geckodriver.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --no-deps tests/support/kubernetes.in --output-file tests/support/kubernetes.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade tests/verifiers/verifiers.in --output-file tests/verifiers/verifiers.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --no-deps tests/verifiers/alone.in --output-file tests/verifiers/alone.txt

clean:  ## remove the virtual environment and caches, never the data in var/
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov

$(VENV)/.installed: requirements.txt pyproject.toml audit_log_client/pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or later is needed: install it, or set PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo '$(PYTHON) is too old: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11'; exit 1; }
	@echo 'Setting up $(VENV) (once; about a minute) ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes --requirement requirements.txt
	@$(PIP) install --no-deps --editable ./audit_log_client --editable .
	@touch $@

$(VENV)/.installed-dev: dev-requirements.txt $(VENV)/.installed
	@echo 'Adding the development tools (once; about a minute) ...'
	@$(PIP) install --no-deps --require-hashes --requirement dev-requirements.txt
	@touch $@
