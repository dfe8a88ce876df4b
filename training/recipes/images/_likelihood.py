"""Bits per dimension of a discrete model with a prior over its codes."""

import math

import numpy as np

LEVELS = (2, 17, 256)  # black and white, scikit-learn's digits, bytes
MOST_FITTED = 500  # number of images to which the likelihood is fitted
BATCH = 256


def likelihood_metrics(model, data) -> dict:
    """Compute the length of codes and images in bits under the prior, on the test images.

    ```
    rate_bits_per_dim = -log2 p(codes) / D
    bits_per_dim      = (-log2 p(codes) - log2 p(x | codes)) / D,   D = height x width x channels
    ```

    The rate is the length of the codes alone: the bits that an entropy coder with this prior
    needs for the codes, at the reported reconstruction error. `bits_per_dim` is an upper bound on the
    length of the image itself (for a deterministic encoder, the evidence lower bound is this
    sum): the pixels follow a logistic distribution around
    `offset + slope * reconstruction`, discretised to the levels of the pixels. Its three
    parameters (scale, offset, slope) are the same for all pixels and are fitted to validation images.

    Args:
        model: `models.GenerativeAutoEncoder`.
        data: `ImageData`.

    Returns:
        `rate_bits_per_dim`, `uniform_rate_bits_per_dim` (all codes equally probable),
        `rate_bits_per_image`; and, if the pixels have 2, 17 or 256 levels,
        `bits_per_dim`, `pixel_levels`, and scale, offset and slope of the likelihood.
    """
    dims = math.prod(data.image_shape)
    nats = _code_nats(model, data.test)
    uniform = sum(prior.num_codes * math.log(prior.num_values) for prior in model.priors)
    metrics = {
        "rate_bits_per_image": nats / math.log(2),
        "rate_bits_per_dim": nats / math.log(2) / dims,
        "uniform_rate_bits_per_dim": uniform / math.log(2) / dims,
    }
    levels = pixel_levels(data.validation.images(range(min(MOST_FITTED, len(data.validation)))))
    if levels is None:
        return metrics
    fitted = fitted_likelihood(model, data.validation, levels)
    pixels = sum(
        logistic_nats(x, np.asarray(model.reconstruct(x)), **fitted, levels=levels).sum()
        for x in _batches(data.test)
    )
    total = nats + pixels / len(data.test)
    bits = {"bits_per_dim": total / math.log(2) / dims, "pixel_levels": levels}
    return {**metrics, **bits, **{f"likelihood_{name}": value for name, value in fitted.items()}}


def pixel_levels(images) -> int | None:
    """Return the number of levels of the pixels from 0 to 1: 2, 17 or 256; `None` for any other values.

    Example:

    >>> pixel_levels(np.array([0, 3, 255]) / 255), pixel_levels(np.array([0.1234]))
    (256, None)
    """
    for levels in LEVELS:
        scaled = np.asarray(images, "float64") * (levels - 1)
        if np.abs(scaled - np.round(scaled)).max() < 1e-3:
            return levels
    return None


def logistic_nats(x, reconstruction, scale, offset=0.0, slope=1.0, *, levels):
    """Compute `-log p(x)` of each pixel, for a logistic distribution discretised to `levels`.

    `p(x) = F(x + h) - F(x - h)`, `F(v) = sigmoid((v - mean) / scale)`, `h` half a level,
    `mean = offset + slope * reconstruction`; the first level includes all mass below it,
    the last all mass above.
    """
    half = 0.5 / (levels - 1)
    x, mean = np.asarray(x, "float64"), offset + slope * np.asarray(reconstruction, "float64")
    upper, lower = (x + half - mean) / scale, (x - half - mean) / scale
    # log(F(b) - F(a)) = -softplus(-b) - softplus(a) + log(1 - exp(a - b)), exact in the tails
    below = np.where(x < half, 0.0, np.logaddexp(0, lower))
    above = np.where(x > 1 - half, 0.0, np.logaddexp(0, -upper))
    inside = (x >= half) & (x <= 1 - half)
    return below + above - np.where(inside, math.log(-math.expm1(-2 * half / scale)), 0.0)


def fitted_likelihood(model, split, levels) -> dict:
    """Return `{"scale", "offset", "slope"}` with the fewest nats on the first images of a split."""
    x = split.images(range(min(MOST_FITTED, len(split))))
    made = np.concatenate(
        [np.asarray(model.reconstruct(x[start : start + BATCH])) for start in range(0, len(x), BATCH)]
    )

    def nats(log_scale, offset, slope):
        return logistic_nats(x, made, math.exp(log_scale), offset, slope, levels=levels).mean()

    best, steps = [math.log(0.03), 0.0, 1.0], [0.7, 0.05, 0.05]
    for _ in range(12):  # coordinate descent with decreasing step sizes
        for i, step in enumerate(steps):
            tried = [[*best[:i], best[i] + step * k, *best[i + 1 :]] for k in (-2, -1, 0, 1, 2)]
            best = min(tried, key=lambda numbers: nats(*numbers))
        steps = [0.75 * step for step in steps]
    return {"scale": math.exp(best[0]), "offset": best[1], "slope": best[2]}


def _code_nats(model, split):
    """Compute the mean of `-log p(codes)` of an image, given its label if the prior is class-conditional."""
    labelled, values = model.prior.settings["num_labels"], []
    for number, images in enumerate(_batches(split)):
        labels = split.labels[number * BATCH : (number + 1) * BATCH] if labelled else None
        values.append(-np.asarray(model.log_prob(model.encode(images), labels=labels), "float64"))
    return float(np.concatenate(values).mean())


def _batches(split):
    for start in range(0, len(split), BATCH):
        yield split.images(range(start, min(start + BATCH, len(split))))
