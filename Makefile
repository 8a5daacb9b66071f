# make demo: the built-in competition, from data to a scored submission.
# make test: all tests that take seconds. make test-all: the slow ones as well. make docs: the site.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all test-backends test-clients test-oracles check docs bench bench-peers constraints clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps are newer than what decides what is installed, so a second run installs nothing.
$(VENV)/installed: setup.cfg constraints.txt | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/installed-test: setup.cfg constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	touch $@ $(VENV)/installed

demo: $(VENV)/installed
	$(BIN)/python -m kagglecxr.demo

# One process a core, which has one thread then; a file's tests share one, and what it has prepared.
ONE_THREAD = TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
test: check
	$(ONE_THREAD) $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test-all: check
	$(ONE_THREAD) $(BIN)/python -m pytest -m '' -n auto --dist loadfile --no-loadscope-reorder

# The zoo, the whole chain without TensorFlow, and saliency maps on Keras' other backends, which are
# some gigabytes; tf-explain is TensorFlow's alone.
test-backends: $(VENV)/installed-test
	$(PIP) --editable '.[test,jax,torch]'
	$(BIN)/python -m pytest -m '' tests/models/test_backends.py tests/training/test_backends.py
	for backend in jax torch; do \
		KERAS_BACKEND=$$backend $(BIN)/python -m pytest -q tests/saliency \
			--ignore tests/saliency/test_tf_explain_pictures.py || exit 1; \
	done

# Saliency maps against those of other libraries, which must not decide what is installed here.
ORACLES = $(VENV)-oracles
test-oracles: $(VENV)/installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(ORACLES) \
		--requirement tests/oracles/requirements.txt
	PYTHONPATH=$(ORACLES) $(BIN)/python -m pytest -m '' tests/oracles

# Whatever talks to Kaggle's client; that of Kaggle's image is older, and refused by name.
OLD_CLIENT = $(VENV)-client-2.0.2
test-clients: $(VENV)/installed-test
	$(BIN)/python -m pytest -q tests/remote tests/kernel tests/leaderboard tests/test_submit.py tests/test_download.py
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(OLD_CLIENT) \
		kaggle==2.0.2 kagglesdk==0.1.20
	PYTHONPATH=$(OLD_CLIENT) $(BIN)/python -m kagglecxr.download umons-covid19 --work $(OLD_CLIENT)/work 2>&1 | \
		grep 'version 2.2.5 or newer. Received: 2.0.2'
	PYTHONPATH=$(OLD_CLIENT) $(BIN)/python -m pytest -q tests/leaderboard/test_rehearsal.py

check: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The site, in build/site; a broken link or a page that is not in its contents is an error.
docs: $(VENV)/installed-test
	$(BIN)/mkdocs build --strict --quiet

# Against what a user would take instead, each in .venv-peers; writes docs/benchmarks.md.
bench-peers: $(VENV)/installed-test
	$(BIN)/python -m benchmarks.peers

bench: $(VENV)/installed-test
	for name in decoding epochs feeding memory duplicates equalisation downloading answering predicting saliency; do $(BIN)/python -m benchmarks.$$name; done

# The newest versions that go together, tested by `make test` before they are committed.
constraints:
	rm -rf $(VENV)-constraints && $(PYTHON) -m venv $(VENV)-constraints
	$(VENV)-constraints/bin/pip install --quiet --disable-pip-version-check '.[test]'
	$(VENV)-constraints/bin/pip freeze --exclude kagglecxr --exclude-editable > constraints.txt
	rm -rf $(VENV)-constraints

clean:
	rm -rf $(VENV) $(OLD_CLIENT) $(VENV)-peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
