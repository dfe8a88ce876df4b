"""What can be read from the embedding: probes, leaks, neighbours, disentanglement."""

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.attribute_predictability import sap
from keras_ae.evaluation.importance import dci
from keras_ae.evaluation.leaks import leakage
from keras_ae.evaluation.mutual_information import mig
from keras_ae.evaluation.neighbours import knn
from keras_ae.evaluation.probes import probe

NEIGHBOURS = 5
MOST_LATENTS = 64  # that DCI and SAP try one by one
MOST_FOR_TREES = 1_500  # examples that boosted trees are grown on
KEPT = ("linear", "mlp", "interval", "mlp_interval")  # of a control


def probes(material, settings) -> dict:
    """`{factor: probe of the embedding, with "knn" and {"controls": {"PCA-16": ...}}}`."""
    return {name: _probed(material, pair, settings) for name, pair in material.factors.items()}


def leaks(material, settings) -> dict:
    """`{nuisance: leakage, with the control}`."""
    found = {}
    for name, (train, test) in material.nuisances.items():
        held_out = (material.z_test, {name: test})
        figures = leakage(material.z_train, {name: train}, test=held_out, seed=settings.seed)[name]
        found[name] = {**figures, "controls": _controls(material, train, test, settings)}
    return found


def disentanglement(material, settings) -> dict | None:
    """MIG, SAP, DCI where at least two factors are classes, of the embedding and of the control."""
    classes = {
        name: pair
        for name, pair in material.classes().items()
        if len(np.unique(pair[0])) > 1 and np.isin(pair[1], pair[0]).all()
    }
    if len(classes) < 2:
        return None
    train, test = (np.stack([_numbers(pair)[part] for pair in classes.values()], axis=1) for part in (0, 1))
    rows = {
        "embedding": _disentangled(material.z_train, material.z_test, train, test, settings),
        material.control: _disentangled(*material.components, train, test, settings),
    }
    sizes = {"n_train": min(len(train), MOST_FOR_TREES), "num_trees": settings.num_trees}
    return {"factors": list(classes), "rows": rows, **sizes}


def _probed(material, pair, settings):
    train, test = pair
    figures = probe(material.z_train, train, test=(material.z_test, test), seed=settings.seed)
    if train.dtype.kind != "f" and len(train) > NEIGHBOURS:
        nearest = knn(material.z_train, train, test=(material.z_test, test), k=NEIGHBOURS)
        figures["knn"], figures["knn_k"] = nearest["accuracy"], NEIGHBOURS
    return {**figures, "controls": _controls(material, train, test, settings)}


def _controls(material, train, test, settings):
    z_train, z_test = material.components
    figures = probe(z_train, train, test=(z_test, test), seed=settings.seed)
    return {material.control: {name: figures[name] for name in KEPT}}


def code_probes(codes_train, codes_test, material, settings) -> dict:
    """`{factor: linear probe of the codes themselves, one column a value}`, where they are not too many."""
    found = {}
    for name, (train, test) in material.factors.items():
        try:
            figures = probe(codes_train, train, test=(codes_test, test), seed=settings.seed, one_hot=True)
        except InputError:
            continue
        found[name] = {key: figures[key] for key in KEPT}
    return found


def _numbers(pair):
    """Classes of both parts as 0, 1, ..., alike."""
    values = np.unique(pair[0])
    return [np.searchsorted(values, part) for part in pair]


def _disentangled(z, z_test, train, test, settings):
    found = {"mig": mig(np.concatenate([z, z_test]), np.concatenate([train, test]))["score"]}
    if z.shape[1] <= MOST_LATENTS:
        few, held_out = (z[:MOST_FOR_TREES], train[:MOST_FOR_TREES]), (z_test, test)
        trees = dci(*few, test=held_out, num_trees=settings.num_trees, seed=settings.seed)
        names = ("disentanglement", "completeness", "informativeness")
        found.update({f"dci_{name}": trees[name] for name in names})
        found["sap"] = sap(*few, test=held_out, seed=settings.seed)["score"]
    return found
