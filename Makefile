# Sets everything up from nothing but Python and make, and runs it. `make` alone lists what there is.

PYTHON ?= python3
VENV   ?= .venv
PORT       ?= 8000
INBOX_PORT ?= 9000
# Further arguments for pytest: make test ARGS="-k dialog -x"
ARGS ?=
# Any value: a target that takes long does a small part of its work, to show that it works.
SHORT ?=
# Any value: a target that writes files writes none, and fails if one is out of date.
CHECK ?=
options = $(if $(SHORT),--short) $(if $(CHECK),--check)

bin := $(VENV)/bin
# Stamps: what was set up, and newer than what it was set up from.
venv    := $(VENV)/.stamp-venv
runtime := $(VENV)/.stamp-runtime
dev     := $(VENV)/.stamp-dev
nox     := $(VENV)/.stamp-nox
audit   := $(VENV)/.stamp-audit
oldest  := $(VENV)-oldest/.stamp-dev
bugsink := $(VENV)-bugsink/.stamp-bugsink
js      := tests/js
npm     := $(js)/node_modules/.stamp-npm
peers   := tests/peers/npm
spotlight := $(peers)/node_modules/.stamp-npm
# Some tests run on sentry-sdk's newest release, which is in the environment, and on its oldest. That
# one is pure Python, so all environments share it.
oldest_sdk := .sentry-sdk-oldest/.stamp-sdk

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DELETE_ON_ERROR:
.PHONY: help demo test test-all test-oldest test-main lint browser browsers faults matrix peers attacks leaks audit bench docs translations screenshots clean

help:
	@echo "make demo          a shop to break, and an inbox to read about it (PORT=, INBOX_PORT=)"
	@echo "make test          ruff, mypy and pytest, browser included (ARGS= for pytest)"
	@echo "make test-all      pytest on every Python of 3.10 to 3.14 that can be found  [SHORT]"
	@echo "make test-oldest   pytest on the oldest release of every dependency that is allowed  [SHORT]"
	@echo "make test-main     pytest on Flask and Werkzeug as they are not yet released"
	@echo "                   (FLASK= and WERKZEUG=: paths of checkouts, or addresses that pip installs)"
	@echo "make lint          ruff and mypy alone"
	@echo "make browser       finds a Chromium, or installs one into .browser"
	@echo "make browsers      the page, the dialog and the inbox in Firefox ESR and in WebKitGTK; says"
	@echo "                   which is missing and how to install it  [SHORT]"
	@echo "make faults        raven's faults, one a line: shown with raven, as far as sentry-sdk has them,"
	@echo "                   and mended with the kit on either  [SHORT]"
	@echo "make matrix        where the visitor's words arrive, with raven's recipe, with sentry-sdk's, and"
	@echo "                   with the kit on either; writes the README's table  [SHORT] [CHECK]"
	@echo "make peers         where a reader finds the visitor's words, on a real Bugsink and Spotlight and on"
	@echo "                   stand-ins of Sentry and GlitchTip; writes docs/servers.md  [SHORT] [CHECK]"
	@echo "make leaks         planted secrets that come out: the kit beside raven beside sentry-sdk  [SHORT]"
	@echo "make attacks       what a healthy request waits while the app is attacked, kit beside raven  [SHORT]"
	@echo "make audit         published holes in the dependencies, oldest and newest  [SHORT]"
	@echo "make bench         what a request, a crash and a storm of crashes cost, an outage, and the inbox's"
	@echo "                   speed beside Bugsink's  [SHORT]"
	@echo "make docs          the settings in README.md and docs/, from the settings themselves  [CHECK]"
	@echo "make translations  the catalogues, from the sentences in templates and code  [CHECK]"
	@echo "make screenshots   the pictures in docs/images, and docs/page.md  [SHORT] [CHECK]"
	@echo "make clean         removes all that was set up here"
	@echo
	@echo "[SHORT]: with SHORT=1 it does a small part of its work, to show that it works."
	@echo "[CHECK]: with CHECK=1 it writes no file, and fails if one is out of date."

demo: $(runtime)
	@exec $(bin)/python -m demo_app --port $(PORT) --inbox-port $(INBOX_PORT)

test: lint browser $(npm) $(oldest_sdk)
	$(bin)/python -m pytest $(ARGS)

lint: $(dev)
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy

browser: $(dev)
	@$(bin)/python -m scripts.browser_install

test-all: $(nox) $(if $(SHORT),,lint browser $(npm) $(oldest_sdk))
	$(bin)/nox $(if $(SHORT),--session found) $(if $(ARGS),-- $(ARGS))

test-oldest: $(if $(SHORT),$(dev),browser $(npm) $(oldest_sdk) $(oldest))
	$(if $(SHORT),$(bin)/python -m scripts.oldest,$(VENV)-oldest/bin/python -m pytest $(ARGS))

test-main: browser $(npm) $(oldest_sdk)
	@test -n "$(FLASK)" -a -n "$(WERKZEUG)" || { echo "Say what to test on, as paths of checkouts or" \
	  "addresses that pip installs: make test-main FLASK=../flask WERKZEUG=../werkzeug" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)-main
	$(VENV)-main/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-main/bin/python -m pip install --quiet --editable . --group dev --group new-flask
	$(VENV)-main/bin/python -m pip install --quiet --force-reinstall --no-deps $(FLASK) $(WERKZEUG)
	$(VENV)-main/bin/python -m pytest $(ARGS)

browsers: $(dev)
	$(bin)/python -m tests.browsers $(options)

faults: $(dev)
	$(bin)/python -m tests.faults $(options)

# The short form plays a few settings alone, so it has no table to write.
matrix: browser $(npm)
	$(bin)/python -m tests.matrix $(options) $(if $(SHORT)$(CHECK),,--readme)

# The short form asks stand-ins alone.
peers: browser $(if $(SHORT),,$(bugsink) $(spotlight))
	$(bin)/python -m tests.peers $(options) $(if $(SHORT)$(CHECK),,--write)

leaks: $(dev)
	$(bin)/python -m tests.leaks $(if $(SHORT),--share 10 kit)

bench: $(if $(SHORT),$(dev),$(dev) $(bugsink))
	$(bin)/python -m benchmarks $(options)

attacks: $(dev)
	$(bin)/python -m tests.attacks $(options)

audit: $(if $(SHORT),$(dev),$(audit))
	$(bin)/python -m scripts.audit $(options)

docs: $(runtime)
	$(bin)/python -m scripts.settings_page $(options)

translations: $(dev)
	$(bin)/python -m scripts.translations $(options)

screenshots: browser
	$(bin)/python -m scripts.screenshots $(options)

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-main $(VENV)-bugsink .sentry-sdk-oldest .nox .browser dist
	rm -rf $(js)/node_modules $(peers)/node_modules
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
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
	$(bin)/python -m pip install --quiet --editable '.[inbox]' --group dev --group new-flask
	@touch $@ $(runtime)

$(runtime): pyproject.toml $(venv)
	$(bin)/python -m pip install --quiet --editable '.[inbox]'
	@touch $@

$(nox) $(audit): $(VENV)/.stamp-%: pyproject.toml $(dev)
	$(bin)/python -m pip install --quiet --group $*
	@touch $@

$(oldest): pyproject.toml scripts/oldest.py $(dev)
	$(PYTHON) -m venv $(VENV)-oldest
	$(bin)/python -m scripts.oldest > $(VENV)-oldest/oldest.txt
	$(VENV)-oldest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-oldest/bin/python -m pip install --quiet --editable '.[inbox]' --group dev --constraint $(VENV)-oldest/oldest.txt
	@touch $@

# pip leaves what a folder has of another release.
$(oldest_sdk): pyproject.toml scripts/oldest.py $(dev)
	rm -rf $(@D)
	$(bin)/python -m pip install --quiet --no-deps --target $(@D) $$($(bin)/python -m scripts.oldest sentry-sdk)
	@touch $@

$(bugsink): pyproject.toml $(venv)
	$(PYTHON) -m venv $(VENV)-bugsink
	$(VENV)-bugsink/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-bugsink/bin/python -m pip install --quiet --upgrade --group peers
	@touch $@

# npm itself comes from PyPI, so no Node.js is asked of the machine.
$(npm): $(js)/package.json $(js)/package-lock.json $(js)/.npmrc $(dev)
	$(bin)/npm --prefix $(js) ci
	@touch $@

$(spotlight): $(peers)/package.json $(peers)/package-lock.json $(peers)/.npmrc $(dev)
	$(bin)/npm --prefix $(peers) ci
	@touch $@
