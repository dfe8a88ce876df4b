import numpy as np
import pytest

from keras_ae.evaluation import Sprites
from keras_ae.evaluation.disentanglement.sprites import draw_shapes


@pytest.fixture(scope="module")
def sprites():
    return Sprites()


def test_the_grid_is_that_of_dsprites(sprites):
    assert sprites.sizes == (3, 6, 40, 32, 32) and len(sprites) == 737_280
    assert sprites.factor_names == ("shape", "scale", "orientation", "x", "y")


def test_numbers_and_factors_are_the_same_thing(sprites):
    factors = sprites.sample_factors(50, np.random.default_rng(0))
    assert (factors >= 0).all() and (factors < sprites.sizes).all()
    np.testing.assert_array_equal(sprites.factors_of(sprites.indices_of(factors)), factors)
    np.testing.assert_array_equal(
        sprites.factors_of([0, 1, 737_279]), [[0] * 5, [0, 0, 0, 0, 1], [2, 5, 39, 31, 31]]
    )


def test_pixels_are_black_or_white_and_nothing_is_cut_off(sprites):
    corners = [
        [shape, 5, turn, x, y] for shape in range(3) for turn in (0, 5, 13) for x in (0, 31) for y in (0, 31)
    ]
    images = sprites.images(np.array(corners))
    middle = sprites.images(np.array([[*corner[:3], 16, 16] for corner in corners]))
    assert images.dtype == np.float32 and set(np.unique(images)) == {0.0, 1.0}
    np.testing.assert_array_equal(images.sum(axis=(1, 2, 3)), middle.sum(axis=(1, 2, 3)))


def test_a_step_of_x_moves_the_shape_right_by_a_pixel_and_one_of_y_down(sprites):
    here, right, down = sprites.images(np.array([[2, 3, 7, 10, 20], [2, 3, 7, 11, 20], [2, 3, 7, 10, 21]]))
    np.testing.assert_array_equal(np.roll(here, 1, axis=1), right)
    np.testing.assert_array_equal(np.roll(here, 1, axis=0), down)


def test_area_grows_with_the_square_of_the_scale(sprites):
    areas = sprites.images(np.array([[0, scale, 0, 16, 16] for scale in range(6)])).sum(axis=(1, 2, 3))
    # a square of side 2 * 0.7 * 13 * scale; a pixel at each end of a side is rounded
    sides = 18.2 * np.linspace(0.5, 1.0, 6)
    np.testing.assert_allclose(np.sqrt(areas), sides, atol=1.0)


def test_the_last_orientation_is_the_first_one_again(sprites):
    first, half, last = sprites.images(np.array([[2, 5, turn, 16, 16] for turn in (0, 20, 39)]))
    np.testing.assert_array_equal(first, last)
    assert (first != half).any()


def test_the_box_in_which_shapes_are_drawn_cuts_nothing_off():
    drawn = draw_shapes()
    for edge in (drawn[..., 0, :], drawn[..., -1, :], drawn[..., 0], drawn[..., -1]):
        assert not edge.any()


@pytest.mark.parametrize("size", [32, 16])
def test_small_images_are_means_of_the_pixels_they_stand_for(sprites, size):
    factors = sprites.sample_factors(20, np.random.default_rng(1))
    block = 64 // size
    means = sprites.images(factors).reshape(20, size, block, size, block).mean(axis=(2, 4))
    np.testing.assert_array_equal(Sprites(size).images(factors)[..., 0], means)


def test_no_images_can_be_asked_for(sprites):
    assert sprites.images(np.zeros((0, 5), int)).shape == (0, 64, 64, 1)


@pytest.mark.parametrize(
    "factors", [[[0, 0, 0, 0]], [[3, 0, 0, 0, 0]], [[0, 0, 0, 0, -1]], [[0.5, 0, 0, 0, 0]]], ids=str
)
def test_factors_out_of_the_grid_are_refused(sprites, factors):
    with pytest.raises(ValueError, match="factors must be.*Received"):
        sprites.images(np.array(factors))


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="Received: image_size=48"):
        Sprites(48)
