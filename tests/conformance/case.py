"""A model, how it is made, and a batch for it."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras.src.utils.naming import reset_uids  # clear_session would take the dtype policy back, too

IMAGE = (8, 8, 1)
CODES = (2, 3)


class TrainingBegins(Exception):
    def __init__(self, state):
        super().__init__()
        self.state = state


class StopAtTheBeginning(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise TrainingBegins({name: variable.numpy() for name, variable in variables_of(self.model).items()})


def variables_of(model):
    """Return `{name: variable}` of weights, statistics, random generators and optimizers."""
    players = model.players()[1:] if hasattr(model, "players") else ()
    optimizers = [model.optimizer, *(getattr(model, f"{player.name}_optimizer") for player in players)]
    parts = [model.variables, *(optimizer.variables for optimizer in optimizers)]
    return {f"{i}/{k}/{v.path}": v for i, part in enumerate(parts) for k, v in enumerate(part)}


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], keras.Model]
    sequence: bool = False
    noisy: bool = False  # samples in training
    functional: bool = False  # a user's own model: its objective is given to compile
    num_codes: int = 0  # takes codes below this number, not images
    decodes: bool = True  # has a decoder
    hop: int = 0  # takes waveforms (batch, samples), with frames so many samples apart
    epochs: int = 2  # of three steps
    least: int = 1  # positions of the shortest sequence that exports are verified with
    speakers: int = 0  # number of speakers, on which the model is conditioned
    labels: int = 0  # number of classes of images, on which the model is conditioned
    frames_of: Callable[[int], int] | None = None  # encodes frames: so many of a sequence of that length
    words: int = 0  # takes blocks of sentences in numbers of words below this one
    contrastive: bool = False  # compares each example with those of its batch
    # differs from another case by its bottleneck alone: what the rest of the model does is tested there
    variant: bool = False

    @property
    def replicated(self):
        """Whether replicas train it: a variant whose replicas draw noise of their own tells little."""
        return not (self.variant and self.noisy)

    @property
    def values(self):
        """Name of the values of a sequence, which `lengths` belong to."""
        return "ids" if self.words else "x"

    def compiled(self, optimizer=None, **kwargs):
        # layers get the same names every time: TensorFlow orders the terms of a sum by them
        reset_uids()
        keras.utils.set_random_seed(0)
        model = self.make()
        if self.functional:
            kwargs["loss"] = "mse"
        model.compile(optimizer or keras.optimizers.Adam(1e-2), **kwargs)
        return model

    def trained(self, validate=True, **kwargs):
        """Train a model on 11 examples in batches of 5, the last one alone; validate after every epoch."""
        return self.fitted(self.compiled(**kwargs), validate)

    def fitted(self, model, validate=True, callbacks=()):
        """Return the model of `compiled`, trained as in `trained`."""
        x = self.data(11)
        keras.utils.set_random_seed(1)  # of the order of the examples
        validation = {"validation_data": (x, x) if self.functional else (x,)} if validate else {}
        given = {**self.fit_arguments(x), **validation, "callbacks": list(callbacks)}
        model.fit(**given, batch_size=5, epochs=self.epochs, verbose=0)
        return model

    def start(self):
        """Return `{name: value}` of the variables of a new model at the beginning of `trained`."""
        try:
            self.fitted(self.compiled(), callbacks=[StopAtTheBeginning()])
        except TrainingBegins as begins:
            return begins.state

    def data(self, examples=12, seed=0):
        rng = np.random.default_rng(seed)
        if self.num_codes:
            return rng.integers(0, self.num_codes, (examples, *CODES), "int32")
        if not self.sequence:
            x = rng.random((examples, *IMAGE), "float32")
            return {"x": x, "labels": rng.integers(0, self.labels, examples, "int32")} if self.labels else x
        if self.words:
            return self._sentences(examples, rng)
        if self.hop:
            lengths = rng.integers(4 * self.hop, 20 * self.hop, examples).astype("int32")
            x = {"x": rng.standard_normal((examples, 20 * self.hop)).astype("float32"), "lengths": lengths}
            return {**x, "speaker": rng.integers(0, self.speakers, examples, "int32")} if self.speakers else x
        lengths = rng.integers(3, 9, examples).astype("int32")
        x = {"x": rng.standard_normal((examples, 9, 3)).astype("float32"), "lengths": lengths}
        return {**x, "speaker": rng.integers(0, self.speakers, examples, "int32")} if self.speakers else x

    def _sentences(self, examples, rng):
        """Two documents with a sentence that comes twice, and one without words."""
        lengths = rng.integers(1, 7, examples).astype("int32")
        lengths[examples // 3] = 0
        ids = rng.integers(1, self.words, (examples, 7), "int32")
        numbers = np.arange(examples, dtype="int32")
        document, sentence = numbers // max(1, examples // 2), numbers % max(3, examples - 2)
        ids = np.where(np.arange(7) < lengths[:, None], ids, 0)[sentence].astype("int32")
        lengths = lengths[sentence]
        return {
            "ids": ids,
            "lengths": lengths,
            "previous": np.roll(ids, 1, axis=0),
            "previous_lengths": np.roll(lengths, 1),
            "next": np.roll(ids, -1, axis=0),
            "next_lengths": np.roll(lengths, -1),
            "document": document,
            "position": numbers,
            "sentence": sentence,
        }

    def other_data(self, x):
        """Data of the same kind, as different as can be."""
        if self.num_codes:
            return (x + 1) % self.num_codes
        if self.words:
            return {**x, "ids": x["ids"] % (self.words - 1) + 1}
        return {**x, "x": np.full_like(x["x"], 100.0)} if isinstance(x, dict) else np.full_like(x, 100.0)

    def num_real(self, length):
        """Codes or frames of a sequence of this length."""
        if self.frames_of is not None:
            return self.frames_of(length)
        return -(-(1 + length // self.hop if self.hop else length) // 2)

    def fit_arguments(self, x):
        return {"x": x, "y": x} if self.functional else {"x": x}
