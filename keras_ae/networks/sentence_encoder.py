"""Sentence encoders: from word ids to vectors."""

import keras
import numpy as np
from keras import layers

from keras_ae.errors import InputError
from keras_ae.layers.text.distinct_words import DistinctWords
from keras_ae.layers.text.sentence_gru import SentenceGRU
from keras_ae.layers.text.word_dropout import WordDropout
from keras_ae.layers.text.word_pooling import WordPooling

WORDS = "words"  # name of the layer with the word vectors


def recurrent_sentence_encoder(
    vocabulary_size: int,
    dim: int = 256,
    *,
    embedding_dim: int = 300,
    bidirectional: bool = True,
    word_vectors: np.ndarray | None = None,
    trainable_words: bool = True,
    word_dropout: float = 0.0,
    seed: int | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Return a GRU encoder of sentences: int32 `(batch, words)` -> `(batch, dim)`.

    ```
    vector = h[last word]                                   one direction
    vector = [forward h[last word] ; backward h[first word]]     two, of dim / 2 units each
    ```

    Zeros after the end of a sentence are padding and change nothing; a sentence without words gets the
    zero vector. The layer `words` contains the word vectors.

    Args:
        vocabulary_size: number of word ids, including padding and the unknown word: `len(vocabulary)`.
        dim: size of the sentence vector; must be even with two directions.
        embedding_dim: size of the word vectors; that of `word_vectors` if they are given.
        bidirectional: whether a second GRU reads from the last word to the first.
        word_vectors: initial word vectors, float `(vocabulary_size, embedding_dim)`, such as
            `WordVectors.rows(vocabulary)`; `None`: uniform in [-0.1, 0.1].
        trainable_words: whether the word vectors are trained.
        word_dropout: probability that a word is replaced by the unknown word, in training.
        seed: seed of `word_dropout`.
        name: name of the model.

    Raises:
        ValueError: if `dim` is odd with two directions, or `word_dropout` is out of range.
        InputError: if `word_vectors` does not have one row for each word id.

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
        raise ValueError(f"dim must be even, with a half for each direction. Received: dim={dim}")
    words = _words(vocabulary_size, embedding_dim, word_vectors, trainable_words)
    inputs, read = _input(word_dropout, seed)
    distinct, places = DistinctWords()(read)
    units = dim // 2 if bidirectional else dim
    outputs = SentenceGRU(units, bidirectional=bidirectional)(words(distinct), places)
    return _started(keras.Model(inputs, outputs, name=name), word_vectors)


def bag_of_words_encoder(
    vocabulary_size: int,
    dim: int = 300,
    *,
    pooling: str = "sum",
    word_vectors: np.ndarray | None = None,
    trainable_words: bool = True,
    word_dropout: float = 0.0,
    seed: int | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Return a bag-of-words encoder: pooled word vectors, int32 `(batch, words)` -> `(batch, dim)`.

    ```
    vector = sum_t E[word_t]     or     mean_t E[word_t]     or     max_t E[word_t]
    ```

    Zeros after the end of a sentence are padding; a sentence without words gets the zero vector.
    The layer `words` contains `E`.

    Args:
        vocabulary_size: number of word ids, including padding and the unknown word: `len(vocabulary)`.
        dim: size of the word vectors and of the sentence vector; that of `word_vectors` if they are
            given.
        pooling: "sum", "mean" or "max".
        word_vectors, trainable_words, word_dropout, seed, name: as in `recurrent_sentence_encoder`.

    Raises:
        ValueError: if `pooling` is unknown, or `word_dropout` is out of range.
        InputError: if `word_vectors` does not have one row for each word id.

    Example:

    >>> import numpy as np
    >>> bag_of_words_encoder(20, 4)(np.array([[2, 3, 0], [4, 5, 6]])).shape
    TensorShape([2, 4])

    Reference:
        Logeswaran and Lee, 2018, https://arxiv.org/abs/1803.02893, where it is called BoW.
    """
    words = _words(vocabulary_size, dim, word_vectors, trainable_words, mask_zero=True)
    inputs, read = _input(word_dropout, seed)
    outputs = WordPooling(pooling)(words(read))
    return _started(keras.Model(inputs, outputs, name=name), word_vectors)


def _input(word_dropout, seed):
    """Return the input tensor, and the ids after word dropout."""
    inputs = keras.Input((None,), dtype="int32", name="ids")
    return inputs, WordDropout(word_dropout, seed=seed)(inputs) if word_dropout else inputs


def _words(vocabulary_size, dim, word_vectors, trainable, **options):
    if word_vectors is not None:
        if len(word_vectors.shape) != 2 or len(word_vectors) != vocabulary_size:
            raise InputError(
                f"word_vectors must have the shape ({vocabulary_size}, dim), a row for each id of the "
                f"vocabulary. Received: shape {tuple(word_vectors.shape)}. Use WordVectors.rows(vocabulary)."
            )
        dim = word_vectors.shape[1]
    start = keras.initializers.RandomUniform(-0.1, 0.1)
    options |= {"embeddings_initializer": start, "trainable": trainable, "name": WORDS}
    return layers.Embedding(vocabulary_size, dim, **options)


def _started(model, word_vectors):
    # set_weights instead of an initialiser, whose configuration would contain all the values
    if word_vectors is not None:
        model.get_layer(WORDS).set_weights([word_vectors])
    return model
