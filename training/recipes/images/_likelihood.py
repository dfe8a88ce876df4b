"""Bits per dimension of a discrete model with a prior over its codes."""

import math

import numpy as np

LEVELS = (2, 17, 256)  # black and white, scikit-learn's digits, bytes
MOST_FITTED = 500  # images by which the likelihood is fitted
BATCH = 256


def likelihood_metrics(model, data) -> dict:
    """Length of codes and images under the prior, on the test images.

    ```
    rate_bits_per_dim = -log2 p(codes) / D
    bits_per_dim      = (-log2 p(codes) - log2 p(x | codes)) / D,   D = height x width x channels
    ```

    The rate is the length of the codes alone: what a coder of the codes with this prior
    needs, at the stated error of the reconstruction. `bits_per_dim` is a bound on the
    length of the image itself (an encoder that gives one code makes the evidence lower
    bound this sum): the pixels follow a logistic distribution around
    `offset + slope * reconstruction`, cut into the levels that pixels have. Its three
    numbers are the same for all pixels and fitted on validation images.

    Args:
        model: `models.GenerativeAutoEncoder`.
        data: `ImageData`.

    Returns:
        `rate_bits_per_dim`, `uniform_rate_bits_per_dim` (all codes equally probable),
        `rate_bits_per_image`; and, where the pixels have 2, 17 or 256 levels,
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
    """How many levels from 0 to 1 the pixels have, of those that occur; `None` for any other.

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
    """`-log p(x)` of each pixel, a logistic distribution whose mass is cut into `levels`.

    `p(x) = F(x + h) - F(x - h)`, `F(v) = sigmoid((v - mean) / scale)`, `h` half a level,
    `mean = offset + slope * reconstruction`; the first level has all the mass below it,
    the last all above.
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
    """`{"scale", "offset", "slope"}` with the fewest nats on the first images of a split."""
    x = split.images(range(min(MOST_FITTED, len(split))))
    made = np.concatenate(
        [np.asarray(model.reconstruct(x[start : start + BATCH])) for start in range(0, len(x), BATCH)]
    )

    def nats(log_scale, offset, slope):
        return logistic_nats(x, made, math.exp(log_scale), offset, slope, levels=levels).mean()

    best, steps = [math.log(0.03), 0.0, 1.0], [0.7, 0.05, 0.05]
    for _ in range(12):  # one number after the other, ever finer
        for i, step in enumerate(steps):
            tried = [[*best[:i], best[i] + step * k, *best[i + 1 :]] for k in (-2, -1, 0, 1, 2)]
            best = min(tried, key=lambda numbers: nats(*numbers))
        steps = [0.75 * step for step in steps]
    return {"scale": math.exp(best[0]), "offset": best[1], "slope": best[2]}


def _code_nats(model, split):
    """Mean of `-log p(codes)` of an image, given its label where the prior is told labels."""
    labelled, values = model.prior.settings["num_labels"], []
    for number, images in enumerate(_batches(split)):
        labels = split.labels[number * BATCH : (number + 1) * BATCH] if labelled else None
        values.append(-np.asarray(model.log_prob(model.encode(images), labels=labels), "float64"))
    return float(np.concatenate(values).mean())


def _batches(split):
    for start in range(0, len(split), BATCH):
        yield split.images(range(start, min(start + BATCH, len(split))))
