"""One measurement of the training forward of LFQ or FSQ, as one JSON line.

python benchmarks/lookup_free_quantizer_cells.py {lfq,fsq} VECTORS SECONDS
"""

import json
import sys

import keras
import tensorflow as tf
from keras import ops
from parts.measuring import measure

from keras_ae.layers import FiniteScalarQuantizer, LookupFreeQuantizer

DIM = 64
LENGTH, SHORTEST = 64, 48  # frames of a sequence, and how many are real at least
LAYERS = {
    "lfq": lambda: LookupFreeQuantizer(13, entropy_group_bits=13),  # the entropy is that of all bits jointly
    "fsq": lambda: FiniteScalarQuantizer([8, 8, 8, 4, 4]),
}


def training_forward(name, vectors):
    """A function that runs the layer in training with mask, losses and metrics, as `fit` does."""
    layer, shape = LAYERS[name](), (vectors // LENGTH, LENGTH, DIM)
    layer.build(shape)
    x = tf.random.normal(shape)
    mask = tf.sequence_mask(tf.random.uniform(shape[:1], SHORTEST, LENGTH + 1, tf.int32), LENGTH)

    @tf.function
    def forward(x, mask):
        embedding = layer(x, mask=mask, training=True)
        return embedding, ops.sum(layer.losses)

    return lambda: forward(x, mask)


def main(name, vectors, seconds):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    print(json.dumps(measure(training_forward(name, int(vectors)), seconds=float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
