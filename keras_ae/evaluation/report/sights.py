"""What is to be seen of an embedding: reconstructions, the map, nearest neighbours."""

import numpy as np

from keras_ae.evaluation.neighbours import nearest_neighbours
from keras_ae.evaluation.report.encoders import in_batches
from keras_ae.evaluation.report.pictures import sheet, thumbnails
from keras_ae.evaluation.report.projection import MOST_POINTS, plane

SHOWN = 20  # reconstructions
QUERIES = 8
MOST_RECONSTRUCTED = 1_000  # of which the error is measured
MAP_SIDE = 28  # pixels of a picture on the map
MOST_MAP_BYTES = 1_500_000  # of all pictures on the map before they are compressed
TEXT = 140  # letters of a text that are shown


def reconstructions(material) -> tuple[dict | None, dict]:
    """`(figures, pictures)`: the error on held-out examples beside that of the mean example."""
    if material.encoder.reconstruct is None or material.test.kind in ("texts", "tokens", "waveforms"):
        return None, {}
    some = material.test.take(np.arange(min(len(material.test), MOST_RECONSTRUCTED)))
    parts = in_batches(material.encoder.reconstruct, some)
    made = np.concatenate([np.asarray(part, "float32") for part in parts])
    if made.shape != some.array.shape:
        return {"left_out": f"it has the shape {made.shape[1:]}, the input {some.shape}"}, {}
    real = np.ones(made.shape[:2], bool)
    if some.lengths is not None:
        real = np.arange(made.shape[1]) < some.lengths[:, None]
    x = some.array.astype("float64")
    mean = material.train.array.astype("float64").mean(axis=0)
    error, usual = (np.square(x - other)[real].mean() for other in (made, mean))
    figures = {"mse": float(error), "mse_of_mean": float(usual), "n": len(some)}
    return figures, _reconstructed(some, made)


def _reconstructed(some, made):
    shown = some.take(np.arange(min(SHOWN, len(some))))
    inputs = thumbnails(shown, like=some)
    if inputs is None:
        return {}
    values = made[: len(shown)].astype("float32")
    data = values if shown.lengths is None else {"x": values, "lengths": shown.lengths}
    outputs = thumbnails(type(shown)(data), like=some)
    return {"reconstructions": np.concatenate([inputs, outputs])}


def the_map(material, settings) -> tuple[dict, dict]:
    """`(map, pictures)`: points, what colours them, and what they show."""
    rows = np.sort(np.random.default_rng([settings.seed, 9]).permutation(len(material.test))[:MOST_POINTS])
    found = plane(material.z_test[rows], method=settings.method, seed=settings.seed)
    both = {**material.factors, **material.nuisances}
    found["colours"] = {name: _plain(test[rows]) for name, (_, test) in both.items()}
    shown = material.test.take(rows)
    if shown.kind == "texts":
        found["texts"] = [_short(text) for text in shown.data]
    pictures = thumbnails(shown, like=material.test, largest=MAP_SIDE)
    if pictures is None:
        return found, {}
    most = max(1, MOST_MAP_BYTES // int(np.prod(pictures.shape[1:])))
    return found, {"map": pictures[:most]}


def neighbours(material, settings) -> tuple[dict, dict]:
    """`(neighbours, pictures)`: held-out queries and the training examples nearest to each."""
    number = min(settings.neighbours, len(material.train))
    rows = _queries(material, settings)
    indices, distances = nearest_neighbours(material.z_train, material.z_test[rows], number)
    queries, found = material.test.take(rows), material.train.take(indices.ravel())
    result = {"k": number, "queries": rows.tolist(), "indices": indices.tolist()}
    result["distances"] = np.round(distances, 4).tolist()
    labels = next(iter(material.classes().items()), None)
    if labels is not None:
        name, (train, test) = labels
        result.update(factor=name, of_queries=_plain(test[rows]), of_neighbours=_plain(train[indices]))
    if queries.kind == "texts":
        result["texts"] = [_short(text) for text in [*queries.data, *found.data]]
    shown = thumbnails(queries, like=material.train)
    if shown is None:
        return result, {}
    return result, {"neighbours": np.concatenate([shown, thumbnails(found, like=material.train)])}


def sheets(pictures: dict) -> tuple[dict, dict]:
    """`({name: count, height, width}, {name: PNG})` of `{name: uint8 pictures}`."""
    sizes = {name: list(part.shape[:3]) for name, part in pictures.items()}
    return sizes, {name: sheet(part) for name, part in pictures.items()}


def _queries(material, settings):
    """Held-out examples of as many classes as there are, else at random."""
    order = np.random.default_rng([settings.seed, 10]).permutation(len(material.test))
    classes = material.classes()
    if classes:
        test = next(iter(classes.values()))[1]
        labels = np.unique([str(one) for one in test.tolist()], return_inverse=True)[1].reshape(-1)[order]
        seen, ranks = {}, []
        for label in labels.tolist():
            seen[label] = seen.get(label, -1) + 1
            ranks.append(seen[label])
        order = order[np.lexsort((labels, np.array(ranks)))]
    return order[: min(QUERIES, len(order))]


def _plain(values):
    """Values as JSON takes them; missing ones are `None`."""
    if values.dtype.kind != "f":
        return values.tolist()
    return [None if one != one else round(one, 6) for one in values.tolist()]


def _short(text):
    return text if len(text) <= TEXT else f"{text[: TEXT - 1].rstrip()}…"
