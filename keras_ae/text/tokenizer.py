"""Tokeniser that splits text into words and signs, in plain Python.

This file needs only the standard library, so that it can be copied next to an ONNX model. The equivalent
for TensorFlow graphs is `tf_tokenizer`.
"""

import re

# Lengths of alternating runs of code points that are not, and are, letters, marks or digits: general
# categories L, M and N of Unicode 14. Stored here because versions of Python and TensorFlow differ in their
# version of Unicode.
RUNS = """
48 10 7 26 6 26 47 1 7 2 1 1 3 2 1 3 1 23 1 31 1 458 4 12 14 5 7 1 1 1 17 117 1 2 2 4 1 1 6 1 1 3 1 1 1
20 1 83 1 139 1 173 1 38 2 1 6 41 8 45 1 1 1 2 1 2 1 1 8 27 4 4 29 11 5 74 4 102 1 8 2 10 1 19 2 1 16 59
2 101 14 54 4 1 2 1 2 46 18 28 4 11 5 24 1 6 9 74 1 129 2 10 1 19 1 8 2 2 2 22 1 7 1 1 3 4 2 9 2 2 2 4 8
1 4 2 1 5 2 12 2 6 2 1 1 1 2 3 1 6 4 2 2 22 1 7 1 2 1 2 1 2 2 1 1 5 4 2 2 3 3 1 7 4 1 1 7 16 11 3 1 9 1 3
1 22 1 7 1 2 1 5 2 10 1 3 1 3 2 1 15 4 2 10 9 7 1 3 1 8 2 2 2 22 1 7 1 2 1 5 2 9 2 2 2 3 7 3 4 2 1 5 2 10
1 7 10 2 1 6 3 3 1 4 3 2 1 1 1 2 3 2 3 3 3 12 4 5 3 3 1 4 2 1 6 1 14 13 13 13 1 3 1 23 1 16 2 9 1 3 1 4 7
2 1 3 2 1 2 4 2 10 8 7 1 4 1 8 1 3 1 23 1 10 1 5 2 9 1 3 1 4 7 2 6 2 1 4 2 10 1 2 13 13 1 3 1 51 1 3 1 5
5 16 2 19 1 6 1 3 1 18 3 24 1 9 1 1 2 7 3 1 4 6 1 1 1 8 6 10 2 2 13 58 5 15 1 10 39 2 1 1 1 5 1 24 1 1 1
23 2 5 1 1 1 6 2 10 2 4 32 1 23 2 6 20 1 1 1 1 1 1 4 10 1 36 4 20 1 18 1 36 9 1 57 74 6 78 2 38 1 1 5 1 2
43 1 333 1 4 2 7 1 1 1 4 2 41 1 4 2 33 1 4 2 7 1 1 1 4 2 15 1 57 1 4 2 67 2 3 9 20 3 16 16 86 2 6 3 620 2
17 1 26 5 75 3 11 7 22 9 22 11 20 12 13 1 3 1 2 12 84 3 1 4 2 2 10 6 10 17 3 1 11 6 89 7 43 5 70 10 31 1
12 4 12 10 40 2 5 11 44 4 26 6 11 37 28 4 63 1 29 2 11 6 10 13 1 8 31 49 77 3 10 17 9 12 116 12 56 8 10 3
49 2 9 7 43 2 3 16 3 1 39 5 534 2 6 2 38 2 6 2 8 1 1 1 1 1 1 1 31 2 53 1 7 1 1 3 3 1 7 3 4 2 6 4 13 5 3 1
7 115 2 2 6 5 11 6 13 51 33 17 1 4 1 2 10 1 1 3 5 6 1 1 1 1 1 1 4 1 11 2 4 5 5 4 1 1 58 726 60 78 22 630
30 1132 229 6 9 9 1 2 38 1 1 5 1 2 56 7 1 15 24 9 7 1 7 1 7 1 7 1 7 1 7 1 7 1 7 1 32 47 1 469 3 25 15 1 5
2 5 4 86 2 2 2 3 1 90 1 4 5 43 1 94 3 4 10 32 48 16 32 10 30 8 1 15 32 10 39 15 320 6592 64 22157 67 46 2
269 3 28 20 51 1 10 1 115 37 9 2 103 2 64 5 2 1 1 1 5 24 54 4 1 3 6 10 52 12 70 10 10 6 24 3 1 1 49 2 36
12 29 3 65 14 11 6 31 1 55 9 14 2 10 6 23 3 73 24 3 2 16 2 5 10 6 2 6 2 6 9 7 1 7 1 43 1 14 6 123 1 2 2
10 6 11172 12 23 4 49 8452 366 2 106 38 7 12 5 5 12 1 13 1 5 1 1 1 2 1 2 1 108 33 363 18 64 2 54 40 12 4
16 16 16 64 5 1 135 19 10 7 26 6 26 11 89 3 6 2 6 2 6 2 3 35 12 1 26 1 19 1 2 1 15 2 14 34 123 12 45 12
57 17 2 113 1 130 29 3 49 15 28 4 36 9 30 5 43 5 30 2 36 4 8 1 5 42 158 2 10 6 36 4 36 4 40 8 52 12 11 1
15 1 7 1 2 1 11 1 15 1 7 1 2 67 311 9 22 10 8 24 6 1 42 1 9 69 6 2 1 1 44 1 2 3 1 2 23 2 31 2 38 8 9 48
19 1 2 5 33 4 26 70 56 4 20 2 50 1 2 5 8 1 3 1 29 2 3 4 10 23 31 1 32 32 8 1 30 4 5 16 54 10 22 2 27 5 26
23 7 80 73 55 51 13 51 7 46 8 10 294 31 1 42 1 2 3 2 78 40 8 37 27 22 42 28 20 23 9 71 11 36 9 60 7 1 13
25 7 10 6 53 1 10 4 4 8 36 2 1 9 69 4 4 1 13 1 1 4 20 11 18 1 37 6 1 65 7 1 1 1 4 1 15 1 10 7 59 5 10 6 4
1 8 2 2 2 22 1 7 1 2 1 5 1 10 2 2 2 3 2 1 6 1 5 7 2 7 3 5 139 75 5 10 4 4 30 70 1 1 8 10 166 54 2 9 23 6
34 65 3 1 11 10 38 57 7 10 54 27 2 15 4 12 4 7 185 59 101 83 12 8 2 1 2 8 1 2 1 30 1 2 2 9 12 10 70 8 2
46 2 8 1 2 27 63 8 1 8 74 3 1 18 73 263 9 1 45 1 9 15 29 5 30 2 22 1 14 73 7 1 2 1 44 3 1 1 2 1 9 8 10 6
6 1 2 1 37 1 2 1 6 7 10 310 23 185 1 15 21 43 922 102 111 17 196 2636 97 15 1071 4049 583 8633 569 7 31 1
10 6 79 1 10 6 30 2 5 11 55 9 4 12 10 1 7 1 21 5 19 688 87 105 75 4 57 7 17 64 2 1 2 11 2 14 6136 8 1238
42 9 8935 4 1 7 1 2 1 291 45 3 17 4 8 396 2308 107 5 13 3 9 7 10 3 2 4705 46 2 23 542 5 3 6 8 8 2 7 30 4
148 3 155 20 108 25 135 85 1 71 1 2 2 1 2 2 2 4 1 12 1 1 1 7 1 65 1 4 2 8 1 7 1 28 1 4 1 5 1 1 3 7 1 340
2 25 1 25 1 31 1 25 1 31 1 25 1 31 1 25 1 31 1 25 1 8 2 50 512 55 4 50 8 1 14 1 22 5 1 15 1104 31 225 7 1
17 2 7 1 2 1 5 213 45 3 14 2 10 4 1 321 31 17 58 1254 7 1 4 1 2 1 15 1 197 2 16 41 76 4 10 791 59 1 3 1 4
76 45 1 15 194 4 1 27 1 2 1 1 2 1 1 10 1 4 1 1 1 1 6 1 4 1 1 1 1 1 1 3 1 2 1 1 2 1 1 1 1 1 1 1 1 1 1 2 1
1 2 4 1 7 1 4 1 4 1 1 1 10 1 17 5 3 1 5 1 17 580 13 2787 10 1030 42720 32 4153 7 222 2 5762 14 7473 3103
542 1506 4939 716213 240
"""
# Han, Hiragana and Katakana, which are written without spaces.
IDEOGRAPHS = (
    *((0x3005, 0x3007), (0x3021, 0x303C), (0x3041, 0x30FF), (0x3190, 0x319F), (0x31F0, 0x31FF)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F)),
    (0x20000, 0x3FFFF),
)
# The last two of each plane and 32 more: never characters, and TensorFlow 2.16 does not encode them.
NONCHARACTERS = (
    (0xFDD0, 0xFDEF),
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)),
)
# Separators, controls, halves of surrogate pairs, and the replacement character of invalid bytes.
SPACES = (
    *((0x00, 0x20), (0x7F, 0xA0), (0x1680, 0x1680), (0x2000, 0x200B), (0x2028, 0x2029), (0x202F, 0x202F)),
    *((0x205F, 0x205F), (0x3000, 0x3000), (0xD800, 0xDFFF), (0xFFFD, 0xFFFD), *NONCHARACTERS),
)
# Format controls such as soft hyphens, joiners and directions, and variation selectors.
IGNORED = (
    *((0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891)),
    *((0x8E2, 0x8E2), (0x180B, 0x180F), (0x200C, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD)),
    *((0x13430, 0x13438), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
WORD, SIGN, SPACE, NOTHING = b"ws -"
CODE_POINTS = 0x110000


def character_kinds() -> bytearray:
    """Return `WORD`, `SIGN`, `SPACE` or `NOTHING` for each of the 1,114,112 code points."""
    kinds = bytearray([SIGN]) * CODE_POINTS
    first = 0
    for number, length in enumerate(map(int, RUNS.split())):
        if number % 2:
            kinds[first : first + length] = bytes([WORD]) * length
        first += length
    for ranges, kind in ((IDEOGRAPHS, SIGN), (SPACES, SPACE), (IGNORED, NOTHING)):
        for start, stop in ranges:
            kinds[start : stop + 1] = bytes([kind]) * (stop + 1 - start)
    return kinds


def lower_case(kinds: bytearray) -> dict[int, int]:
    """Return `{code point: code point in lower case}` of every letter that has a lower case.

    The lower case of a letter does not depend on its neighbours: of the two lower-case sigmas it is
    the one within words, and the dotted I becomes an i.
    """
    circled = range(0x24B6, 0x24D0)
    letters = (code for run in re.finditer(rb"w+", kinds) for code in range(*run.span()))
    small = {code: ord(chr(code).lower()[0]) for code in (*letters, *circled)}
    return {code: other for code, other in small.items() if code != other} | {ord("ς"): ord("σ")}


def _compiled():
    kinds = character_kinds()
    ranges = ((run.start(), run.end() - 1) for run in re.finditer(rb"w+", kinds))
    words = "".join(f"{re.escape(chr(start))}-{re.escape(chr(stop))}" for start, stop in ranges)
    changes = lower_case(kinds)
    changes |= {code: " " for start, stop in SPACES for code in range(start, stop + 1)}
    changes |= {code: None for start, stop in IGNORED for code in range(start, stop + 1)}
    return changes, re.compile(f"[{words}]+|[^ ]")


CHANGES, TOKEN = _compiled()


def tokenize(text: str | bytes) -> list[str]:
    """Return the tokens of a text in lower case.

    A word is the longest possible run of letters, marks and digits. Each punctuation mark,
    each symbol, and each character of Han, Hiragana and Katakana is a separate token. White
    space separates tokens and is dropped, as are noncharacters such as U+FFFE and surrogates; invisible
    characters are removed. The result does not depend on the language, on neighbouring words or on the
    version of Python and TensorFlow.

    Args:
        text: any string, or bytes, in which invalid UTF-8 separates tokens like white space.

    Returns:
        the tokens, which are not empty; an empty list for an empty text.

    Example:

    >>> tokenize("Don't panic, it's 4.2 km!")
    ['don', "'", 't', 'panic', ',', 'it', "'", 's', '4', '.', '2', 'km', '!']
    >>> tokenize("ÉTÉ à 東京タワー")
    ['été', 'à', '東', '京', 'タ', 'ワ', 'ー']
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return TOKEN.findall(text.translate(CHANGES))
