import keras
import pytest

from keras_ae.layers.base import ScheduledVariable

SCHEDULE = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 2.0)


def test_a_constant_stays_and_can_be_assigned():
    variable = ScheduledVariable(0.5)
    assert float(variable.next()) == 0.5
    variable.variable.assign(0.25)
    assert float(variable.next()) == 0.25
    assert int(variable.step) == 0


def test_a_schedule_counts_its_own_steps():
    variable = ScheduledVariable(SCHEDULE)
    assert float(variable.variable) == 0.0
    values = [float(variable.next()) for _ in range(6)]
    assert values == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert float(variable.variable) == 2.0


def test_without_advance_it_stands_still():
    variable = ScheduledVariable(SCHEDULE)
    variable.next()
    variable.next()
    assert [float(variable.next(advance=False)) for _ in range(3)] == [0.5] * 3
    assert int(variable.step) == 2


@pytest.mark.parametrize("value", [0.0, -1.0, "1", None])
def test_what_is_no_positive_number_is_refused(value):
    with pytest.raises(ValueError, match="temperature must be a positive number.*Received"):
        ScheduledVariable(value, positive=True, name="temperature")


@pytest.mark.parametrize("value", [0.75, SCHEDULE])
def test_the_value_goes_through_a_config(value):
    config = ScheduledVariable(value).get_value_config()
    copy = ScheduledVariable(ScheduledVariable.value_from_config(config))
    assert copy.get_value_config() == config
