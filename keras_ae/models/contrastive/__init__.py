"""Models with a contrastive objective: Deep InfoMax and contrastive predictive coding."""
