# Minerva for people who just got it: `make demo`, `make test`. For GNU make from 3.81 (macOS) on and BSD make.
#
# The virtual environment is .venv; installation goes to standard error, so that standard output is the
# command's own:  make demo ARGS="--once --json" > result.json

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
ARGS =
TESTS = tests
JOBS = 2
SECONDS = 30

PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check install

.PHONY: help demo test lint format bench emulate fuzz native picture lock clean micropython micropython-i386

help:
	@echo 'make demo    a hub and virtual devices that hear a conversation; prints the page'"'"'s address'
	@echo 'make test    all tests (TESTS=tests/hub ARGS="-k store" for some)'
	@echo 'make lint    ruff, mypy, the import layers, pyright over device/, rustfmt and clippy'
	@echo 'make format  let ruff format and fix what it can'
	@echo 'make bench   all measurements with their limits (ARGS="store --json" for one)'
	@echo 'make emulate the Rust firmware on emulated chips: same results, instructions, memory (ARGS=--json)'
	@echo 'make fuzz    decoders against generated input (SECONDS=30 for each), power cuts at every write (ARGS=powercut for one)'
	@echo 'make native  the Rust features as a Python module in .venv: for parity tests and the bench'
	@echo 'make picture the picture in README.md, of a demo that is played for it (needs chromium)'
	@echo 'make lock    choose the newest versions that pyproject.toml allows, and pin them'
	@echo 'make clean   remove .venv, caches and build products'

demo: $(VENV)/.run micropython
	@$(BIN)/minerva demo $(ARGS)

test: $(VENV)/.dev micropython-i386 native
	@sh scripts/rust.sh test
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(TESTS) $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if [ -f scripts/lint-device.sh ]; then PYTHON=$(BIN)/python sh scripts/lint-device.sh; fi
	@sh scripts/rust.sh lint

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.run micropython-i386 native
	@$(BIN)/minerva bench $(ARGS)

emulate: $(VENV)/.run
	@$(BIN)/minerva emulate $(ARGS)

fuzz: $(VENV)/.run micropython-i386
	@sh scripts/fuzz.sh $(SECONDS) $(ARGS)

# Where cargo is missing the script says so; tests that need the module are skipped, benches of it fail.
native: $(VENV)/.dev
	@sh scripts/build-native.sh >&2

picture: $(VENV)/.dev micropython
	@mkdir -p docs/images
	@$(BIN)/python scripts/screenshots.py --demo --only live-desktop-light --out artifacts
	@cp artifacts/live-desktop-light.png docs/images/live.png

# A private MicroPython; where none can be had (exit 3) the script says so, and CPython stands in.
micropython:
	@if [ -f scripts/get-micropython.sh ]; then sh scripts/get-micropython.sh native >&2 || [ $$? -eq 3 ]; fi

micropython-i386: micropython
	@if [ -f scripts/get-micropython.sh ]; then sh scripts/get-micropython.sh i386 >&2 || [ $$? -eq 3 ]; fi

# The stamps: .run holds what the hub needs, .dev also the tools; each is redone when its lock changes.
# `.dev` contains all of `.run` at the same versions, so a change of either lock ends with one that is consistent.
$(VENV)/.run: requirements.lock pyproject.toml
	@sh scripts/venv.sh $(PYTHON) $(VENV)
	@echo 'Installing Minerva into $(VENV): a few hundred MB to download the first time.' >&2
	@$(PIP) --require-hashes -r requirements.lock >&2
	@$(PIP) --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo 'Installing the development tools into $(VENV).' >&2
	@$(PIP) --require-hashes -r requirements-dev.lock >&2
	@touch $@

.cache/uv/bin/uv:
	@sh scripts/venv.sh $(PYTHON) .cache/uv
	@.cache/uv/bin/python -m pip --quiet --disable-pip-version-check install 'uv>=0.9,<1' >&2

# One resolution for all systems and Python versions; the development lock keeps to the versions of the other.
COMPILE = .cache/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --custom-compile-command 'make lock' --group build pyproject.toml

lock: .cache/uv/bin/uv
	@$(COMPILE) -o requirements.lock
	@$(COMPILE) --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) .cache build artifacts *.egg-info device/typings
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
