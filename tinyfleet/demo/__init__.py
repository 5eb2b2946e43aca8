"""The whole loop on one machine, by the same commands that a user would type."""
