"""The contract between trainer, converter, server and devices: pure data and rules, no I/O."""
