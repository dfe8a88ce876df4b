"""The codes of a vector quantiser before it has learnt anything."""

import tensorflow as tf

from keras_ae.layers.k_means import kmeans


def first_codes(buffer, count, num_embeddings, uniforms):
    """Samples of the data while `buffer` fills, the centres of k-means once it is full.

    Args:
        buffer: a `SampleBuffer` of `(heads, dim)` vectors.
        count: how many it holds.
        num_embeddings: `K`.
        uniforms: `(heads, *kmeans_rounds(K))`, the randomness of k-means++.

    Returns:
        `(codebook, counts)`: `(heads, K, dim)`, and how many samples each code holds,
        `(heads, K)`; zeros while the codes are samples.
    """
    heads = buffer.rows.shape[1]
    return tf.cond(
        count >= buffer.capacity,
        lambda: _kmeans_codes(buffer, num_embeddings, uniforms),
        lambda: (_sample_codes(buffer, count, num_embeddings), tf.zeros((heads, num_embeddings))),
    )


def _kmeans_codes(buffer, num_embeddings, uniforms):
    samples = buffer.rows.value[: buffer.capacity]
    heads = [kmeans(samples[:, head], num_embeddings, uniforms[head]) for head in range(samples.shape[1])]
    return tf.stack([centres for centres, _ in heads]), tf.stack([counts for _, counts in heads])


def _sample_codes(buffer, count, num_embeddings):
    codes = tf.range(num_embeddings)
    # 64 bits: the product of both counts passes 2^31
    spread = tf.cast(tf.cast(codes, tf.int64) * tf.cast(count, tf.int64) // num_embeddings, tf.int32)
    cycled = codes % tf.maximum(count, 1)
    rows = tf.gather(buffer.rows.value, tf.where(count >= num_embeddings, spread, cycled))
    return tf.transpose(rows, (1, 0, 2))
