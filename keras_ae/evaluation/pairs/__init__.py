"""L_D*: discrimination of matched and mismatched pairs of inputs and embeddings."""
