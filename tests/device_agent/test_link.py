"""The link against a real broker: TLS, refusal, restart, a clone with the same identity."""

from __future__ import annotations

import asyncio
import datetime
import gc
import ipaddress
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from device_agent.broker_url import BrokerUrl, parse_broker_url
from device_agent.link import Link
from tests.device_agent.agent_rig import DEADLINE_S, Broker
from wire.errors import LinkError
from wire.limits import MAX_PAYLOAD_BYTES


def with_links(
    broker: BrokerUrl, count: int, work: Callable[..., Awaitable[None]], client_id: str = "link-{}"
) -> None:
    async def main() -> None:
        rng = Random(1)
        links = [
            Link(broker, client_id.format(i), lambda i=i: (f"will/{i}", b"gone"), rng) for i in range(count)
        ]
        runs = [asyncio.create_task(link.run()) for link in links]
        async with asyncio.timeout(DEADLINE_S):
            await work(*links)
        for link in links:
            await link.close("will/x", b"bye")
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    asyncio.run(main())


async def receive(link: Link, topic: str) -> bytes:
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    link.subscribe(topic, lambda payload: None if arrived.done() else arrived.set_result(payload))
    return await arrived


async def large_message_over(link: Link) -> None:
    payload = bytes(range(256)) * (MAX_PAYLOAD_BYTES // 256)
    await link.up.wait()
    with pytest.raises(LinkError, match="nobody has subscribed"):
        await link.publish("large", payload, retain=True)
    assert await receive(link, "large") == payload
    link.unsubscribe("large")
    link.subscribe("many", lambda payload: None)
    await asyncio.gather(*(link.publish("many", payload[:5000]) for _ in range(50)))


def test_largest_payload_and_many_at_once(broker: Broker) -> None:
    with_links(parse_broker_url(broker.url), 1, large_message_over)


def tls(broker: Broker, folder: Path) -> Path:
    """Restart the broker with TLS; the CA file that verifies it."""
    broker.stop()
    ca_file = make_certificate(folder)
    config = folder / "mosquitto.conf"
    keys = f"certfile {ca_file}\nkeyfile {folder}/key.pem\nallow_anonymous"
    config.write_text(config.read_text().replace("allow_anonymous", keys))
    broker.start()
    broker.url = broker.url.replace("mqtt:", "mqtts:")
    return ca_file


def test_tls(broker: Broker, tmp_path: Path) -> None:
    ca_file = tls(broker, tmp_path)
    with_links(parse_broker_url(broker.url, ca_file=ca_file), 1, large_message_over)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_threat_broker_that_nobody_vouches_for(broker: Broker, tmp_path: Path) -> None:
    tls(broker, tmp_path)

    async def refused(link: Link) -> None:
        why: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        link.on_down = lambda text: None if why.done() else why.set_result(text)
        assert "CERTIFICATE_VERIFY_FAILED" in await why
        assert not link.up.is_set()

    with_links(parse_broker_url(broker.url), 1, refused)
    gc.collect()


def test_subscriptions_and_what_was_on_its_way_survive_a_broker_restart(broker: Broker) -> None:
    async def restart(link: Link) -> None:
        await link.up.wait()
        got: list[bytes] = []
        link.subscribe("news", got.append)
        await link.publish("news", b"1")
        broker.stop()
        while link.up.is_set():
            await asyncio.sleep(0.01)
        late = link.publish("news", b"2")
        broker.start()
        await late
        while b"2" not in got:
            await asyncio.sleep(0.01)
        assert got.count(b"2") == 1

    with_links(parse_broker_url(broker.url), 1, restart)


def test_threat_clone_with_the_same_identity_is_slowed_down(broker: Broker) -> None:
    async def fight(first: Link, second: Link) -> None:
        lost_s: list[float] = []
        loop = asyncio.get_running_loop()
        first.on_down = second.on_down = lambda _why: lost_s.append(loop.time())
        while len(lost_s) < 7:
            await asyncio.sleep(0.01)
        assert lost_s[6] - lost_s[4] > lost_s[2] - lost_s[0]

    with_links(parse_broker_url(broker.url), 2, fight, client_id="same")


def test_no_broker_is_said_and_tried_again() -> None:
    async def down(link: Link) -> None:
        said: list[str] = []
        link.on_down = said.append
        while len(said) < 2:
            await asyncio.sleep(0.01)
        assert "refused" in said[0]

    with_links(BrokerUrl("127.0.0.1", 1), 1, down)


def test_the_agent_loads_no_server_and_no_training_libraries() -> None:
    code = (
        "import sys, device_agent.process, firmware_sim.fleet;"
        "print(sorted({'tensorflow', 'keras', 'fastapi', 'typer', 'rich', 'sklearn', 'scipy', 'nicegui'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file
