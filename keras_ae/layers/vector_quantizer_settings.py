"""What a vector quantiser can be asked for."""


def check_settings(num_embeddings, ema_decay, num_heads, distance, kmeans_samples):
    """Raise a `ValueError` for settings that make no quantiser."""
    if num_embeddings < 1 or num_heads < 1:
        raise ValueError(
            "VectorQuantizer expects at least one code and one head. "
            f"Received: num_embeddings={num_embeddings}, num_heads={num_heads}"
        )
    if ema_decay is not None and not 0.0 <= ema_decay < 1.0:
        raise ValueError(f"ema_decay is in [0, 1), or None for a codebook by gradient. Received: {ema_decay}")
    if distance not in ("euclidean", "cosine"):
        raise ValueError(f"distance is 'euclidean' or 'cosine'. Received: distance={distance!r}")
    if kmeans_samples and kmeans_samples < num_embeddings:
        raise ValueError(
            f"k-means takes at least one sample a code ({num_embeddings}), or 0 to do without. "
            f"Received: kmeans_samples={kmeans_samples}"
        )
