"""From a drift alert to the next version: samples, data set n+1, training, a gate on old and field data."""
