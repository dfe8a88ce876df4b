"""What both sides of the codebook-learning benchmark share: data, batches and scores, in NumPy.

Only NumPy is imported, so that the interpreter of a peer can use this file.
"""

import numpy as np

TOY = {"codes": 512, "dim": 64, "batch": 4096, "steps": 300, "train": 65536, "held_out": 16384}
MNIST = {"dim": 64, "batch": 128, "learning_rate": 1e-3, "adam_epsilon": 1e-7, "validation": 2000}
CLUSTERS, CLUSTER_WIDTH = 1024, 0.3
SEARCH_ROWS = 4096


class Toy:
    """Vectors of 1024 Gaussian clusters with Zipf weights around the mean 1.

    Args:
        seed: of the clusters, the vectors and the batches.

    Attributes:
        train, held_out: `(vectors, dim)`.
    """

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.centres = self.rng.standard_normal((CLUSTERS, TOY["dim"])) + 1.0
        weights = 1.0 / np.arange(1, CLUSTERS + 1)
        self.weights = weights / weights.sum()
        self.train, self.held_out = self._draw(TOY["train"]), self._draw(TOY["held_out"])

    def batches(self):
        """The training batches, the same for everybody."""
        for _ in range(TOY["steps"]):
            yield self.train[self.rng.integers(0, len(self.train), TOY["batch"])]

    def scores(self, codebook) -> dict:
        """Usage, perplexity and error over variance of a codebook `(codes, dim)` on held-out vectors."""
        index = nearest(self.held_out, codebook)
        error = np.mean(np.square(self.held_out - codebook[index])) / self.held_out.var(0).mean()
        return {"mse": float(error), **usage(index, len(codebook))}

    def _draw(self, count):
        cluster = self.rng.choice(CLUSTERS, count, p=self.weights)
        noise = CLUSTER_WIDTH * self.rng.standard_normal((count, TOY["dim"]))
        return (self.centres[cluster] + noise).astype("float32")


class Mnist:
    """Images of an `.npz` file in `[0, 1]`, `(count, 28, 28, 1)`.

    Args:
        path: holds `x_train` and `x_test`, uint8.
        seed: of the order of the training images. The validation part is the same for all seeds.

    Attributes:
        train: in the order of training, whole batches only; for one epoch.
        validation, test: the rest of the training images, and the test images.
    """

    def __init__(self, path: str, seed: int):
        with np.load(path) as file:
            images, self.test = _scaled(file["x_train"]), _scaled(file["x_test"])
        shuffled = np.random.default_rng(0).permutation(len(images))
        self.validation = images[shuffled[: MNIST["validation"]]]
        rest = np.random.default_rng(seed).permutation(shuffled[MNIST["validation"] :])
        self.train = images[rest[: len(rest) // MNIST["batch"] * MNIST["batch"]]]


def nearest(x, codebook):
    """Index of the nearest code of each row of `x`."""
    bias = 0.5 * np.sum(np.square(codebook), axis=1)
    parts = np.split(x, range(SEARCH_ROWS, len(x), SEARCH_ROWS))
    return np.concatenate([np.argmax(part @ codebook.T - bias, axis=1) for part in parts])


def usage(index, codes) -> dict:
    """The share of codes chosen at least once, and the perplexity of the choice."""
    share = np.bincount(np.ravel(index), minlength=codes) / np.size(index)
    chosen = share[share > 0]
    return {"usage": len(chosen) / codes, "perplexity": float(np.exp(-np.sum(chosen * np.log(chosen))))}


def _scaled(images):
    return images.reshape(-1, 28, 28, 1).astype("float32") / 255.0
