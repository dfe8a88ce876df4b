"""Can a code name what it has never seen? Binary, one-hot and vector-quantised, 12 bits each.

    python benchmarks/unseen_combinations.py

The sprites' factors are cut into shape (3) x scale (6) x eighth of a turn (8) x quarter of x (4) x quarter
of y (4). A fifth of these 2,304 combinations, drawn once, is held out of training; every
single value of each of the five is seen. The same two-layer auto-encoder of 32x32 images is trained
with one code for the whole image: 12 bits, one of 4,096 one-hot vectors, one of 4,096 codebook
vectors; and, beyond what the other two could hold, 24 bits. On images of the unseen combinations:
the squared error of the reconstruction, and the accuracy of a logistic regression, fitted on codes of
training images, that reads the five factors off the embedding (mean over the five). The same on new
images of seen combinations. What is finished is kept in `runs/unseen_combinations`. Writes
`docs/results/unseen_combinations.json`.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
from parts.records import write_records
from parts.sprite_training import SIZE, decoder, encoder, summary, train_model

from keras_ae.evaluation import Sprites
from keras_ae.layers import BinaryBottleneck, GumbelOneHot, VectorQuantizer
from keras_ae.models import AutoEncoder

COMMAND = "python benchmarks/unseen_combinations.py"
COARSE = (1, 1, 5, 8, 8)  # neighbouring values of each factor that are one value of the combination
GRID = (3, 6, 8, 4, 4)
HELD_OUT = 0.2
BITS = 12
CODE_DIM = 64  # of the codebook's vectors
TRAINING = {"steps": 1500, "batch": 256, "learning_rate": 1e-3}
PROBED = {"train": 10_000, "test": 5_000}
KINDS = ("binary", "onehot", "vq", "binary24")


def combinations(seed=0):
    """`(numbers of seen, numbers of unseen)` combinations."""
    order = np.random.default_rng(seed).permutation(int(np.prod(GRID)))
    held_out = round(HELD_OUT * len(order))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def coarse(factors):
    """The values that make the combination, `(n, 5)`."""
    return factors // COARSE


def split(seed=0):
    """Numbers of sprites: to train on, of seen combinations but kept for test, of unseen combinations."""
    sprites = Sprites(SIZE)
    every = np.arange(len(sprites))
    number = np.ravel_multi_index(tuple(coarse(sprites.factors_of(every)).T), GRID)
    seen = np.isin(number, combinations(seed)[0])
    kept = np.random.default_rng((seed, 1)).permutation(every[seen])
    return np.sort(kept[PROBED["test"] :]), np.sort(kept[: PROBED["test"]]), every[~seen]


def make_model(kind, seed):
    """The untrained auto-encoder with one code for the whole image.

    Settings were chosen by the error on seen combinations after 500 steps of another seed; bits
    that are neither balanced nor decorrelated all became constants there.
    """
    codes = 2**BITS
    if kind.startswith("binary"):
        bottleneck = BinaryBottleneck(balance_weight=0.1, decorrelation_weight=0.1, seed=seed)
        features = bits_of(kind)
    elif kind == "onehot":
        temperature = keras.optimizers.schedules.ExponentialDecay(1.0, TRAINING["steps"], 0.5)
        features, bottleneck = codes, GumbelOneHot(temperature=temperature, kl_weight=1e-3, seed=seed)
    else:
        features, bottleneck = CODE_DIM, VectorQuantizer(codes, seed=seed)
    networks = encoder(features), decoder(features, activation="sigmoid")
    return AutoEncoder(*networks, bottleneck, reconstruction_loss="binary_crossentropy")


def probe_accuracy(train, test):
    """Mean over the five factors of the accuracy of a logistic regression on `(z, factors)`."""
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    accuracies = []
    for one, other in zip(train[1].T, test[1].T, strict=True):
        # one-hot codes stay sparse: their columns are alike as they are
        scaler = None if issparse(train[0]) else StandardScaler()
        classifier = make_pipeline(scaler, LogisticRegression(max_iter=300))
        accuracies.append(classifier.fit(train[0], one).score(test[0], other))
    return float(np.mean(accuracies))


def bits_of(kind):
    """Bits of the code of an image."""
    return int(kind.removeprefix("binary") or BITS) if kind.startswith("binary") else BITS


def features_of(kind, model, codes):
    """The embedding of the codes, `(images, features)`; one-hot vectors as a sparse matrix."""
    if kind == "onehot":
        from scipy.sparse import csr_matrix

        rows = np.arange(len(codes))
        return csr_matrix((np.ones(len(codes), "float32"), (rows, codes.ravel())), (len(codes), 2**BITS))
    return np.asarray(model.bottleneck.decode(codes), "float32").reshape(len(codes), -1)


def measure_cell(kind, seed, arguments):
    """Error and probe of one kind and seed, on unseen and on seen combinations."""
    train, seen, unseen = split()
    path = Path(arguments.runs) / f"{kind}-{seed}.keras"
    model, seconds = train_model(lambda: make_model(kind, seed), train, seed=seed, path=path, **TRAINING)
    sprites, rng = Sprites(SIZE), np.random.default_rng(seed)

    def read(indices):
        factors = sprites.factors_of(indices)
        images = sprites.images(factors)
        codes = np.concatenate([model.encode(part) for part in np.array_split(images, 10)])
        parts = [np.asarray(model.decode(part)) for part in np.array_split(codes, 10)]
        error = float(np.square(np.concatenate(parts) - images).mean(dtype="float64"))
        distinct = len(np.unique(codes.reshape(len(codes), -1), axis=0))
        return error, (features_of(kind, model, codes), coarse(factors)), distinct

    _, fitted, codes = read(rng.choice(train, PROBED["train"], replace=False))
    result = {"training_core_seconds": seconds, "codes": codes}
    for name, indices in (("unseen", rng.choice(unseen, PROBED["test"], replace=False)), ("seen", seen)):
        error, test, _ = read(indices)
        result[name] = {"mse": error, "probe": probe_accuracy(fitted, test)}
    return result


def cell(kind, seed, arguments):
    """The result of a kind and seed, kept in a file; with `"minutes"`."""
    path = Path(arguments.runs) / f"{kind}-{seed}.json"
    if not path.is_file():
        start = time.perf_counter()
        result = measure_cell(kind, seed, arguments)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**result, "minutes": (time.perf_counter() - start) / 60}, indent=2))
        print(f"{path.stem}: {path.read_text()}", flush=True)
    return json.loads(path.read_text())


def records_of(kind, results):
    """The records of a kind; `binary.unseen.mse` and the like."""
    about = {"command": COMMAND, "minutes": sum(result["minutes"] for result in results)}
    images = TRAINING["steps"] * TRAINING["batch"]
    note = (
        f"one code of {bits_of(kind)} bits for a 32x32 sprite; a fifth of the 2,304 combinations of shape, "
        f"scale and coarse orientation, x, y held out; {images:,} training images seen, last step; "
        f"{np.mean([result['codes'] for result in results]):.0f} codes in use on 10,000 images"
    )
    return {
        f"{kind}.{part}.{column}": summary([result[part][column] for result in results], "", note, **about)
        for part in ("unseen", "seen")
        for column in ("mse", "probe")
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=KINDS)
    parser.add_argument("--runs", default="runs/unseen_combinations")
    parser.add_argument("--record", default="docs/results/unseen_combinations.json")
    arguments = parser.parse_args()
    results = {kind: [] for kind in arguments.only or KINDS}
    for seed in range(arguments.seeds):
        for kind, column in results.items():
            column.append(cell(kind, seed, arguments))
            write_records(arguments.record, records_of(kind, column))
    for kind, column in results.items():
        for name, record in records_of(kind, column).items():
            print(f"{name:<24} {record['mean']:.4f} ± {record['sd']:.4f}")


if __name__ == "__main__":
    main()
