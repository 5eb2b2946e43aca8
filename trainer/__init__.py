"""Data set -> checked, split data -> trained Keras model -> a run folder."""
