import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training.callbacks import LatentTraversal

IMAGES = np.zeros((3, 4, 4, 1), "float32")
EMBEDDINGS = np.array([[1.0, 10.0, 0.5], [3.0, 30.0, 0.5], [5.0, 20.0, 0.5]], "float32")


class Model:
    """Embeds to fixed vectors and notes what it decodes."""

    def embed(self, x):
        return tf.constant(EMBEDDINGS)

    def decode(self, embedding):
        self.decoded = np.array(embedding)
        return tf.zeros((len(embedding), 4, 4, 1), tf.float16)


class PriorModel(Model):
    latent_dim = 3


def decoded_by(model, folder, **kwargs):
    callback = LatentTraversal(IMAGES, folder, **kwargs)
    callback.set_model(model)
    callback.on_epoch_end(0)
    assert (folder / "latent_traversal.png").is_file()
    return model.decoded


def test_with_a_standard_normal_prior_the_ends_are_the_span(tmp_path):
    decoded = decoded_by(PriorModel(), tmp_path, dims=2, steps=3, span=2.0)
    # coordinate 1 varies most over the images, then coordinate 0
    expected = [[1, -2, 0.5], [1, 0, 0.5], [1, 2, 0.5], [-2, 10, 0.5], [0, 10, 0.5], [2, 10, 0.5]]
    np.testing.assert_array_equal(decoded, np.array(expected, "float32"))


def test_without_a_prior_the_ends_are_standard_deviations_of_the_images(tmp_path):
    decoded = decoded_by(Model(), tmp_path, dims=1, steps=2, span=3.0)
    mean, sd = 20.0, np.sqrt(200 / 3)
    # float32 coordinates near 45: rounding below 4e-6
    np.testing.assert_allclose(decoded[:, 1], [mean - 3 * sd, mean + 3 * sd], rtol=1e-6)
    np.testing.assert_array_equal(decoded[:, [0, 2]], [[1.0, 0.5]] * 2)


def test_no_more_rows_than_coordinates(tmp_path):
    assert len(decoded_by(PriorModel(), tmp_path, dims=8, steps=5)) == 3 * 5


def test_a_model_without_embed_is_named(tmp_path):
    callback = LatentTraversal(IMAGES, tmp_path)
    callback.set_model(object())
    with pytest.raises(
        ValueError, match=r"must have `embed\(x\)` and `decode\(embedding\)`. Received: object"
    ):
        callback.on_train_begin()


def test_a_grid_of_embeddings_is_logged_and_loses_no_training(tmp_path, caplog):
    model = Model()
    model.embed = lambda x: tf.zeros((3, 2, 2, 8))
    callback = LatentTraversal(IMAGES, tmp_path)
    callback.set_model(model)
    callback.on_epoch_end(0)
    assert "pictures of LatentTraversal was left out" in caplog.text
    assert "Received: shape (3, 2, 2, 8)" in caplog.text
    assert not list(tmp_path.iterdir())


def test_one_image_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must contain at least two images. Received: 1"):
        LatentTraversal(IMAGES[:1], tmp_path)
