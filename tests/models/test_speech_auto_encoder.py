"""An auto-encoder of waveforms whose decoder is conditioned on the speaker."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.layers import FrameNormalization, LogMelSpectrogram, SpectralPerturbation, VectorQuantizer
from keras_ae.models import SpeechAutoEncoder
from keras_ae.networks import frame_decoder, frame_encoder, front_end

MEL = {"num_mels": 6, "sample_rate": 1000, "window_length": 16, "hop": 8, "fft_length": 16}


def model(bottleneck=None, speakers=3, mels=6, perturbation=(), **decoder):
    keras.utils.set_random_seed(0)
    parts = [LogMelSpectrogram(**MEL), *perturbation]
    small = {"filters": 8, "residual_blocks": 1}
    encoder = frame_encoder(parts, 4, **small)
    decoder = frame_decoder(mels, 4, speakers, speaker_dim=4, seed=0, **small, **decoder)
    return SpeechAutoEncoder(encoder, decoder, front_end([LogMelSpectrogram(**MEL)]), bottleneck)


def utterances(examples=6, speakers=3, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.standard_normal((examples, 100)).astype("float32"),
        "lengths": rng.integers(40, 100, examples, "int32"),
        "speaker": rng.integers(0, speakers, examples, "int32"),
    }


@pytest.mark.slow
def test_the_loss_is_the_mean_error_of_the_real_log_mel_frames():
    network, x = model(VectorQuantizer(8, kmeans_samples=0, seed=0)), utterances()
    network.compile("adam")
    found = network.evaluate(x, verbose=0, return_dict=True)
    frames, errors = np.asarray(network.reconstruct(x)), []
    for i, length in enumerate(x["lengths"]):
        mel = np.asarray(LogMelSpectrogram(**MEL)(x["x"][i : i + 1, :length]))[0]
        errors.append(np.abs(frames[i, : len(mel)] - mel))
    # float32 means of some hundred values
    np.testing.assert_allclose(found["reconstruction_loss"], np.concatenate(errors).mean(), rtol=1e-5)
    expected = found["reconstruction_loss"] + 0.25 * found["commitment_loss"]
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


def test_two_frames_share_a_code_and_codes_with_a_speaker_make_the_frames():
    network, x = model(VectorQuantizer(8, kmeans_samples=0, seed=0)), utterances()
    codes = network.encode(x)
    assert codes.shape == (6, 7)  # 100 samples are 13 frames
    lengths = 1 + x["lengths"] // 8
    decoded = network.decode(codes, -(-lengths // 2), speaker=x["speaker"])
    reconstructed = np.asarray(network.reconstruct(x))
    for i, length in enumerate(lengths):
        np.testing.assert_allclose(decoded[i, :length], reconstructed[i, :length], atol=1e-6)
    np.testing.assert_allclose(network.embed(x), network.bottleneck.decode(codes), atol=1e-6)


def test_another_speaker_changes_the_frames_and_nothing_of_the_codes():
    network, x = model(VectorQuantizer(8, kmeans_samples=0, seed=0)), utterances()
    other = {**x, "speaker": (x["speaker"] + 1) % 3}
    np.testing.assert_array_equal(network.encode(x), network.encode(other))
    assert np.abs(np.asarray(network.reconstruct(x)) - np.asarray(network.reconstruct(other))).max() > 1e-3


@pytest.mark.slow
def test_the_codes_need_not_carry_the_condition_of_the_decoder():
    """Two speakers who differ in level alone: one code is enough for both."""
    rng = np.random.default_rng(0)
    speaker = rng.integers(0, 2, 64).astype("int32")
    level = np.where(speaker == 1, 8.0, 1.0)[:, None]
    x = {"x": (level * rng.standard_normal((64, 100))).astype("float32"), "speaker": speaker}
    errors = []
    for told in (speaker, np.zeros_like(speaker)):
        network = model(VectorQuantizer(2, kmeans_samples=0, seed=0), jitter=0.0)
        network.bottleneck.trainable = False  # the codes stay what they are: noise is all alike
        network.compile(keras.optimizers.Adam(1e-2))
        network.encoder.trainable = False
        network.compile(keras.optimizers.Adam(1e-2))
        history = network.fit({**x, "speaker": told}, epochs=30, batch_size=32, verbose=0)
        errors.append(history.history["reconstruction_loss"][-1])
    # log 64 = 4.2 apart in level: a decoder that does not know it is wrong by about half of that,
    # one that knows it by the spread of a noise's log energy alone
    assert errors[0] < 0.75 * errors[1]


@pytest.mark.slow
def test_the_target_is_not_trained_and_comes_back_with_its_statistics(tmp_path):
    normalization = FrameNormalization()
    x = utterances(16)
    normalization.adapt([x], front_end=LogMelSpectrogram(**MEL))
    network = model()
    target = front_end([LogMelSpectrogram(**MEL), normalization])
    network = SpeechAutoEncoder(network.encoder, network.decoder, target)
    network.compile("adam")
    network.fit(x, epochs=1, verbose=0)
    assert not network.target.trainable_variables
    frames, mask = network.target_of(tf.constant(x["x"]), tf.sequence_mask(x["lengths"], 100))
    real = np.asarray(frames)[np.asarray(mask)]
    np.testing.assert_allclose(real.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(real.std(axis=0), 1.0, atol=1e-3)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.target(x["x"]), network.target(x["x"]), atol=1e-6)


@pytest.mark.slow
def test_clean_speech_can_be_the_target_of_noisy_speech():
    network, x = model(), utterances()
    network.compile("adam")
    clean = network.evaluate(x, verbose=0, return_dict=True)["loss"]
    louder = network.evaluate(x, 3.0 * x["x"], verbose=0, return_dict=True)["loss"]
    assert abs(clean - louder) > 0.1


def test_jitter_and_perturbation_act_in_training_alone():
    network = model(perturbation=[SpectralPerturbation(seed=0)])
    x = utterances()
    np.testing.assert_array_equal(network(x), network(x))
    assert np.abs(np.asarray(network(x, training=True)) - np.asarray(network(x, training=True))).max() > 1e-3


def test_endpoints_name_codes_frames_and_their_lengths():
    network, x = model(VectorQuantizer(8, kmeans_samples=0, seed=0)), utterances()
    table = network.endpoints()
    assert set(table["encode"].inputs) == {"x", "lengths"}
    assert set(table["decode"].inputs) == {"codes", "code_lengths", "speaker"}
    assert table["decode"].value_ranges == {"codes": (0, 7), "speaker": (0, 2)}
    assert table["score"].value_ranges == {"speaker": (0, 2)} and not table["encode"].value_ranges
    found = table["reconstruct"].function(**x)
    assert np.asarray(found["frame_lengths"]).tolist() == (1 + x["lengths"] // 8).tolist()
    encoded = table["encode"].function(x=x["x"], lengths=x["lengths"])
    assert np.asarray(encoded["code_lengths"]).tolist() == (-(-(1 + x["lengths"] // 8) // 2)).tolist()


def test_without_a_speaker_it_encodes_but_does_not_reconstruct():
    network, x = model(), utterances()
    alone = {name: x[name] for name in ("x", "lengths")}
    assert network.encode(alone).shape == (6, 7, 4)
    assert network.encode(x["x"]).shape == (6, 7, 4)
    for inputs in (alone, x["x"]):
        with pytest.raises(InputError, match='x must contain "speaker"'):
            network.reconstruct(inputs)


def test_a_decoder_of_other_bands_is_refused():
    with pytest.raises(InputError, match="shape"):
        model(mels=5)
