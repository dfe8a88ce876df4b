"""Codebooks given by the user: their checks, and their form in a layer's config."""

import base64

import numpy as np


def codebook_array(value, tables, num_embeddings, dim=None, *, name="codebook", unit=False):
    """Return `value` as a float32 array `(tables, K, dim)`.

    Args:
        value: array `(tables, K, dim)`; `(K, dim)` where there is one table.
        tables: number of heads with separate codebooks, or of levels.
        num_embeddings: `K`.
        dim: size of a code; `None`: any.
        name: of the argument, for the message.
        unit: whether only the directions of the codes matter, so that none may be zero.

    Raises:
        ValueError: another shape, or codes that are not finite, or zero where they must not be.
    """
    codes = np.asarray(value, "float32")
    if codes.ndim == 2 and tables == 1:
        codes = codes[None]
    if (
        codes.ndim != 3
        or codes.shape[:2] != (tables, num_embeddings)
        or codes.shape[2] != (dim or codes.shape[2])
    ):
        size = "dim" if dim is None else dim
        expected = f"({num_embeddings}, {size})" if tables == 1 else f"({tables}, {num_embeddings}, {size})"
        raise ValueError(f"{name} must have the shape {expected}. Received: shape={np.shape(value)}")
    if not np.isfinite(codes).all():
        raise ValueError(
            f"{name} must be finite. Received: {np.sum(~np.isfinite(codes).all(axis=2))} codes with NaN or "
            "infinite entries"
        )
    if unit and not np.square(codes).sum(axis=2).all():
        raise ValueError(f'{name} must have no zero vectors with distance="cosine". Received: some')
    return codes


def counts_array(counts, codes):
    """Return `counts` as a float32 array `(tables, K)` for `codes` `(tables, K, dim)`; zeros if `None`.

    Raises:
        ValueError: another shape, or counts that are negative, not finite, or all 0.
    """
    if counts is None:
        return np.zeros(codes.shape[:2], "float32")
    array = np.asarray(counts, "float32")
    array = array[None] if array.ndim == 1 and len(codes) == 1 else array
    if array.shape != codes.shape[:2]:
        expected = codes.shape[1:2] if len(codes) == 1 else codes.shape[:2]
        raise ValueError(f"counts must have the shape {expected}. Received: shape={np.shape(counts)}")
    if not np.isfinite(array).all() or array.min() < 0 or not array.any(axis=1).all():
        raise ValueError(
            "counts must be finite, at least 0 and not all 0. "
            f"Received: from {array.min()} to {array.max()}. Pass None for equal shares."
        )
    return array


def codebook_config(codes):
    """Return a codebook as an entry of a config; `None` for `None`."""
    if codes is None:
        return None
    codes = np.asarray(codes, "<f4")
    return {"shape": list(codes.shape), "float32": base64.b64encode(codes.tobytes()).decode("ascii")}


def codebook_from_config(config):
    """Return the codebook of an entry of `codebook_config`."""
    if not isinstance(config, dict):
        return config
    return np.frombuffer(base64.b64decode(config["float32"]), "<f4").reshape(config["shape"]).copy()
