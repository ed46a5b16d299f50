# Everything is run through the targets below; `make help` lists them. CI runs `make check`.
PYTHON ?= python3
BIN := .venv/bin
SAM := .venv-sam/bin/sam
# What the linters and the type checker look at: every package that exists.
SOURCES := $(wildcard macro replicator local bench examples tests)

# Nothing that runs here tells anybody.
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: ## make the two virtual environments (once; again only when a lock file has changed)
	@$(MAKE) --silent -j2 .venv/.command .venv-sam/.stamp

# The SAM command line pins a botocore of its own, so it cannot live in the project's environment.
.venv/.stamp: requirements.txt
.venv-sam/.stamp: requirements-sam.txt
.venv-audit/.stamp: requirements-audit.txt
.venv-bench/.stamp: requirements-bench.txt
# --no-deps: the lock file names everything, and what it does not name is not wanted. --no-compile: most of it is never
# imported, and Python compiles the rest when it is.
%/.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with PYTHON=")'
	@echo "making $*"
	$(PYTHON) -m venv $*
	$*/bin/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --only-binary :all: -r $<
	@touch $@

# The project itself, as it stands here: .venv/bin/encrypt-migrate, and its packages for whatever runs in the environment.
.venv/.command: pyproject.toml setup.py template.yaml .venv/.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# AWS's own engine, for tests and bench. Where Java or Maven is missing, what needs it is skipped and says so.
DYNAMODB_LOCAL ?= $(CURDIR)/.dynamodb-local
WITH_ENGINE = if [ -f $(DYNAMODB_LOCAL)/.stamp ]; then export DYNAMODB_LOCAL=$(DYNAMODB_LOCAL); fi;
COPY_JARS := org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies

.PHONY: dynamodb-local
dynamodb-local: .ci/dynamodb-local.xml ## bring DynamoDB Local here, where Java 17 and Maven are there
	@if [ .dynamodb-local/.stamp -nt $< ]; then exit; fi; \
	if ! command -v mvn >/dev/null || ! java -version 2>&1 | grep -Eq '"(1[7-9]|[2-9][0-9])'; then \
		echo "no Maven or no Java 17 here: tests with DynamoDB Local will be skipped"; exit; fi; \
	echo "making .dynamodb-local"; \
	mvn -q -B -Dstyle.color=never -f $< $(COPY_JARS) -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/.dynamodb-local \
		&& touch .dynamodb-local/.stamp \
		|| echo "Maven could not bring DynamoDB Local: its tests will be skipped"

.PHONY: demo
demo: setup ## a table under live traffic goes through all stages, on this machine, without AWS
	$(BIN)/python -m local.demo

# A file of tests stays in one process: those of tests/e2e share what they have set up. They take longest, and have few tests
# each: in xdist's own order they would come last, and one of them would be waited for.
.PHONY: test
test: setup dynamodb-local ## all tests, as many at once as there are cores; PYTEST_ARGS="-k name" for some
	$(WITH_ENGINE) $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## ruff over the code, cfn-lint and SAM over template.yaml
	$(BIN)/ruff check $(SOURCES) setup.py
	$(BIN)/ruff format --check $(SOURCES) setup.py
	$(BIN)/cfn-lint template.yaml
	$(SAM) validate --lint

.PHONY: format
format: .venv/.command ## put the code into ruff's format
	$(BIN)/ruff check --fix $(SOURCES) setup.py
	$(BIN)/ruff format $(SOURCES) setup.py

.PHONY: types
types: .venv/.command ## mypy --strict
	$(BIN)/mypy $(SOURCES)

# ruff's rules S are bandit's, over all code and with the reasons of exceptions beside them; bandit itself looks at what runs in
# an account, and knows no exceptions there. Those of checkov stand in .checkov.yaml.
.PHONY: audit
audit: .venv-audit/.stamp ## bandit over macro and replicator, checkov over template.yaml
	.venv-audit/bin/bandit --quiet --recursive macro/migration replicator/replication
	.venv-audit/bin/checkov --config-file .checkov.yaml

# Asks PyPI's advisories, which a mirror of PyPI need not have: --strict fails where it gets no answer.
.PHONY: audit-dependencies
audit-dependencies: .venv-audit/.stamp ## known vulnerabilities of everything that is locked; needs pypi.org
	$(foreach lock,$(LOCKS),.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r $(lock) &&) true

.PHONY: check
check: lint types audit test ## what CI runs

.PHONY: coverage
coverage: setup dynamodb-local ## which lines the tests do not run, those of the emulator's functions aside
	$(WITH_ENGINE) $(BIN)/coverage run -m pytest --ignore=tests/e2e $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: bench
bench: setup dynamodb-local .venv-bench/.stamp ## measure everything (five minutes); writes docs/bench.md and the README's table
	$(WITH_ENGINE) $(BIN)/python -m bench

.PHONY: golden
golden: .venv/.command ## write the expected templates of tests/golden anew; read the diff before committing it
	$(BIN)/pytest tests/macro/test_golden.py --rewrite-golden

.PHONY: build
build: setup ## sam build, for the Python that is here
	PATH="$(CURDIR)/$(BIN):$$PATH" $(SAM) build --parameter-overrides Runtime=$$($(BIN)/python -c 'import sys; print("python%d.%d" % sys.version_info[:2])')

# Needs uv (https://docs.astral.sh/uv). The lock files hold versions and hashes, no addresses. Lambda gets the versions
# that the tests run with.
LOCKS := requirements.txt requirements-sam.txt requirements-audit.txt macro/requirements.txt replicator/requirements.txt
COMPILE = uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
.PHONY: lock
lock: ## write the lock files from the .in files; UPGRADE=1 for the newest versions of everything
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-sam.in -o requirements-sam.txt
	$(COMPILE) requirements-audit.in -o requirements-audit.txt
	$(COMPILE) requirements-bench.in -o requirements-bench.txt
	$(COMPILE) macro/requirements.in -c requirements.txt -o macro/requirements.txt
	$(COMPILE) replicator/requirements.in -c requirements.txt -o replicator/requirements.txt

.PHONY: clean
clean: ## remove everything that is not in git's hands
	rm -rf .venv .venv-sam .venv-audit .venv-bench .dynamodb-local .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
