"""Utterances of any length in, frames of all of them out."""

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.training.commands._encode_speech import encode_utterances, waveform_inputs
from keras_ae.training.datasets import stream_speech

WAVEFORMS = [("a.wav", np.arange(7.0)), ("b/c.wav", np.arange(3.0)), ("d.wav", np.arange(12.0))]


def encode(given):
    """A code for each two samples, the last of which may be half; two frames of padding."""
    x, length = given["x"], given["lengths"]
    frames = -(-x.shape[1] // 2)
    codes = np.concatenate([x[0, ::2], [99, 99]]).astype("int32")[None]
    assert x.dtype == np.float32 and length.tolist() == [x.shape[1]]
    return {
        "codes": codes,
        "embedding": np.stack([codes, -codes], -1) * 0.5,
        "code_lengths": np.array([frames]),
    }


def test_frames_follow_one_another_without_padding(tmp_path):
    done = []
    path = encode_utterances(encode, WAVEFORMS, tmp_path / "new" / "codes.npz", progress=done.append)
    with np.load(path) as file:
        assert set(file) == {"codes", "embedding", "names", "offsets"}
        assert file["names"].tolist() == ["a.wav", "b/c.wav", "d.wav"] and done == [1, 2, 3]
        assert file["offsets"].tolist() == [0, 4, 6, 12]
        assert file["codes"].dtype == np.int32
        for i, (_, waveform) in enumerate(WAVEFORMS):
            codes = file["codes"][file["offsets"][i] : file["offsets"][i + 1]]
            assert codes.tolist() == waveform[::2].tolist()
        np.testing.assert_array_equal(file["embedding"][:, 1], -0.5 * file["codes"])


def test_one_vector_an_utterance_is_one_frame(tmp_path):
    path = encode_utterances(lambda given: {"embedding": given["x"][:, :2]}, WAVEFORMS, tmp_path / "z.npz")
    with np.load(path) as file:
        assert file["embedding"].shape == (3, 2) and file["offsets"].tolist() == [0, 1, 2, 3]


def test_nothing_is_written_where_one_cannot_be_read(tmp_path):
    def broken():
        yield WAVEFORMS[0]
        raise InputError("d.wav is broken")

    with pytest.raises(InputError, match="d.wav is broken"):
        encode_utterances(encode, broken(), tmp_path / "new" / "codes.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("frames", [True, False])
def test_an_empty_shard_has_the_arrays_of_the_others(tmp_path, frames):
    def encoder(given):
        return encode(given) if frames else {"embedding": given["x"][:, :2]}

    def encoder_of_blank(given):
        return encoder({**given, "x": given["x"][:, :8], "lengths": np.array([8])})

    whole = encode_utterances(encoder, WAVEFORMS, tmp_path / "whole.npz")
    empty = encode_utterances(encoder_of_blank, [], tmp_path / "empty.npz")
    with np.load(whole) as first, np.load(empty) as second:
        assert set(first) == set(second)
        assert second["offsets"].tolist() == [0] and second["names"].shape == (0,)
        for name in set(first) - {"offsets", "names"}:
            assert (
                second[name].shape == (0, *first[name].shape[1:]) and second[name].dtype == first[name].dtype
            )


def test_what_takes_waveforms():
    assert waveform_inputs({"x": (None, None), "lengths": (None,)})
    assert not waveform_inputs({"x": (None, 8, 8, 1)})
    assert not waveform_inputs({"x": (None, None), "speaker": (None,)})


def test_a_stream_keeps_its_source_from_being_replaced(tmp_path):
    source = tmp_path / "in.npz"
    np.savez(source, audio=np.ones(900, "float32"), offsets=np.array([0, 400, 900]), sample_rate=8000)
    before = source.read_bytes()
    with pytest.raises(InputError, match="must not be an input"):
        encode_utterances(lambda given: {"z": given["x"]}, stream_speech(source, 8000), source)
    assert source.read_bytes() == before
