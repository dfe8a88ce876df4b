# %% [markdown]
"""Sentence search: vectors learned from running text alone, and the nearest sentences of a query.

Quick-Thought learns to pick the neighbours of a sentence among the other sentences of a block. The text is
the docstrings of four packages; `load_text` also takes a text file or a folder. More text makes better
vectors.
"""

# %%
import sys

import keras

from keras_ae.evaluation import nearest_sentences
from keras_ae.models import QuickThought
from keras_ae.networks import bag_of_words_encoder
from keras_ae.text import Vocabulary, scaled_for_sums
from keras_ae.training.datasets import load_text, sentence_blocks, word_vectors

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
packages = ["json", "email"] if TINY else ["numpy", "scipy", "sklearn", "keras"]
data = load_text("docstrings", packages=packages)  # or load_text("books") of a folder
vocabulary = Vocabulary.of(data.train.tokens(), size=10_000, min_count=2)
print(len(data.train), "sentences,", len(vocabulary), "words")

# %% [markdown]
# Word vectors first (skip-gram, by gensim), then two encoders that sum them: one for a sentence, one for its
# neighbours. `recurrent_sentence_encoder` is a GRU in their place.

# %%
keras.utils.set_random_seed(0)
table = word_vectors(data.train.tokens, dim=16 if TINY else 100)
rows = scaled_for_sums(table, data.train.tokens()).rows(vocabulary)
encoders = [bag_of_words_encoder(len(vocabulary), rows.shape[1], word_vectors=rows) for _ in range(2)]
model = QuickThought(*encoders, vocabulary=vocabulary)
model.compile(keras.optimizers.Adam(5e-4))
block = 20 if TINY else 200
blocks = sentence_blocks(data.train, vocabulary, block_size=block, seed=0)  # never shuffle sentences
held_out = sentence_blocks(data.validation, vocabulary, block_size=block, seed=None)
options = {"validation_data": held_out.dataset, "shuffle": False, "verbose": 0}
history = model.fit(blocks.dataset, epochs=1 if TINY else 12, **options).history
print(f"gain over equal scores: {history['val_gain'][-1]:.2f} nats a neighbour")

# %%
sentences = data.train.sentences(range(len(data.train)))
for query in ("How do I read a file?", "Raises an error if the shapes do not match."):
    print("\n" + query)
    for sentence, cosine in nearest_sentences(model, query, sentences, k=3):
        print(f"  {cosine:.2f}  {sentence[:100]}")
