"""Word vectors trained on the text of a data set, and their cache."""

import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import cache_folder, write_to_cache
from keras_ae.text.word_vectors import WordVectors
from keras_ae.training.datasets.text.data import TextSplit


def word_vectors(
    sentences: Callable[[], Iterable[list[str]]],
    dim: int = 300,
    *,
    window: int = 5,
    min_count: int = 3,
    negatives: int = 5,
    epochs: int = 3,
    seed: int = 0,
) -> WordVectors:
    """Train skip-gram vectors with negative sampling with gensim; the same seed gives the same vectors.

    For each word w and each word c within the window around it,
    `log sigmoid(v_w . u_c) + sum over k negatives of E log sigmoid(-v_w . u_n)` is maximised;
    the vectors v are returned, most frequent words first. Windows do not extend beyond a token list.
    (Mikolov et al., 2013, https://arxiv.org/abs/1310.4546)

    Args:
        sentences: function that returns the token lists, such as `data.train.tokens`; called once per
            epoch and once for counting, so that they are never all in memory.
        dim: dimension of a vector.
        window: maximum number of words on each side; the number is drawn uniformly from 1 to `window`.
        min_count: minimum frequency of a word; rarer words have no vector.
        negatives: number of negatives k.
        epochs: passes over the text.
        seed: seed of the initial vectors and of all draws.

    Raises:
        ImportError: gensim is not installed; the message names the extra.
        InputError: no word occurs `min_count` times.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from gensim.models import Word2Vec
    except ImportError as error:
        raise ImportError("Training word vectors requires gensim: pip install 'keras-ae[text]'.") from error
    model = Word2Vec(
        vector_size=dim,
        window=window,
        min_count=min_count,
        sg=1,
        negative=negatives,
        epochs=epochs,
        seed=seed,
        workers=1,  # with more workers, the order of the updates is random
    )
    corpus = _Corpus(sentences)
    model.build_vocab(corpus)
    if not len(model.wv):
        raise InputError(f"At least one word must occur {min_count} or more times. Received: none")
    model.train(corpus, total_examples=model.corpus_count, epochs=epochs)
    return WordVectors(model.wv.index_to_key, model.wv.vectors)


class _Corpus:
    """Iterable of token lists that can be iterated several times, as gensim requires."""

    def __init__(self, sentences):
        self._sentences = sentences

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self._sentences())


VERSION = 1  # version of the training


def cached_word_vectors(
    split: TextSplit, dim: int = 300, *, min_count: int = 3, seed: int = 0
) -> WordVectors:
    """Return `word_vectors` of the sentences of a split, from the cache if the same text was used before.

    Vectors are kept in `KERAS_AE_CACHE`, by default `~/.cache/keras_ae`; a damaged file is replaced.

    Args:
        split: the text.
        dim, min_count, seed: as in `word_vectors`.

    Raises:
        ImportError: gensim is not installed.
        InputError: no word occurs `min_count` times.
    """
    settings = {"version": VERSION, "dim": dim, "min_count": min_count, "seed": seed}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for sentence in _sentences(split):
        key.update(f"{sentence}\n".encode("utf-8", "replace"))
    path = cache_folder() / "word_vectors" / f"{key.hexdigest()[:24]}.npz"
    if path.is_file():
        try:
            with np.load(path) as file:
                return WordVectors(file["words"].tolist(), file["vectors"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass
    table = word_vectors(split.tokens, dim, min_count=min_count, seed=seed)
    write_to_cache(path, lambda file: np.savez(file, words=np.array(table.words), vectors=table.vectors))
    return table


def _sentences(split) -> Iterable[str]:
    for document in split:
        yield from document
