"""Local Deep InfoMax against an auto-encoder with the same encoder and budget, by linear probes.

    python benchmarks/deep_info_max.py cifar10_jpeg --data cifar10_jpeg.npz
    python benchmarks/deep_info_max.py mnist --data mnist.npz

Both have the encoder of the paper for images of that size and a code of 64 numbers, the same
initial weights, order of the images and optimiser; the auto-encoder makes twice the steps, since its
error falls more slowly. The epoch of each is the one whose code is read best on images held out
of the training. Then, once, the test images are read: a linear probe of the code fitted on the
codes of all training images, and the paper's readouts, 200 units on the last convolution, the
dense layer and the code. Each epoch is kept, so that a stopped run goes on. Writes
`docs/results/deep_info_max.json`.
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
from parts.deep_info_max_training import (
    BATCH,
    CODE,
    best_weights,
    build,
    embeddings,
    linear_probe,
    load,
    train,
)
from parts.records import record as repeated
from parts.records import write_records
from sklearn.decomposition import PCA

# chosen on the held-out training images of cifar10_jpeg, 4 epochs, seed 100: see `TRIED`
DIM = {"estimator": "info_nce", "temperature": 16.0, "sample_locations": 16, "rate": 1e-3}
SETTINGS = {
    "cifar10_jpeg": {"dim": {**DIM, "epochs": 12}, "ae": {"rate": 1e-3, "epochs": 24}},
    "mnist": {"dim": {**DIM, "epochs": 4}, "ae": {"rate": 1e-3, "epochs": 8}},
}
TRIED = (
    "tried on held-out images, 4 epochs: Jensen-Shannon at temperature 16 reached 0.474, "
    "InfoNCE 0.519 (temperature 16 is the root of the 256 units)"
)
WHY_LONGER = (
    "begun with the 12 epochs of Deep InfoMax and stopped at the fourth, its held-out error still "
    "above the 0.0325 of 64 principal components: twice as many since; a test result of Deep InfoMax "
    "(seed 0) had been read by then, none of the auto-encoder, whom alone the change favours"
)
SHORT = {"cifar10_jpeg": "cifar", "mnist": "mnist"}
READOUT = {"images": 20_000, "epochs": 20, "units": 200}  # the paper's classifier on frozen layers


def readout(data, features):
    """Test accuracy of a layer of 200 units with batch normalisation and dropout on frozen features.

    `features(x)` -> `(images, ...)`; the epoch is chosen on the held-out images.
    """
    first = min(READOUT["images"], len(data.x_fit))
    x = features(data.x_fit[:first])
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            keras.layers.Dense(READOUT["units"], use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
    best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=5, restore_best_weights=True)
    held_out = (features(data.x_validation), data.y_train[-data.held_out :])
    network.fit(
        x,
        data.y_train[:first],
        validation_data=held_out,
        batch_size=BATCH,
        epochs=READOUT["epochs"],
        callbacks=[best],
        verbose=0,
    )
    return float(network.evaluate(features(data.x_test), data.y_test, verbose=0)[1])


def layer_features(encoder, name):
    """Function from images to the flat output of a layer of the encoder."""
    output = keras.layers.Flatten()(encoder.get_layer(name).output)
    part = tf.function(keras.Model(encoder.input, output), reduce_retracing=True)
    return lambda x: np.concatenate([part(x[i : i + 500]).numpy() for i in range(0, len(x), 500)])


def measure(method, name, data, seed, runs):
    """The results of one training, from its file if they are there."""
    directory = runs / name / f"{method}.{seed}"
    path = directory / "figures.json"
    if path.exists():
        return json.loads(path.read_text())
    settings = SETTINGS[name][method]
    model, history = train(method, data, settings, seed, directory, lambda text: print(text, flush=True))
    begun = time.process_time()
    probes = [row["probe"] for row in history]
    results = {"epoch": 1 + int(np.argmax(probes)), "validation": max(probes)}
    if method == "ae":
        results["mse"] = history[results["epoch"] - 1]["val_loss"]
        model.load_weights(best_weights(directory, "lowest"))
        results["lowest_loss"] = test_probe(model, data)
    model.load_weights(best_weights(directory, "best"))
    results["linear"] = test_probe(model, data)
    last_convolution = "conv" if name == "cifar10_jpeg" else "local"
    for label, layer in (("conv", last_convolution), ("fc", "fc"), ("code", "embedding")):
        results[f"{label}_mlp"] = readout(data, layer_features(model.encoder, layer))
    trained = sum(row["minutes"] for row in history)
    results["minutes"] = trained + (time.process_time() - begun) / 60
    path.write_text(json.dumps(results))
    keras.backend.clear_session()
    return results


def test_probe(model, data):
    """The linear probe on the test images, fitted on all training images."""
    z, z_test = embeddings(model, data.x_train), embeddings(model, data.x_test)
    return linear_probe(z, data.y_train, z_test, data.y_test)


def pca_probe(data):
    """The same of as many principal components of the pixels."""
    x, x_test = data.x_train.reshape(len(data.x_train), -1), data.x_test.reshape(len(data.x_test), -1)
    pca = PCA(CODE, random_state=0).fit(x)
    return linear_probe(pca.transform(x), data.y_train, pca.transform(x_test), data.y_test)


def random_probe(data):
    """The same of the encoder before any training."""
    return test_probe(build("ae", data.shape, {"rate": 1e-3}, 1, seed=0), data)


def timed(probe, data):
    """`(accuracy, minutes)` of a probe."""
    begun = time.process_time()
    return probe(data), (time.process_time() - begun) / 60


def record(values, goal, name, minutes, note):
    return repeated(
        values, f"python benchmarks/deep_info_max.py {name} --data {name}.npz", minutes, note, goal
    )


def goals(short, results):
    """Goals of the linear probes; that of Deep InfoMax follows from the auto-encoder's result."""
    bar = {"cifar": ">= 0.380", "mnist": ">= 0.916"}[short]  # PCA-64
    if not results.get("ae"):
        return {"ae": bar, "dim": ""}
    ae = np.mean([one["linear"] for one in results["ae"]])
    wanted = ae + 0.05 if short == "cifar" else 1.0 - (1.0 - ae) * 2.0 / 3.0
    return {"ae": bar, "dim": f">= {wanted:.4f}"}


def note_of(method, name, data, results):
    settings = SETTINGS[name][method]
    epochs = ", ".join(str(one["epoch"]) for one in results)
    parts = [
        f"{CODE}-d code, encoder of the paper for these images",
        f"trained on {len(data.x_fit):,} of {len(data.x_train):,} images, the others held out",
        f"{settings['epochs']} epochs, batch {BATCH}, Adam {settings['rate']:g} to 0 (cosine)",
        f"epoch of the best held-out probe of each seed: {epochs}",
        f"probe (standardised, logistic regression, C = 1) fitted on all {len(data.x_train):,}, "
        f"read on {len(data.x_test):,} test images",
    ]
    if method == "dim":
        parts.append("local InfoNCE, 256 units, 16 of the locations a step, temperature 16, no augmentation")
        parts.append(TRIED)
        wanted = "its mean + 0.05" if name == "cifar10_jpeg" else "two thirds of its error"
        parts.append(f"the goal is the auto-encoder's: {wanted}, a number since that was measured")
    else:
        lowest, error = (np.mean([one[key] for one in results]) for key in ("lowest_loss", "mse"))
        parts.append(f"held-out mean squared error {error:.4f} of pixels in [-1, 1]")
        parts.append(f"at the epoch of the lowest error the probe reads {lowest:.4f}")
        if name == "cifar10_jpeg":
            parts.append(WHY_LONGER)
    return "; ".join(parts)


def records_of(name, data, results, baselines):
    """All records of a data set from the results there are."""
    short, found = SHORT[name], {}
    wanted = goals(short, results)
    for method, of_seeds in results.items():
        if not of_seeds:
            continue
        minutes = sum(one["minutes"] for one in of_seeds)
        note = note_of(method, name, data, of_seeds)
        linear = [one["linear"] for one in of_seeds]
        found[f"{method}.{short}.linear"] = record(linear, wanted[method], name, minutes, note)
        for label in ("conv", "fc", "code"):
            values = [one[f"{label}_mlp"] for one in of_seeds]
            images = min(READOUT["images"], len(data.x_fit))
            text = (
                f"200 units, batch normalisation, dropout on the frozen layer, as in the paper; "
                f"fitted on {images:,} images, its epoch chosen on the held-out ones; "
                f"the model of {method}.{short}.linear"
            )
            found[f"{method}.{short}.{label}_mlp"] = record(values, "", name, minutes, text)
    for label, (value, minutes) in baselines.items():
        text = f"the same linear probe of {label}, {CODE} numbers"
        found[f"{label.lower().replace(' ', '_')}.{short}.linear"] = record([value], "", name, minutes, text)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(SETTINGS))
    parser.add_argument("--data", required=True, help="the .npz file of the images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", default="runs/deep_info_max", help="weights and results by training")
    parser.add_argument("--record", default="docs/results/deep_info_max.json")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    name, runs = arguments.name, Path(arguments.runs)
    data = load(name, arguments.data)
    baselines = {f"PCA-{CODE}": timed(pca_probe, data), "random encoder": timed(random_probe, data)}
    print("  ".join(f"{label} {value:.4f}" for label, (value, _) in baselines.items()), flush=True)
    results = {"dim": [], "ae": []}
    for seed in range(arguments.seeds):
        for method, of_seeds in results.items():
            of_seeds.append(measure(method, name, data, seed, runs))
            records = records_of(name, data, results, baselines)
            write_records(arguments.record, records)
            for key, one in records.items():
                print(f"{key:<24} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
