PYTHON ?= python3.11
VENV ?= .venv
# the tests that share costly models are a group, see tests/conftest.py
PYTEST = -m pytest -n 2 --dist loadgroup --no-loadscope-reorder
export TF_CPP_MIN_LOG_LEVEL = 2
# two processes on two cores: OpenMP threads that wait for each other made a fit of 3 s one of 60 s
test test-tf216: export OMP_NUM_THREADS = 1
# XLA compiles many models that take a few steps: it need not make them fast
test test-tf216: export XLA_FLAGS = --xla_backend_optimization_level=0

.PHONY: demo test test-tf216 lint results clean

demo: $(VENV)/.installed
	$(VENV)/bin/keras-ae demo

test: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python $(PYTEST)

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The second lane: the last TensorFlow whose tensorflow-io kernels load.
test-tf216: .venv-tf216/.installed
	.venv-tf216/bin/python $(PYTEST)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

.venv-tf216/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-tf216
	.venv-tf216/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' 'tensorflow==2.16.2' 'numpy<2' 'tensorflow-probability[tf]==0.24.*' 'tensorflow-io==0.37.1' 'onnx<1.18'
	touch $@

# docs/results.md from the records of docs/results/
results: $(VENV)/.installed
	$(VENV)/bin/python benchmarks/render_results.py

clean:
	rm -rf $(VENV) .venv-tf216 build dist *.egg-info
