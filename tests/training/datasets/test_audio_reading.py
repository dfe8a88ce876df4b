"""Audio files of all kinds, whole and broken; run on both lanes, see DESIGN 4."""

import struct
import sys
import wave

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_ae.training.datasets.speech import _audio_reading as audio_reading
from keras_ae.training.datasets.speech._audio_reading import read_audio, tensorflow_io

RATE = 16_000
TONE = 0.4 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)

# (file, its subtype for libsndfile, largest error: two steps of its numbers, as libsndfile scales by
# 32767 and cuts, or what a lossy code does to a tone)
KINDS = [
    ("a.wav", "PCM_16", 6.2e-5),
    ("a.wav", "PCM_U8", 1.6e-2),
    ("a.wav", "PCM_24", 1e-6),
    ("a.wav", "PCM_32", 1e-6),
    ("a.wav", "FLOAT", 1e-6),
    ("a.wav", "ULAW", 1.8e-2),
    ("a.WAV", "PCM_16", 6.2e-5),
    ("a.flac", "PCM_16", 6.2e-5),
    ("a.flac", "PCM_24", 1e-6),
    ("a.ogg", "VORBIS", 5e-2),
    ("a.ogg", "OPUS", None),
    ("a.mp3", "MPEG_LAYER_III", 5e-2),
]


@pytest.mark.parametrize(("name", "subtype", "error"), KINDS)
def test_every_kind_is_read(tmp_path, name, subtype, error):
    soundfile.write(tmp_path / name, TONE, RATE, subtype=subtype, format=name.rpartition(".")[2].upper())
    waveform, rate = read_audio(tmp_path / name)
    assert rate == RATE
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    if error is None:  # Opus is coded at 48 kHz, with a lead-in: the tone is what must be there
        spectrum = np.abs(np.fft.rfft(waveform[: RATE // 2]))
        assert spectrum.argmax() * RATE / len(waveform) == pytest.approx(440, abs=4)
    else:
        # lossy codes ring where the tone begins and ends
        middle = slice(1000, -1000) if error > 1.9e-2 else slice(None)
        assert len(waveform) == len(TONE)
        np.testing.assert_allclose(waveform[middle], TONE[middle], atol=error)


def test_16_bit_wav_needs_no_soundfile(tmp_path, monkeypatch):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.array([-32768, 0, 16384], "<i2").tobytes())
    monkeypatch.setitem(sys.modules, "soundfile", None)
    waveform, rate = read_audio(tmp_path / "a.wav")
    assert (waveform.tolist(), rate) == ([-1.0, 0.0, 0.5], 8000)


def test_missing_soundfile_names_the_extra(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", TONE, RATE, subtype="PCM_24")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"a\.wav requires soundfile: pip install 'keras-ae\[audio\]'"):
        read_audio(tmp_path / "a.wav")


def test_tensorflow_io_reads_where_its_kernels_load():
    loads = tf.__version__.startswith("2.16.")  # the one version that 0.37.1 is built for
    assert (tensorflow_io() is not None) == loads


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_both_readers_agree(tmp_path, monkeypatch, name):
    if tensorflow_io() is None:
        pytest.skip("the kernels of tensorflow-io load on TensorFlow 2.16 only")
    soundfile.write(tmp_path / name, np.stack([TONE, TONE / 2], axis=1), 44_100)
    ours, rate = read_audio(tmp_path / name)
    monkeypatch.setattr(
        audio_reading, "_read_with_soundfile", lambda path: pytest.fail("not by tensorflow-io")
    )
    read_audio(tmp_path / name)
    expected, expected_rate = soundfile.read(tmp_path / name, dtype="float32")
    assert rate == expected_rate
    # the same decoder libraries in two builds: float arithmetic in another order
    np.testing.assert_allclose(ours, expected.mean(axis=1), atol=1e-4)


def test_channels_are_averaged(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([TONE, 0 * TONE], axis=1), 44_100, subtype="FLOAT")
    waveform, rate = read_audio(tmp_path / "a.wav")
    assert rate == 44_100
    np.testing.assert_allclose(waveform, TONE / 2, atol=1e-6)


def test_floats_beyond_full_scale_are_scaled_to_it(tmp_path):
    soundfile.write(tmp_path / "a.wav", 10 * TONE, RATE, subtype="FLOAT")
    waveform, _ = read_audio(tmp_path / "a.wav")
    np.testing.assert_allclose(waveform, TONE / np.abs(TONE).max(), atol=1e-6)


def test_one_sample_is_a_waveform(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE[5:6], RATE)
    assert read_audio(tmp_path / "a.wav")[0].shape == (1,)


def test_wav_with_other_chunks_and_no_length_is_read(tmp_path):
    """As programs write it that stream: the sizes are not known yet, and a chunk of tags comes first."""
    samples = np.arange(100, dtype="<i2").tobytes()
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    tags = b"LIST" + struct.pack("<I", 5) + b"INFOx" + b"\0"
    data = b"data" + struct.pack("<I", 0xFFFFFFFF) + samples
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVE" + tags + fmt + data)
    waveform, _ = read_audio(tmp_path / "a.wav")
    np.testing.assert_array_equal(waveform * 32768, np.arange(100))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_broken_files_are_named(tmp_path, complaint, suffix, capfd):
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(b"hello" * 300)
    expected = f"{path} is not readable {suffix} audio, perhaps damaged or cut short: replace or remove it."
    assert complaint(read_audio, path) == expected
    path.write_bytes(b"")
    assert complaint(read_audio, path) == f"{path} is an empty file: replace or remove it."
    path.unlink()
    assert complaint(read_audio, path) == f"{path} does not exist."


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_files_cut_short_are_named(tmp_path, complaint, name):
    soundfile.write(tmp_path / name, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    contents = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(contents[: len(contents) // 2])
    assert "cut short" in complaint(read_audio, tmp_path / name)


def test_files_without_samples_and_with_nan_are_named(tmp_path, complaint):
    soundfile.write(tmp_path / "none.wav", TONE[:0], RATE)
    assert complaint(read_audio, tmp_path / "none.wav").endswith("contains no samples: replace or remove it.")
    soundfile.write(tmp_path / "nan.wav", np.full(9, np.nan), RATE, subtype="FLOAT")
    assert "contains values that are not numbers" in complaint(read_audio, tmp_path / "nan.wav")


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF", "NIST", "AU"])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a"])
def test_the_content_tells_the_format(tmp_path, kind, name):
    soundfile.write(tmp_path / name, TONE, RATE, format=kind)
    waveform, rate = read_audio(tmp_path / name)
    assert rate == RATE
    middle = slice(1000, len(TONE) - 1000)
    np.testing.assert_allclose(waveform[middle], TONE[middle], atol=5e-2 if kind in ("OGG", "MP3") else 1e-4)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", ["16 bits", "float"])
def test_wav_of_a_pipe_is_read_to_its_end(tmp_path, monkeypatch, size, kind):
    """SoX, FFmpeg and others do not know the size when they begin to write."""
    samples = np.arange(100) / 256
    audio = (samples * 32768).astype("<i2") if kind == "16 bits" else samples.astype("<f4")
    width = audio.itemsize
    fmt = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1 if width == 2 else 3, 1, RATE, RATE * width, width, 8 * width
    )
    (tmp_path / "a.wav").write_bytes(
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVE"
        + fmt
        + b"data"
        + struct.pack("<I", size)
        + audio.tobytes()
    )
    if kind == "16 bits":
        monkeypatch.setitem(sys.modules, "soundfile", None)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], samples.astype("float32"))


@pytest.mark.parametrize("kind", ["AIFF", "NIST", "AU"])
def test_other_files_cut_short_are_named(tmp_path, complaint, kind):
    soundfile.write(tmp_path / "a.wav", TONE, RATE, format=kind)
    contents = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(contents[: len(contents) // 2])
    assert "cut short" in complaint(read_audio, tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_mp3_of_every_rate_is_found_by_its_content(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", TONE, rate, format="MP3")
    assert read_audio(tmp_path / "a.wav")[1] == rate


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("a.aiff", b"FORM\0\0"),
        ("a.aiff", b"FORM"),
        ("a.au", b".snd\0\0"),
        ("a.mp3", b"\xff\xe3"),
        ("a.sph", b"NIST_1A\nnumber!\n" + b"\0" * 2000),
        ("a.sph", b"NIST_1A\n"),
    ],
)
def test_damaged_headers_are_named(tmp_path, complaint, name, contents):
    (tmp_path / name).write_bytes(contents)
    assert "audio, perhaps damaged or cut short" in complaint(read_audio, tmp_path / name)


@pytest.mark.parametrize("kind", ["AIFF", "AU"])
def test_aiff_and_au_of_a_pipe_are_read_to_their_end(tmp_path, kind):
    soundfile.write(tmp_path / "a", TONE, RATE, format=kind)
    contents = bytearray((tmp_path / "a").read_bytes())
    if kind == "AU":
        contents[8:12] = b"\xff" * 4
    else:
        sound = contents.index(b"SSND")
        contents[4:8] = struct.pack(">I", 0x7F00002E)
        contents[sound + 4 : sound + 8] = struct.pack(">I", 0x7F000008)
    (tmp_path / "a").write_bytes(contents)
    np.testing.assert_allclose(read_audio(tmp_path / "a")[0], TONE, atol=1e-4)
