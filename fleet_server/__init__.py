"""Registry, devices, rollouts and telemetry behind one HTTP API, one MQTT bridge, one database."""
