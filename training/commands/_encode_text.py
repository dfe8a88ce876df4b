"""Encoding of text, sentence by sentence."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.models.text.sentence_model import batches_by_length, numbers_of, padded
from keras_ae.text.text_file import TextFile
from keras_ae.text.vocabulary import Vocabulary
from keras_ae.training.commands._encode_images import checked_output, packed, temporary_folder


class SentenceStream:
    """Stream of the lines of a text file with their numbers; memory does not grow with the number of lines.

    Iterating yields `(number, sentence)`. The stream can be iterated again.

    Args:
        path: the file; it is read by `TextFile`.
        shard: `(i, n)`: the lines i, i + n, i + 2n, ...; it may be empty.
        encoding: encoding of the file; `None`: UTF-8, or that of a byte order mark.

    Attributes:
        inputs: the file, which no output may replace.

    Raises:
        InputError: during iteration: the file cannot be read, is not text, or has no lines.
    """

    def __init__(self, path: str | os.PathLike, shard: tuple[int, int] = (0, 1), encoding: str | None = None):
        self.path = path
        self.shard = shard
        self.encoding = encoding
        self.inputs = (path,)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        (first, step), number = self.shard, -1
        for number, line in enumerate(TextFile(self.path, self.encoding).lines()):
            if number % step == first:
                yield number, line
        if number < 0:
            raise InputError(f"{self.path} must contain sentences, one in each line. Received: an empty file")


AT_ONCE = 8192  # sentences that are sorted by length together


def encode_sentences(
    encode: Callable,
    sentences: Iterable[tuple[int, str]],
    output,
    *,
    batch_size: int = 256,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write what `encode` returns for every sentence to the .npz file `output`, in their order.

    Sentences of similar length are encoded together. The results are written to disk in portions; the file
    appears when it is complete.

    Args:
        encode: function of a list of str that returns `{name: array}` with the sentences as first axis.
        sentences: pairs of a number and a sentence, such as those of `read_sentences`.
        output: the .npz file: the arrays of `encode`, and `lines` int64 `(sentences,)`, the numbers.
        batch_size: sentences encoded at once; fewer if they are long.
        progress: function called with the number of encoded sentences.

    Returns:
        the path of the file.

    Raises:
        InputError: the file cannot be written, or is an input of `sentences`.
    """
    output = checked_output(output, getattr(sentences, "inputs", ()))
    with temporary_folder(output) as folder:
        lines: list[int] = []
        kinds: dict[str, tuple] = {}  # dtype and shape of a row
        for portion in _portions(sentences):
            for name, values in _encoded(encode, [text for _, text in portion], batch_size).items():
                kinds[name] = (values.dtype, values.shape[1:])
                with (folder / f"{name}.raw").open("ab") as file:
                    file.write(values.tobytes())
            lines += [number for number, _ in portion]
            if progress is not None:
                progress(len(lines))
        if not lines:  # an empty shard has the same arrays with 0 rows
            for name, values in _encoded(encode, ["a"], batch_size).items():
                kinds[name] = (values.dtype, values.shape[1:])
        for name, (dtype, shape) in kinds.items():
            raw, shape = folder / f"{name}.raw", (len(lines), *shape)
            rows = np.memmap(raw, dtype, "r", shape=shape) if lines else np.zeros(shape, dtype)
            np.save(folder / f"{name}.npy", rows)
        np.save(folder / "lines.npy", np.array(lines, "int64"))
        os.replace(packed(folder, [*kinds, "lines"]), output)
    return output


def read_sentences(
    path: str | os.PathLike, shard: tuple[int, int] = (0, 1), encoding: str | None = None
) -> SentenceStream:
    """Return the lines of a text file, each a sentence, with their numbers, starting at 0.

    An empty line is a sentence without words, so that lines and vectors have the same numbers.

    Args:
        path: the file; it is read by `TextFile`, like texts for training.
        shard: `(i, n)`: the lines i, i + n, i + 2n, ...; it may be empty.
        encoding: encoding of the file; `None`: UTF-8, or that of a byte order mark.

    Returns:
        pairs of a number and a sentence.

    Raises:
        InputError: during iteration: the file cannot be read, is not text, or has no lines.
    """
    return SentenceStream(path, shard, encoding)


def of_ids(encode: Callable, vocabulary: Vocabulary) -> Callable:
    """Convert a function of `{"ids": (batch, words), "lengths": (batch,)}` to one of a list of str."""

    def encode_text(sentences):
        numbers = numbers_of(sentences, vocabulary)
        return encode({"ids": padded(numbers), "lengths": np.array([len(own) for own in numbers], "int32")})

    return encode_text


def _portions(sentences):
    sentences = iter(sentences)
    while portion := list(itertools.islice(sentences, AT_ONCE)):
        yield portion


def _encoded(encode, sentences, batch_size):
    """Return `{name: array}` of the sentences of a portion."""
    found: dict[str, np.ndarray] = {}
    # the number of characters approximates that of words, which only the encoder determines
    for rows in batches_by_length([len(sentence) for sentence in sentences], batch_size):
        for name, values in encode([sentences[row] for row in rows]).items():
            values = np.asarray(values)
            if name not in found:
                found[name] = np.empty((len(sentences), *values.shape[1:]), values.dtype)
            found[name][rows] = values
    return found
