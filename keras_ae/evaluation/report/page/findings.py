"""Summary of the results of a report in sentences."""

from dataclasses import dataclass

from keras_ae.evaluation.report.sections.pairs import INDEPENDENT
from keras_ae.pages.formats import format_decimals, format_number, format_percent
from keras_ae.pages.glossary import EMBEDDING
from keras_ae.pages.tables import Card

MOST_CARDS = 6
FEW_TEST_EXAMPLES = 200
NEXT_TO_NOTHING = 0.97  # as a share of the L_D* of noise


@dataclass(frozen=True)
class Finding:
    """Sentence about a result; `tone` is "good", "plain" or "bad"."""

    text: str
    tone: str = "plain"


def score(value: float | None, results: dict) -> str:
    """Format the result of a probe: accuracy as a percentage, `R^2` as a number."""
    if value is None or results["kind"] != "regression":
        return format_percent(value)
    return format_decimals(value)


def unit(results: dict) -> str:
    """Return the name of the measure of a probe, `R²` or accuracy."""
    return "R²" if results["kind"] == "regression" else "accuracy"


def cards(results: dict) -> list[Card]:
    """Return cards with the most important results."""
    found = []
    for name, one in list(results["probes"].items())[:2]:
        control, values = next(iter(one["controls"].items()))
        guess = f"{label('majority')} {score(one['majority'], one)}, {control} {score(values['linear'], one)}"
        found.append(Card(f"{name}, {label('linear')}", score(one["linear"], one), guess))
    for row in results["pairs"]["rows"][:1]:
        found.append(
            Card("L_D*, nats", format_number(row["ld_star"], 3), "0: identifies its input; 1.386: noise")
        )
        size = row["info_nce_candidates"]
        found.append(
            Card(
                "retrieval",
                format_percent(row["retrieval"]),
                f"of inputs ranked first among {size}; {label('chance')} {format_percent(1 / size)}",
            )
        )
    error = results["reconstruction"] or {}
    if "mse" in error:
        note = f"held-out examples; mean example: {format_number(error['mse_of_mean'], 3)}"
        found.append(Card(label("reconstruction.mse"), format_number(error["mse"], 3), note))
    codes = results["codes"]
    if codes:
        note = f"of at most {format_number(codes['bits'], 4)}"
        found.append(Card(label("entropy"), format_number(codes["entropy"], 3), note))
    leaks = results["leaks"]
    if leaks:
        name = max(leaks, key=lambda one: leaks[one]["share"])
        found.insert(
            1, Card(f"{label('leak')} of {name}", format_percent(leak_of(leaks[name])), _read(leaks[name]))
        )
    return found[:MOST_CARDS]


def label(key: str) -> str:
    """Return the label of a result of an embedding, which is the same on every page."""
    return EMBEDDING[key].label


def leak_of(results: dict) -> float:
    """Return the leak of a nuisance, the share of the possible improvement of a probe, at least 0."""
    return max(0.0, results["share"])


def _read(one):
    """Return a text of the result of the better probe of a nuisance, with the baseline."""
    best = score(max(one["linear"], one["mlp"]), one)
    return f"{one['verdict']}: a probe reaches {best}, the {label('baseline')} {score(one['baseline'], one)}"


def findings(results: dict) -> list[Finding]:
    """Return one sentence for each result of the embedding."""
    found = [_known(name, one) for name, one in results["probes"].items()]
    found += [_leaked(name, one) for name, one in results["leaks"].items()]
    found += [_identified(row) for row in results["pairs"]["rows"][:1]]
    error = results["reconstruction"] or {}
    if error.get("mse_of_mean"):
        found.append(_reconstructed(error["mse"], error["mse_of_mean"]))
    found += [_used(level, one) for level, one in ((results["codes"] or {}).get("levels") or {}).items()]
    if results["disentanglement"]:
        found.append(_separated(results["disentanglement"]))
    return found


def cautions(results: dict) -> list[str]:
    """Return reservations about the results, one sentence each."""
    data, found = results["data"], list(results["doubts"])
    if data["n_test"] < FEW_TEST_EXAMPLES:
        found.append(f"There are only {data['n_test']} held-out examples: intervals are wide.")
    if data["equal_test_inputs"]:
        found.append(
            f"Held-out inputs that equal another one: {data['equal_test_inputs']}. Their mismatched pairs "
            "cannot be distinguished from matched ones, which raises L_D* and lowers retrieval."
        )
    if results["settings"]["seeds"] < 3 and results["pairs"]["rows"]:
        seeds = results["settings"]["seeds"]
        found.append(f"L_D* comes from {seeds} seed{'s' * (seeds > 1)}; use at least 3 for publication.")
    side = results["settings"].get("pair_side")
    if side and data["kind"] == "images" and max(data["shape"][:2]) > side and results["pairs"]["rows"]:
        found.append(f"The discriminator used images reduced to {side} pixels, which can only raise L_D*.")
    if results["pairs"].get("left_out"):
        found.append(f"L_D* was left out: {results['pairs']['left_out']}")
    found += [f"{name} was left out: {why}" for name, why in results.get("left_out", {}).items()]
    found += [
        f"{name} is missing in {count:,} examples, which are left out of its results."
        for name, count in data.get("missing", {}).items()
    ]
    slow = [
        name
        for name, one in [*results["probes"].items(), *results["leaks"].items()]
        if "linear" in one.get("unconverged", ())  # which records of older versions do not have
    ]
    if slow:
        found.append(f"The linear probe of {', '.join(slow)} did not converge: its result may be too low.")
    found += [f"{name} could not be measured: {why}" for name, why in results.get("failed", {}).items()]
    if "left_out" in (results["reconstruction"] or {}):
        found.append(f"The reconstruction was left out: {results['reconstruction']['left_out']}")
    return found


def _known(name, one):
    low, high = (score(value, one) for value in one["interval"])
    control, values = next(iter(one["controls"].items()))
    text = (
        f"A linear probe of “{name}” reaches {score(one['linear'], one)} ({low} to {high}), "
        f"the same probe of {control} of the inputs {score(values['linear'], one)}, "
        f"and guessing {score(one['majority'], one)}."
    )
    if one["mlp_interval"][0] > one["interval"][1]:
        text += (
            f" An MLP reaches {score(one['mlp'], one)}: part of the information is not linearly separable."
        )
    better, worse = one["interval"][0] > values["interval"][1], one["interval"][1] < values["interval"][0]
    return Finding(text, "good" if better else "bad" if worse else "plain")


def _leaked(name, one):
    best = score(max(one["linear"], one["mlp"]), one)
    constant = f"the {label('baseline')} {score(one['baseline'], one)}"
    if not one["leaks"]:
        return Finding(
            f"“{name}” was not found in the embedding: a probe reaches {best}, {constant}.", "good"
        )
    return Finding(f"The embedding leaks “{name}”: a probe reaches {best}, {constant}.", "bad")


def _identified(row):
    size = row["info_nce_candidates"]
    if row["ld_star"] > NEXT_TO_NOTHING * INDEPENDENT:
        return Finding(
            "The discriminator found almost no information about the input in the embedding: "
            f"L_D* = {row['ld_star']:.3f} nats, where noise has {INDEPENDENT:.3f}.",
            "bad",
        )
    return Finding(
        f"The embedding identifies its input with L_D* = {format_number(row['ld_star'], 3)} nats; the input "
        f"is ranked first among {size} in {format_percent(row['retrieval'])} of cases. This measures "
        "information, not usefulness."
    )


def _reconstructed(error, of_mean):
    if error >= of_mean:
        numbers = f"{format_number(error, 3)}, mean example {format_number(of_mean, 3)}"
        return Finding(f"The reconstructions are no better than the mean example: MSE {numbers}.", "bad")
    explained = format_percent(1 - error / of_mean)
    return Finding(f"The reconstructions explain {explained} of the variance of held-out inputs.")


def _used(level, one):
    name = f"The {level} codes use" if level else "The codes use"
    return Finding(
        f"{name} {format_percent(one['usage'])} of their {one['num_values']:,} values, and carry at most "
        f"{format_number(one['entropy'], 3)} of {format_number(one['bits'], 4)} bits.",
        "bad" if one["usage"] < 0.5 and one["num_values"] <= 4096 else "plain",
    )


def _separated(found):
    own, *others = found["rows"].values()
    control = list(found["rows"])[-1]
    mig, other = (f"{row['mig']:.3f}" for row in (own, others[-1]))
    return Finding(f"MIG is {mig} ({control}: {other}); it is 1 if each factor has its own coordinate.")
