"""Training of models: data, recipes, callbacks, run directories, and the command line."""
