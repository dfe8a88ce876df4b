import keras
import numpy as np
import pytest

from keras_ae.layers import (
    BinaryBottleneck,
    FiniteScalarQuantizer,
    GumbelOneHot,
    LookupFreeQuantizer,
    VectorQuantizer,
)
from keras_ae.layers.bottlenecks.bottleneck import bits_per_code, pack_codes, unpack_codes

VALUES = [1, 2, 3, 5, 8, 255, 256, 257, 512, 1000, 2**13, 2**16 + 1, 2**24, 2**31 - 1, 2**31]
LAYERS = {
    "vq": lambda: VectorQuantizer(11, kmeans_samples=0),
    "vq_two_heads": lambda: VectorQuantizer(6, kmeans_samples=0, num_heads=2),
    "gumbel": GumbelOneHot,
    "fsq": lambda: FiniteScalarQuantizer([5, 4, 3]),
    "fsq_digit_counts": lambda: FiniteScalarQuantizer([2**8] * 3),
    "lfq": lambda: LookupFreeQuantizer(31),
    "binary": BinaryBottleneck,
}


def random_codes(shape, num_values):
    codes = np.random.default_rng(0).integers(0, num_values, shape, dtype="int64")
    codes.reshape(-1)[: min(2, codes.size)] = [num_values - 1, 0][: min(2, codes.size)]
    return codes.astype("int32")


@pytest.mark.parametrize("shape", [(3, 4, 5), (7,), (1, 1), (2, 0), (0, 3), (4, 9, 1, 2)], ids=str)
@pytest.mark.parametrize("num_values", VALUES)
def test_codes_come_back_in_no_more_bytes_than_needed(num_values, shape):
    codes = random_codes(shape, num_values)
    packed = pack_codes(codes, num_values)
    width = int(np.ceil(np.log2(num_values)))  # exact for these: no power of two is rounded past
    assert bits_per_code(num_values) == width
    assert packed.dtype == np.uint8
    assert packed.shape == (shape[0], -(-width * int(np.prod(shape[1:])) // 8))
    unpacked = unpack_codes(packed, num_values, shape[1:])
    assert unpacked.dtype == np.int32
    np.testing.assert_array_equal(unpacked, codes)


def test_bytes_are_the_binary_numbers_one_after_the_other():
    codes = random_codes((2, 3, 3), 37)
    for example, packed in zip(codes, pack_codes(codes, 37), strict=True):
        text = "".join(f"{code:06b}" for code in example.ravel())
        text += "0" * (-len(text) % 8)
        assert "".join(f"{byte:08b}" for byte in packed) == text


def test_any_integer_type_and_byte_order_is_taken():
    codes = random_codes((3, 5), 300)
    expected = pack_codes(codes, 300)
    for dtype in ("int64", "uint16", ">i4"):
        np.testing.assert_array_equal(pack_codes(codes.astype(dtype), 300), expected)
    np.testing.assert_array_equal(pack_codes(codes[::-1], 300), expected[::-1])  # not contiguous
    np.testing.assert_array_equal(pack_codes(codes.tolist(), 300), expected)


@pytest.mark.parametrize(
    "codes, message",
    [
        ([[0, 5]], "from 0 to 4.*Received: codes from 0 to 5"),
        ([[-1, 2]], "from 0 to 4.*Received: codes from -1 to 2"),
        ([[0.0, 1.0]], "codes to pack must be integers.*float64"),
        (3, r"first axis.*Received: shape=\(\)"),
    ],
    ids=str,
)
def test_what_is_no_code_is_not_packed(codes, message):
    with pytest.raises(ValueError, match=message):
        pack_codes(codes, 5)


@pytest.mark.parametrize(
    "packed, message",
    [
        (np.zeros((2, 3), "uint8"), r"\(examples, 2\).*3 bits.*\(4,\).*Received: shape=\(2, 3\)"),
        (np.zeros(2, "uint8"), r"Received: shape=\(2,\)"),
        (np.zeros((2, 2), "int32"), "uint8.*int32"),
        (np.full((2, 2), 255, "uint8"), "from 0 to 4.*Received: a code of 7"),
    ],
    ids=["bytes", "axes", "dtype", "value"],
)
def test_bytes_that_hold_no_codes_are_refused(packed, message):
    with pytest.raises(ValueError, match=message):
        unpack_codes(packed, 5, (4,))


@pytest.mark.parametrize("num_values", [0, -1, 2**31 + 1])
def test_codes_beyond_31_bits_are_refused(num_values):
    with pytest.raises(ValueError, match=r"num_values must be from 1 to 2\^31. Received"):
        bits_per_code(num_values)


@pytest.mark.parametrize("name", LAYERS)
def test_every_bottleneck_packs_its_codes(name):
    layer = LAYERS[name]()
    codes = layer.encode(keras.random.normal((3, 2, 4, 6), seed=0))
    packed = layer.pack(codes)
    assert packed.dtype == np.uint8
    assert len(packed) == 3
    np.testing.assert_array_equal(layer.unpack(packed, codes.shape[1:]), codes)


def test_sizes_of_layers_are_those_of_their_codes():
    codes = VectorQuantizer(512, kmeans_samples=0).encode(keras.random.normal((2, 7, 7, 4)))
    assert VectorQuantizer(512).pack(codes).shape == (2, 56)  # 49 codes of 9 bits are 441 bits
    heads = LookupFreeQuantizer(10, num_heads=3).encode(keras.random.normal((2, 8, 30)))
    assert LookupFreeQuantizer(10, num_heads=3).pack(heads).shape == (2, 30)


def test_a_layer_that_does_not_know_its_codes_yet_says_so():
    for method, arguments in (("pack", [[[0]]]), ("unpack", [np.zeros((1, 1), "uint8"), (1,)])):
        with pytest.raises(
            ValueError, match=f"GumbelOneHot.{method} must be called on a built layer.*Received"
        ):
            getattr(GumbelOneHot(), method)(*arguments)
