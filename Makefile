.DEFAULT_GOAL := help
PYTHON ?=
PORT ?= 8080
BACKEND ?= local
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --disable-pip-version-check --quiet
# Where pip looks; uv installs from there in a fifth of its time, or else pip does.
INDEX = $(or $(UV_DEFAULT_INDEX),$(PIP_INDEX_URL),$(shell \
  $(RUN) -m pip config get global.index-url 2>/dev/null))
INSTALLED := $(VENV)/.installed
COMPILE := $(RUN) -m uv pip compile -q --generate-hashes --no-annotate --no-header \
  --universal --python-version 3.11 --override .cache/override
EXTRA := $(RUN) -c 'import sys, tomllib; project = tomllib.load(sys.stdin.buffer); \
  known = project["project"]["optional-dependencies"]; \
  print(*(each for name in sys.argv[1:] for each in known[name]), sep="\n")'
CONTAINER ?= $(shell command -v podman || command -v docker)
IMAGE ?= intent-classifier
PROMOTER ?= intent-canary:latest
IMAGES ?= $(IMAGE):v1 $(IMAGE):v2 $(PROMOTER)
PLATFORMS ?= linux/amd64,linux/arm64
BUILDER ?= podman build
MODEL ?= v1
SCIKIT_LEARN ?=
ECHARTS ?= 6.1.0
CLUSTER ?= $(wildcard ../shared/cluster)
MODELS := models/v1/intent_model.pkl models/v2/intent_model.pkl

##@ Start here
.PHONY: demo test cover quick e2e e2e-images help
demo: $(MODELS) ## Split, promotion by evidence, rollback (PORT=8080, BACKEND=haproxy)
	$(RUN) -m scripts.demo --port $(PORT) --backend $(BACKEND)

# Three at a time on two cores: half of their time these tests wait for looks and scrapes.
test: $(MODELS) ## Run every test
	$(RUN) -m pytest -n 3 --dist loadfile

cover: $(MODELS) ## Run every test, hold the branches they reach against the floor
	rm -rf .coverage && mkdir .coverage
	$(RUN) -m coverage run -m pytest -n 3 --dist loadfile
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

quick: $(INSTALLED) ## Run the tests that start no process
	$(RUN) -m pytest -n 2 --dist loadfile --no-processes -r fE

e2e: $(MODELS) ## Test on a cluster: CLUSTER=folder, or KUBECONFIG=file
	$(RUN) -m tests.e2e $(if $(KUBECONFIG),,$(or $(CLUSTER),$(error no CLUSTER)))

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print "\n" substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

##@ Develop
.PHONY: install lint typecheck lock fuzz soak mutants sbom audit clean
install: $(INSTALLED) ## Make .venv from the hash-locked requirements, and the commands

lint: $(INSTALLED) ## Check style, and which folder imports which
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports

typecheck: $(INSTALLED) ## Check types, strictly
	$(RUN) -m mypy

fuzz: $(MODELS) ## Draw a million requests, and pipelines: read alike, compiled alike
	$(RUN) -m tests.fuzz
	$(RUN) -m pytest -q -s tests/compiled/test_drawn.py tests/conformance/test_drawn.py \
	  --hypothesis-profile fuzz --timeout 3000

soak: $(INSTALLED) ## Run 20,000 simulated rollouts full of faults (SEED=n for one)
	$(RUN) -m tests.simulation $(SEED:%=--seed %)

mutants: $(INSTALLED) ## Break the promoter in one place at a time: the simulation must notice
	$(RUN) -m tests.simulation.mutants

sbom: $(INSTALLED) ## Write build/sbom.json from the lock files, list the licences
	$(RUN) -m tests.supply

audit: $(INSTALLED) ## Ask for known faults of what is locked; needs pypi.org's JSON API
	for lock in requirements*.lock; do $(RUN) -m uv tool run pip-audit@2.10.1 -r $$lock \
	  --strict --disable-pip --require-hashes || { echo "$$lock: faults are named above;" \
	  "where it says 'could not be audited', no database was reached: nothing is known"; \
	  exit 1; }; done

lock: $(INSTALLED) ## Bring the lock files in line with pyproject.toml (SCIKIT_LEARN=1.7.2)
	mkdir -p .cache && cp requirements*.lock .cache
	echo "$(SCIKIT_LEARN:%=scikit-learn==%)" >.cache/override
	$(COMPILE) pyproject.toml --all-extras -o .cache/requirements.lock
	for parts in "predictor tracing" promoter; do $(EXTRA) $$parts <pyproject.toml | $(COMPILE) \
	  - -c .cache/requirements.lock -o .cache/requirements-$${parts%% *}.lock || exit; done
	for lock in requirements*.lock; do \
	  cmp -s .cache/$$lock $$lock || cp .cache/$$lock $$lock; done

clean: ## End what runs here, remove what was made here
	if [ -x $(RUN) ]; then $(RUN) -m scripts.local down; fi
	rm -rf $(VENV) models build .local .cache .coverage .*_cache

##@ Speed
.PHONY: bench bench-growth bench-looks bench-endurance bench-drains bench-goodput
bench: $(MODELS) ## Serving against its peers; needs wrk and h2load, a quarter of an hour
	$(RUN) -m tests.bench.serving

bench-growth: $(MODELS) ## Serving over connections, lengths, batches, vocabularies
	$(RUN) -m tests.bench.serving.growth

bench-looks: $(MODELS) ## What the promotion script's looks cost
	$(RUN) -m tests.bench.looks

bench-endurance: $(MODELS) ## Ten minutes at full load: is memory flat? Needs wrk
	$(RUN) -m tests.bench.endurance

bench-drains: $(MODELS) ## 50 ends under load, directly and behind Envoy: is a request lost?
	$(RUN) -m tests.bench.drains

bench-goodput: $(MODELS) ## Ten times the load: are 90 % of what can be answered? Needs wrk
	$(RUN) -m tests.bench.goodput

##@ Decisions
.PHONY: bench-decisions
bench-decisions: $(INSTALLED) ## Compare with other tools and tests; TABLE=name for one
	$(RUN) -m tests.bench.decisions $(addprefix --table=,$(TABLE))

.PHONY: plots
plots: PAGE := scripts/rollout/report/assets
plots: ## Make the report's plot library anew, with npm
	cd $$(mktemp -d) && npm install --silent echarts@$(ECHARTS) esbuild@0.28 && \
	  cp $(CURDIR)/$(PAGE)/echarts.entry.js . && \
	  npx esbuild echarts.entry.js --bundle --minify --format=iife \
	    --global-name=echarts --legal-comments=none --banner:js="/*! Apache ECharts $(ECHARTS), Apache License 2.0; by make plots */" \
	    --outfile=$(CURDIR)/$(PAGE)/echarts.js

##@ Model
.PHONY: train evaluate
train: $(MODELS) ## Train both model versions, pin them in the manifests

evaluate: $(MODELS) ## Score both on the held-out texts, write MODEL_CARD.md's figures
	$(RUN) -m training.evaluate --write-card
	$(RUN) -m training.slices --write-card

##@ Image
.PHONY: image image-promoter bundle release
image: models/$(MODEL)/intent_model.pkl ## Build IMAGE:MODEL, pin it in the manifests
	$(RUN) -m training.pin $(MODEL)
	$(CONTAINER) build --target predictor --build-arg MODEL=$(MODEL) \
	  -t $(IMAGE):$(MODEL) .

e2e-images: $(MODELS) ## Build those of make e2e, under the manifests' names
	$(RUN) -m tests.e2e.images $(CONTAINER) build

image-promoter: ## Build the promoter's image, PROMOTER
	$(CONTAINER) build --target promoter -t $(PROMOTER) .

bundle: $(MODELS) ## Write build/bundle, installed without a network (IMAGES=names)
	CONTAINER=$(CONTAINER) .ci/bundle build/bundle $(IMAGES)

release: $(MODELS) ## Write build/release by podman: OCI layouts of PLATFORMS, SBOM, provenance
	$(RUN) -m tests.supply.release build/release --platforms $(PLATFORMS) \
	  --builder "$(BUILDER)" $(PROMOTER)=promoter \
	  $(IMAGE):v1=predictor:v1 $(IMAGE):v2=predictor:v2

##@ Homes without Kubernetes
.PHONY: vm homes
homes: export IMAGE_BUILD := $(if $(CLUSTER),'$(CLUSTER)/image-build','$(CONTAINER)' build)
homes: $(MODELS) ## Each faulty version in those homes; a quarter of an hour
	$(RUN) -m pytest -n 2 --dist loadfile -rP tests/homes/*.py

vm: VM := build/vm
vm: $(MODELS) ## Write build/vm, which an operator copies to a VM
	rm -rf build && mkdir -p $(VM)/opt/intent $(VM)/var/lib/intent
	cp -r manifests/vm/etc $(VM) && cp -r models $(VM)/var/lib/intent
	cp requirements-predictor.lock requirements-promoter.lock $(VM)/opt/intent
	$(RUN) -m pip wheel -q --no-deps --no-build-isolation -w $(VM)/opt/intent .
	for version in 1 2; do printf 'HTTP_PORT=810%s\nMODEL_SHA256=%s\n' $$version \
	  $$($(RUN) -c 'import json, sys; print(json.load(sys.stdin)["sha256"])' \
	  <models/v$$version/metadata.json) >$(VM)/etc/intent/v$$version.env; done

$(INSTALLED): requirements.lock
	python=$$(.ci/pythons $(PYTHON)) && \
	  "$$(echo "$$python" | head -n 1)" -m venv --clear $(VENV)
	mkdir -p .cache && sed -n '/^uv==/,/[^\\]$$/p' $< >.cache/uv.lock
	$(PIP) --require-hashes -r .cache/uv.lock
	UV_DEFAULT_INDEX="$(INDEX)" UV_HTTP_TIMEOUT=180 $(RUN) -m uv pip install -q \
	  --python $(RUN) --compile-bytecode --require-hashes -r $< || $(PIP) --require-hashes -r $<
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(MODELS): models/%/intent_model.pkl: $(INSTALLED) training/train.py training/pipelines.py \
  training/changes.py training/dataset.py $(wildcard predictor/features/*.py) \
  predictor/outside.py predictor/artifact.py $(wildcard training/data/*.csv)
	$(RUN) -m training.train --version $*
	$(RUN) -m training.pin $*
