"""Which documents are for training, validation and test."""

from math import ceil

import numpy as np

from keras_ae.training.datasets.split_drawing import draw_splits
from keras_ae.training.datasets.text_source import TextSource

ENOUGH = 10  # documents, or groups of them, from which on whole ones are held out


def split_spans(source: TextSource, fractions: dict[str, float], seed: int) -> tuple[dict, dict[str, str]]:
    """The spans of each split, see `TextSplit`, and how each split besides "train" came about.

    A split that the source has is taken. Another one is drawn from the training documents:
    whole groups, if there are at least 10 of them; else the last sentences of each document.

    Args:
        source: the documents.
        fractions: shares of the splits besides "train", in the order of drawing.
        seed: of the draws.

    Raises:
        InputError: there are no documents for training.
    """
    store = source.store
    own = set() if source.splits is None else set(source.splits.tolist())
    training = store.groups if source.splits is None else store.groups[source.splits == "train"]
    whole = len(np.unique(training)) >= ENOUGH
    drawn = fractions if whole else dict.fromkeys(fractions, 0.0)
    rows = draw_splits(source.splits, store.groups, drawn, seed)
    bounds = np.stack([store.bounds[:-1], store.bounds[1:]], axis=1)
    spans = {name: bounds[chosen] for name, chosen in rows.items()}
    how = {}
    for name, fraction in fractions.items():
        drawing = "whole documents" if whole else "ends of documents"
        how[name] = "official" if name in own else drawing if fraction else "none"
        if how[name] == "ends of documents":
            spans["train"], spans[name] = _ends(spans["train"], fraction)
    return spans, how


def _ends(spans, fraction):
    """What stays of each span, and its last sentences: the share `fraction`, rounded up."""
    starts, stops = spans.T
    cuts = stops - np.array([ceil(fraction * size) for size in stops - starts], "int64")
    kept, ends = np.stack([starts, cuts], 1), np.stack([cuts, stops], 1)
    return kept[kept[:, 0] < kept[:, 1]], ends[ends[:, 0] < ends[:, 1]]
