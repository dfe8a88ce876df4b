import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training.report.plots import (
    CELL,
    DARK,
    LIGHT,
    code_histogram,
    history_curves,
    history_panels,
    image_grid,
    unit_of,
)


def pixels(png):
    return tf.io.decode_png(png, channels=3).numpy()


def colour(text):
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


def test_grid_enlarges_every_pixel_to_one_square_of_whole_size():
    image = np.array([[0.0, 1.0], [1.0, 0.0]])
    picture = pixels(image_grid([image[None]]))[..., 0]
    factor = CELL // 2
    top, left = 24, 24
    enlarged = picture[top : top + 2 * factor, left : left + 2 * factor]
    np.testing.assert_array_equal(enlarged, np.kron(image, np.ones((factor, factor))) * 255)


def test_grid_shows_colour_and_clips_what_is_out_of_range():
    image = np.full((1, 4, 4, 3), [-3.0, 0.5, 7.0], "float32")
    picture = pixels(image_grid([image]))
    # 0.5 * 255 is rounded either way
    np.testing.assert_allclose(picture[24 + CELL // 2, 24 + CELL // 2], [0, 127.5, 255], atol=0.5)


def test_grid_takes_rows_of_different_length():
    wide = pixels(image_grid([np.zeros((3, 8, 8)), np.zeros((1, 8, 8))]))
    single = pixels(image_grid([np.zeros((3, 8, 8))]))
    assert wide.shape[1] == single.shape[1]


@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8, 2)])
def test_grid_refuses_what_is_no_row_of_images(shape):
    with pytest.raises(ValueError, match=r"must have .* with 1 or 3 channels. Received: shape"):
        image_grid([np.zeros(shape)])


def test_grid_refuses_no_rows():
    with pytest.raises(ValueError, match="rows must contain at least one row"):
        image_grid([])


def test_dollar_signs_in_labels_are_no_mathematics():
    image_grid([np.zeros((1, 8, 8))], row_labels=["$x_"], title="a$b^")
    history_curves({"$\\frac": [1.0, 2.0]})
    code_histogram(np.ones(3), title="$")


def test_the_same_picture_is_the_same_bytes():
    history = {"loss": [3.0, 2.0]}
    assert history_curves(history) == history_curves(history)


def test_the_callers_matplotlib_is_left_alone():
    before = dict(matplotlib.rcParams)
    image_grid([np.zeros((1, 8, 8))])
    history_curves({"loss": [100.0, 0.1]})
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_paper_has_the_colour_of_the_theme(theme):
    picture = pixels(history_curves({"loss": [1.0, 2.0]}, theme=theme))
    assert picture[0, 0].tolist() == colour(theme.background)


def test_panels_pair_training_with_validation_and_put_the_codes_last():
    names = ("epoch", "perplexity", "kl_loss", "val_kl_loss", "val_loss", "loss", "a_usage", "a_dead_codes")
    assert history_panels(dict.fromkeys(names, [0.0])) == {
        "loss": ["loss", "val_loss"],
        "kl_loss": ["kl_loss", "val_kl_loss"],
        "perplexity": ["perplexity"],
        "a_usage": ["a_usage"],
    }


def test_a_perplexity_is_of_codes_or_of_words():
    assert unit_of("perplexity") == unit_of("top_perplexity") == "effective codes"
    assert unit_of("next_perplexity") == "words"


def test_dead_codes_have_a_panel_where_usage_is_not_logged():
    assert list(history_panels({"dead_codes": [1.0]})) == ["dead_codes"]


def test_epochs_counted_from_nought_and_from_one_give_the_same_curves():
    curves = {"loss": [3.0, 2.0, 1.0]}
    assert history_curves({"epoch": [0, 1, 2], **curves}) == history_curves({"epoch": [1, 2, 3], **curves})


def test_curves_with_gaps_and_a_single_epoch_are_drawn():
    assert pixels(history_curves({"loss": [np.nan, 1.0, np.inf]})).std() > 0
    assert pixels(history_curves({"loss": [1.0]})).std() > 0


def test_a_history_without_columns_is_refused():
    with pytest.raises(ValueError, match="must contain a column other than `epoch`"):
        history_curves({"epoch": [1.0]})


def blue_share(png):
    return float((pixels(png) == colour(LIGHT.series[0])).all(axis=-1).mean())


def test_histogram_of_equal_use_is_full_and_of_one_code_is_nearly_empty():
    equal, collapsed = np.ones(64), np.eye(64)[5]
    assert blue_share(code_histogram(equal)) > 20 * blue_share(code_histogram(collapsed)) > 0


def test_histogram_does_not_depend_on_the_order_of_the_codes():
    counts = np.arange(10)
    assert code_histogram(counts) == code_histogram(counts[::-1])


def test_histogram_of_bits_depends_on_their_order():
    counts = np.array([[3, 1], [1, 3], [2, 2]])
    assert code_histogram(counts) != code_histogram(counts[::-1])


def test_histogram_of_no_codes_at_all_is_drawn():
    assert pixels(code_histogram(np.zeros((2, 8)))).std() > 0
