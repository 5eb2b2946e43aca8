"""Microcontroller-class devices that really execute their models, and fleets of them."""
