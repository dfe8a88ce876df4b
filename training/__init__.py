"""How models are trained: data, recipes, callbacks, run directories, the command line."""
