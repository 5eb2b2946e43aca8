"""Byte and count limits that every reader of the wire applies."""

from __future__ import annotations

from typing import Final

#: Largest MQTT payload, bytes: AWS IoT Core's limit, so that it can be the broker.
MAX_PAYLOAD_BYTES: Final = 128 * 1024
#: Largest telemetry message that a device of ours sends, bytes: of MAX_CHANNELS channels and MAX_CLASSES
#: classes. One of six channels and seven classes has about a kilobyte.
MAX_TELEMETRY_BYTES: Final = 8 * 1024
#: Largest manifest, bytes; with its signature it still fits one payload.
MAX_MANIFEST_BYTES: Final = 64 * 1024
#: Largest signature envelope, bytes.
MAX_SIGNATURE_BYTES: Final = 16 * 1024
#: Largest payload of one bundle, bytes (model, golden vectors: what a device stores).
MAX_BUNDLE_BYTES: Final = 32 * 1024 * 1024
#: Largest root metadata, bytes.
MAX_ROOT_BYTES: Final = 64 * 1024
#: Most classes a model may have and still report a class histogram.
MAX_CLASSES: Final = 256
#: Most input channels a sketch describes.
MAX_CHANNELS: Final = 64
#: Most output values of one golden vector set.
MAX_GOLDEN_BYTES: Final = 1024 * 1024
#: Most devices that the notice of an alert names; it counts the others.
MAX_NAMED_DEVICES: Final = 32
