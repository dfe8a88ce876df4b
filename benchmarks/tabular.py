"""Detection of malignant tumours by models of benign ones, on scikit-learn's breast cancer data.

    python benchmarks/tabular.py --choose vae autoencoder --seeds 3
    python benchmarks/tabular.py --choose pca isolation_forest
    python benchmarks/tabular.py --record docs/results/tabular.json

A fifth of the rows are the test rows, the same for all seeds. Each seed holds out a quarter of the others for
validation, trains on the benign rows of the rest, and sets the initial weights. The settings in `SETTINGS`
are those with the largest mean AUC on the validation rows, which `--choose` prints; it reads no test row.
"""

import argparse
import itertools
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from parts.records import is_met, record, write_records
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from keras_ae.layers import TableLikelihood
from keras_ae.models import AutoEncoder, VariationalAutoEncoder
from keras_ae.networks import dense_decoder, dense_encoder
from keras_ae.tables import fit_columns, table_features, values_of

EPOCHS, BATCH, RATE, NOISE = 400, 64, 1e-2, 0.1
GRIDS = {
    "autoencoder": {"latent_dim": (2, 4, 6), "units": ((), (16,))},
    "vae": {"latent_dim": (2, 4), "units": ((), (16,))},
    "pca": {"components": (1, 2, 4, 8, 12, 16, 20, 24, 28)},
    "isolation_forest": {"n_estimators": (100, 300, 1000)},
}
SETTINGS = {
    "vae": {"latent_dim": 4, "units": ()},
    "autoencoder": {"latent_dim": 4, "units": ()},
    "pca": {"components": 1},
    "isolation_forest": {"n_estimators": 1000},
}
CHOSEN_BY = {"vae": 3, "autoencoder": 3, "pca": 5, "isolation_forest": 5}  # seeds of `--choose`
NAMES = {
    "autoencoder": "AutoEncoder with a learned scale of each column, scored by its objective",
    "vae": "VariationalAutoEncoder with a learned scale of each column, scored by the negative ELBO "
    "at the mean of z",
    "pca": "error of the principal components of the standardised columns (scikit-learn)",
    "isolation_forest": "IsolationForest (scikit-learn)",
}


def rows_of(seed):
    """`{split: rows}`; the test rows do not depend on the seed."""
    order = np.random.default_rng((0, 0)).permutation(569)
    test, rest = order[:114], np.sort(order[114:])
    order = np.random.default_rng((seed, 1)).permutation(len(rest))
    held_out = round(0.25 * len(rest))
    return {"test": np.sort(test), "validation": rest[order[:held_out]], "train": rest[order[held_out:]]}


def load(seed):
    """`(columns, benign training rows, {split: (rows, whether malignant)})`."""
    found = load_breast_cancer()
    table = {str(name): column for name, column in zip(found.feature_names, found.data.T, strict=True)}
    malignant, rows = found.target == 0, rows_of(seed)
    benign = rows["train"][~malignant[rows["train"]]]
    columns = fit_columns({name: column[benign] for name, column in table.items()})
    values = values_of(table, columns)
    held_out = {split: (values[rows[split]], malignant[rows[split]]) for split in ("validation", "test")}
    return columns, values[benign], held_out


def trained(kind, columns, x, seed, latent_dim, units):
    """A model trained on rows for a fixed number of epochs."""
    keras.utils.set_random_seed(seed)
    likelihood = TableLikelihood(columns)  # with a learned scale of each column
    decoder = dense_decoder(columns, latent_dim, units=units[::-1])
    steps = EPOCHS * -(-len(x) // BATCH)
    if kind == "autoencoder":
        encoder = dense_encoder(columns, latent_dim, units=units, noise=NOISE)
        model = AutoEncoder(encoder, decoder, likelihood=likelihood)
    else:
        encoder = dense_encoder(columns, 4 * latent_dim, units=units, noise=NOISE)
        warm_up = keras.optimizers.schedules.PolynomialDecay(0.0, steps // 10, 1.0)
        options = {"beta": warm_up, "likelihood": likelihood, "seed": seed}
        model = VariationalAutoEncoder(encoder, decoder, latent_dim, **options)
    schedule = keras.optimizers.schedules.CosineDecay(RATE, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01)
    model.compile(optimizer, jit_compile=False, steps_per_execution=20)
    rows = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x), seed).batch(BATCH).repeat(EPOCHS)
    model.fit(rows, shuffle=False, verbose=0)
    return model


def scorer(kind, columns, x, seed, settings):
    """A function from rows to scores, the larger the less like the training rows."""
    if kind in ("autoencoder", "vae"):
        model = trained(kind, columns, x, seed, **settings)
        return lambda rows: np.asarray(model.score(rows))
    features = table_features(x, columns)
    if kind == "pca":
        pca = PCA(settings["components"]).fit(features)

        def error(rows):
            z = table_features(rows, columns)
            return np.square(z - pca.inverse_transform(pca.transform(z))).mean(axis=1)

        return error
    forest = IsolationForest(random_state=seed, **settings).fit(features)
    return lambda rows: -forest.score_samples(table_features(rows, columns))


def area(kind, seed, settings, split):
    """AUC of the malignant rows of a split."""
    columns, x, held_out = load(seed)
    rows, malignant = held_out[split]
    value = float(roc_auc_score(malignant, scorer(kind, columns, x, seed, settings)(rows)))
    keras.backend.clear_session()
    return value


def choose(kinds, seeds):
    """Print the mean validation AUC of all settings of the grids, the best last."""
    for kind in kinds:
        found = []
        for values in itertools.product(*GRIDS[kind].values()):
            settings = dict(zip(GRIDS[kind], values, strict=True))
            areas = [area(kind, seed, settings, "validation") for seed in range(seeds)]
            found.append((np.mean(areas), np.std(areas, ddof=1), settings))
            print(f"  {kind} {settings} {found[-1][0]:.4f}", flush=True)
        mean, deviation, settings = max(found, key=lambda one: one[0])
        print(f"{kind}: {settings}, validation AUC {mean:.4f} ± {deviation:.4f}", flush=True)


def records_of(areas, minutes, command):
    """Records of the test AUCs `{system: AUC of each seed}`; the goal of ours is to beat both peers."""
    best = max(float(np.mean(areas[peer])) for peer in ("pca", "isolation_forest"))
    found = {}
    for kind, values in areas.items():
        ours = kind in ("autoencoder", "vae")
        chosen = ", ".join(f"{name} {value}" for name, value in SETTINGS[kind].items())
        note = (
            f"{NAMES[kind]}; {chosen}, chosen by the validation AUC of {CHOSEN_BY[kind]} seeds "
            f"before a test row was read; {len(values)} seeds; trained on benign rows; 114 test rows, 38 of "
            "them malignant"
        )
        if ours:
            note += f"; {EPOCHS} epochs in batches of {BATCH}; the goal is the mean of the better peer"
        system = {"vae": "tabular", "autoencoder": "tabular_autoencoder"}.get(kind, kind)
        goal = f"> {best:.4f}" if ours else ""
        found[f"{system}.breast_cancer.auc"] = record(values, command, minutes[kind], note, goal)
    return found


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--choose", nargs="*", choices=list(GRIDS), help="print validation AUCs of settings")
    parser.add_argument("--record", type=Path, help="JSON file that takes the results")
    settings = parser.parse_args(arguments)
    if settings.choose is not None:
        choose(settings.choose or list(GRIDS), settings.seeds)
        return 0
    areas, minutes = {}, {}
    for kind in SETTINGS:
        begun = time.process_time()
        areas[kind] = [area(kind, seed, SETTINGS[kind], "test") for seed in range(settings.seeds)]
        minutes[kind] = (time.process_time() - begun) / 60
        print(
            f"{kind:<18} {np.mean(areas[kind]):.4f}  {' '.join(f'{a:.4f}' for a in areas[kind])}", flush=True
        )
    records = records_of(areas, minutes, "python benchmarks/tabular.py --record docs/results/tabular.json")
    for name, one in records.items():
        met = {True: "met", False: "NOT met", None: ""}[is_met(one)]
        print(f"{name:<46} {one['mean']:.4f} ± {one['sd']:.4f} {one['goal']} {met}")
    if settings.record:
        write_records(settings.record, records)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
