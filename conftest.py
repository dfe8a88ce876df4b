"""Lets pytest run from a checkout: maps training/ and export/ into keras_ae."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes: a core each
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import importlib.util
from pathlib import Path

import keras_ae

if importlib.util.find_spec("keras_ae.training") is None:
    keras_ae.__path__.append(str(Path(__file__).parent))
