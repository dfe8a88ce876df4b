"""Models with discrete latent variables or two levels of codes, and priors over codes."""
