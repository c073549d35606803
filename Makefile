# Each target makes .venv first, or completes it: tools/environment.py. Another Python
# than python3 for it: make book PYTHON=python3.12

PYTHON ?= python3
BIN = .venv/bin
# A Python that was asked for by name replaces an environment made with another one.
ASKED = $(if $(filter file,$(origin PYTHON)),,--this-python)
ENVIRONMENT = $(PYTHON) -I -S tools/environment.py $(ASKED)

# Two workers with a thread each: with more threads than cores torch takes many times as
# long. The notebooks were run with as many threads as there are cores, so this shows,
# too, that no printed number depends on that. What is compiled is kept, whatever the
# machine says: dozens of processes import the same.
ONE_THREAD = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
PYTEST = $(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist=worksteal
# As in tools/notebooks.py: the same order in sets, and nobody's own IPython profile.
KERNEL = PYTHONHASHSEED=0 IPYTHONDIR="$(CURDIR)/.venv/ipython"
# Without our settings pytest needs no torch, which it would load in each worker.
NBVAL = $(KERNEL) $(ONE_THREAD) $(BIN)/python tools/kernels.py $(BIN)/python -m pytest \
	-n 2 --dist=loadscope -c /dev/null --rootdir . --noconftest -p no:cacheprovider \
	--nbval --nbval-kernel-name=forked --nbval-cell-timeout=60 \
	--nbval-kernel-startup-timeout=60

# Which notebooks are trusted is kept in the environment, not in the reader's own files.
NOTARY = --NotebookNotary.db_file="$(CURDIR)/.venv/signatures.db" \
	--NotebookNotary.secret_file="$(CURDIR)/.venv/notary"

.PHONY: help book offline pdf cards test check lab notebooks bench noticed release grade \
	format constraints clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

book: ## build the website and say which file to open
	@$(ENVIRONMENT) book
	@$(BIN)/python tools/book.py

offline: ## pack the website into an archive that works from a disk
	@$(ENVIRONMENT) book
	@$(BIN)/python tools/book.py offline

pdf: ## print the book, stories and then references, into one PDF
	@$(ENVIRONMENT) test
	@$(BIN)/python tools/book.py
	@$(BIN)/python tools/pdf.py

cards: ## draw what other sites show of a link, a picture a page (BOOK_URL=...)
	@$(ENVIRONMENT) test
	@$(BIN)/python tools/book.py
	@$(BIN)/python tools/cards.py

test: ## check everything: code, types, tests, each number in the book, the website
	@$(ENVIRONMENT) test
	@echo "== format" && $(BIN)/ruff format --check .
	@echo "== lint" && $(BIN)/ruff check .
	@echo "== form of the notebooks" && $(BIN)/python tools/notebooks.py --check
	@echo "== types" && $(BIN)/python -m mypy
	@echo "== tests" && $(PYTEST) --ignore=tests/test_site.py
	@echo "== notebooks, run again and compared" && $(NBVAL) index.ipynb chapters
	@echo "== website, in a browser" && $(PYTEST) --dist=loadgroup tests/test_site.py

check: ## below 90 s, while working: what changed, or one family (FAMILY=conv)
	@$(ENVIRONMENT) test
	@$(BIN)/python tools/check.py $(FAMILY)

lab: ## open the chapters in JupyterLab
	@$(ENVIRONMENT) book
	@# JupyterLab strips the pictures from a notebook that it has not been told to trust.
	@$(BIN)/jupyter trust $(NOTARY) index.ipynb chapters/*.ipynb chapters/*/*.ipynb \
		>.venv/trusted
	@# A notebook that is saved keeps its canonical form; root may open it, too.
	@$(BIN)/python -m jupyterlab $(NOTARY) --config=tools/lab.py index.ipynb

notebooks: ## run all notebooks again and bring them into their canonical form
	@$(ENVIRONMENT) book
	@$(BIN)/python tools/notebooks.py

bench: ## measure what the layers cost, next to torch and to peers (CASES="Conv2d LSTM")
	@$(ENVIRONMENT) test
	@$(BIN)/python benchmarks/layers.py $(CASES)

noticed: ## write down which test notices which known mistake, to be tried first
	@$(ENVIRONMENT) test
	@mkdir -p .venv/noticed && rm -f .venv/noticed/*
	@NOTICED=.venv/noticed $(PYTEST) tests/test_mutation.py
	@$(BIN)/python tests/noticed.py .venv/noticed

release: ## write the notebooks for students (OUT=release, FLAGS=--nbgrader)
	@$(ENVIRONMENT) book
	@$(BIN)/python -m classroom release $(or $(OUT),release) $(FLAGS)

grade: ## grade what students handed in (SUBMISSIONS=folder, OUT=results)
	@$(ENVIRONMENT) book
	@$(BIN)/python -m classroom grade $(SUBMISSIONS) --out $(or $(OUT),results) $(FLAGS)

format: ## format code and notebooks, and mend what the linter can mend
	@$(ENVIRONMENT) test
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/python tools/notebooks.py --no-run

constraints: ## write constraints.txt anew, after a change in the requirements
	@$(PYTHON) -I tools/environment.py constraints

clean: ## remove what was built; the environment stays
	@rm -rf _build build layerlib.egg-info .hypothesis .mypy_cache .pytest_cache \
		.ruff_cache
