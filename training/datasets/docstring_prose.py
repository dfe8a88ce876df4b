"""The prose of a docstring."""

import inspect
import re

# a line of such a paragraph is code, a table, a list, or markup
NOT_PROSE = re.compile(r"^\s*(>>>|\.\.|```|~~~|[-=~^#*+|]|\d+[.)]|[@:]|\w+\s*:|\w+\s*=)", re.MULTILINE)
MARKUP = (
    (re.compile(r":[\w:]+:`~?([^`<]*?)(?:\s*<[^>]*>)?`"), r"\1"),  # :func:`name`
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{1,2}"), r"\1"),
    (re.compile(r"`{1,2}([^`]*)`{1,2}_{0,2}"), r"\1"),
    (re.compile(r"\*{1,2}(\w[^*\n]*)\*{1,2}"), r"\1"),
    (re.compile(r"\[([^\]\n]*)\]\([^)\s]*\)"), r"\1"),
)
LETTERS = 0.75  # of the characters of a paragraph, spaces included, at least
WORDS = 4  # of a paragraph, at least


def prose_of(docstring: str) -> list[str]:
    """The paragraphs of plain sentences, each in one line.

    Taken are paragraphs that are not indented, begin with a capital letter and end with a full
    stop, question or exclamation mark. Lists, tables, examples, literal blocks and the
    descriptions of arguments are left out, markup is taken off.

    Example:

    >>> prose_of('''Add two numbers.
    ...
    ...     Returns the *sum* of `a` and
    ...     `b`, without rounding it.
    ...
    ...     >>> add(1, 2)
    ...     3
    ...     ''')
    ['Returns the sum of a and b, without rounding it.']
    """
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(docstring))
    paragraphs = []
    for block in blocks:
        if block.startswith((" ", "\t")) or "\n " in block or NOT_PROSE.search(block):
            continue
        for markup, plain in MARKUP:
            block = markup.sub(plain, block)
        paragraph = " ".join(block.split())
        if _is_prose(paragraph):
            paragraphs.append(paragraph)
    return paragraphs


def _is_prose(paragraph):
    letters = sum(character.isalpha() or character == " " for character in paragraph)
    return (
        paragraph[:1].isupper()
        and paragraph.endswith((".", "!", "?"))
        and paragraph.count(" ") >= WORDS - 1
        and letters >= LETTERS * len(paragraph)
    )
