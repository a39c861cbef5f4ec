# Sets everything up from nothing but Python and make, and runs it. `make` alone lists what there is.

PYTHON ?= python3
VENV   ?= .venv
PORT       ?= 8000
INBOX_PORT ?= 9000
# Further arguments for pytest: make test ARGS="-k dialog -x"
ARGS ?=

bin := $(VENV)/bin
# Stamps: what was set up, and newer than what it was set up from.
venv    := $(VENV)/.stamp-venv
runtime := $(VENV)/.stamp-runtime
dev     := $(VENV)/.stamp-dev
nox     := $(VENV)/.stamp-nox
bench   := $(VENV)/.stamp-bench
npm     := node_modules/.stamp-npm

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DELETE_ON_ERROR:
.PHONY: help demo test test-all lint check-browser faults matrix leaks bench screenshots translations docs clean

help:
	@echo "make demo         a shop to break, and an inbox to read about it (PORT=, INBOX_PORT=)"
	@echo "make test         ruff, mypy and pytest, browser included (ARGS= for pytest)"
	@echo "make test-all     pytest on every Python of 3.10 to 3.14 that can be found"
	@echo "make lint         ruff and mypy alone"
	@echo "make faults       raven's faults, one a line: shown with raven, mended with the kit"
	@echo "make matrix       where the visitor's words arrive, with raven's recipe and with the kit"
	@echo "make leaks        planted secrets that come out: the kit beside raven beside sentry-sdk"
	@echo "make bench        what a request, a crash and a storm of crashes cost, and an outage"
	@echo "make docs         docs/settings.md and the README's table, from the settings themselves"
	@echo "make translations  the catalogues, from the sentences in templates and code"
	@echo "make screenshots  the pictures in docs/images"
	@echo "make clean        remove all that was set up here"

demo: $(runtime)
	@exec $(bin)/python -m demo_app --port $(PORT) --inbox-port $(INBOX_PORT)

test: lint check-browser $(npm)
	$(bin)/python -m pytest $(ARGS)

lint: $(dev)
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy

check-browser: $(dev)
	@$(bin)/python -m tools.browser > /dev/null

test-all: lint check-browser $(npm) $(nox)
	$(bin)/nox $(if $(ARGS),-- $(ARGS))

faults: $(dev)
	$(bin)/python -m tests.faults

matrix: check-browser $(npm)
	$(bin)/python -m tests.matrix --readme

leaks: $(bench)
	$(bin)/python -m tests.leaks

bench: $(bench)
	$(bin)/python -m benchmarks

docs: $(runtime)
	$(bin)/python -m tools.settings_page

translations: $(dev)
	$(bin)/python -m tools.translations

screenshots: check-browser
	$(bin)/python -m tools.screenshots

clean:
	rm -rf $(VENV) .nox node_modules dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's python3 comes without ensurepip; what venv then says names the package to install.
$(venv):
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no $(PYTHON). Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "flask_sentry_kit needs Python 3.10 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	$(bin)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

# pip 25.1 is the first that knows dependency groups.
$(dev): pyproject.toml $(venv)
	$(bin)/python -m pip install --quiet --editable . --group dev
	@touch $@ $(runtime)

$(runtime): pyproject.toml $(venv)
	$(bin)/python -m pip install --quiet --editable .
	@touch $@

$(nox) $(bench): $(VENV)/.stamp-%: pyproject.toml $(dev)
	$(bin)/python -m pip install --quiet --group $*
	@touch $@

# npm itself comes from PyPI, so no Node.js is asked of the machine.
$(npm): package.json package-lock.json .npmrc $(dev)
	$(bin)/npm ci
	@touch $@
