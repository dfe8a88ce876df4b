"""One measurement of `VectorQuantizer`, as one JSON line.

    python benchmarks/vector_quantizer_cells.py start CODES LAYER
    python benchmarks/vector_quantizer_cells.py search|train VECTORS SECONDS LAYER
    python benchmarks/vector_quantizer_cells.py step VECTORS CODES SECONDS

`start` writes a layer after its k-means start to the file LAYER (`.keras`), so that no
measurement finds memory that the start has left behind.
"""

import json
import sys

import keras
import tensorflow as tf
from keras import layers, ops
from parts.measuring import measure

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder

DIM = 64
LENGTH, SHORTEST = 64, 48  # frames of a sequence, and how many are real at least
PRODUCT_ROWS = 8192  # the product in such blocks: whole, it would be 2 GiB at 65536 x 8192
IMAGE_SHAPE, VECTORS_PER_IMAGE = (28, 28, 1), 49
START_VECTORS = 8192  # of a batch in the k-means start


def start(codes, path):
    """Save a layer that has gone through its k-means start."""
    layer = VectorQuantizer(codes, seed=0)
    model = keras.Sequential([keras.Input((LENGTH, DIM)), layer])
    forward = tf.function(lambda x: layer(x, training=True))
    while float(layer.started) == 0:
        forward(tf.random.normal((START_VECTORS // LENGTH, LENGTH, DIM)))
    model.save(path)


def search(layer, vectors):
    """`encode`, and the matrix product of its size."""
    x = tf.random.normal((vectors, DIM))
    encode = tf.function(layer.encode)
    return lambda: encode(x), matrix_product(x, layer.num_embeddings)


def train(layer, vectors):
    """The training forward with mask, EMA, revival and metrics, and the matrix product."""
    shape = (vectors // LENGTH, LENGTH, DIM)
    x = tf.random.normal(shape)
    mask = tf.sequence_mask(tf.random.uniform(shape[:1], SHORTEST, LENGTH + 1, tf.int32), LENGTH)

    @tf.function
    def forward(x, mask):
        embedding = layer(x, mask=mask, training=True)
        return embedding, ops.sum(layer.losses)

    return lambda: forward(x, mask), matrix_product(tf.reshape(x, (-1, DIM)), layer.num_embeddings)


def step(layer, vectors):
    """A training step of a small VQ-VAE, and one of the same network without quantiser."""
    batch = vectors // VECTORS_PER_IMAGE
    images = tf.image.resize(tf.random.normal((8 * batch, 7, 7, 1)), IMAGE_SHAPE[:2])
    quantized, plain = training_step(images, batch, layer), training_step(images, batch)
    while float(layer.started) == 0:
        quantized()
    return quantized, plain


def matrix_product(x, codes):
    """`tf.matmul` of `(vectors, dim)` and `(dim, codes)`."""
    table = tf.random.normal((codes, x.shape[1]))

    @tf.function
    def product(x):
        done = tf.constant(0.0)
        for start in range(0, x.shape[0], PRODUCT_ROWS):
            with tf.control_dependencies([done]):  # one block after the other
                block = tf.matmul(x[start : start + PRODUCT_ROWS], table, transpose_b=True)
            done += block[0, 0]
        return done

    return lambda: product(x)


def training_step(images, batch, bottleneck=None):
    """A function that trains an auto-encoder on the next batch, as `fit` does."""
    model = AutoEncoder(encoder(), decoder(), bottleneck)
    model.compile("adam")
    model.make_train_function()
    data = tf.data.Dataset.from_tensor_slices(images).batch(batch, drop_remainder=True)
    batches = iter(data.cache().repeat())
    return lambda: {name: float(value) for name, value in model.train_function(batches).items()}


def encoder():
    inputs = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(32, 4, strides=2, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(64, 4, strides=2, padding="same")(x)
    x = layers.ReLU()(residual(residual(x)))
    return keras.Model(inputs, layers.Conv2D(DIM, 1)(x))


def decoder():
    inputs = keras.Input((7, 7, DIM))
    x = layers.Conv2D(64, 3, padding="same")(inputs)
    x = layers.ReLU()(residual(residual(x)))
    x = layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2DTranspose(1, 4, strides=2, padding="same")(x))


def residual(x):
    inner = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.ReLU()(x))
    return layers.Add()([x, layers.Conv2D(64, 1)(inner)])


CELLS = {"search": search, "train": train, "step": step}


def run_cell(name, layer, vectors, seconds):
    operation, reference = CELLS[name](layer, vectors)
    return measure(operation, reference, seconds=seconds)


def main(name, *arguments):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    if name == "start":
        codes, path = arguments
        return start(int(codes), path)
    if name == "step":
        vectors, codes, seconds = arguments
        layer = VectorQuantizer(int(codes), seed=0)
    else:
        vectors, seconds, path = arguments
        layer = keras.saving.load_model(path).layers[-1]
    print(json.dumps(run_cell(name, layer, int(vectors), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
