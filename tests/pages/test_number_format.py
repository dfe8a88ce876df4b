import math

import pytest

from keras_ae.pages.formats import (
    format_count,
    format_decimals,
    format_name,
    format_number,
    format_percent,
    format_value,
)
from keras_ae.pages.tables import flatten


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1797, "1,797"),
        (0.0131, "0.01310"),
        (-2.5, "−2.500"),
        (57.25, "57.25"),
        (24.0, "24"),
        (1.0, "1.000"),
        (12345.6, "12,346"),
        (3.2e-7, "3.200 × 10⁻⁷"),
        (-1.5e12, "−1.500 × 10¹²"),
        (math.nan, "not a number"),
        (-math.inf, "−∞"),
        (True, "yes"),
    ],
)
def test_measured_numbers_have_four_significant_digits(value, text):
    assert format_number(value) == text


def test_digits_can_be_chosen():
    assert format_number(0.98437, digits=3) == "0.984"


def test_settings_stay_as_they_were_written():
    assert [format_value(value) for value in (0.002, 64, 50_000, None, False)] == [
        "0.002",
        "64",
        "50,000",
        "–",
        "no",
    ]


def test_long_lists_are_cut_and_counted():
    assert format_value([1] * 20).endswith("1, … (20 entries)")


def test_percentages_and_fixed_decimals_have_a_true_minus_sign():
    assert (format_percent(-0.051), format_percent(None)) == ("−5.1\u202f%", "–")
    assert (format_decimals(-0.5), format_decimals(1.25, 1), format_count(12345)) == (
        "−0.500",
        "1.2",
        "12,345",
    )


def test_names_become_words_with_acronyms_in_capitals():
    assert format_name("test.kl_loss") == "test · KL loss"


def test_flatten_joins_nested_keys():
    assert flatten({"encoder": {"filters": [1], "norm": {"epsilon": 2}}, "x": 3}) == {
        "encoder.filters": [1],
        "encoder.norm.epsilon": 2,
        "x": 3,
    }
