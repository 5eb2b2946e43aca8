"""From a data set to a run folder: checked and split data, a trained Keras model, its lineage."""
