"""What the vector quantisers can be asked for."""

from keras_ae.layers.initial_codebook import codebook_array


def check_settings(layer):
    """Raise a `ValueError` for settings that make no `VectorQuantizer`.

    Args:
        layer: with the constructor's arguments as attributes.
    """
    check_codebook(layer.num_embeddings, layer.ema_decay, layer.kmeans_samples)
    _check_shared(layer)
    if layer.num_heads < 1:
        raise ValueError(f"VectorQuantizer expects at least one head. Received: num_heads={layer.num_heads}")
    if layer.distance not in ("euclidean", "cosine"):
        raise ValueError(f"distance is 'euclidean' or 'cosine'. Received: distance={layer.distance!r}")
    if layer.diversity_temperature <= 0:
        raise ValueError(f"diversity_temperature is positive. Received: {layer.diversity_temperature}")
    _check_by_gradient(layer, "orthogonality_weight")


def check_residual_settings(layer):
    """Raise a `ValueError` for settings that make no `ResidualVectorQuantizer`."""
    check_codebook(layer.num_embeddings, layer.ema_decay, layer.kmeans_samples)
    _check_shared(layer)
    if layer.num_levels < 1:
        raise ValueError(
            f"ResidualVectorQuantizer expects at least one level. Received: num_levels={layer.num_levels}"
        )
    if not 0.0 <= layer.quantizer_dropout <= 1.0:
        raise ValueError(f"quantizer_dropout is in [0, 1]. Received: {layer.quantizer_dropout}")


def check_codebook(num_embeddings, ema_decay, kmeans_samples):
    """Raise a `ValueError` for settings that make no codebook."""
    if num_embeddings < 1:
        raise ValueError(f"A codebook has at least one code. Received: num_embeddings={num_embeddings}")
    if ema_decay is not None and not 0.0 <= ema_decay < 1.0:
        raise ValueError(f"ema_decay is in [0, 1), or None for a codebook by gradient. Received: {ema_decay}")
    if kmeans_samples and kmeans_samples < num_embeddings:
        raise ValueError(
            f"k-means takes at least one sample a code ({num_embeddings}), or 0 to do without. "
            f"Received: kmeans_samples={kmeans_samples}"
        )


def check_initial_codebook(layer, codebook, tables):
    """Return `codebook` as a float32 array `(tables, K, size)`, or `None`.

    Raises:
        ValueError: another shape, values that are not finite, or a k-means start as well.
    """
    if codebook is None:
        return None
    if layer.kmeans_samples:
        raise ValueError(
            "kmeans_samples must be None or 0 with an initial_codebook, which replaces the k-means start. "
            f"Received: kmeans_samples={layer.kmeans_samples}"
        )
    unit = getattr(layer, "distance", "euclidean") == "cosine"
    return codebook_array(
        codebook, tables, layer.num_embeddings, layer.codebook_dim, name="initial_codebook", unit=unit
    )


def check_code_size(codebook, size):
    """Raise `ValueError` unless the codes of `codebook` `(tables, K, dim)` have this size."""
    if codebook is not None and codebook.shape[2] != size:
        raise ValueError(
            f"initial_codebook must have codes of size {size}, that of the quantised vectors. "
            f"Received: shape={codebook.shape}"
        )


def _check_shared(layer):
    if layer.codebook_dim is not None and layer.codebook_dim < 1:
        raise ValueError(f"codebook_dim is at least 1, or None. Received: {layer.codebook_dim}")
    if layer.gradient not in ("straight_through", "rotation"):
        raise ValueError(
            f"gradient is 'straight_through' or 'rotation'. Received: gradient={layer.gradient!r}"
        )
    _check_by_gradient(layer, "linear_codebook")


def _check_by_gradient(layer, name):
    if getattr(layer, name) and layer.ema_decay is not None:
        raise ValueError(
            f"{name} needs a codebook that is trained by gradient: ema_decay=None. "
            f"Received: {name}={getattr(layer, name)}, ema_decay={layer.ema_decay}"
        )
