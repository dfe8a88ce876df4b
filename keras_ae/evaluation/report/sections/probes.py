"""Information in the embedding: probes, leaks, neighbours, disentanglement."""

from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation._factor_values import classes_of, known_values
from keras_ae.evaluation.attempts import attempt
from keras_ae.evaluation.disentanglement.dci import dci
from keras_ae.evaluation.disentanglement.factor_table import why_left_out
from keras_ae.evaluation.disentanglement.mig import mig
from keras_ae.evaluation.disentanglement.sap import sap
from keras_ae.evaluation.probes.leakage import leakage
from keras_ae.evaluation.probes.neighbours import knn
from keras_ae.evaluation.probes.probe import probe

NEIGHBOURS = 5
MOST_LATENTS = 64  # largest number of latents for DCI and SAP, which test each latent
MOST_FOR_TREES = 1_500  # largest number of examples for boosted trees
KEPT = ("linear", "mlp", "interval", "mlp_interval")  # recorded results of a control


def probes(material: Any, settings: Any, detail: Any = lambda text: None) -> dict[str, dict]:
    """Return `{factor: results of probes, with "knn" and "controls": {"PCA-16": ...}}`.

    Factors that cannot be probed, such as constant factors, are left out, see `attempt`.
    """
    found = {}
    for name, pair in material.factors.items():
        detail(name)
        found[name] = attempt(name, _probed, material, pair, settings)
    return {name: results for name, results in found.items() if results is not None}


def leaks(material: Any, settings: Any, detail: Any = lambda text: None) -> dict[str, dict]:
    """Return `{nuisance: results of leakage, with the control}`; some are left out as in `probes`."""
    found = {}
    for name, pair in material.nuisances.items():
        detail(f"leak of {name}")
        found[name] = attempt(name, _leaked, material, pair, settings)
    return {name: results for name, results in found.items() if results is not None}


def disentanglement(material: Any, settings: Any) -> dict[str, Any] | None:
    """Measure MIG, SAP and DCI of the embedding and the control, or return `None` below two class factors."""
    classes = {}
    for name, (train, test) in material.classes().items():
        if _scored(name, train, test):
            numbers = classes_of(np.concatenate([train, test]), name)
            classes[name] = numbers[: len(train)], numbers[len(train) :]
    if len(classes) < 2:
        return None
    train, test = (_with_missing([pair[part] for pair in classes.values()]) for part in (0, 1))
    control, control_test = material.components
    rows = {
        "embedding": _disentangled(material.z_train, material.z_test, train, test, settings),
        material.control: _disentangled(control, control_test, train, test, settings),
    }
    sizes = {"n_train": min(len(train), MOST_FOR_TREES), "num_trees": settings.num_trees}
    return {"factors": list(classes), "rows": rows, **sizes}


def _scored(name, train, test):
    """Return whether training has at least two repeating classes, and the test set no other classes."""
    known, held_out = known_values(train), known_values(test)
    if len(np.unique(known[:MOST_FOR_TREES])) < 2 or not np.isin(held_out, known).all():
        return False
    numbers = attempt(f"disentanglement of {name}", classes_of, np.concatenate([train, test]), name)
    return numbers is not None


def _with_missing(columns):
    """Return classes `(examples, factors)` as whole floats, with NaN for missing values."""
    columns = np.stack(columns, axis=1).astype("float64")
    return np.where(columns < 0, np.nan, columns)


def _probed(material, pair, settings):
    train, test = _measurable(pair)
    results = probe(material.z_train, train, test=(material.z_test, test), seed=settings.seed)
    if train.dtype.kind != "f" and results["n_train"] > NEIGHBOURS:
        nearest = knn(material.z_train, train, test=(material.z_test, test), k=NEIGHBOURS)
        results["knn"], results["knn_k"] = nearest["accuracy"], NEIGHBOURS
    return {**results, "controls": _controls(material, train, test, settings)}


def _leaked(material, pair, settings):
    (train, test), name = _measurable(pair), "nuisance"
    held_out = (material.z_test, {name: test})
    results = leakage(material.z_train, {name: train}, test=held_out, seed=settings.seed)[name]
    return {**results, "controls": _controls(material, train, test, settings)}


def _measurable(pair):
    """Return the values of both parts, or raise an `InputError` with the reason why a factor is left out."""
    reasons = [why_left_out(pair[0]), why_left_out(pair[1]) if pair[1].dtype.kind == "f" else None]
    for reason in filter(None, reasons):
        raise InputError(reason)
    return pair


def _controls(material, train, test, settings):
    z_train, z_test = material.components
    results = probe(z_train, train, test=(z_test, test), seed=settings.seed)
    return {material.control: {name: results[name] for name in KEPT}}


def code_probes(
    codes_train: np.ndarray, codes_test: np.ndarray, material: Any, settings: Any
) -> dict[str, dict]:
    """Return `{factor: results of probes of the one-hot codes}`; factors that fail are left out."""
    found = {}
    for name, (train, test) in material.factors.items():
        options = {"test": (codes_test, test), "seed": settings.seed, "one_hot": True}
        results = attempt(f"{name}, from the codes", probe, codes_train, train, **options)
        if results is not None:
            found[name] = {key: results[key] for key in KEPT}
    return found


def _disentangled(z, z_test, train, test, settings):
    found = {"mig": mig(np.concatenate([z, z_test]), np.concatenate([train, test]))["score"]}
    if z.shape[1] <= MOST_LATENTS:
        few, held_out = (z[:MOST_FOR_TREES], train[:MOST_FOR_TREES]), (z_test, test)
        trees = dci(*few, test=held_out, num_trees=settings.num_trees, seed=settings.seed)
        names = ("disentanglement", "completeness", "informativeness")
        found.update({f"dci_{name}": trees[name] for name in names})
        found["sap"] = sap(*few, test=held_out, seed=settings.seed)["score"]
    return found
