"""Word vectors of the text at hand."""

import warnings
from collections.abc import Callable, Iterable, Iterator

from keras_ae.errors import InputError
from keras_ae.text.word_vectors import WordVectors


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
    """Skip-gram vectors with negative sampling, by gensim; the same seed gives the same vectors.

    For each word w and each word c within the window around it,
    `log sigmoid(v_w . u_c) + sum over k negatives of E log sigmoid(-v_w . u_n)` is maximised;
    the vectors v are returned, most frequent words first. Every token list ends a window.
    (Mikolov et al., 2013, https://arxiv.org/abs/1310.4546)

    Args:
        sentences: returns the token lists, such as `data.train.tokens`; called once an epoch
            and once to count, so that they are never all in memory.
        dim: numbers of a vector.
        window: words on each side, at most; drawn evenly from 1 to it.
        min_count: words that come less often get no vector.
        negatives: k.
        epochs: passes over the text.
        seed: of the start and of all draws.

    Raises:
        ImportError: gensim is not installed; names the extra.
        InputError: no word comes `min_count` times.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from gensim.models import Word2Vec
    except ImportError as error:
        raise ImportError("Training word vectors needs gensim: pip install 'keras-ae[text]'.") from error
    model = Word2Vec(
        vector_size=dim,
        window=window,
        min_count=min_count,
        sg=1,
        negative=negatives,
        epochs=epochs,
        seed=seed,
        workers=1,  # with more, the order of the updates is chance
    )
    corpus = _Corpus(sentences)
    model.build_vocab(corpus)
    if not len(model.wv):
        raise InputError(f"Expected words that come at least {min_count} times. Received: none")
    model.train(corpus, total_examples=model.corpus_count, epochs=epochs)
    return WordVectors(model.wv.index_to_key, model.wv.vectors)


class _Corpus:
    """Can be iterated anew, as gensim does."""

    def __init__(self, sentences):
        self._sentences = sentences

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self._sentences())
