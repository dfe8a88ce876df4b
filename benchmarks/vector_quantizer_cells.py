"""One measurement of `VectorQuantizer`, as one JSON line:

python benchmarks/vector_quantizer_cells.py {search,train,step} VECTORS CODES SECONDS
"""

import json
import sys

import keras
import tensorflow as tf
from keras import layers, ops
from measuring import measure

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder

DIM = 64
LENGTH = 64  # frames of a sequence
SHORTEST = 48  # real ones of the shortest
PRODUCT_ROWS = 8192  # the product in such blocks: whole, it would be 2 GiB at 65536 x 8192
IMAGES, IMAGE_SHAPE = 128, (28, 28, 1)


def search(vectors, codes):
    """`encode`, and the matrix product of its size."""
    layer = VectorQuantizer(codes, seed=0)
    x = tf.random.normal((vectors, DIM))
    layer.build(x.shape)
    encode = tf.function(layer.encode)
    return lambda: encode(x), matrix_product(x, codes)


def train(vectors, codes):
    """The training forward with everything on, after the k-means start, and the matrix product."""
    layer = VectorQuantizer(codes, seed=0)
    shape = (vectors // LENGTH, LENGTH, DIM)
    layer.build(shape)

    @tf.function
    def forward(x, mask):
        embedding = layer(x, mask=mask, training=True)
        return embedding, ops.sum(layer.losses)

    mask = tf.sequence_mask(tf.random.uniform(shape[:1], SHORTEST, LENGTH + 1, tf.int32), LENGTH)
    while not layer.started:
        forward(tf.random.normal(shape), mask)
    x = tf.random.normal(shape)
    return lambda: forward(x, mask), matrix_product(tf.reshape(x, (-1, DIM)), codes)


def step(vectors, codes):
    """A training step of a small VQ-VAE, and one of the same network without the quantiser.

    The images of a batch have 49 vectors each.
    """
    batch = vectors // 49
    coarse = tf.random.normal((8 * batch, 7, 7, 1))
    images = tf.image.resize(coarse, IMAGE_SHAPE[:2])
    bottleneck = VectorQuantizer(codes, seed=0)
    quantized, plain = training_step(images, batch, bottleneck), training_step(images, batch)
    while not bottleneck.started:
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


def run_cell(name, vectors, codes, seconds):
    keras.utils.set_random_seed(0)
    operation, reference = CELLS[name](vectors, codes)
    return measure(operation, reference, seconds=seconds)


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    name, vectors, codes, seconds = sys.argv[1:]
    print(json.dumps(run_cell(name, int(vectors), int(codes), float(seconds))))
