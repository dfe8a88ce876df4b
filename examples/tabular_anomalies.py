# %% [markdown]
"""Anomaly detection on a table: rows unlike the training rows, with missing values and categories.

A variational auto-encoder learns the benign cases of scikit-learn's breast cancer table. The score of a row
is its negative evidence lower bound: high for malignant cases, which the model has never seen.
"""

# %%
import sys

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from keras_ae.layers import TableLikelihood
from keras_ae.models import VariationalAutoEncoder
from keras_ae.networks import dense_decoder, dense_encoder
from keras_ae.tables import fit_columns, values_of

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
source = load_breast_cancer()
table = dict(zip(source.feature_names, source.data.T, strict=True))  # or a data frame
malignant = source.target == 0
size = np.where(table["mean area"] > np.median(table["mean area"]), "large", "small")
table["size"] = size.astype(object)  # a column of categories
table["mean radius"][::20] = np.nan  # and some missing values

# %% [markdown]
# The description of the columns comes from the training rows, 300 benign ones. It is a part of the model,
# which takes numbers in their own units.

# %%
train = np.flatnonzero(~malignant)[:300]
test = np.setdiff1d(np.arange(len(malignant)), train)
columns = fit_columns({name: column[train] for name, column in table.items()})
rows = values_of(table, columns)  # float32 (569, 31), NaN where a value is missing
print(columns[0], columns[-1], sep="\n")

# %%
keras.utils.set_random_seed(0)
model = VariationalAutoEncoder(
    dense_encoder(columns, 2 * 8),  # mean and log variance of 8 numbers
    dense_decoder(columns, 8),
    latent_dim=8,
    likelihood=TableLikelihood(columns),
)
model.compile(keras.optimizers.Adam(1e-3))
model.fit(rows[train], epochs=1 if TINY else 200, batch_size=32, verbose=0)

# %% [markdown]
# Choose the threshold on normal rows: the 95 % quantile of the training rows. Held-out rows give the
# true rate of false alarms. On this split the isolation forest is better.

# %%
score = np.asarray(model.score(rows))
threshold = np.quantile(score[train], 0.95)
filled = np.where(np.isnan(rows), np.nanmean(rows[train], axis=0), rows)
forest = IsolationForest(random_state=0).fit(filled[train])
other = -forest.score_samples(filled[test])
print(f"area under the ROC curve: {roc_auc_score(malignant[test], score[test]):.3f}")
print(f"isolation forest:         {roc_auc_score(malignant[test], other):.3f}")
print(f"malignant cases above the threshold: {np.mean(score[malignant] > threshold):.0%}")
