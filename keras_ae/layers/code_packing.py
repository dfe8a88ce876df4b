"""Integer codes as bytes, with as many bits a code as its range takes.

Codes in `[0, K)` take `ceil(log2 K)` bits each, written one after the other, the highest bit
of each first; the last byte of an example is filled up with zeros. These are NumPy functions:
packed codes go to files and over networks, not through a graph.
"""

import math

import numpy as np

LARGEST = 2**31  # codes are int32


def pack_codes(codes, num_values: int) -> np.ndarray:
    """Integer codes `(examples, ...)` in `[0, num_values)` to uint8 `(examples, bytes)`.

    Raises:
        ValueError: no axis of examples, no integers, or codes out of range.

    Example:

    >>> pack_codes([[0, 1, 2, 3, 4]], num_values=5).tolist()  # 000 001 01|0 011 100 0
    [[5, 56]]
    """
    codes = np.asarray(codes)
    if codes.ndim == 0 or not (np.issubdtype(codes.dtype, np.integer) or codes.size == 0):
        raise ValueError(
            "pack expects integer codes whose first axis is that of the examples. "
            f"Received: shape={codes.shape}, dtype={codes.dtype}"
        )
    if codes.size and (codes.min() < 0 or codes.max() >= num_values):
        raise ValueError(
            f"pack expects codes from 0 to {num_values - 1}. "
            f"Received: codes from {codes.min()} to {codes.max()}"
        )
    examples, each = len(codes), math.prod(codes.shape[1:])
    rows = codes.reshape(examples, each).astype(">u4")
    bits = np.unpackbits(rows.view("uint8").reshape(examples, each, 4), axis=-1)
    width = bits_per_code(num_values)
    return np.packbits(bits[:, :, 32 - width :].reshape(examples, each * width), axis=-1)


def unpack_codes(packed, num_values: int, code_shape) -> np.ndarray:
    """The opposite of `pack_codes`: int32 `(examples, *code_shape)`.

    Args:
        packed: uint8 `(examples, bytes)`.
        num_values: that of `pack_codes`.
        code_shape: shape of the codes of one example, `()` for a single code.

    Raises:
        ValueError: a wrong number of bytes, or bytes that hold no code below `num_values`.

    Example:

    >>> unpack_codes(np.array([[5, 56]], "uint8"), num_values=5, code_shape=(5,)).tolist()
    [[0, 1, 2, 3, 4]]
    """
    packed, code_shape = np.asarray(packed), tuple(code_shape)
    width, each = bits_per_code(num_values), math.prod(code_shape)
    size = -(-width * each // 8)
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != size:
        raise ValueError(
            f"unpack expects uint8 of shape (examples, {size}): {width} bits for each of the codes "
            f"{code_shape} of an example. Received: shape={packed.shape}, dtype={packed.dtype}"
        )
    bits = np.zeros((len(packed), each, 32), "uint8")
    bits[:, :, 32 - width :] = np.unpackbits(packed, axis=-1)[:, : width * each].reshape(
        len(packed), each, width
    )
    codes = np.packbits(bits, axis=-1).view(">u4").reshape(len(packed), *code_shape)
    if codes.size and codes.max() >= num_values:
        raise ValueError(
            f"unpack expects bytes of codes from 0 to {num_values - 1}. Received: a code of {codes.max()}"
        )
    return codes.astype("int32")


def bits_per_code(num_values: int) -> int:
    """`ceil(log2 K)`: bits that hold any of `K` values; 0 for a single one.

    >>> [bits_per_code(values) for values in (1, 2, 5, 512, 513)]
    [0, 1, 3, 9, 10]
    """
    if not 1 <= num_values <= LARGEST:
        raise ValueError(f"Codes have from 1 to 2^31 values. Received: num_values={num_values}")
    return (int(num_values) - 1).bit_length()
