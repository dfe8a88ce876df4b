"""Vocabulary of words and their ids."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.files import write_atomically

PADDING, UNKNOWN = 0, 1
FIRST_WORD = 2
UNKNOWN_WORD = "<unk>"
FORMAT = "# keras_ae vocabulary 1"


class Vocabulary:
    """Mapping between words and integer ids: 0 is padding, 1 any unknown word, 2 the first word.

    Args:
        words: words in the order of their ids, usually by descending frequency, without repetition and
            white space.

    Attributes:
        words: tuple of the words; `words[0]` has id 2.

    Raises:
        InputError: a word is empty, contains white space, or occurs twice.

    Example:

    >>> vocabulary = Vocabulary(["the", "cat"])
    >>> len(vocabulary), vocabulary.ids(["the", "dog", "the", "cat"])
    (4, [2, 1, 2, 3])
    >>> vocabulary.tokens([2, 1, 3, 0, 0])
    ['the', '<unk>', 'cat']
    """

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        for word in self.words:
            if not isinstance(word, str) or word.split() != [word]:
                raise InputError(f"words must be non-empty strings without white space. Received: {word!r}")
        self._ids = {word: number for number, word in enumerate(self.words, FIRST_WORD)}
        if len(self._ids) < len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise InputError(f"words must be unique. Received: {twice!r} more than once")

    @classmethod
    def of(cls, token_lists: Iterable[Sequence[str]], size: int = 20_000, min_count: int = 1) -> "Vocabulary":
        """Return a vocabulary of the most frequent tokens; ties are resolved alphabetically.

        Args:
            token_lists: lists of tokens, such as the tokenised training sentences.
            size: maximum number of ids, including those of padding and unknown words.
            min_count: minimum number of occurrences of a word.

        Raises:
            InputError: no word is frequent enough; `size` is below 3.

        Example:

        >>> Vocabulary.of([["b", "a"], ["b", "c"]], min_count=1).words
        ('b', 'a', 'c')
        """
        if size <= FIRST_WORD:
            raise InputError(f"size must be at least {FIRST_WORD + 1}. Received: size={size}")
        counts = Counter(chain.from_iterable(token_lists))
        frequent = [word for word, count in counts.items() if count >= min_count]
        if not frequent:
            raise InputError(
                f"token_lists must contain words that occur at least {min_count} times. "
                f"Received: none among {len(counts)} words"
            )
        frequent.sort(key=lambda word: (-counts[word], word))
        return cls(frequent[: size - FIRST_WORD])

    def __len__(self):
        return FIRST_WORD + len(self.words)

    def __contains__(self, word):
        return word in self._ids

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self):
        return hash(self.words)

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of the tokens, 1 for unknown ones."""
        return [self._ids.get(token, UNKNOWN) for token in tokens]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the words of the ids, `<unk>` for 1; padding is omitted.

        Raises:
            InputError: an id is outside of the vocabulary.
        """
        names = ("", UNKNOWN_WORD, *self.words)
        ids = [int(number) for number in ids]
        if ids and not 0 <= min(ids) <= max(ids) < len(names):
            raise InputError(
                f"ids must be from 0 to {len(names) - 1}. Received: ids from {min(ids)} to {max(ids)}"
            )
        return [names[number] for number in ids if number != PADDING]

    def save(self, path: str | os.PathLike) -> Path:
        """Write a UTF-8 file: a line with the format and a hash, then one word per line, from id 2."""
        body = _body(self.words)
        return write_atomically(path, f"{FORMAT} sha256={_hash(body)}\n".encode() + body)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Read a file that `save` wrote.

        Raises:
            InputError: the file is missing, has another format, or was changed.
        """
        try:
            header, _, body = Path(path).read_bytes().partition(b"\n")
        except OSError as error:
            raise InputError(f"{path} cannot be read as a vocabulary: {error.strerror or error}.") from None
        if not header.startswith(FORMAT.encode()):
            raise InputError(
                f"{path} must be a vocabulary, which begins with '{FORMAT}'. Received: {header[:40]!r}"
            )
        if header.decode("utf-8", "replace") != f"{FORMAT} sha256={_hash(body)}":
            raise InputError(
                f"{path} was changed or cut short: its words do not match the hash in its first line."
            )
        return cls(body.decode().split("\n")[:-1])


def _body(words):
    return "".join(f"{word}\n" for word in words).encode()


def _hash(body):
    return hashlib.sha256(body).hexdigest()
