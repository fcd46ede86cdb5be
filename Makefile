# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Everything is installed into .venv and .cache here; nothing outside is touched.

PYTHON ?= python3
MODEL ?= bvlc_googlenet
FRAMES ?= 100
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
STUDIO := $(VENV)/.studio
SERVICES := $(VENV)/.services
KERNELS := $(VENV)/.gpu-kernels
# A process of tests for each core; a file's tests stay together, what they share is made once.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help setup demo serve test test-faults test-caffe compat golden lint format bench bench-films bench-studio bench-giant \
	judged profile gpu-test gpu-bench reproduce fetch-model update-pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv, install the project, prepare the embedded model
	@$(BIN)/python scripts/prepare_models.py --quiet

$(INSTALLED): pyproject.toml requirements.lock scripts/install.py scripts/setup.sh
	PYTHON=$(PYTHON) scripts/setup.sh $(VENV)
	@touch $@

demo: setup ## dream a sky, two classes and a zoom with the embedded model: out/index.html
	scripts/demo.sh $(BIN)/python

serve: setup $(STUDIO) ## the studio, a web page to dream in: http://127.0.0.1:8000
	@exec $(BIN)/python -m studio.serve

$(STUDIO): $(INSTALLED) scripts/studio_assets.sh studio/assets/package-lock.json
	$(BIN)/python scripts/install.py studio
	scripts/studio_assets.sh $(BIN)/python
	@touch $@

$(SERVICES): $(STUDIO) scripts/test_services.sh
	scripts/test_services.sh $(BIN)/python
	@touch $@

# Triton interprets and compiles the GPU's kernels without one.
$(KERNELS): $(INSTALLED)
	$(BIN)/python scripts/install.py gpu-kernels
	@touch $@

test: setup $(STUDIO) $(SERVICES) $(KERNELS) ## run the whole test suite, real Caffe's verdict included where its root can be built
	$(BIN)/python -m pytest $(PARALLEL)

test-faults: setup ## kills, power cuts, damaged folders, hostile input: hundreds and thousands; an hour
	$(BIN)/python -m tests.faults.hostile --show
	$(BIN)/python -m tests.faults.damage
	$(BIN)/python -m tests.faults.trials --kills 450 --cuts 90

test-caffe: setup ## only the tests that real Caffe judges
	$(BIN)/python -m pytest tests/real_caffe

compat: setup ## ten programs as 2014-17 wrote them for pycaffe, on ours and on real Caffe
	$(BIN)/python -m pytest tests/compat

golden: setup ## record tests/golden anew from real Caffe
	scripts/record_golden.sh

lint: setup ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup ## mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## seconds and memory of a step: the notebook on real Caffe, ours, the limit
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/tile_step.py
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/roll.py
	$(BIN)/python benchmarks/distort.py

bench-studio: setup $(STUDIO) ## what fifty watching browsers cost a dream
	$(BIN)/python benchmarks/studio_page.py
	$(BIN)/python benchmarks/studio_load.py

bench-films: setup ## films: time and memory of each format, optical flow, overhead of a frame
	$(BIN)/python benchmarks/films.py
	$(BIN)/python benchmarks/films.py --overhead

judged: setup ## class drawings by each recipe, judged by networks that had no part in them; an hour or two
	$(BIN)/python benchmarks/judged.py

bench-giant: setup ## large pictures: memory, speed, seams, normalisation, workers; an hour or two
	$(BIN)/python benchmarks/giant.py --megapixels 4 100
	$(BIN)/python benchmarks/giant.py --ram-mode
	$(BIN)/python benchmarks/giant.py --notebook
	$(BIN)/python benchmarks/halo.py
	$(BIN)/python benchmarks/seams.py
	$(BIN)/python benchmarks/normalisation.py
	$(BIN)/python benchmarks/scaling.py --size 4096x3072 --tile 256 --passes 1
	$(BIN)/python benchmarks/cluster.py

profile: setup ## where memory goes, by line and over time: docs/memory.md
	$(BIN)/python benchmarks/memory_profile.py

gpu-test: setup ## the tests that need CUDA; skipped, with the reason, without it
	$(BIN)/python -m pytest -m gpu

gpu-bench: setup ## equality, speed, memory, scaling on CUDA: docs/gpu.md
	$(BIN)/python benchmarks/gpu.py

reproduce: setup ## every cell of the 2015 notebook, with pictures to look at: out/reproduce/index.html
	$(BIN)/python reproduce/reproduce.py --frames $(FRAMES)

fetch-model: ## download the published weights of MODEL=NAME, by default bvlc_googlenet
	scripts/fetch_model.sh $(MODEL)

update-pins: $(INSTALLED) ## newest versions and hashes: packages, containers' bases; HASHES=1 keeps versions
	$(BIN)/python scripts/install.py pins
	$(BIN)/python scripts/update_pins.py $(if $(HASHES),--hashes)
	$(BIN)/python scripts/update_bases.py

clean: ## remove what was installed and made here, fetched weights excepted
	rm -rf $(VENV) .cache build dist out *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
