"""Compiling an int8 ``.tflite`` to an image that a microcontroller executes in place from flash."""
