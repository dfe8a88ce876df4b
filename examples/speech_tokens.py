# %% [markdown]
"""Tokens of speech: 50 a second, from waveforms without labels, and how they agree with phones.

A VQ-VAE whose decoder is conditioned on the speaker, so that a token need not contain the voice. The speech
is synthesised by espeak-ng (extra `espeak`); `load_speech` also takes a folder of recordings.
"""

# %%
import sys
from collections import Counter

import keras
import numpy as np

from keras_ae.layers import MFCC, FrameNormalization, LogMelSpectrogram, VectorQuantizer
from keras_ae.models import SpeechAutoEncoder
from keras_ae.networks import frame_decoder, frame_encoder, front_end
from keras_ae.training.datasets import load_speech, speech_batches

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
sizes = {"voices": 2, "train_sentences": 3} if TINY else {"voices": 8, "train_sentences": 12}
data = load_speech("espeak", **sizes)  # or load_speech("folder")
print(f"{data.description['train_minutes']:.1f} minutes of speech of {len(data.speakers)} speakers")

# %%
keras.utils.set_random_seed(0)
mel, normalization = LogMelSpectrogram(40), FrameNormalization()
normalization.adapt(data.train.batches(8), front_end=mel)
filters = 16 if TINY else 96
model = SpeechAutoEncoder(
    frame_encoder([MFCC()], 32, filters=filters),
    frame_decoder(40, 32, num_speakers=len(data.speakers), filters=filters),
    front_end([mel, normalization]),
    VectorQuantizer(64),
)
model.compile(keras.optimizers.Adam(2e-3))
stream = speech_batches(data.train, 8, seed=0, crop=5_120 if TINY else 20_480)  # random windows
model.fit(stream.dataset, epochs=1 if TINY else 60, shuffle=False, verbose=0)

# %% [markdown]
# `encode` needs waveforms and their lengths, no speaker.

# %%
counts = {}
for i in range(len(data.test)):
    waveform = data.test.waveform(i)[None]
    tokens = np.asarray(model.encode({"x": waveform, "lengths": [waveform.shape[1]]}))[0]
    phones = data.test.phone_frames(i, len(tokens), hop=320)  # one token for 320 samples
    for token, phone in zip(tokens, phones, strict=True):
        counts.setdefault(int(token), Counter())[data.phones[phone]] += 1
print("text:  ", data.test.texts[i])
print("tokens:", " ".join(map(str, tokens[:24])), "...")

# %%
total = sum(counts.values(), Counter()).total()
purity = sum(max(counter.values()) for counter in counts.values()) / total
print(f"{len(counts)} tokens in use; the main phone of a token covers {purity:.0%} of its frames")
