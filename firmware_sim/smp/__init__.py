"""The Simple Management Protocol: how MCUboot's tools update a board, here a simulated one, over UDP."""
