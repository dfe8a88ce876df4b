"""Less time for what no test is about: the tests trace many graphs and run each for a few steps."""

import gc


def trace_without_optimising() -> None:
    """Leave out Grappler, and keep the garbage collector from what was imported; call it after the imports.

    Grappler takes longer to optimise a graph than it saves in a few steps. Child processes that run a command
    run it as users do.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 5)
