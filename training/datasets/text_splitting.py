"""Which documents are for training, validation and test."""

import numpy as np

from keras_ae.training.datasets.split_drawing import draw_splits
from keras_ae.training.datasets.text_source import TextSource

ENOUGH = 10  # documents, or groups of them, from which on whole ones are held out


def split_spans(source: TextSource, fractions: dict[str, float], seed: int) -> tuple[dict, dict[str, str]]:
    """The spans of each split, see `TextSplit`, and how each split besides "train" came about.

    A split that the source has is taken. Another one is drawn from the training documents:
    whole groups if there are at least 10 of them, else whole documents if there are 10, else the
    last sentences of each document.

    Args:
        source: the documents.
        fractions: shares of the splits besides "train", in the order of drawing.
        seed: of the draws.

    Raises:
        InputError: there are no documents for training.
    """
    store = source.store
    own = set() if source.splits is None else set(source.splits.tolist())
    training = np.ones(len(store.groups), bool) if source.splits is None else source.splits == "train"
    few_groups = len(np.unique(store.groups[training])) < ENOUGH
    groups = np.arange(len(store.groups)) if few_groups else store.groups
    whole = training.sum() >= ENOUGH
    rows = draw_splits(source.splits, groups, fractions if whole else dict.fromkeys(fractions, 0.0), seed)
    bounds = np.stack([store.bounds[:-1], store.bounds[1:]], axis=1)
    spans = {name: bounds[chosen] for name, chosen in rows.items()}
    how = {}
    for name, fraction in fractions.items():
        drawing = "whole documents" if whole else "ends of documents"
        how[name] = "official" if name in own else drawing if fraction else "none"
        if how[name] == "ends of documents" and len(spans["train"]):
            spans["train"], spans[name] = _ends(spans["train"], fraction)
    return spans, how


def _ends(spans, fraction):
    """What stays of each span, and its last sentences: the share `fraction`, of one span at least one."""
    starts, stops = spans.T
    held_out = (fraction * (stops - starts)).astype("int64")
    if not held_out.any():
        held_out[np.argmax(stops - starts)] = 1
    cuts = stops - held_out
    kept, ends = np.stack([starts, cuts], 1), np.stack([cuts, stops], 1)
    return kept[kept[:, 0] < kept[:, 1]], ends[ends[:, 0] < ends[:, 1]]
