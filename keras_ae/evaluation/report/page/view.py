"""View of a record for its template."""

from typing import Any

from keras_ae.evaluation.report.page._map import scatter
from keras_ae.evaluation.report.page.findings import (
    cards,
    cautions,
    findings,
    label,
    leak_of,
    score,
    unit,
)
from keras_ae.evaluation.report.record import SHEET_COLUMNS
from keras_ae.pages.formats import format_decimals, format_number, format_percent
from keras_ae.pages.glossary import EMBEDDING, definitions
from keras_ae.pages.tables import Cell, Row, Table, pairs_table, value_cell
from keras_ae.pages.template import data_uri

MOST_ON_AXIS = 2048  # codes
METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "the first two principal components"}
MEASURES = {
    "mig": "mig",
    "dci_disentanglement": "dci",
    "dci_completeness": "dci_completeness",
    "dci_informativeness": "dci_informativeness",
    "sap": "sap",
}  # key of the glossary for each key of the record


def embedding_view(record: Any) -> dict[str, Any]:
    """Return plain values for `embedding.html`, which escapes all of them."""
    results = record.results
    return {
        "title": results["title"],
        "facts": _facts(results),
        "cards": cards(results),
        "findings": findings(results),
        "cautions": cautions(results),
        "map": scatter(results),
        "method": METHODS.get(results["map"]["method"], results["map"]["method"]),
        "trustworthiness": results["map"]["trustworthiness"],
        "sheets": {name: _sheet(name, record) for name in results["pictures"]},
        "probes": [_probe(name, one) for name, one in results["probes"].items()],
        "leaks": [_probe(name, one) for name, one in results["leaks"].items()],
        "control": _control(results),
        "pairs": _pairs_table(results),
        "noise": list(results["settings"]["code_noise"]),
        "codes": _codes(results["codes"]),
        "code_probes": _code_probes(results),
        "disentanglement": _disentanglement(results["disentanglement"]),
        "reconstruction": _reconstruction(results),
        "neighbours": _neighbours(results),
        "inputs": _inputs(results["encoder"]),
        "glossary": definitions(EMBEDDING.values()),
        "settings": pairs_table(results["settings"], setting=True),
        "about": pairs_table({**results["about"], **_material(results)}, setting=True),
    }


def _facts(results):
    encoder, data = results["encoder"], results["data"]
    shape = " × ".join(map(str, data["shape"]))
    kind = data["kind"] if data["kind"] != "arrays" else "examples"
    source = results["about"].get("data", {}).get("name")
    numbers = f"{encoder['numbers']:,} number{'s' * (encoder['numbers'] != 1)}"
    return [
        encoder["kind"],
        f"embedding of {numbers}",
        f"{f'{source}, ' if source else ''}{kind}{f' of {shape}' if shape else ''}",
        f"fitted on {data['n_train']:,}, read on {data['n_test']:,} held out",
    ]


def _inputs(encoder):
    """Return sentences about the inputs and the pooling of an encoder; "" for records without them."""
    text = (encoder.get("inputs") or {}).get("text", "")
    if text and encoder["pooled"]:
        text += (
            f" Embeddings of {' × '.join(map(str, encoder['embedding_shape']))} are pooled over positions."
        )
    return text


def _material(results):
    encoder = results["encoder"]
    inputs = {name: value for name, value in (encoder.get("inputs") or {}).items() if name != "text"}
    return {
        "inputs": inputs,
        "encoder": f"{encoder['kind']}: {encoder['name']}",
        "embedding": encoder["embedding_shape"],
        "pooled over positions": encoder["pooled"],
        **{name: results["data"][name] for name in ("n_train", "n_test", "factors", "nuisances")},
    }


def _sheet(name, record):
    count, height, width = record.results["pictures"][name]
    columns = min(SHEET_COLUMNS, count)
    return {
        "source": data_uri(record.pictures[name]),
        "count": count,
        "columns": columns,
        "width": width,
        "height": height,
        "all_width": columns * width,
        "all_height": -(-count // columns) * height,
    }


def _control(results):
    both = [*results["probes"].values(), *results["leaks"].values()]
    return next(iter(both[0]["controls"])) if both else ""


def _probe(name, one):
    """Return positions on a scale from 0 to 1 in per cent, and the numbers next to the scale."""
    control = next(iter(one["controls"].values()))
    low, high = (_place(value) for value in one["interval"])
    is_leak = "baseline" in one  # leaks are compared with the baseline
    return {
        "name": name,
        "what": "a quantity" if one["kind"] == "regression" else f"{one['classes']} classes",
        "unit": unit(one),
        "range": (low, max(0.6, high - low)),
        "marks": {
            "majority": _place(one["baseline" if is_leak else "majority"]),
            "control": _place(control["linear"]),
            "knn": _place(one.get("knn")),
            "mlp": _place(one["mlp"]),
            "linear": _place(one["linear"]),
        },
        "numbers": [
            (
                "linear",
                score(one["linear"], one),
                " to ".join(score(value, one) for value in one["interval"]),
            ),
            ("MLP", score(one["mlp"], one), " to ".join(score(value, one) for value in one["mlp_interval"])),
            *([(f"{one['knn_k']}-NN", score(one["knn"], one), "")] if "knn" in one else []),
            (next(iter(one["controls"])), score(control["linear"], one), "linear, of the inputs"),
            *([(label("baseline"), score(one["baseline"], one), "in hindsight")] if is_leak else []),
            (label("majority"), score(one["majority"], one), _guess(one)),
            (label("selectivity"), score(one["selectivity"], one), "less permuted labels"),
        ],
        "verdict": one.get("verdict", ""),
        "leak": leak_of(one) if is_leak else None,
    }


def _guess(one):
    return "most frequent of training" if one["classes"] else "the training mean"


def _place(value):
    return None if value is None else round(100 * min(1.0, max(0.0, value)), 2)


def _pairs_table(results):
    rows = results["pairs"]["rows"]
    if not rows:
        return None
    size = rows[0]["info_nce_candidates"]
    noise = list(rows[0]["noise"])
    heads = ["", "L_D*, nats", "closed form", "AUC", f"InfoNCE, N = {size}", f"retrieval among {size}"]
    heads += [f"L_D*, noise {s}" for s in noise]
    built = []
    for row in rows:
        closed = row["closed_form"]
        cells = [
            _with_spread(row, "ld_star", row["ld_star"] / results["pairs"]["independent"]),
            Cell(format_decimals(closed) if closed is not None else "", number=True),
            Cell(format_decimals(row["auc"]), number=True),
            _with_spread(row, "info_nce"),
            Cell(format_percent(row["retrieval"]), number=True),
        ]
        cells += [
            value_cell(row["noise"][s], digits=3) if s in row["noise"] else Cell("", True) for s in noise
        ]
        built.append(Row(row["name"], cells, own=row["role"] == "embedding"))
    return Table(heads, built)


def _with_spread(row, name, bar=None):
    text = format_decimals(row[name]).replace("−0.000", "0.000")
    if row["seeds"] > 1:
        text += f" ± {format_decimals(row[f'{name}_sd'])}"
    return Cell(text, number=True, bar=None if bar is None else min(1.0, bar))


def _codes(codes):
    if not codes:
        return []
    return [{"name": level, **_level(one)} for level, one in codes["levels"].items()]


def _level(one):
    shares, bits = one["shares"], one["num_values"] == 2
    top = 1.0 if bits else max(shares[0], 1 / one["num_values"])
    equal = 0.5 if bits else 1 / one["num_values"]
    listed, values = len(shares), one["num_values"]
    # the axis has all codes where it is known that those that are not listed were not chosen
    whole = not bits and listed == round(one["usage"] * values) and values <= MOST_ON_AXIS
    known = "" if one["values_known"] else " (as many as were seen)"
    return {
        "bars": [round(100 * share / top, 2) for share in shares],
        "equal": round(100 * equal / top, 2),
        "unused": values - listed if whole else 0,
        "last": f"{listed:,}" if bits else f"{values:,}" if whole else f"{listed:,} of {values:,}",
        "top": format_percent(top),
        "equal_share": format_percent(equal),
        "bits": bits,
        "facts": [
            (f"{one['num_values']:,}", f"values of a code{known}"),
            (format_number(round(one["positions"], 1), 4), "codes an example"),
            (format_percent(one["usage"]), label("codes.usage")),
            (format_number(one["perplexity"], 4), label("codes.perplexity")),
            (format_number(one["bits"], 4), "bits an example"),
            (format_number(one["entropy"], 4), label("entropy")),
        ],
    }


def _code_probes(results):
    found = (results["codes"] or {}).get("probes") or {}
    rows = [
        Row(name, [Cell(score(one[key], results["probes"][name]), number=True) for key in ("linear", "mlp")])
        for name, one in found.items()
    ]
    return Table(["", label("codes.linear"), label("codes.mlp")], rows) if rows else None


def _disentanglement(found):
    if not found:
        return None
    names = [name for name in MEASURES if any(name in row for row in found["rows"].values())]
    rows = [
        Row(title, [value_cell(row.get(name), digits=3) for name in names], own=title == "embedding")
        for title, row in found["rows"].items()
    ]
    table = Table(["", *(label(MEASURES[name]) for name in names)], rows)
    return {
        "table": table,
        "factors": found["factors"],
        "n_train": found["n_train"],
        "trees": found["num_trees"],
    }


def _reconstruction(results):
    found = results["reconstruction"]
    if not found or "mse" not in found:
        return None
    shown = results["pictures"].get("reconstructions", [0])[0] // 2
    return {
        "mse": found["mse"],
        "mean": found["mse_of_mean"],
        "n": found["n"],
        "shown": range(shown),
        "outputs": shown,
    }


def _neighbours(results):
    found = results["neighbours"]
    number, k = len(found["queries"]), found["k"]
    rows = []
    for row in range(number):
        own = found["of_queries"][row] if "factor" in found else None
        entries = []
        for place in range(k):
            index = number + row * k + place
            label = found["of_neighbours"][row][place] if "factor" in found else None
            entries.append(
                {
                    "index": index,
                    "label": "" if label is None else str(label),
                    "same": None if label is None or own is None else label == own,
                    "distance": found["distances"][row][place],
                    "text": found["texts"][index] if "texts" in found else "",
                }
            )
        text = found["texts"][row] if "texts" in found else ""
        rows.append({"index": row, "label": "" if own is None else str(own), "text": text, "found": entries})
    right = [entry["same"] for row in rows for entry in row["found"] if entry["same"] is not None]
    return {
        "rows": rows,
        "k": k,
        "factor": found.get("factor", ""),
        "right": sum(right) / len(right) if right else None,
    }
