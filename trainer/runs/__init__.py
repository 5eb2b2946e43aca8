"""Runs after they were made: found, compared, made again, and told to other tools."""
