"""`L_D*` where its value is known, and of embeddings of the digits beside what does not saturate.

    python benchmarks/pair_discrimination.py

Closed forms: fresh pairs of known joints, every seed with its own. Digits: scikit-learn's
8x8 scans as vectors, the last 497 of a fixed order held out; a code of noise, the class
label, and principal components of the first 1,300. All rows have the defaults of
`pair_discrimination`. Writes `docs/results/pair_discrimination.json` after every row.
"""

import argparse
import math
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tensorflow as tf
from parts.records import write_records
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from keras_ae.evaluation import PairDiscriminator, pair_discrimination, probe

COMMAND = "python benchmarks/pair_discrimination.py"
FIT, STOP, HELD_OUT = 8000, 2000, 20_000  # pairs of a closed form
DIM, CODE = 16, 8
RHO = 0.9
DIGITS = 1300  # not held out, of 1,797
NOISE = (0.3, 1.0)


def label_loss(classes):
    """`L_D*` of the label of so many equally frequent classes."""
    return math.log(1 + 1 / classes) + math.log(1 + classes) / classes


def independent(number, generator):
    return generator.normal(size=(number, DIM)), generator.normal(size=(number, CODE))


def labels(classes):
    """Separable clusters and their one-hot label."""
    centres = 3 * np.random.default_rng(9).normal(size=(classes, DIM))

    def draw(number, generator):
        label = generator.integers(0, classes, number)
        return centres[label] + 0.3 * generator.normal(size=(number, DIM)), np.eye(classes)[label]

    return draw


def gaussian(number, generator):
    x, noise = generator.normal(size=(2, number, 1))
    return x, RHO * x + math.sqrt(1 - RHO**2) * noise


# name: (pairs, closed form, tolerance, goal: the upper side)
CLOSED_FORMS = {
    "noise": (independent, 2 * math.log(2), 0.02, "<= 1.406"),
    "label2": (labels(2), label_loss(2), 0.03, "<= 0.9848"),
    "label10": (labels(10), label_loss(10), 0.03, "<= 0.3651"),
    "gauss09": (gaussian, 0.957, 0.02, "<= 0.977"),
}
WHAT = {
    "noise": f"embedding independent of the input ({DIM} and {CODE} normal variables)",
    "label2": f"label of 2 separable classes ({DIM} variables)",
    "label10": f"label of 10 separable classes ({DIM} variables)",
    "gauss09": "x normal, z = 0.9 x + sqrt(1 - 0.81) noise; the value of the optimal score, by sampling",
}


def measure_closed_form(name, seeds):
    """Records of a joint whose `L_D*` is known, also under noise on the code."""
    draw, value, tolerance, goal = CLOSED_FORMS[name]
    start, runs = time.process_time(), []
    discriminator = PairDiscriminator()
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        fit, stop, held_out = (draw(number, generator) for number in (FIT, STOP, HELD_OUT))
        runs.append({})
        for noise in (0.0, *(NOISE if name != "noise" else ())):
            discriminator.seed, discriminator.code_noise = seed, noise
            fitted = discriminator.fit(*fit, validation=stop)
            runs[-1][noise] = fitted.evaluate(*held_out, num_candidates=None)
    minutes = (time.process_time() - start) / 60
    losses = [run[0.0]["ld"] for run in runs]
    distance = max(abs(loss - value) for loss in losses)
    note = (
        f"{WHAT[name]}; closed form {value:.4f}, to be met within {tolerance} on either side: farthest seed "
        f"{distance:.4f} away; nats; {FIT:,} pairs to fit, {STOP:,} to stop, {HELD_OUT:,} held out, "
        "drawn anew by each seed; scores start at 0, and that state is a candidate"
    )
    records = {f"ldstar.{name}": record(losses, minutes, note, goal)}
    for noise in NOISE if name != "noise" else ():
        note = f"{WHAT[name]}; the same with noise of {noise} standard deviations on the code"
        key = f"ldstar.{name}.code_noise_{str(noise).replace('.', '_')}"
        records[key] = record([run[noise]["ld"] for run in runs], minutes, note)
    return records


def digit_codes():
    """Images, labels, `{name: embeddings}` of all digits in a fixed order, and the PCA."""
    images, label = load_digits(return_X_y=True)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(images))
    images, label = (images[order] / 16).astype("float32"), label[order]
    pca = PCA(8, random_state=0).fit(images[:DIGITS])
    components = pca.transform(images).astype("float32")
    codes = {"noise": generator.normal(size=(len(images), 8)).astype("float32")}
    codes["label"] = np.eye(10, dtype="float32")[label]
    codes.update({f"pca{k}": components[:, :k] for k in (1, 2, 4, 8)})
    return images, label, codes, pca


DIGIT_NOTES = {
    "noise": "control: 8 normal variables, independent of the image; closed form 1.3863",
    "label": "control: the class as one-hot; closed form 0.3351, the rest is held-out error on 1,300 digits",
    **{f"pca{k}": f"{k} principal components, fitted on the 1,300 digits" for k in (1, 2, 4, 8)},
}


def measure_digits(name, seeds):
    """Records of one embedding of the digits."""
    images, label, codes, pca = digit_codes()
    z, start = codes[name], time.process_time()
    data = {"test": (images[DIGITS:], z[DIGITS:]), "seeds": seeds}
    result = pair_discrimination(images[:DIGITS], z[:DIGITS], code_noise=NOISE, num_candidates=256, **data)
    read = probe(z[:DIGITS], label[:DIGITS], test=(z[DIGITS:], label[DIGITS:]))
    split = f"{result['n_train']} to fit, {result['n_validation']} to stop, {result['n_test']} held out"
    note = f"{DIGIT_NOTES[name]}; {split}; a seed draws weights, pairs and the split of the first two"
    measures = {
        "": ("ld_star", f"nats; {note}"),
        ".auc": ("auc", f"of matched against mismatched pairs; {note}"),
        ".info_nce": (
            "info_nce",
            f"nats, bound of the information by the same score among 256, at most 5.545; {note}",
        ),
        ".retrieval": ("retrieval", f"top-1, the image by its code among 256; {note}"),
    }
    minutes = (time.process_time() - start) / 60
    records = {
        f"ldstar.digits.{name}{key}": summary(result[measure], result[f"{measure}_sd"], seeds, minutes, text)
        for key, (measure, text) in measures.items()
    }
    for noise in NOISE:
        key = f"ldstar.digits.{name}.code_noise_{str(noise).replace('.', '_')}"
        values = result["noise"][str(noise)], result["noise_sd"][str(noise)]
        records[key] = summary(*values, seeds, minutes, f"nats; noise of {noise} sd on the code; {note}")
    low, high = read["interval"]
    text = f"linear probe of the digit, 497 held out, 95 % {low:.3f} to {high:.3f}; majority "
    text += f"{read['majority']:.3f}"
    records[f"ldstar.digits.{name}.linear"] = summary(read["linear"], 0.0, 1, minutes, text)
    if name.startswith("pca"):
        records.update(measure_decoder(name, images, z, pca, data, note))
    return records


def measure_decoder(name, images, z, pca, data, note):
    """The score of the PCA's own decoder: `L_D` of a reconstruction, beside its error."""
    components = tf.constant(pca.components_[: z.shape[1]], tf.float32)
    mean, start = tf.constant(pca.mean_, tf.float32), time.process_time()
    result = pair_discrimination(
        images[:DIGITS],
        z[:DIGITS],
        score="decoder",
        decoder=lambda codes: codes @ components + mean,
        code_noise=(),
        **data,
    )
    minutes, seeds = (time.process_time() - start) / 60, data["seeds"]
    texts = {
        "ld_star": f'score="decoder" with the frozen decoder of the PCA, nats; {note}',
        "mse": "error of that decoder per pixel of [0, 1], 497 held out",
    }
    names = {"ld_star": "decoder", "mse": "mse"}
    return {
        f"ldstar.digits.{name}.{names[key]}": summary(result[key], result[f"{key}_sd"], seeds, minutes, text)
        for key, text in texts.items()
    }


def record(values, minutes, note, goal=""):
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return summary(float(np.mean(values)), deviation, len(values), minutes, note, goal)


def summary(mean, sd, n, minutes, note, goal=""):
    minutes = round(minutes, 1)
    return {
        "mean": mean,
        "sd": sd,
        "n": n,
        "goal": goal,
        "command": COMMAND,
        "minutes": minutes,
        "note": note,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="rows to measure, such as label10 or digits.pca1")
    parser.add_argument("--record", type=Path, default=Path("docs/results/pair_discrimination.json"))
    arguments = parser.parse_args()
    rows = {name: lambda name=name: measure_closed_form(name, arguments.seeds) for name in CLOSED_FORMS}
    rows.update({f"digits.{k}": lambda k=k: measure_digits(k, arguments.seeds) for k in DIGIT_NOTES})
    for name, measure in rows.items():
        if arguments.only is None or name in arguments.only:
            records = measure()
            write_records(arguments.record, records)
            for key, entry in records.items():
                print(f"{key:<42} {entry['mean']:.4f} ± {entry['sd']:.4f}  {entry['goal']}", flush=True)


if __name__ == "__main__":
    main()
