"""Whether a run is behind its baselines, in one sentence for each result."""

import re

from keras_ae.pages.formats import format_number
from keras_ae.pages.glossary import run_label
from keras_ae.pages.tables import is_finite_number
from keras_ae.training.report._tables import baselines_of, key_of, lower_is_better, measured

# A speaker that is predicted worse may be intended, so that no verdict is possible.
HIGHER_IS_BETTER = (
    "probe_accuracy",
    "phone_accuracy",
    "context_accuracy",
    "gain",
    "auc",
    "average_precision",
)
ADVICE = (
    "Train longer (--epochs) if the learning curves still fall; otherwise try another learning rate or a "
    "larger model."
)


def verdicts(metrics: dict, settings: dict) -> list[str]:
    """Return a sentence for each result of a run that is worse than that of a comparable baseline.

    Comparable are codes of the same length or shorter. If the run or the baselines have no code length,
    principal components are comparable if there are at most `latent_dim` of them (none for codes).

    Args:
        metrics: content of `metrics.json`.
        settings: settings of the recipe.

    Example:

    >>> verdicts({"test": {"mse": 0.03}, "baselines": {"mean image": {"mse": 0.02}}}, {})
    ['MSE is 0.0300; the baseline mean image has 0.0200.']
    """
    own, rows = measured(metrics), baselines_of(metrics.get("baselines"))
    keys = dict.fromkeys(key for values in rows.values() for key in values)
    return [text for text in (_verdict(key, own, rows, settings) for key in keys) if text]


def _verdict(key, own, rows, settings):
    value = own.get(key_of(own, key))
    sign = 1 if lower_is_better(key) else -1 if key.endswith(HIGHER_IS_BETTER) else 0
    if not sign or not is_finite_number(value):
        return ""
    found = {name: row[key] for name, row in rows.items() if is_finite_number(row.get(key))}
    bits = own.get(key_of(own, "bits_per_image"))
    coded = {name for name in found if bits and is_finite_number(rows[name].get("bits_per_image"))}
    same = {name for name in coded if rows[name]["bits_per_image"] <= bits}
    names = same or {name for name in found if _comparable(name, bits, settings)}
    better = sorted(
        (name for name in names if sign * found[name] < sign * value), key=lambda n: sign * found[n]
    )
    if not better:
        return ""
    length = f" with at most {format_number(bits)} bits" if same else ""
    others = len(better) - 1
    more = f", and {others} more {'is' if others == 1 else 'are'} better" if others else ""
    value, best = format_number(value, 3), format_number(found[better[0]], 3)
    return f"{run_label(key)} is {value}; the baseline {better[0]} has {best}{length}{more}."


def _comparable(name, bits, settings):
    components = re.match(r"PCA-(\d+)", name)
    if components is None:
        return True
    return not bits and int(components[1]) <= settings.get("latent_dim", int(components[1]))
