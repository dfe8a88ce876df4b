"""Concatenation of several embeddings of a sentence."""

from typing import Any

import keras
from keras import ops

from keras_ae.errors import InputError
from keras_ae.models.text.sentence_model import SentenceModel, unit_length
from keras_ae.text.vocabulary import Vocabulary


@keras.saving.register_keras_serializable(package="keras_ae")
class CombinedSentenceEncoder(SentenceModel):
    """Sentence encoder that concatenates the vectors of several encoders of one vocabulary.

    ```
    vector = [v_1(s) ; v_2(s) ; ...]
    ```

    Separately trained encoders, such as one with fixed and one with trained word vectors, or a recurrent
    one and a bag of words, represent different properties of a sentence. The combination is not trained:
    train its parts.

    Args:
        encoders: trained sentence models, and any other models from int32 `(batch, words)`, zero after the
            end of each sentence, to `(batch, dim)`, such as a `networks.bag_of_words_encoder` that averages
            word vectors.
        normalize: whether each part is scaled to length 1, so that none outweighs the others in a cosine.
        vocabulary: as in `SentenceModel`; `None`: the vocabulary of the sentence models.
        max_words: see `SentenceModel`; each sentence model also applies its own limit.

    Raises:
        InputError: there are no encoders, or their vocabularies differ.

    Example:

    >>> from keras_ae.models import QuickThought
    >>> from keras_ae.networks import bag_of_words_encoder
    >>> words = bag_of_words_encoder(4, 3)
    >>> trained = QuickThought(words, bag_of_words_encoder(4, 3), vocabulary=["how", "much"])
    >>> CombinedSentenceEncoder([trained, words]).encode("How much?").shape
    (9,)

    Reference:
        Combine-skip: Kiros et al., 2015, https://arxiv.org/abs/1506.06726; MC-QT: Logeswaran and Lee, 2018,
        https://arxiv.org/abs/1803.02893.
    """

    def __init__(
        self,
        encoders: list[keras.Model],
        *,
        normalize: bool = False,
        vocabulary: Vocabulary | list[str] | None = None,
        max_words: int | None = None,
        **kwargs: Any,
    ):
        encoders = list(encoders)
        if not encoders:
            raise InputError("encoders must contain at least one encoder. Received: none.")
        super().__init__(vocabulary=_common_vocabulary(encoders, vocabulary), max_words=max_words, **kwargs)
        self.encoders = encoders
        self.normalize = normalize
        self.build()

    def vectors(self, ids: Any, training: bool | None = False) -> Any:
        parts = [_vectors_of(encoder, ids, training) for encoder in self.encoders]
        return ops.concatenate([unit_length(part) if self.normalize else part for part in parts], axis=-1)

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Any, training: bool, player: str
    ) -> dict[str, Any]:
        raise InputError("CombinedSentenceEncoder has no objective. Train its encoders, then combine them.")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoders": [keras.saving.serialize_keras_object(encoder) for encoder in self.encoders],
            "normalize": self.normalize,
        }


def _vectors_of(encoder, ids, training):
    if isinstance(encoder, SentenceModel):
        return encoder.vectors(encoder.padded_ids(ids), training=training)
    return encoder(ids, training=training)


def _common_vocabulary(encoders, given):
    vocabularies = [encoder.vocabulary for encoder in encoders if isinstance(encoder, SentenceModel)]
    known = [vocabulary for vocabulary in vocabularies if vocabulary is not None]
    if given is not None:
        known.insert(0, given if isinstance(given, Vocabulary) else Vocabulary(given))
    if any(vocabulary != known[0] for vocabulary in known[1:]):
        raise InputError(
            "All encoders must have the same vocabulary. Received: different ones with "
            f"{', '.join(f'{len(vocabulary)} words' for vocabulary in known)}."
        )
    return known[0] if known else None
