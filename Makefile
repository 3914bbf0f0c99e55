# ReelWorld: `make video` shows the main thing, `make test` runs the tests. Both set up what they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PROMPT ?= A tall person in a white suit and a red hat walks slowly to the right. The camera pans right. The scene is a desert at sunset.

.PHONY: help video test check bench fuzz docs train clean

help:            ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(BIN)/reel: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ReelWorld needs Python 3.11 or newer; run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "this Python has no venv: apt install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/dev: $(BIN)/reel
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

video: $(BIN)/reel    ## make a video from a sentence (PROMPT="...")
	$(BIN)/reel generate "$(PROMPT)" --preview --output out/video.mp4

test: $(VENV)/dev     ## run the tests, as many at once as there are cores
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

check: $(VENV)/dev    ## lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev    ## measure speed; results go to benchmarks/results/
	$(BIN)/pip install --quiet --editable '.[bench]'
	for name in world train generate; do $(BIN)/python benchmarks/$$name.py || exit 1; done

fuzz: $(VENV)/dev    ## 10,000 cases of every call of the API
	$(BIN)/python benchmarks/fuzz.py --cases 10000

docs: $(VENV)/dev     ## write the generated parts of docs/
	$(BIN)/python docs/build.py

train: $(BIN)/reel    ## train the nano model from nothing (about five hours on two cores)
	$(BIN)/pip install --quiet --editable '.[plot]'
	$(BIN)/reel train nano --out runs/nano

clean:           ## remove what was built; keeps runs/
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache
