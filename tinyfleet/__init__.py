"""The root command line: the only place that sees every package."""
