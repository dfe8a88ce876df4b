"""Pictures of an embedding report: reconstructions, the map, nearest neighbours."""

import math
from typing import Any

import numpy as np
import tensorflow as tf  # writes PNG files and resizes

from keras_ae.evaluation.encoders.loading import in_batches
from keras_ae.evaluation.probes.neighbours import nearest_neighbours
from keras_ae.evaluation.report.record import SHEET_COLUMNS
from keras_ae.evaluation.report.sections._projection import MOST_POINTS, plane

SHOWN = 20  # number of reconstructions shown
QUERIES = 8
MOST_RECONSTRUCTED = 1_000  # largest number of examples whose reconstruction error is measured
MAP_SIDE = 28  # side of a picture on the map, in pixels
MOST_MAP_BYTES = 1_500_000  # largest size of all pictures on the map, before compression
TEXT = 140  # largest number of characters shown of a text


def reconstructions(material: Any) -> tuple[dict | None, dict]:
    """Return `(results, pictures)`: the error on held-out examples, and the error of the mean example."""
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
    x = some.numbers.astype("float64")
    mean = material.train.numbers.astype("float64").mean(axis=0)
    if some.columns is not None:
        made = type(some)(made, columns=some.columns).numbers
        real = np.ones(x.shape[:2], bool)
    error, usual = (np.square(x - other)[real].mean() for other in (made, mean))
    results = {"mse": float(error), "mse_of_mean": float(usual), "n": len(some)}
    return results, _reconstructed(some, made)


def _reconstructed(some, made):
    shown = some.take(np.arange(min(SHOWN, len(some))))
    inputs = thumbnails(shown, like=some)
    if inputs is None:
        return {}
    values = made[: len(shown)].astype("float32")
    data = values if shown.lengths is None else {"x": values, "lengths": shown.lengths}
    outputs = thumbnails(type(shown)(data), like=some)  # those of a table are features already
    return {"reconstructions": np.concatenate([inputs, outputs])}


def the_map(material: Any, settings: Any) -> tuple[dict, dict]:
    """Return `(map, pictures)`: the points, the factors that colour them, and their texts or pictures."""
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


def neighbours(material: Any, settings: Any) -> tuple[dict, dict]:
    """Return `(neighbours, pictures)`: held-out queries, and the training examples nearest to each query."""
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
    """Return `({name: [count, height, width]}, {name: PNG})` of `{name: uint8 pictures}`."""
    sizes = {name: list(part.shape[:3]) for name, part in pictures.items()}
    return sizes, {name: sheet(part) for name, part in pictures.items()}


def _queries(material, settings):
    """Return the rows of held-out examples of as many classes as possible; random rows without classes."""
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
    """Return JSON-compatible values; missing values are `None`."""
    if values.dtype.kind != "f":
        return values.tolist()
    return [None if one != one else round(one, 6) for one in values.tolist()]


def _short(text):
    return text if len(text) <= TEXT else f"{text[: TEXT - 1].rstrip()}…"


STRIP = 12  # height of the picture of a vector, which is a stripe of its values


def thumbnails(examples: Any, like: Any = None, largest: int = 64) -> np.ndarray | None:
    """Return uint8 pictures `(examples, height, width, 1 or 3)`, or `None` for texts and tokens.

    Images are shown unchanged; sequences, and the log-mel frames of waveforms, with time to the right
    and features upwards; vectors as stripes. Values outside [0, 1] are scaled by the range of `like`.

    Args:
        examples: `Examples`.
        like: examples whose range of values is the range of grey levels; `None`: `examples`.
        largest: length of the longer side in pixels; larger pictures are shrunk.
    """
    if examples.kind == "waveforms":
        return thumbnails(examples.frames(), (like or examples).frames(), largest)
    if examples.kind not in ("images", "vectors", "sequences"):
        return None
    low, high = _grey_range((like or examples).numbers)
    values = np.clip((examples.numbers.astype("float32") - low) / (high - low), 0, 1)
    if examples.kind == "vectors":
        values = np.repeat(shrunk(values[:, None, :, None], largest), STRIP, axis=1)
    elif examples.kind == "sequences":
        if examples.lengths is not None:
            values = values * (np.arange(values.shape[1]) < examples.lengths[:, None])[..., None]
        values = values.transpose(0, 2, 1)[:, ::-1, :, None]
    values = np.nan_to_num(shrunk(values, largest))
    return np.round(values * 255).astype("uint8")


def sheet(pictures: np.ndarray) -> bytes:
    """Return all pictures on one PNG, with `SHEET_COLUMNS` pictures per row.

    Example:

    >>> sheet(np.zeros((40, 8, 8, 1), "uint8"))[1:4]
    b'PNG'
    """
    count, height, width, channels = pictures.shape
    columns, rows = min(SHEET_COLUMNS, count), math.ceil(count / SHEET_COLUMNS)
    grid = np.zeros((rows * columns, height, width, channels), "uint8")
    grid[:count] = pictures
    grid = grid.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return tf.io.encode_png(grid.reshape(rows * height, columns * width, channels)).numpy()


def _grey_range(array):
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if array.dtype == np.uint8:
        return 0.0, 255.0
    return low, high if high > low else low + 1


def shrunk(values: np.ndarray, largest: int) -> np.ndarray:
    """Shrink images `(examples, height, width, channels)` so that no side exceeds `largest` pixels.

    Example:

    >>> shrunk(np.ones((2, 28, 14, 1)), 14).shape
    (2, 14, 7, 1)
    """
    height, width = values.shape[1:3]
    if max(height, width) <= largest:
        return values
    scale = largest / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return tf.image.resize(values, size, method="area").numpy()
