"""Settings of the embeddings of sentences that `sentences.py` measures.

Chosen by the validation novels, and by parts of TREC's training questions and SST-2's validation
sentences that were held out for it.
"""

TEXT = {"sentence_per_line": True, "vocabulary_size": 30_000, "min_count": 3}
SYSTEMS = {
    # Quick-Thought with a bi-GRU
    "gru": {
        "recipe": "quick-thought",
        "settings": {**TEXT, "encoder": "bi-gru", "dim": 256, "epochs": 2, "word_dropout": 0.1},
    },
    # the other channel: word vectors summed
    "bag": {
        "recipe": "quick-thought",
        "settings": {**TEXT, "encoder": "bag-of-words", "epochs": 2, "word_dropout": 0.1},
    },
    "skip": {
        "recipe": "skip-thought",
        "settings": {
            **TEXT,
            **{"encoder": "bi-gru", "dim": 512, "decoder_units": 256, "conditioning": "state"},
            **{"epochs": 1, "batch_size": 128, "learning_rate": 1e-3, "num_sampled": 500},
        },
    },
}
WITHOUT_VECTOR = {"use_vector": False}  # the same decoders, conditioned on zeros
POOLED = ("mean",)  # of word2vec, without further training
# of the combined encoders; Skip-Thought is in by five-fold cross-validation on TREC's training
# questions, seeds 0 and 1: .809 with it, .801 without
CHANNELS = {"multi": ("gru", "bag", "skip", "mean"), "multi_quick": ("gru", "bag", "mean")}
PAIRED = ("How much is this?", "What does it cost?")  # two questions with the same answer
RANDOM_PAIRS = 10_000
