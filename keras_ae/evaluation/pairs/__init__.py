"""L_D*: how well a discriminator tells matching pairs of inputs and embeddings from others."""
