"""Disentanglement scores on sprites: representations that need no training, and a beta-TC-VAE.

    python benchmarks/disentanglement.py

Rows that need no training (`anchor.*`): the exact factors, the exact factors under a random
rotation, six moments of the image, its first ten principal components. Then the beta-TC-VAE on
32x32 sprites (`tcvae.*`), three seeds. All are scored alike: MIG and SAP on 10,000 (and 5,000
test) images, DCI on 5,000 and 2,500 of them with 40 trees, the FactorVAE score by 10,000 and
5,000 votes, the BetaVAE score by 4,000 and 2,000 differences; latents are standardised for SAP,
FactorVAE and BetaVAE. What is finished is kept in `runs/disentanglement`, so that a killed run goes on.
Writes `docs/results/disentanglement.json`.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from parts.records import write_records
from parts.sprite_training import SIZE, embeddings_of_all, encoder, summary, train_model

from keras_ae.evaluation import Sprites, beta_vae_score, dci, factor_vae_score, mig, sap
from keras_ae.models import TotalCorrelationVariationalAutoEncoder
from keras_ae.networks import spatial_broadcast_decoder
from keras_ae.training.datasets import load_images

COMMAND = "python benchmarks/disentanglement.py"
METRICS = ("mig", "sap", "dci", "completeness", "informativeness", "factor_vae", "beta_vae")
# measured by another implementation of the same definitions, on sprites of the same factors
REFERENCE = {
    "oracle": (0.896, 0.246, 1.000, 1.000, 1.000, 1.000, 1.000),
    "moments": (0.509, 0.120, 0.742, 0.678, 0.859, 0.963, 1.000),
    "pca10": (0.005, 0.027, 0.086, 0.074, 0.339, 0.456, 0.754),
    "rotated": (0.068, 0.031, 0.221, 0.223, 0.448, 0.772, 0.912),
}
NAMES = {
    "oracle": "the exact factors",
    "moments": "six moments of the image",
    "pca10": "ten principal components of 20,000 images",
    "rotated": "the exact factors under one random rotation",
}
GOALS = {"mig": ">= 0.1", "dci": ">= 0.2"}
TRAINING = {"steps": 2500, "batch": 128, "learning_rate": 2e-3}
MODEL = {"latent_dim": 10, "total_correlation_weight": 6.0, "beta": 2.0}


class Table:
    """The sprites, whose images are the embeddings in a table of all."""

    sizes = Sprites.sizes

    def __init__(self, table):
        self.table, self.sprites = table, Sprites()

    def sample_factors(self, n, rng):
        return self.sprites.sample_factors(n, rng)

    def images(self, factors):
        return self.table[self.sprites.indices_of(factors)]


def scores(table, seed):
    """`{metric: score}` of the embeddings of all sprites, on images drawn with `seed`."""
    data, rng = Table(table), np.random.default_rng((seed, 1))
    factors, factors_test = data.sample_factors(10_000, rng), data.sample_factors(5_000, rng)
    z, z_test = data.images(factors), data.images(factors_test)
    trees = dci(z[:5000], factors[:5000], test=(z_test[:2500], factors_test[:2500]), num_trees=40, seed=seed)
    return {
        "mig": mig(z, factors)["score"],
        "sap": sap(z, factors, test=(z_test, factors_test))["score"],
        "dci": trees["disentanglement"],
        "completeness": trees["completeness"],
        "informativeness": trees["informativeness"],
        "factor_vae": factor_vae_score(lambda x: x, data, seed=seed)["score"],
        "beta_vae": beta_vae_score(lambda x: x, data, num_train=4000, num_test=2000, seed=seed)["score"],
    }


def anchor_table(row):
    """The embeddings of all sprites of a row that needs no training."""
    sprites, rng = Sprites(), np.random.default_rng(0)
    sample = sprites.sample_factors(20_000, rng)
    factors = sprites.factors_of(np.arange(len(sprites)))
    if row == "oracle":
        return factors.astype("float32")
    if row == "rotated":
        rng.normal(size=(4096, 10))  # the other implementation drew a projection in between
        rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
        return ((factors / sprites.sizes - 0.5) @ rotation).astype("float32")
    if row == "moments":
        return embeddings_of_all(moments, size=64)
    from sklearn.decomposition import PCA

    pca = PCA(10, random_state=0).fit(sprites.images(sample).reshape(len(sample), -1))
    return embeddings_of_all(lambda x: pca.transform(x.reshape(len(x), -1)), size=64)


def moments(images):
    """Mass, centre, spread, elongation and direction of the white pixels, `(images, 6)`.

    In single precision, as the values to compare with: the direction of a square is the rounding error.
    """
    height, width = images.shape[1:3]
    flat = images.reshape(len(images), -1)
    y, x = (axis.ravel().astype("float32") / (height - 1) for axis in np.mgrid[:height, :width])
    mass = flat.sum(axis=1) + np.float32(1e-6)
    mean = {name: flat @ values / mass for name, values in (("x", x), ("y", y))}
    xx = flat @ (x * x) / mass - mean["x"] ** 2
    yy = flat @ (y * y) / mass - mean["y"] ** 2
    xy = flat @ (x * y) / mass - mean["x"] * mean["y"]
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    direction = np.arctan2(2 * xy, xx - yy)
    columns = (mass, mean["x"], mean["y"], (xx + yy) / mass * 1e4, spread / (xx + yy), direction)
    return np.stack(columns, axis=1)


def make_tcvae(seed):
    """The untrained beta-TC-VAE."""
    decoder = spatial_broadcast_decoder((SIZE, SIZE, 1), MODEL["latent_dim"])
    return TotalCorrelationVariationalAutoEncoder(encoder(256), decoder, seed=seed, **MODEL)


def trained(seed, arguments):
    """Scores of the beta-TC-VAE of a seed, its error and its terms on the test images."""
    data = load_images("sprites", image_size=(SIZE, SIZE), validation_fraction=0)
    indices = data.train.store.array.indices[data.train.rows]
    path = Path(arguments.runs) / f"tcvae-{seed}.keras"
    model, seconds = train_model(lambda: make_tcvae(seed), indices, seed=seed, path=path, **TRAINING)
    images = data.test.images()
    parts = [np.asarray(model.reconstruct(part)) for part in np.array_split(images, 20)]
    error = np.square(np.concatenate(parts) - images).mean(dtype="float64")
    terms = model.evaluate(images, batch_size=500, verbose=0, return_dict=True)
    result = scores(embeddings_of_all(model.encode), seed)
    return {**result, "mse": float(error), "training_core_seconds": seconds, "test_terms": terms}


def cell(name, compute, arguments):
    """What `compute()` returned, kept in a file; with `"minutes"`."""
    path = Path(arguments.runs) / f"{name}.json"
    if not path.is_file():
        start = time.perf_counter()
        result = compute()
        result = {**result, "minutes": (time.perf_counter() - start) / 60}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2))
        print(f"{name}: {result}", flush=True)
    return json.loads(path.read_text())


def anchor_records(row, results):
    """The records of a row, and how far it is from the reference at most."""
    about = {"command": COMMAND, "minutes": sum(result["minutes"] for result in results)}
    records = {}
    for metric, reference in zip(METRICS, REFERENCE[row], strict=True):
        values = [result[metric] for result in results]
        note = f"{NAMES[row]}; another implementation: {reference}; repeats draw other images"
        records[f"anchor.{row}.{metric}"] = summary(values, "", note, **about)
    differences = [
        abs(records[f"anchor.{row}.{m}"]["mean"] - r) for m, r in zip(METRICS, REFERENCE[row], strict=True)
    ]
    note = f"largest difference from another implementation; {len(METRICS)} metrics, {len(results)} draws"
    records[f"anchor.{row}.difference"] = summary([max(differences)], "<= 0.02", note, **about)
    return records


def tcvae_records(results):
    """The records of the trained model."""
    about = {"command": COMMAND, "minutes": sum(result["minutes"] for result in results)}
    images = TRAINING["steps"] * TRAINING["batch"]
    note = (
        "beta-TC-VAE on 32x32 sprites, 10 latents, total correlation weighted "
        f"{MODEL['total_correlation_weight']:g}, all of the KL by {MODEL['beta']:g}; "
        "encoder of two dense layers, spatial broadcast decoder; "
        f"{images:,} images seen, last step, nothing selected; repeats are seeds "
        "of weights, data and scoring; settings were chosen by MIG on another seed"
    )
    records = {}
    for metric in (*METRICS, "mse"):
        values = [result[metric] for result in results]
        records[f"tcvae.sprites.{metric}"] = summary(values, GOALS.get(metric, ""), note, **about)
    for term in ("reconstruction_loss", "kl_loss"):
        values = [result["test_terms"][term] for result in results]
        records[f"tcvae.sprites.{term}"] = summary(
            values, "", f"nats per image, test images; {note}", **about
        )
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help=f"of tcvae, {', '.join(NAMES)}")
    parser.add_argument("--runs", default="runs/disentanglement")
    parser.add_argument("--record", default="docs/results/disentanglement.json")
    arguments = parser.parse_args()
    rows = arguments.only or ["tcvae", *NAMES]
    tables, results = {}, {row: [] for row in rows}
    for seed in range(arguments.seeds):
        for row in rows:
            if row == "tcvae":
                compute = lambda seed=seed: trained(seed, arguments)  # noqa: E731
            else:
                compute = lambda row=row, seed=seed: scores(_table(tables, row), seed)  # noqa: E731
            results[row].append(cell(f"{row}-{seed}", compute, arguments))
            made = tcvae_records(results[row]) if row == "tcvae" else anchor_records(row, results[row])
            write_records(arguments.record, made)
    for name, record in {k: v for row in rows for k, v in _records(row, results[row]).items()}.items():
        print(f"{name:<36} {record['mean']:.4f} ± {record['sd']:.4f}  {record['goal']}")


def _records(row, results):
    return tcvae_records(results) if row == "tcvae" else anchor_records(row, results)


def _table(tables, row):
    """The table of a row, made once."""
    if row not in tables:
        tables[row] = anchor_table(row)
    return tables[row]


if __name__ == "__main__":
    main()
