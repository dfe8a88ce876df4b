PYTHON ?= python3.11
NEWER_PYTHON ?= python3.13
VENV ?= .venv
INSTALL = -m pip install --quiet --disable-pip-version-check
FREEZE = -m pip freeze --disable-pip-version-check --exclude-editable
# the last TensorFlow whose tensorflow-io kernels load
TF216 = 'tensorflow==2.16.2' 'numpy<2' 'tensorflow-probability[tf]==0.24.*' 'tensorflow-io==0.37.1' 'onnx<1.18'
# the tests that share costly models are a group, see tests/conftest.py
PYTEST = -m pytest -n 2 --dist loadgroup --no-loadscope-reorder
# for one test: a model that somebody else has made; the package needs OpenCV, its model does not
MODEL = $(INSTALL) --no-deps rapidocr-onnxruntime==1.4.4 || \
	echo "rapidocr-onnxruntime cannot be installed: its test is skipped"
export TF_CPP_MIN_LOG_LEVEL = 2
# two processes on two cores: OpenMP threads that wait for each other made a fit of 3 s one of 60 s
test quick model coverage test-newest test-tf216: export OMP_NUM_THREADS = 1
# XLA compiles many models that take a few steps: it need not make them fast
test quick model coverage test-newest test-tf216: export XLA_FLAGS = --xla_backend_optimization_level=0

.PHONY: demo test quick model coverage test-newest test-tf216 constraints lint typecheck docs gallery results architecture clean

demo: $(VENV)/.installed
	$(VENV)/bin/keras-ae demo

test: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python $(PYTEST)

# For development, in less than three minutes: see SLOW in tests/conftest.py.
quick: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python $(PYTEST) -q -m "not slow"

# All guarantees of one model of tests/conformance/models.py: make model MODEL=vae
model: $(VENV)/.installed
	CONFORMANCE_MODEL=$(MODEL) $(VENV)/bin/python $(PYTEST) -q tests/conformance

# Lines that the tests execute in their own processes and in child processes: docs/results/coverage.json.
coverage: $(VENV)/.installed
	start=$$(date +%s); $(VENV)/bin/python $(PYTEST) -q --cov --cov-report=json:.coverage.json && \
	$(VENV)/bin/python tools/coverage_table.py .coverage.json $$((($$(date +%s) - start) / 60))

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/python tools/typecheck.py

typecheck: $(VENV)/.installed
	$(VENV)/bin/python tools/typecheck.py

# The newest version of everything that pyproject.toml allows, installed again at each call.
test-newest:
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python $(INSTALL) -e '.[test]'
	.venv-newest/bin/python $(MODEL)
	.venv-newest/bin/python $(PYTEST)

# The second lane.
test-tf216: .venv-tf216/.installed
	.venv-tf216/bin/python $(PYTEST)

# The site in build/site: broken links, missing references and pages that are not in the menu are errors.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict
	$(VENV)/bin/python -m tools.documentation.check

# The pictures of the site, from trainings of about ten minutes.
gallery: $(VENV)/.installed
	$(VENV)/bin/python tools/gallery.py

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(INSTALL) -c constraints.txt -e '.[test]'
	$(VENV)/bin/python $(MODEL)
	touch $@

.venv-tf216/.installed: pyproject.toml constraints-tf216.txt
	$(PYTHON) -m venv .venv-tf216
	.venv-tf216/bin/python $(INSTALL) -c constraints-tf216.txt -e '.[test]' $(TF216)
	.venv-tf216/bin/python $(MODEL)
	touch $@

# What `make test` and `make test-tf216` install: today's newest versions for the oldest Python, which fit the
# newer ones too, and what only those need.
constraints:
	$(PYTHON) -m venv --clear .venv-pins
	.venv-pins/bin/python $(INSTALL) -e '.[test]'
	echo '# Made by `make constraints`.' > constraints.txt
	.venv-pins/bin/python $(FREEZE) >> constraints.txt
	$(NEWER_PYTHON) -m venv --clear .venv-pins
	.venv-pins/bin/python $(INSTALL) -c constraints.txt -e '.[test]'
	.venv-pins/bin/python $(FREEZE) | grep -vxF -f constraints.txt | sed 's/$$/; python_version >= "3.12"/' > .venv-pins/newer || true
	cat .venv-pins/newer >> constraints.txt
	$(PYTHON) -m venv --clear .venv-pins
	.venv-pins/bin/python $(INSTALL) -e '.[test]' $(TF216)
	echo '# Made by `make constraints`.' > constraints-tf216.txt
	.venv-pins/bin/python $(FREEZE) >> constraints-tf216.txt
	rm -rf .venv-pins

architecture: $(VENV)/.installed
	$(VENV)/bin/python tools/architecture.py

.PHONY: examples notebooks
# Runs the examples and writes docs/examples with what they print.
examples: $(VENV)/.installed
	$(VENV)/bin/python tools/example_pages.py

# Notebooks of the examples in build/notebooks.
notebooks: $(VENV)/.installed
	$(VENV)/bin/python $(INSTALL) 'jupytext>=1.16,<2'
	$(VENV)/bin/python -m jupytext --to ../build/notebooks//ipynb examples/*.py

# docs/results.md and docs/results/*.md from the records of docs/results/*.json and benchmarks/results.toml
results: $(VENV)/.installed
	$(VENV)/bin/python benchmarks/render_results.py

clean:
	rm -rf $(VENV) .venv-newest .venv-pins .venv-tf216 .mypy_cache build dist *.egg-info
