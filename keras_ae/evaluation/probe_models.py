"""The classifiers and regressions that read embeddings, fitted by scikit-learn."""

import warnings

import numpy as np

from keras_ae.errors import InputError, require

HIDDEN = 256
PENALTY = 1e-3  # of the perceptron
MAX_STEPS = 2000  # of logistic regression
MAX_PASSES = 200  # of the perceptron
STOPPING_FROM = 500  # examples: with fewer, a tenth says nothing about when to stop
MOST_ONE_HOT = 50_000  # columns
ALPHAS = np.logspace(-3, 4, 8)  # of ridge regression, chosen by leave-one-out in training


def linear_model(regression):
    """Logistic or ridge regression, unfitted."""
    linear = require("sklearn.linear_model", extra="evaluation")
    return linear.RidgeCV(ALPHAS) if regression else linear.LogisticRegression(C=1.0, max_iter=MAX_STEPS)


def mlp_model(regression, y, seed):
    """A perceptron of 256 hidden units, unfitted; a tenth of many examples says when to stop."""
    neural = require("sklearn.neural_network", extra="evaluation")
    kind = neural.MLPRegressor if regression else neural.MLPClassifier
    counts = [len(y)] if regression else np.unique(y, return_counts=True)[1]
    stopping = len(y) >= STOPPING_FROM and min(counts) >= 2 and len(counts) <= len(y) // 10
    return kind(
        hidden_layer_sizes=(HIDDEN,),
        alpha=PENALTY,
        max_iter=MAX_PASSES,
        early_stopping=stopping,
        random_state=seed,
    )


def predictions(model, x_train, y_train, x_test, regression=False):
    """What `model`, fitted on standardised features, says of the held-out ones; whether it converged."""
    exceptions = require("sklearn.exceptions", extra="evaluation")
    preprocessing = require("sklearn.preprocessing", extra="evaluation")
    scale = preprocessing.StandardScaler()
    mean, deviation = (y_train.mean(), y_train.std()) if regression else (0.0, 1.0)
    target = (y_train - mean) / deviation if regression else y_train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # it is in the result
        model.fit(scale.fit_transform(x_train), target)
    said = model.predict(scale.transform(x_test))
    return said * deviation + mean if regression else said


def one_hot_columns(z, train):
    """Integer codes as one column for each value of each feature that the rows `train` have."""
    columns = []
    for feature in z.T:
        columns.append(feature[:, None] == np.unique(feature[train]))
        if sum(block.shape[1] for block in columns) > MOST_ONE_HOT:
            raise InputError(
                f"One-hot codes have at most {MOST_ONE_HOT} columns. Received: codes of {z.shape[1]} "
                "features with too many values. Probe their embedding instead."
            )
    return np.concatenate(columns, axis=1).astype("float32")
