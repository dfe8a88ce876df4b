"""One `VectorQuantizer` with default arguments, trained and scored, as one JSON line.

python benchmarks/codebook_learning_cells.py toy SEED
python benchmarks/codebook_learning_cells.py mnist SEED CODES DATA
"""

import json
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from parts.codebook_learning_data import MNIST, TOY, Mnist, Toy, usage
from vector_quantizer_cells import decoder, encoder

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder


def toy(seed):
    """The codebook after the batches, without an encoder."""
    data = Toy(int(seed))
    layer = VectorQuantizer(TOY["codes"])
    step = tf.function(lambda x: layer(x, training=True))
    for batch in data.batches():
        step(tf.constant(batch))
    return data.scores(layer.codebook.numpy()[0])


def mnist(seed, codes, path):
    """The small VQ-VAE, trained for an epoch."""
    data = Mnist(path, int(seed))
    model = AutoEncoder(encoder(), decoder(), VectorQuantizer(int(codes)))
    model.compile(keras.optimizers.Adam(MNIST["learning_rate"], epsilon=MNIST["adam_epsilon"]))
    model.fit(data.train, batch_size=MNIST["batch"], shuffle=False, verbose=0)
    return score(model, data)


def score(model, data) -> dict:
    """Errors of the validation and test images, usage over the test images."""
    results = {}
    for part in ("validation", "test"):
        error, codes = reconstruct(model, getattr(data, part))
        results[f"{part}_mse"] = error
    return {**results, **usage(codes, model.bottleneck.num_embeddings)}


def reconstruct(model, images):
    """`(mean squared error, codes)`."""

    @tf.function(autograph=False)
    def one(x):
        codes = model.encode(x)
        return tf.reduce_mean(tf.square(model.decode(codes) - x), axis=(1, 2, 3)), codes

    results = [one(x) for x in tf.data.Dataset.from_tensor_slices(images).batch(MNIST["batch"])]
    columns = zip(*results, strict=True)
    errors, codes = (np.concatenate([np.asarray(part) for part in column]) for column in columns)
    return float(errors.mean()), codes.ravel()


CELLS = {"toy": toy, "mnist": mnist}


def main(task, seed, *arguments):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(int(seed))
    begin = time.process_time()
    row = CELLS[task](seed, *arguments)
    print(json.dumps({**row, "minutes": (time.process_time() - begin) / 60}))


if __name__ == "__main__":
    main(*sys.argv[1:])
