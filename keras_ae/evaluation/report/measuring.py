"""Measurement of all sections of a report."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation._factor_values import is_known, known_values
from keras_ae.evaluation.attempts import attempt, recorded
from keras_ae.evaluation.encoders.loading import in_batches
from keras_ae.evaluation.report.record import EmbeddingRecord
from keras_ae.evaluation.report.sections import probes as probe_sections
from keras_ae.evaluation.report.sections import visual as visual_sections
from keras_ae.evaluation.report.sections.codes import code_use
from keras_ae.evaluation.report.sections.pairs import doubts, measured_pairs, no_pairs
from keras_ae.progress import detail_of

FORMAT = 1


NO_MAP: dict[str, Any] = {"method": "none", "points": [], "colours": {}, "trustworthiness": None}
NO_NEIGHBOURS = {"k": 0, "queries": [], "indices": [], "distances": []}


def measure_embedding(
    material: Any,
    settings: Any,
    *,
    title: str = "",
    about: dict[str, Any] | None = None,
    progress: Any = None,
    log: Any = None,
) -> EmbeddingRecord:
    """Measure all sections of a report.

    A section that fails is in `results["failed"]` with the reason, and a factor that cannot be measured is
    in `results["left_out"]`. All other sections and factors are measured.

    Args:
        material: the result of `gather`.
        settings: `ReportSettings`.
        title: title of the page; "": the name of the encoder.
        about: further facts for the page, `{name: value}`.
        progress: function called with the name of each section before it is measured.
        log: file to which tracebacks of failures are appended; `None`: Python's logging is used.
    """
    # the fits are small: several threads do not help, and on busy cores they wait for each other
    threads = require("threadpoolctl", extra="evaluation").threadpool_limits(1)
    with threads, recorded(log) as attempts:
        results, pictures = _measured(material, settings, progress or (lambda section: None))
    results = {
        "format": FORMAT,
        "title": title or material.encoder.name,
        "about": about or {},
        "encoder": _encoder(material),
        "data": _data(material),
        "settings": dataclasses.asdict(settings),
        **results,
        "left_out": attempts.left_out,
        "failed": attempts.failed,
    }
    return EmbeddingRecord(_json(results), pictures)


def _measured(material, settings, say):
    """Return `(results, pictures)` of all sections."""
    detail = detail_of(say)
    say("reconstructions")
    reconstruction, drawn = attempt(
        "the reconstruction", visual_sections.reconstructions, material, default=(None, {})
    )
    say("codes")
    codes = attempt("the codes", _codes, material, settings)
    say("probes")
    probes = probe_sections.probes(material, settings, detail)
    leaks = probe_sections.leaks(material, settings, detail)
    pairs = attempt("L_D*", measured_pairs, material, settings, say, default=no_pairs())
    say("disentanglement")
    disentanglement = attempt("disentanglement", probe_sections.disentanglement, material, settings)
    say("map and neighbours")
    the_map, on_map = attempt("the map", visual_sections.the_map, material, settings, default=(NO_MAP, {}))
    neighbours, near = attempt(
        "nearest neighbours", visual_sections.neighbours, material, settings, default=(NO_NEIGHBOURS, {})
    )
    sizes, pictures = attempt(
        "the pictures", visual_sections.sheets, {**drawn, **on_map, **near}, default=({}, {})
    )
    return {
        "reconstruction": reconstruction,
        "pairs": pairs,
        "probes": probes,
        "leaks": leaks,
        "codes": codes,
        "disentanglement": disentanglement,
        "doubts": doubts(pairs["rows"]),
        "map": the_map,
        "neighbours": neighbours,
        "pictures": sizes,
    }, pictures


def _encoder(material):
    encoder = material.encoder
    return {
        "kind": encoder.kind,
        "name": encoder.name,
        "embedding_shape": list(material.shape),
        "numbers": material.z_train.shape[1],
        "pooled": int(np.prod(material.shape)) != material.z_train.shape[1],
        "inputs": _inputs(encoder),
    }


def _inputs(encoder):
    """Return the preprocessing of the data: that of this report, or as the encoder declares it."""
    known = {} if encoder.preprocessing is None else encoder.preprocessing.to_dict()
    found = {**known, "text": "The data are passed to the encoder as they are."}
    if encoder.conversion is not None:
        found |= encoder.conversion.describe()
    if "value_range" in known:  # embeddings of other data are refused
        low, high = known["value_range"]
        found["text"] += f" They lie in [{low:g}, {high:g}], the range that it declares."
    return found


def _data(material):
    both = {**material.factors, **material.nuisances}
    return {
        "kind": material.train.kind,
        "shape": list(material.train.shape),
        "n_train": len(material.train),
        "n_test": len(material.test),
        "equal_test_inputs": _duplicates(material.test),
        "fingerprint": _fingerprint(material),
        "factors": list(material.factors),
        "nuisances": list(material.nuisances),
        "classes": {
            name: None if train.dtype.kind == "f" else len(np.unique(known_values(train)))
            for name, (train, _) in both.items()
        },
        "missing": {
            name: int(sum((~is_known(part)).sum() for part in pair))
            for name, pair in both.items()
            if not all(is_known(part).all() for part in pair)
        },
    }


def _duplicates(examples):
    """Count examples equal to an earlier one, whose mismatched pairs are the same as matched pairs."""
    if examples.kind == "texts":
        return len(examples) - len(set(examples.data))
    return len(examples) - len({row.tobytes() for row in np.ascontiguousarray(examples.array)})


def _fingerprint(material):
    """Return a hash of the held-out examples and their factors; reports on the same data have the same."""
    digest = hashlib.sha256()
    data = material.test.data
    parts = data if isinstance(data, dict) else {"x": data}
    for name, part in sorted(parts.items()):
        digest.update(name.encode())
        digest.update(
            "\n".join(part).encode() if isinstance(part, list) else np.ascontiguousarray(part).tobytes()
        )
    for name, (_, test) in sorted({**material.factors, **material.nuisances}.items()):
        digest.update(f"{name} {test.tolist()}".encode())
    return digest.hexdigest()[:12]


def _codes(material, settings):
    encode = material.encoder.codes
    # whether an artifact has codes can be seen from its outputs only
    if encode is None or in_batches(encode, material.test.take(np.arange(1)))[0] is None:
        return None
    parts = [in_batches(encode, part) for part in (material.train, material.test)]
    train, test = (
        {level: np.concatenate([batch[level] for batch in part]) for level in part[0]} for part in parts
    )
    lengths = material.train.lengths
    shares = None if lengths is None else lengths / material.train.array.shape[1]
    found = code_use(train, material.encoder.num_values, shares)
    if lengths is None:
        flat = [
            np.concatenate([v.reshape(len(v), -1) for v in part.values()], axis=1) for part in (train, test)
        ]
        found["probes"] = probe_sections.code_probes(*flat, material, settings)
    return found


def _json(value):
    """Convert nested values to plain Python values, with `None` for NaN and infinity."""
    if isinstance(value, dict):
        return {str(name): _json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
