"""Options of the VAE on MNIST: likelihood bounds, aggregate posterior and linear probe of four objectives.

    python benchmarks/vae_options.py --data mnist.npz

Cells: `vae` (the evidence lower bound), `iwae` (the bound of 5 samples), `cvae` (conditioned on the
digit), `infovae` (half of the KL, and the maximum mean discrepancy). Images are binarised once, the same
arrays as in `discrete_likelihoods.py`. Networks, epochs and optimiser are the same for all cells, and were
not tuned. Selection: the epoch of the lowest loss, that of the cell itself, on held-out training images;
its weights are measured once, on the test images. Scores are kept one file for each training, so that a
stopped run continues with the next training. Writes `docs/results/vae_options.json` after each of them.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
import tensorflow as tf
from discrete_likelihoods import HELD_OUT, load
from parts.records import record, write_records
from parts.vae_options_models import make_vae

from keras_ae.losses import maximum_mean_discrepancy

CELLS = {
    "vae": {},
    "iwae": {"num_samples": 5},
    "cvae": {"num_labels": 10},
    "infovae": {"beta": 0.5, "mmd_weight": 999.5},  # alpha = 0.5, lambda = 1000
}
MEANING = {
    "vae": "trained on the evidence lower bound",
    "iwae": "trained on the importance-weighted bound of 5 samples",
    "cvae": "encoder and decoder conditioned on the digit: bounds of -log p(x|y), those of -log p(x) are at "
    "most log 10 = 2.3 nats larger; the probe is of z of the true digit",
    "infovae": "0.5 KL + 999.5 MMD^2 (alpha 0.5, lambda 1000 of the paper's objective)",
}
MEASURES = {
    "negative_elbo": "nats, one sample, 10,000 test images",
    "iwae1000": "negative importance-weighted bound of 1000 samples, nats, first 2000 test images",
    "mmd": "squared MMD between z ~ q(z|x) of the 10,000 test images and N(0, I), unbiased, mean of 10 parts",
    "probe": "test accuracy of a logistic regression on the mean of q(z|x), 10,000 training images",
}
EPOCHS, BATCH, RATE = 15, 100, 2e-3
FEWER, PROBED, PARTS = 2000, 10_000, 10


def load_labels(path):
    """Digits of the images of `load`, in the same order."""
    with np.load(path) as file:
        train, test = (file[name].astype("int32") for name in ("y_train", "y_test"))
    return train[:-HELD_OUT], train[-HELD_OUT:], test


def inputs(options, images, labels):
    """The inputs of `fit`."""
    return {"x": images, "labels": labels} if options.get("num_labels") else images


def train(model, options, data, epochs):
    """Fit, and return to the epoch of the lowest held-out loss; its number and that loss."""
    (images, held_out, _), (labels, held_out_labels, _) = data
    schedule = keras.optimizers.schedules.CosineDecay(RATE, epochs * (len(images) // BATCH))
    model.compile(keras.optimizers.Adam(schedule), jit_compile=True, steps_per_execution=53)
    best = keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True)
    history = model.fit(
        inputs(options, images, labels),
        validation_data=(inputs(options, held_out, held_out_labels),),
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[best],
    ).history["val_loss"]
    return int(np.argmin(history)) + 1, min(history)


def by_batch(function, x, batch=500):
    """The results of a compiled function of batches, for all examples."""
    compiled = tf.function(function, jit_compile=True)
    count = len(keras.tree.flatten(x)[0])
    parts = [
        compiled(keras.tree.map_structure(lambda a, i=i: tf.constant(a[i : i + batch]), x))
        for i in range(0, count, batch)
    ]
    return np.concatenate(parts)


def score(model, options, data):
    """The measures of a trained model on the test images."""
    (images, _, test), (labels, _, test_labels) = data
    noise = np.random.default_rng(0).standard_normal((len(test), model.latent_dim)).astype("float32")
    given = inputs(options, test, test_labels)
    bound = by_batch(lambda batch: model.score(*batch), (given, noise))
    first = keras.tree.map_structure(lambda array: array[:FEWER], given)
    likelihood = by_batch(lambda x: model.log_likelihood(x, 1000), first)
    mean, deviation = by_batch(lambda x: tf.stack(moments(model, x), axis=1), given).transpose(1, 0, 2)
    parts = np.array_split(mean + deviation * noise, PARTS)
    probed = inputs(options, images[:PROBED], labels[:PROBED])
    return {
        "negative_elbo": float(bound.mean()),
        "iwae1000": -float(likelihood.mean()),
        "mmd": float(np.mean([maximum_mean_discrepancy(part) for part in parts])),
        "probe": probe(by_batch(model.encode, probed), labels[:PROBED], mean, test_labels),
    }


def moments(model, x):
    """Mean and standard deviation of the posterior."""
    mean, log_variance = model.bottleneck.parameters(model.features(x))
    return mean, tf.exp(0.5 * log_variance)


def probe(z, labels, z_test, test_labels):
    """Accuracy of the linear probe of the recipes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    return float(classifier.fit(z, labels).score(z_test, test_labels))


def measure(name, seed, data, directory, epochs=EPOCHS):
    """The scores of one training, from its file if it exists."""
    path, options = directory / f"{name}.{seed}.json", CELLS[name]
    if path.exists():
        return json.loads(path.read_text())
    start = time.process_time()
    keras.utils.set_random_seed(seed)
    model = make_vae(options, data[0][0].mean(axis=0), seed)
    epoch, held_out = train(model, options, data, epochs)
    model.save(directory / f"{name}.{seed}.keras")
    scores = {"epoch": epoch, "held_out": held_out, **score(model, options, data)}
    scores["minutes"] = (time.process_time() - start) / 60
    path.write_text(json.dumps(scores))
    keras.backend.clear_session()
    return scores


def records_of(name, results):
    """The records of a cell, over its seeds."""
    epochs = ", ".join(str(result["epoch"]) for result in results)
    common = (
        f"{MEANING[name]}; 784-200-200-20-200-200-784, tanh; 53,000 training and 5,000 held-out of 58,000 "
        f"images, binarised once (seed 0); {EPOCHS} epochs, Adam {RATE:g} to 0 (cosine), batch {BATCH}, not "
        f"tuned; epoch of the lowest held-out loss of each seed ({epochs})"
    )
    command = "python benchmarks/vae_options.py --data mnist.npz"
    minutes = sum(result["minutes"] for result in results)
    return {
        f"vae.mnist.{name}.{key}": record(
            [result[key] for result in results], command, minutes, f"{meaning}; {common}"
        )
        for key, meaning in MEASURES.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist.npz", help="the .npz file with x_train, y_train and so on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=sorted(CELLS), help="names of the cells to measure")
    parser.add_argument("--runs", default="runs/vae_options", help="scores and weights by training")
    parser.add_argument("--record", default="docs/results/vae_options.json")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    directory = Path(arguments.runs)
    directory.mkdir(parents=True, exist_ok=True)
    data = load(arguments.data), load_labels(arguments.data)
    results = {name: [] for name in arguments.only or CELLS}
    for seed in range(arguments.seeds):
        for name, found in results.items():
            found.append(measure(name, seed, data, directory))
            records = records_of(name, found)
            write_records(arguments.record, records)
            for key, one in records.items():
                print(f"{key:<32} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
