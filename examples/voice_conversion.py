# %% [markdown]
"""Voice conversion of two wav files: the words of the first in the voice of the second.

Instance normalisation takes the voice out of the content, a speaker encoder puts another one in. The speech
is synthesised by espeak-ng (extra `espeak`); `load_speech` also takes a folder of recordings.
"""

# %%
import sys

import keras
import numpy as np

from keras_ae.audio import write_wav
from keras_ae.evaluation.speech.conversions import conversion_frames
from keras_ae.layers import FrameNormalization
from keras_ae.models import AdaINVoiceConverter
from keras_ae.networks import adain_decoder, content_encoder, front_end, speaker_encoder
from keras_ae.training.datasets import load_speech, speech_batches, stream_speech

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
sizes = {"voices": 2, "train_sentences": 3} if TINY else {"voices": 12, "train_sentences": 12}
data = load_speech("espeak", **sizes)  # or load_speech("folder")
rate = data.sample_rate
write_wav("source.wav", data.test.waveform(0), rate)
write_wav("target.wav", data.test.waveform(len(data.test) - 1), rate)

# %%
keras.utils.set_random_seed(0)
mel, normalization = conversion_frames(rate), FrameNormalization()  # 80 mel bands
normalization.adapt(data.train.batches(8), front_end=mel)
size = {"filters": 8 if TINY else 64}
model = AdaINVoiceConverter(
    content_encoder(80, 2 * 16, strides=(2, 2), **size),  # mean and log variance of 16 channels
    speaker_encoder(80, 16, strides=(2, 2), **size),
    adain_decoder(80, 16, 16, strides=(2, 2), **size),
    front_end([mel, normalization]),
    reconstruction_weight=10.0,
    kl_weight=0.02,
    match_variance=True,
    match_target=True,
)
model.compile(keras.optimizers.Adam(2e-3))
stream = speech_batches(data.train, 16, seed=0, crop=4_000 if TINY else 16_000)  # random windows
model.fit(stream.dataset, epochs=1 if TINY else 80, shuffle=False, verbose=0)

# %% [markdown]
# Any two recordings: their sample rate and level become those of the training data.

# %%
source, target = (next(iter(stream_speech(path, rate)))[1][None] for path in ("source.wav", "target.wav"))
frames = model.convert(source, target)  # normalised log-mel frames, (1, frames, 80)
converted = np.asarray(model.to_waveform(frames, iterations=8 if TINY else 64))[0]
write_wav("converted.wav", converted, rate)

# %%
spectra = [np.asarray(model.front_end(one)).mean((0, 1)) for one in (converted[None], source, target)]
print(f"converted.wav: {len(converted) / rate:.2f} s, source.wav: {source.shape[1] / rate:.2f} s")
for name, spectrum in zip(("source", "target"), spectra[1:], strict=True):
    print(f"mean spectrum, distance from the {name}: {np.abs(spectra[0] - spectrum).mean():.2f}")
