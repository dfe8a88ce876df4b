"""Labels and definitions of the results in reports, comparisons and `metrics.json`."""

from collections.abc import Iterable
from dataclasses import dataclass

from keras_ae.pages.formats import format_name


@dataclass(frozen=True)
class Measure:
    """A result: its `label` on pages and its `definition` in one sentence."""

    label: str
    definition: str


# Results of an embedding, in embedding.json, on its page and in comparisons.
EMBEDDING = {
    "linear": Measure(
        "linear probe of the embedding",
        "Held-out accuracy of logistic regression (C = 1), or R² of ridge regression, fitted to the "
        "embeddings of the report's training examples.",
    ),
    "mlp": Measure(
        "MLP of the embedding",
        "Held-out accuracy or R² of a perceptron with 256 hidden units, fitted to the same embeddings.",
    ),
    "knn": Measure(
        "k-NN of the embedding",
        "Held-out accuracy of the majority class among the nearest training embeddings.",
    ),
    "codes.linear": Measure(
        "linear probe of the codes",
        "The linear probe of the report with one-hot codes (one column for each value of a code) in "
        "place of the embedding.",
    ),
    "codes.mlp": Measure("MLP of the codes", "The MLP of the report with the same one-hot codes."),
    "majority": Measure(
        "guessing",
        "Held-out accuracy of the most frequent class of the training examples; for a quantity, R² of "
        "the training mean.",
    ),
    "baseline": Measure(
        "best constant",
        "Best result of one constant answer for all held-out examples, chosen in hindsight: the "
        "larger of guessing and the share of the most frequent held-out class, or 0 for R².",
    ),
    "chance": Measure("chance", "One divided by the number of classes, or of candidates."),
    "selectivity": Measure(
        "selectivity",
        "Result of the linear probe minus that of the same probe with labels permuted within the "
        "training and the test examples.",
    ),
    "leak": Measure(
        "leak",
        "(max(linear, MLP) − best constant) / (1 − best constant), at least 0: the share of the "
        "possible improvement over the best constant that a probe of the nuisance reaches.",
    ),
    "ld_star": Measure(
        "L_D*",
        "Held-out loss, in nats, of a discriminator between matched and mismatched pairs of input and "
        "embedding: 0 if the embedding identifies the input, 1.386 for noise.",
    ),
    "ld_star_noise": Measure(
        "L_D*, noise 1", "L_D* of the embedding with added noise of one standard deviation."
    ),
    "info_nce": Measure(
        "InfoNCE", "Lower bound of the information about the input, in nats; at most log N for N candidates."
    ),
    "retrieval": Measure(
        "retrieval",
        "Share of the embeddings for which the discriminator ranks the matching input first among N "
        "candidates.",
    ),
    "reconstruction.mse": Measure(
        "MSE of the report", "Mean squared error on at most 1,000 held-out examples of the report."
    ),
    "codes.usage": Measure(
        "usage in the report", "Share of the codes chosen at least once for the report's training examples."
    ),
    "codes.perplexity": Measure(
        "perplexity in the report",
        "Exponential of the entropy of the codes of the report's training examples.",
    ),
    "bits": Measure(
        "bits", "Length of the code of an example: number of positions × log2 of the number of values."
    ),
    "entropy": Measure(
        "entropy, bits",
        "Sum over positions of the entropy of the code in the report, in bits: an upper bound of its "
        "information.",
    ),
    "numbers": Measure("numbers", "Number of floating-point values of the embedding as it was probed."),
    "mig": Measure(
        "MIG", "Mean gap in mutual information with a factor between the best and the second-best coordinate."
    ),
    "dci": Measure(
        "DCI disentanglement",
        "Degree to which each coordinate encodes a single factor, measured with boosted trees.",
    ),
    "dci_completeness": Measure(
        "DCI completeness", "Degree to which each factor is encoded by a single coordinate."
    ),
    "dci_informativeness": Measure("DCI informativeness", "Mean accuracy of the trees on held-out examples."),
    "sap": Measure(
        "SAP", "Mean gap in accuracy between the best and the second-best coordinate for a factor."
    ),
}

# Results of a run, in metrics.json, by the part of the key after the group, or by the whole key.
RUN = {
    "mse": Measure(
        "MSE", "Mean squared error of the reconstructions of all test images, with pixels in [0, 1]."
    ),
    "psnr": Measure("PSNR", "10 log10(1 / MSE) of all test images, in dB."),
    "loss": Measure("loss", "Training objective on the test examples."),
    "reconstruction_loss": Measure("reconstruction loss", "Mean reconstruction loss of the test examples."),
    "error": Measure(
        "error",
        "Mean over columns of the error of the normal test rows: the squared error in standard deviations of "
        "the training rows, or the share of wrong categories.",
    ),
    "auc": Measure(
        "AUC of anomalies",
        "Probability that an anomaly among the test rows has a larger score than a normal row (area under "
        "the ROC curve).",
    ),
    "average_precision": Measure(
        "average precision of anomalies",
        "Mean of the precision over the recalls of the anomalies among the test rows, ranked by their score.",
    ),
    "kl_loss": Measure(
        "KL loss",
        "Kullback-Leibler divergence of the code from its prior, in nats, mean over the test examples.",
    ),
    "probe_accuracy": Measure(
        "linear probe, whole test",
        "Accuracy on all test images of logistic regression (C = 0.01), fitted to at most 10,000 "
        "training images: to the codes of the model (one-hot, grid embeddings, bits or vectors), or "
        "to the features named in the row of a baseline.",
    ),
    "codes.usage": Measure(
        "usage, training images",
        "Share of the codes chosen at least once in one pass over the training images.",
    ),
    "codes.perplexity": Measure(
        "perplexity, training images",
        "Exponential of the entropy of the codes in one pass over the training images.",
    ),
    "test.usage": Measure(
        "usage, test utterances", "Share of the units that occur at least once in the test utterances."
    ),
    "bits_per_image": Measure(
        "bits per image", "Length of the code: number of positions × log2 of the number of values."
    ),
    "rate_bits_per_image": Measure(
        "rate, bits per image", "Length of the codes of a test image under the prior."
    ),
    "rate_bits_per_dim": Measure(
        "rate, bits per dim", "Length of the codes of a test image under the prior, per pixel and channel."
    ),
    "uniform_rate_bits_per_dim": Measure(
        "rate of uniform codes, bits per dim",
        "Length of the codes per pixel and channel if all codes were equally probable.",
    ),
    "bits_per_dim": Measure(
        "bits per dim",
        "Upper bound of the length of a test image, its codes and its pixels, per pixel and channel.",
    ),
    "pixel_levels": Measure("pixel levels", "Number of possible values of a pixel."),
    "likelihood_scale": Measure("likelihood scale", "Scale of the logistic distribution of the pixels."),
    "likelihood_offset": Measure(
        "likelihood offset", "Offset of the mean of the logistic distribution of the pixels."
    ),
    "likelihood_slope": Measure(
        "likelihood slope",
        "Slope of the mean of the logistic distribution of the pixels against the reconstruction.",
    ),
    "accuracy": Measure(
        "accuracy of the prediction",
        "Share of the predictions that rank the true future frame first among its distractors.",
    ),
    "phone_accuracy": Measure(
        "linear probe of the phone",
        "Accuracy of logistic regression (C = 1) for the phone at a frame of the test utterances.",
    ),
    "speaker_accuracy": Measure(
        "linear probe of the speaker",
        "Accuracy of logistic regression (C = 1) for the speaker of a test utterance: from the share "
        "of each unit, or from the mean and the standard deviation of the frames named in the row.",
    ),
    "purity": Measure(
        "purity", "Share of the test frames whose phone is the majority phone of their unit in training."
    ),
    "gain": Measure(
        "gain", "Loss of equal scores minus the loss of the model on the test sentences, in nats."
    ),
    "context_accuracy": Measure(
        "context accuracy",
        "Share of the test sentences for which the sentence of the block with the highest score is a "
        "neighbour.",
    ),
    "previous_perplexity": Measure(
        "perplexity of the previous sentence",
        "Exponential of the mean loss of the words of the previous sentence, on the test sentences.",
    ),
    "next_perplexity": Measure(
        "perplexity of the next sentence",
        "Exponential of the mean loss of the words of the next sentence, on the test sentences.",
    ),
}

# Results of tasks with labelled sentences, in the group "transfer" of metrics.json.
TRANSFER = {
    "accuracy": Measure(
        "accuracy of a task", "Share of the held-out sentences whose class is predicted correctly."
    ),
    "f1": Measure(
        "F1",
        "F1 score of the class whose name is last in alphabetical order, for tasks of pairs with two "
        "classes.",
    ),
    "pearson": Measure(
        "regression r", "Pearson's correlation of the scores with the predictions of a regression."
    ),
    "cosine_spearman": Measure(
        "cosine ρ",
        "Spearman's correlation of the scores with the cosine similarity of both vectors; nothing is fitted.",
    ),
}


def run_measure(key: str) -> Measure | None:
    """Return the label and definition of a dotted key of `metrics.json`, or `None`.

    Example:

    >>> run_measure("codes.usage").label, run_measure("mse").label, run_measure("baselines.PCA-16.mse").label
    ('usage, training images', 'MSE', 'MSE')
    """
    group, _, name = key.rpartition(".")
    found = RUN.get(key) or RUN.get(f"test.{key}") or RUN.get(name)
    prefix, _, last = name.rpartition("_")
    if found is None and group == "codes" and f"codes.{last}" in RUN:  # codes of one of several levels
        measure = RUN[f"codes.{last}"]
        return Measure(f"{prefix}: {measure.label}", measure.definition)
    return found


def run_label(key: str) -> str:
    """Return the label of a dotted key of `metrics.json`; the key in words if `RUN` does not contain it."""
    measure = run_measure(key)
    return format_name(key) if measure is None else measure.label


def definitions(measures: Iterable[Measure | None]) -> list[tuple[str, str]]:
    """Return `[(label, definition)]`, each once, in the order of their first use."""
    return list(
        dict.fromkeys((measure.label, measure.definition) for measure in measures if measure is not None)
    )
