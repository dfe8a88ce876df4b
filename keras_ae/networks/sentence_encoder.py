"""Networks from sentences to vectors."""

import keras
from keras import layers

from keras_ae.errors import InputError

WORDS = "words"  # name of the layer that holds the word vectors, in every encoder of this file


def recurrent_sentence_encoder(
    vocabulary_size: int,
    dim: int = 256,
    *,
    embedding_dim: int = 300,
    bidirectional: bool = True,
    word_vectors=None,
    trainable_words: bool = True,
    name: str = "encoder",
) -> keras.Model:
    """A GRU over the words of a sentence: int32 `(batch, words)` -> `(batch, dim)`.

    ```
    vector = h[last word]                                  one direction
    vector = [forward h[last word] ; backward h[first word]]    two directions of dim / 2 units
    ```

    Zeros at the end of a sentence are padding and change nothing; a sentence without words gets
    the zero vector. The word vectors are in the layer `words`.

    Args:
        vocabulary_size: numbers of words, padding and the unknown word included.
        dim: of the sentence vector; even with two directions.
        embedding_dim: of the word vectors; that of `word_vectors` where they are given.
        bidirectional: whether there is a second GRU that reads from the last word to the first.
        word_vectors: float `(vocabulary_size, embedding_dim)` to start from, such as
            `WordVectors.rows(vocabulary)`; `None`: uniform in [-0.1, 0.1].
        trainable_words: whether the word vectors are trained.
        name: of the model.

    Raises:
        ValueError: `dim` is odd with two directions.
        InputError: `word_vectors` are not one for each number.

    Example:

    >>> import numpy as np
    >>> encoder = recurrent_sentence_encoder(20, 8, embedding_dim=4)
    >>> encoder(np.array([[2, 3, 0], [4, 5, 6]])).shape
    TensorShape([2, 8])

    Reference:
        Kiros et al., 2015, https://arxiv.org/abs/1506.06726; Logeswaran and Lee, 2018,
        https://arxiv.org/abs/1803.02893.
    """
    if bidirectional and dim % 2:
        raise ValueError(f"dim is even, a half for each direction. Received: dim={dim}")
    inputs = keras.Input((None,), dtype="int32", name="ids")
    words = _embedding(vocabulary_size, embedding_dim, word_vectors, trainable_words)
    x = words(inputs)
    if bidirectional:
        outputs = layers.Bidirectional(layers.GRU(dim // 2))(x)
    else:
        outputs = layers.GRU(dim)(x)
    return _with_vectors(keras.Model(inputs, outputs, name=name), word_vectors)


def bag_of_words_encoder(
    vocabulary_size: int,
    dim: int = 300,
    *,
    pooling: str = "sum",
    word_vectors=None,
    trainable_words: bool = True,
    name: str = "encoder",
) -> keras.Model:
    """The sum or the mean of the word vectors: int32 `(batch, words)` -> `(batch, dim)`."""
    inputs = keras.Input((None,), dtype="int32", name="ids")
    words = _embedding(vocabulary_size, dim, word_vectors, trainable_words)
    outputs = layers.GlobalAveragePooling1D()(words(inputs))
    return _with_vectors(keras.Model(inputs, outputs, name=name), word_vectors)


def _embedding(vocabulary_size, dim, word_vectors, trainable):
    if word_vectors is not None:
        shape = tuple(word_vectors.shape)
        if len(shape) != 2 or shape[0] != vocabulary_size:
            raise InputError(
                f"Expected word vectors ({vocabulary_size}, dim), one for each number of the vocabulary. "
                f"Received: shape {shape}. Make them by WordVectors.rows(vocabulary)."
            )
        dim = shape[1]
    start = keras.initializers.RandomUniform(-0.1, 0.1)
    return layers.Embedding(
        vocabulary_size,
        dim,
        embeddings_initializer=start,
        mask_zero=True,
        trainable=trainable,
        name=WORDS,
    )


def _with_vectors(model, word_vectors):
    # set, not given as an initialiser: a configuration would hold every number of the table
    if word_vectors is not None:
        model.get_layer(WORDS).set_weights([word_vectors])
    return model
