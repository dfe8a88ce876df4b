"""Embeddings of a file or model that the embedding report would measure."""

from keras_ae.evaluation import load_encoder
from keras_ae.evaluation.encoders.examples import Examples
from keras_ae.evaluation.encoders.loading import embeddings_of


def embedding_of(encoder, data, pool="auto", **options):
    return embeddings_of(load_encoder(encoder, **options), Examples(data), pool)
