"""View of the map for the template: points, colours, names, pictures."""

from dataclasses import dataclass

import numpy as np

SIDE, MARGIN = 720, 24  # side of the drawing, and margin around the points
FLATTEST = 0.4  # least ratio of a side of the drawing to `SIDE`
NEAR = 6  # least number of nearest points of the same class that determine the place of its name
MOST_FACTORS = 6  # largest number of factors to colour the map by
MOST_CLASSES = 10  # largest number of classes with their own colour; further classes share one
STEPS = 8  # number of colours of a quantity


@dataclass(frozen=True)
class Colouring:
    """Colours of one factor: `key` is its letter, `entries` are (name, colour), `labels` (name, x, y)."""

    name: str
    key: str
    entries: list
    labels: list


def scatter(results) -> dict:
    """Return `{"points": [(x, y, classes, title)], "colourings": [...]}` of the map of a record."""
    the_map = results["map"]
    if not the_map["points"]:
        return {"width": SIDE, "height": SIDE, "points": [], "colourings": [], "radius": 3.2}
    positions = np.asarray(the_map["points"], "float64").reshape(-1, 2)
    positions = (positions - positions.min(axis=0)) * (SIDE - 2 * MARGIN) + MARGIN
    width, height = (max(FLATTEST * SIDE, float(size) + MARGIN) for size in positions.max(axis=0))
    positions[:, 1] = positions[:, 1].max() + MARGIN - positions[:, 1]
    positions += (np.array([width, height]) - positions.max(axis=0) - MARGIN) / 2
    colourings: list[Colouring] = []
    classes: list[list[str]] = [[] for _ in positions]
    for key, (name, values) in zip("abcdef", list(the_map["colours"].items())[:MOST_FACTORS], strict=False):
        numbers, entries, named = _with_missing(values)
        labels = _labels(numbers, entries, positions) if named else []
        colourings.append(Colouring(name, key, entries, labels))
        for own, number in zip(classes, numbers, strict=True):
            own.append(f"{key}{number}")
    titles = _titles(the_map)
    points = [
        (round(float(x), 1), round(float(y), 1), " ".join(own), title)
        for (x, y), own, title in zip(positions, classes, titles, strict=True)
    ]
    return {
        "width": round(width),
        "height": round(height),
        "points": points,
        "colourings": colourings,
        "radius": 3.2 if len(points) > 700 else 4.4,
    }


def _with_missing(values):
    """Return the result of `_numbered` with a separate colour for missing values."""
    known = [one for one in values if one is not None]
    if len(known) == len(values):
        return _numbered(values)
    numbers, entries, named = _numbered(known)
    all_numbers = np.full(len(values), len(entries))
    all_numbers[[one is not None for one in values]] = numbers
    return all_numbers, [*entries, ("not known", "var(--other)")], named


def _numbered(values):
    """Return `(colour number of each value, [(name, colour)], whether the values are classes)`."""
    array = np.asarray(values)
    distinct, numbers, counts = np.unique(array, return_inverse=True, return_counts=True)
    if len(distinct) <= MOST_CLASSES and array.dtype.kind != "f":
        return numbers, [(str(one), f"var(--c{i})") for i, one in enumerate(distinct)], True
    if array.dtype.kind in "iuf":
        edges = np.unique(np.quantile(array, np.linspace(0, 1, STEPS + 1)))
        numbers = np.clip(np.searchsorted(edges, array, side="right") - 1, 0, len(edges) - 2)
        names = [f"{low:g} to {high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
        return (
            numbers,
            [
                (name, f"var(--s{round(i * (STEPS - 1) / max(1, len(names) - 1))})")
                for i, name in enumerate(names)
            ],
            False,
        )
    ranked = np.argsort(-counts, kind="stable")[: MOST_CLASSES - 1]
    places = np.full(len(distinct), len(ranked))
    places[ranked] = np.arange(len(ranked))
    entries = [(str(distinct[i]), f"var(--c{place})") for place, i in enumerate(ranked)]
    return places[numbers], [*entries, (f"{len(distinct) - len(ranked)} others", "var(--other)")], True


def _labels(numbers, entries, positions):
    """Return the name of each class with the place where its points are densest."""
    found = []
    for number, (name, _) in enumerate(entries):
        own = positions[numbers == number]
        if len(own) and len(name) <= 18 and not name.endswith((" others", "not known")):
            distances = np.sort(np.linalg.norm(own[:, None] - own, axis=-1), axis=1)
            x, y = own[distances[:, : max(NEAR, len(own) // 3)].sum(axis=1).argmin()]
            found.append((name, round(float(x), 1), round(float(y), 1)))
    return found


def _titles(the_map):
    texts = the_map.get("texts")
    columns = [[f"{name} {value}" for value in values] for name, values in the_map["colours"].items()]
    titles = (
        [" · ".join(row) for row in zip(*columns, strict=True)] if columns else [""] * len(the_map["points"])
    )
    if texts is None:
        return titles
    return [f"{text} ({title})" if title else text for text, title in zip(texts, titles, strict=True)]
