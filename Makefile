# Two commands: `make demo` shows the whole path, `make test` proves it. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
QUICK ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo demo-day-two test check licences sbom image audit format bench faults kafka browser pictures medplum oidc axe kafkajs kubernetes promtool redis lock generated docs clean

help: ## What can be made
	@grep -hE '^[a-z][a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mainstem needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: install your distribution's python3-venv package"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

# A stamp a role: its lock is installed, and the project itself as editable.
$(VENV)/.%-installed: requirements/%.txt pyproject.toml $(BIN)/uv
	@echo "Installing the locked packages of requirements/$*.txt …"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $<
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q connectors mainstem schemas services transforms
	@touch $@

setup: $(VENV)/.demo-installed ## Prepare .venv: the mainstem command, Airflow, the services and the demo's parts

setup-dev: $(VENV)/.dev-installed ## The same with the test tools

demo: setup ## Three hospitals to a registry and a page, on 127.0.0.1 (QUICK=1: without Airflow, then exit)
	@$(BIN)/mainstem demo $(if $(QUICK),--quick) $(ARGS)

demo-day-two: setup ## While the demo is up: one value amended, one withdrawn, one patient new
	@$(BIN)/mainstem demo day-two $(ARGS)

test: setup-dev ## The tests, on real parts (the slowest stand in `make check` alone)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup-dev ## What CI runs: format, lint, types, import rules, licences, generated files, all tests but the largest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory licences
	@$(MAKE) --no-print-directory test ARGS="-m 'not large' $(ARGS)"

licences: setup-dev ## The licence of all that is installed with us; fails on GPL and AGPL
	@$(BIN)/python requirements/licences.py

sbom: setup-dev ## A CycloneDX bill of materials of each lock that ships, in build/; the same bytes from the same locks
	@mkdir -p build
	@for role in core airflow airflow-beyond services demo; do $(BIN)/cyclonedx-py requirements requirements/$$role.txt --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON -o build/sbom-$$role.json; done

image: ## The container image with its provenance (SLSA) and bill of materials attached, as an OCI archive in build/
	@command -v docker >/dev/null || { echo "Building the image needs Docker with buildx"; exit 1; }
	@mkdir -p build
	docker buildx build --provenance=mode=max --sbom=true --output type=oci,dest=build/mainstem-image.tar -f docker/Dockerfile -t mainstem .

docs: setup-dev $(VENV)/.docs-installed ## The documentation site, in site/ (ARGS=serve: on 127.0.0.1:8000 while you write)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(ARGS),build --strict --quiet)

audit: setup-dev ## Known vulnerabilities of the locked packages; says so where the advisories cannot be reached
	@$(BIN)/python requirements/audit.py

format: setup-dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-dev kafka ## Speed and memory, as ratios within one run (ARGS="map --against ../before": some figures, an older checkout beside)
	@$(BIN)/python tests/bench $(ARGS)

faults: setup-dev kafka ## Every fault that is promised to be survived, on Apache Kafka and PostgreSQL, by the seeds that are kept
	@$(BIN)/python tests/faults

kafka: setup-dev ## Fetch Apache Kafka's jars by Maven, for the tests marked kafka
	@command -v mvn >/dev/null && command -v java >/dev/null || { echo "Apache Kafka needs Java 17 and Maven; the tests marked kafka will be skipped"; exit 0; }; \
	test -d docker/kafka/jars || mvn -q -f docker/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=jars

generated: setup-dev ## Write schemas/generated, docs/events.md, the DAG stubs and the list of commands again
	$(BIN)/mainstem schemas --to schemas/generated --catalogue docs/events.md
	$(BIN)/mainstem sites dags sites --to dags
	$(BIN)/python -c 'from mainstem.commands.late import write_listing; write_listing()'

pictures: setup-dev browser ## Draw docs/*.png again, from the known network, the story of an issue and a night in Airflow
	@MAINSTEM_SCREENSHOTS=docs $(BIN)/pytest -m "large or slow" tests/pages/test_pictures.py tests/home/test_story.py tests/end_to_end/test_airflow_shown.py \
	  tests/end_to_end/test_connection_form.py

browser: ## Install Chromium from the distribution's packages, for the tests marked browser
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } || \
	echo "No Chromium; the tests marked browser will be skipped"

medplum: ## Fetch Medplum's FHIR router by npm, for the tests marked medplum
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Medplum needs Node 20.19 or newer and npm; the tests marked medplum will be skipped"; exit 0; }; \
	test -d var/medplum/node_modules/@medplum || \
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix var/medplum @medplum/fhir-router@4.5.2 || \
	echo "npm cannot fetch it; the tests marked medplum will be skipped"

oidc: ## Fetch an OpenID provider by npm, for the tests marked oidc
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "The OpenID provider needs Node 20.19 or newer and npm; the tests marked oidc will be skipped"; exit 0; }; \
	test -d var/oidc/node_modules/oidc-provider || \
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix var/oidc oidc-provider@9.13.3 || \
	echo "npm cannot fetch it; the tests marked oidc will be skipped"

axe: ## Fetch axe-core by npm, by which the tests marked browser judge how accessible the pages are
	@command -v npm >/dev/null || { echo "axe-core needs npm; the tests that need it will be skipped"; exit 0; }; \
	test -d var/axe/node_modules/axe-core || \
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix var/axe axe-core@4.14.1 || \
	echo "npm cannot fetch it; the tests that need it will be skipped"

kubernetes: setup-dev ## Fetch Kubernetes' schemas, by which the tests judge docker/kubernetes
	@test -d var/kubernetes/kubernetes_validate || $(BIN)/uv pip install --quiet --target var/kubernetes kubernetes-validate==1.37.0 || \
	echo "They cannot be fetched; the test of docker/kubernetes will be skipped"

promtool: ## Fetch Prometheus' promtool from the distribution's packages, by which the tests judge the alert rules
	@command -v promtool >/dev/null || test -x var/promtool/promtool || \
	{ mkdir -p var/promtool && cd var/promtool && apt-get update -qq && apt-get -o APT::Sandbox::User=root download -qq prometheus && \
	dpkg-deb --fsys-tarfile prometheus_*.deb | tar --extract --strip-components=3 ./usr/bin/promtool && rm prometheus_*.deb; } || \
	echo "No promtool; its tests will be skipped"

redis: ## Install Redis from the distribution's packages, the broker of the test of Airflow's Celery workers
	@command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server; } || \
	echo "No Redis; the test of Celery workers will be skipped"

kafkajs: ## Fetch KafkaJS by npm, for the JavaScript example's test
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "KafkaJS needs Node and npm; its test will be skipped"; exit 0; }; \
	test -d var/kafkajs/node_modules/kafkajs || \
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix var/kafkajs kafkajs@2.2.4 || \
	echo "npm cannot fetch it; its test will be skipped"

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-package mainstem
lock: $(BIN)/uv ## Resolve requirements/*.txt again (add ARGS=--upgrade)
	$(UV_COMPILE) $(ARGS) --extra dev pyproject.toml -o requirements/dev.txt
	@for role in airflow airflow-beyond services demo docs; do $(UV_COMPILE) --extra $$role -c requirements/dev.txt pyproject.toml -o requirements/$$role.txt; done
	$(UV_COMPILE) -c requirements/dev.txt pyproject.toml -o requirements/core.txt
	printf 'uv\nhatchling\neditables\n' | $(UV_COMPILE) -c requirements/dev.txt - -o requirements/bootstrap.txt

clean: ## Remove the environment and what the demo wrote
	rm -rf $(VENV) var
