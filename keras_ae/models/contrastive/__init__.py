"""Models trained by a contrast: Deep InfoMax and contrastive predictive coding."""
