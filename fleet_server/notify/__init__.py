"""Notices of alerts: kept in an outbox with the alert, and sent to whoever wants them."""
