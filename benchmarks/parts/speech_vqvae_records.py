"""The records of `speech_vqvae.py`."""

import numpy as np

from parts.records import record as repeated

COMMAND = "python benchmarks/speech_vqvae.py"
NAMES = {
    "vq": "VectorQuantizer",
    "none": "no bottleneck",
    "gaussian": "GaussianBottleneck (VAE)",
    "gumbel": "GumbelOneHot",
    "binary": "BinaryBottleneck",
}
COMPARED = {
    "phone": "linear probe of the phone of a code (20 ms) on its embedding, 15,000 training codes",
    "speaker": "linear probe of the speaker of an utterance on mean and deviation of its embeddings",
    "purity": "share of frames of 10 ms whose phone is the majority of their unit in training",
    "unit_speaker": "linear probe of the speaker on the histogram of the units of an utterance",
    "usage": "share of the units that occur in the test sentences",
    "reconstruction": "mean absolute error of normalised log-mel frames",
}
TRIED = (
    "chosen on other sentences of the same voices, seed 100, 128 units, purity and ratio of the speaker: "
    "0.52 and 0.40 with these settings; without noise 0.53 and 0.47 with crops of 1.6 s, 0.50 to 0.51 and "
    "0.51 to 0.53 with 0.96 s, 0.47 and 0.59 with 2.4 s and half of the epochs"
)


def records_of(results, recipe, data) -> dict:
    """All records from the results there are."""
    found = {}
    general = note(recipe, data)
    if results["vq"]:
        found |= headline(results["vq"], general)
    for bottleneck, of_seeds in results.items():
        if not of_seeds:
            continue
        minutes = sum(one["minutes"] for one in of_seeds)
        units = "" if bottleneck not in ("none", "gaussian") else "; units by k-means on training embeddings"
        for key, text in COMPARED.items():
            values = [one["test"][key] if key in one["test"] else one[key] for one in of_seeds]
            words = f"{NAMES[bottleneck]}: {text}{units if 'unit' in key or key == 'purity' else ''}"
            found[f"speech_vqvae.compare.{bottleneck}.{key}"] = record(values, "", minutes, words)
        for noise in ("white", "babble"):
            for key, text in (
                ("unchanged", "share of the units that are those of the clean utterance"),
                ("purity", "purity by the map of clean training frames"),
                ("phone", "linear probe of the phone, fitted on clean embeddings"),
            ):
                values = [one[noise][key] for one in of_seeds]
                words = (
                    f"{NAMES[bottleneck]}, {noise} noise at 10 dB: {text}{units if key != 'phone' else ''}"
                )
                found[f"speech_vqvae.noise.{noise}.{bottleneck}.{key}"] = record(values, "", minutes, words)
    return found


def headline(results, general):
    """The results with a goal."""
    minutes = sum(one["minutes"] for one in results)
    epochs = ", ".join(str(one["epoch"]) for one in results)
    ratio = [one["unit_speaker"] / one["log_mel_speaker"] for one in results]
    log_mel = np.mean([one["log_mel_speaker"] for one in results])
    units = np.mean([one["unit_speaker"] for one in results])
    compared = (
        f"speaker from the histogram of the units {units:.3f}, from mean and deviation of 80 log-mels "
        f"{log_mel:.3f}: standardised, logistic regression, C = 1"
    )
    purity = f"{general}; epoch of the lowest validation error of each seed: {epochs}"
    values = {key: [one[key] for one in results] for key in ("usage", "unit_speaker", "log_mel_speaker")}
    return {
        "speech_vqvae.purity": record([r["test"]["purity"] for r in results], ">= 0.50", minutes, purity),
        "speech_vqvae.usage": record(
            values["usage"], ">= 0.80", minutes, "units that occur in the test sentences"
        ),
        "speech_vqvae.speaker_ratio": record(ratio, "<= 0.5", minutes, compared),
        "speech_vqvae.speaker": record(values["unit_speaker"], "", minutes, compared),
        "speech_vqvae.baseline.log_mel.speaker": record(values["log_mel_speaker"], "", minutes, compared),
    }


def note(recipe, data):
    split = "/".join(str(len(part)) for part in (data.train, data.validation, data.test))
    return "; ".join(
        (
            f"{recipe.num_embeddings} units at 50 Hz, {len(data.phones)} phones without stress marks",
            f"{len(data.speakers)} espeak-ng voices, {split} sentences for train/validation/test, synthetic",
            f"{recipe.epochs} epochs of crops of {recipe.crop_seconds:g} s, batch {recipe.batch_size}, "
            f"warp {recipe.warp:g}, noise {recipe.noise:g}",
            TRIED,
        )
    )


def record(values, goal, minutes, text):
    return repeated(values, COMMAND, minutes, text, goal)
