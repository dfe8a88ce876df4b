"""Labels and definitions of the figures in reports, comparisons and `metrics.json`."""

from collections.abc import Iterable
from dataclasses import dataclass

from keras_ae.pages.template import format_name


@dataclass(frozen=True)
class Figure:
    """Measured number with its `label` on pages and its `definition` in one sentence."""

    label: str
    definition: str


# Figures of an embedding, in embedding.json, on its page and in comparisons.
EMBEDDING = {
    "linear": Figure(
        "linear probe of the embedding",
        "Accuracy on held-out examples of logistic regression (C = 1), or R² of ridge regression, fitted on "
        "the embeddings of the report's training examples.",
    ),
    "mlp": Figure("MLP of the embedding", "The same of a perceptron with 256 hidden units."),
    "knn": Figure(
        "k-NN of the embedding",
        "Accuracy on held-out examples of the majority among the nearest training embeddings.",
    ),
    "codes.linear": Figure(
        "linear probe of the codes",
        "The linear probe of the report with one column for each value of a code in place of the embedding.",
    ),
    "codes.mlp": Figure("MLP of the codes", "The MLP of the report on the same columns."),
    "majority": Figure(
        "guessing",
        "Accuracy on held-out examples of the most frequent class of training; of a quantity, R² of the "
        "training mean.",
    ),
    "baseline": Figure(
        "best constant",
        "The most that one answer for all held-out examples reaches, chosen in hindsight: the larger "
        "of guessing "
        "and the share of the most frequent held-out class, or 0 for R².",
    ),
    "chance": Figure("chance", "One divided by the number of classes, or of candidates."),
    "selectivity": Figure(
        "selectivity", "The linear probe less the same probe of labels that are permuted within each part."
    ),
    "leak": Figure(
        "leak",
        "(max(linear, MLP) − best constant) / (1 − best constant), at least 0: the share of what can "
        "be known "
        "of a nuisance that a probe reads.",
    ),
    "ld_star": Figure(
        "L_D*",
        "Held-out loss, in nats, of a discriminator of matched and mismatched pairs of input and "
        "embedding: 0 "
        "identifies the input, 1.386 is noise.",
    ),
    "ld_star_noise": Figure("L_D*, noise 1", "L_D* of the embedding with noise of one standard deviation."),
    "info_nce": Figure(
        "InfoNCE", "Lower bound of the information about the input, in nats; at most log N of N candidates."
    ),
    "retrieval": Figure(
        "retrieval",
        "How often the discriminator ranks the own input of an embedding first among N candidates.",
    ),
    "reconstruction.mse": Figure(
        "MSE of the report", "Mean squared error on at most 1,000 held-out examples of the report."
    ),
    "codes.usage": Figure(
        "usage in the report", "Share of the codes chosen at least once by the report's training examples."
    ),
    "codes.perplexity": Figure(
        "perplexity in the report", "exp of the entropy of the codes of the report's training examples."
    ),
    "bits": Figure("bits", "Length of the code of an example: positions × log2 of the number of values."),
    "entropy": Figure(
        "bits it carries at most", "Sum over positions of the entropy of the code in the report, in bits."
    ),
    "numbers": Figure("numbers", "Floating-point numbers of an embedding as it was probed."),
    "mig": Figure("MIG", "Mean gap of mutual information between the best and the second best coordinate."),
    "dci": Figure("DCI disentanglement", "Whether each coordinate serves one factor, by boosted trees."),
    "dci_completeness": Figure("DCI completeness", "Whether each factor needs one coordinate only."),
    "dci_informativeness": Figure("DCI informativeness", "Mean accuracy of the trees on held-out examples."),
    "sap": Figure("SAP", "Mean gap of accuracy between the best and the second best coordinate."),
}

# Figures of a run, in metrics.json, by the part of the key after the group, or by the whole key.
RUN = {
    "mse": Figure("MSE", "Mean squared error of the reconstructions of all test images, pixels in [0, 1]."),
    "psnr": Figure("PSNR", "10 log10(1 / MSE) of all test images, in dB."),
    "loss": Figure("loss", "The training objective on the test examples."),
    "reconstruction_loss": Figure("reconstruction loss", "Mean reconstruction loss of the test examples."),
    "kl_loss": Figure("KL loss", "Divergence of the code from its prior, in nats, mean over test examples."),
    "probe_accuracy": Figure(
        "linear probe, whole test",
        "Accuracy on all test images of logistic regression (C = 0.01), fitted on at most 10,000 training "
        "images: on the codes of the model (one-hot, grid embeddings, bits or vectors), or on what "
        "the row of "
        "a baseline names.",
    ),
    "codes.usage": Figure(
        "usage, training images",
        "Share of the codes chosen at least once in one pass over the training images.",
    ),
    "codes.perplexity": Figure(
        "perplexity, training images", "exp of the entropy of the codes in one pass over the training images."
    ),
    "test.usage": Figure(
        "usage, test utterances", "Share of the units that occur at least once in the test utterances."
    ),
    "bits_per_image": Figure(
        "bits per image", "Length of the code: positions × log2 of the number of values."
    ),
    "rate_bits_per_image": Figure(
        "rate, bits per image", "Length of the codes of a test image under the prior."
    ),
    "rate_bits_per_dim": Figure("rate, bits per dim", "The same for each pixel and channel."),
    "uniform_rate_bits_per_dim": Figure(
        "rate of equal codes, bits per dim", "Length of the codes if all were equally probable."
    ),
    "bits_per_dim": Figure(
        "bits per dim",
        "Bound on the length of a test image for each pixel and channel: its codes and its pixels.",
    ),
    "pixel_levels": Figure("pixel levels", "Number of values that a pixel can have."),
    "likelihood_scale": Figure("likelihood scale", "Scale of the logistic distribution of the pixels."),
    "likelihood_offset": Figure("likelihood offset", "Offset of its mean."),
    "likelihood_slope": Figure("likelihood slope", "Slope of its mean against the reconstruction."),
    "accuracy": Figure(
        "accuracy of the prediction", "How often the true future frame is ranked first among its distractors."
    ),
    "phone_accuracy": Figure(
        "linear probe of the phone",
        "How often logistic regression (C = 1) reads the phone at a frame of test utterances.",
    ),
    "speaker_accuracy": Figure(
        "linear probe of the speaker",
        "How often logistic regression (C = 1) reads the speaker of a test utterance: from the share "
        "of each unit, "
        "or from mean and deviation of the frames that the row names.",
    ),
    "purity": Figure(
        "purity", "Share of the test frames whose phone is the one that stands for their unit in training."
    ),
    "gain": Figure("gain", "Nats by which the loss is below that of equal scores, test sentences."),
    "context_accuracy": Figure(
        "context accuracy", "How often the best of all sentences of a block is a neighbour, test sentences."
    ),
    "previous_perplexity": Figure(
        "perplexity of the previous sentence", "exp of the mean loss of its words, test sentences."
    ),
    "next_perplexity": Figure(
        "perplexity of the next sentence", "exp of the mean loss of its words, test sentences."
    ),
}

# Figures of tasks with labelled sentences, in the group "transfer" of metrics.json.
TRANSFER = {
    "accuracy": Figure("accuracy of a task", "Share of held-out sentences whose class is predicted."),
    "f1": Figure("F1", "F1 of the class whose name is last, of tasks with two classes of pairs."),
    "pearson": Figure("regression r", "Pearson's correlation with the scores of a regression."),
    "cosine_spearman": Figure(
        "cosine ρ", "Spearman's correlation of the scores with the cosine of both vectors; nothing is fitted."
    ),
}


def run_figure(key: str) -> Figure | None:
    """Return the figure of a dotted key of `metrics.json`, or `None`.

    Example:

    >>> run_figure("codes.usage").label, run_figure("mse").label, run_figure("baselines.PCA-16.mse").label
    ('usage, training images', 'MSE', 'MSE')
    """
    group, _, name = key.rpartition(".")
    found = RUN.get(key) or RUN.get(f"test.{key}") or RUN.get(name)
    prefix, _, last = name.rpartition("_")
    if found is None and group == "codes" and f"codes.{last}" in RUN:  # codes of one of several levels
        figure = RUN[f"codes.{last}"]
        return Figure(f"{prefix}: {figure.label}", figure.definition)
    return found


def run_label(key: str) -> str:
    """Return the label of a dotted key of `metrics.json`; the key in words if `RUN` does not contain it."""
    figure = run_figure(key)
    return format_name(key) if figure is None else figure.label


def definitions(figures: Iterable[Figure | None]) -> list[tuple[str, str]]:
    """Return `[(label, definition)]`, each once, in the order of their first use."""
    return list(dict.fromkeys((figure.label, figure.definition) for figure in figures if figure is not None))
