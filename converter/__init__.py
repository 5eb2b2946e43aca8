"""From a run folder or a foreign model to a signed bundle that was measured by execution."""
