"""Splitting of paragraphs into sentences."""

from collections.abc import Callable

VERSION = 1  # version of the processing in this module, in addition to the library
FULL_STOPS = (".", "!", "?")  # end a sentence only if white space follows: not in tf.test.TestCase


def sentence_splitter(language: str) -> Callable[[str], list[str]]:
    """Return a function that splits a paragraph into its sentences with the library sentencex.

    sentencex supports the abbreviations, quotation marks and full stops of about 300 languages, and
    needs no download. Text between quotation marks is kept in one sentence.

    Args:
        language: ISO 639 code, such as "en" or "zh".

    Raises:
        ImportError: sentencex is not installed; the message names the extra.

    Example:

    >>> sentence_splitter("en")("Mr. Fox came, i.e. he ran. Did he?  Yes, in io.Text!")
    ['Mr. Fox came, i.e. he ran.', 'Did he?', 'Yes, in io.Text!']
    """
    segment = _library().segment

    def split(paragraph):
        pieces: list[str] = []
        for piece in segment(language, paragraph):
            if pieces and pieces[-1].endswith(FULL_STOPS) and not piece[:1].isspace():
                pieces[-1] += piece
            else:
                pieces.append(piece)
        sentences = (" ".join(piece.split()) for piece in pieces)
        return [sentence for sentence in sentences if sentence]

    return split


def splitter_version() -> str:
    """Return the name and version of the splitter, for cache keys.

    Raises:
        ImportError: sentencex is not installed; the message names the extra.
    """
    from importlib.metadata import version

    _library()
    return f"{VERSION} sentencex {version('sentencex')}"


def _library():
    try:
        import sentencex
    except ImportError as error:
        raise ImportError(
            "Splitting text into sentences requires sentencex: pip install 'keras-ae[text]', "
            "or pass files with one sentence per line and sentence_per_line=True."
        ) from error
    return sentencex
