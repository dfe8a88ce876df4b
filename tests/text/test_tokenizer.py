"""One rule for tokens: against Unicode's categories, and the two programs of it against each other."""

import hashlib
import re
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ae.text import tokenize, tokenizer, tokens

SURROGATES = range(0xD800, 0xE000)  # have no UTF-8
NONCHARACTERS = [*range(0xFDD0, 0xFDF0), *(code for code in range(0x110000) if code & 0xFFFE == 0xFFFE)]
CODES = [code for code in range(0x110000) if code not in SURROGATES]
KINDS = tokenizer.character_kinds()
graph = tf.function(tokens, input_signature=[tf.TensorSpec((None,), tf.string)])


def both(strings):
    """Tokens as bytes by Python and by TensorFlow."""
    in_python = [[token.encode() for token in tokenize(string)] for string in strings]
    return in_python, graph(tf.constant(strings, tf.string)).to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How much is this?", ["how", "much", "is", "this", "?"]),
        ("这多少钱？", ["这", "多", "少", "钱", "？"]),
        ("東京タワーへ、ようこそ", list("東京タワーへ、ようこそ")),
        ("don't e-mail co_op", ["don", "'", "t", "e", "-", "mail", "co", "_", "op"]),
        ("naïve nai\u0308ve", ["naïve", "nai\u0308ve"]),  # marks belong to their word
        ("안녕하세요 세계", ["안녕하세요", "세계"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया", "।"]),
        ("3.14 x² Ⅷ", ["3", ".", "14", "x²", "ⅷ"]),
        ("a\u00a0b\u3000c\u200bd\n\te\0f", list("abcdef")),
        ("co\u00adoperate", ["cooperate"]),
        ("👩\u200d👩\u200d👧 ❤\ufe0f 👍🏽", ["👩", "👩", "👧", "❤", "👍", "🏽"]),
        ("ΟΔΟΣ οδος", ["οδοσ", "οδοσ"]),  # no sigma of its own at the end of words
        ("İSTANBUL Iğdır", ["istanbul", "iğdır"]),
        ("a\ufffdb", ["a", "b"]),
        ("", []),
        (" \u2028 ", []),
    ],
)
def test_examples(text, expected):
    assert tokenize(text) == expected
    in_python, in_tensorflow = both([text])
    assert in_python == in_tensorflow


def test_both_programs_agree_on_every_character():
    """Each between two letters, a thousand of them in a string."""
    strings = ["".join(f"a{chr(code)}" for code in CODES[i::1100]) for i in range(1100)]
    in_python = [token.encode() for string in strings for token in tokenize(string)]
    in_tensorflow = graph(tf.constant(strings)).flat_values.numpy().tolist()
    different = [(a, b) for a, b in zip(in_python, in_tensorflow, strict=False) if a != b]
    assert not different[:3]
    assert len(in_python) == len(in_tensorflow)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, database=None, derandomize=True)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=30))
def test_both_programs_agree_on_any_text(strings):
    in_python, in_tensorflow = both(strings)
    assert in_python == in_tensorflow


def test_both_programs_agree_on_bytes_that_are_not_utf8():
    random = np.random.default_rng(0)
    # beginnings and parts of sequences, overlong ones, surrogates, beyond the last plane
    alphabet = list(b"A .\xe0\xed\xa0\x80\xf0\xf4\x90\xc0\xc3\xef\xbf\xbd\xff\xe2\x82\xac\xbb")
    strings = [bytes(random.choice(alphabet, random.integers(13)).tolist()) for _ in range(2000)]
    in_python, in_tensorflow = both(strings)
    assert in_python == in_tensorflow


def test_half_of_a_surrogate_pair_separates():
    assert tokenize("a\ud800b") == ["a", "b"]
    # in bytes, each of the three of a surrogate is unreadable
    in_python, in_tensorflow = both(
        [b"a" + chr(code).encode("utf-8", "surrogatepass") + b"b" for code in SURROGATES]
    )
    assert in_python == in_tensorflow == [[b"a", b"b"]] * len(SURROGATES)


def test_noncharacters_separate_on_every_version_of_tensorflow():
    """TensorFlow 2.16 would write U+FFFD in their place, so that no vocabulary could hold them."""
    assert len(NONCHARACTERS) == 66
    in_python, in_tensorflow = both([f"a{chr(code)}b {chr(code)}" for code in NONCHARACTERS])
    assert in_python == in_tensorflow == [[b"a", b"b"]] * 66


def test_words_are_the_letters_marks_and_digits_of_unicode():
    """Of the characters that Unicode 14 and the Unicode of this Python know, all but a few moved ones."""
    assert unicodedata.unidata_version >= "14"
    expected = [unicodedata.category(chr(code))[0] in "LMN" for code in range(0x110000)]
    exempt = [*tokenizer.IDEOGRAPHS, *tokenizer.IGNORED]
    special = np.zeros(0x110000, bool)
    for start, stop in exempt:
        special[start : stop + 1] = True
    ours = np.frombuffer(KINDS, "uint8") == tokenizer.WORD
    assert not (ours & special).any()
    differ = (ours != expected) & ~special
    if unicodedata.unidata_version == "14.0.0":
        assert not differ.any()
    assert not (differ & ours).any()  # a letter stays one; later ones are signs to us


def test_spaces_and_ignored_characters_are_those_of_unicode():
    categories = np.array([unicodedata.category(chr(code)) for code in range(0x20000)])
    kinds = np.frombuffer(KINDS, "uint8")[:0x20000]
    spaces = np.flatnonzero(kinds == tokenizer.SPACE)
    assert set(spaces) - {0x200B, 0xFFFD} - set(NONCHARACTERS) == set(
        np.flatnonzero(np.isin(categories, ["Zs", "Zl", "Zp", "Cc", "Cs"]))
    )
    ignored = set(np.flatnonzero(kinds == tokenizer.NOTHING))
    variation = {c for c in range(0x20000) if "VARIATION SELECTOR" in unicodedata.name(chr(c), "")}
    if unicodedata.unidata_version == "14.0.0":
        # reserved places among format controls are ignored in advance
        formats = set(np.flatnonzero(categories == "Cf")) - {0x200B}
        assert formats | variation <= ignored
        assert {unicodedata.category(chr(c)) for c in ignored - formats - variation} <= {"Cn"}


def test_han_and_kana_stand_alone():
    names = re.compile("CJK UNIFIED|CJK COMPATIBILITY IDEO|HIRAGANA|(HALFWIDTH )?KATAKANA")
    alone = [code for code in CODES if names.match(unicodedata.name(chr(code), ""))]
    assert len(alone) > 90_000
    assert {KINDS[code] for code in alone} == {tokenizer.SIGN}


def test_small_letters_are_the_same_in_every_python():
    """The digest of all pairs, which Unicode 14, 15 and 15.1 share."""
    pairs = sorted(tokenizer.lower_case(KINDS).items())
    for code, small in pairs:
        if code not in (0x130, ord("ς")):
            assert chr(code).lower() == chr(small)
    digest = hashlib.sha256(repr(pairs).encode()).hexdigest()
    assert (len(pairs), digest[:16]) == (1434, "98d7e3eda0d701ef")


def test_tokens_have_no_white_space_and_come_out_again():
    text = "".join(chr(code) for code in CODES[::7])
    for token in tokenize(text):
        assert token.split() == [token]
        assert tokenize(token) == [token]


def test_file_runs_alone(tmp_path):
    shutil.copy(tokenizer.__file__, tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import tokenizer; print(tokenizer.tokenize('É a.'))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", program, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "['é', 'a', '.']", done.stderr


def test_tokens_in_a_saved_model(tmp_path):
    class Tokens(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def __call__(self, strings):
            return tokens(strings).to_tensor()

    tf.saved_model.save(Tokens(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    strings = ["Ünïcode, 多少?", "", "x " * 10_000]
    expected = tokens(tf.constant(strings)).to_tensor()
    np.testing.assert_array_equal(loaded(tf.constant(strings)), expected)
    assert loaded(tf.constant([], tf.string)).shape[0] == 0
