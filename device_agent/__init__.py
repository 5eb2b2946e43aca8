"""What runs on a device: update state machine, slots, self-test, inference, reports."""
