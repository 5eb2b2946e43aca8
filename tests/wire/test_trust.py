"""Trust: who may say what, and that nothing else is believed, whatever its bytes."""

from __future__ import annotations

import copy
import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical

from tests.wire import samples
from tests.wire.refusal import refusal
from tests.wire.samples import ARTIFACT, ASSIGNMENT, BUNDLE, DESIRED, DEVICE, EXPIRES, MANIFEST, NOW
from tests.wire.strategies import nested, spoiled_bytes, spoiled_json, to_json
from wire import trust
from wire.errors import FleetError, InputError, TrustError, WireError
from wire.limits import MAX_PAYLOAD_BYTES, MAX_ROOT_BYTES
from wire.manifest import encode_manifest
from wire.states import Reason

IMAGE = trust.load_root(samples.IMAGE_ROOT)
DIRECTOR = trust.load_root(samples.DIRECTOR_ROOT)


def verify(payload, device=DEVICE, now=NOW):
    return trust.verify_assignment(DIRECTOR, payload, device, now)


def verify_bundle(artifact, now=NOW, digest=BUNDLE.digest):
    return trust.verify_manifest(IMAGE, artifact, digest, now)


def assign(key=samples.DIRECTOR_KEY, expires=EXPIRES):
    return trust.sign_assignment(ASSIGNMENT, len(samples.MANIFEST_BYTES), key, expires)


def release(key=samples.RELEASE_KEY, expires=EXPIRES):
    signature = trust.sign_manifest(samples.MANIFEST_BYTES, key, expires)
    return signed_as(signature.decode())


def signed_as(signature):
    return trust.Artifact(manifest=ARTIFACT.manifest, signature=signature)


def resign(document, key):
    """Sign ``document["signed"]`` again, as the holder of the key can whatever is in it."""
    signed = json.loads(to_json(document["signed"]))
    signature = key.sign(encode_canonical(signed).encode())
    return to_json({**document, "signed": signed, "signatures": [signature.to_dict()]})


def test_what_was_signed_is_believed():
    assert verify(DESIRED) == ASSIGNMENT
    assert verify_bundle(ARTIFACT) == MANIFEST


def test_threat_every_changed_byte_of_an_assignment_is_refused():
    only_spelling(DESIRED, changed_bytes(DESIRED, verify), ASSIGNMENT)


def test_threat_every_changed_byte_of_a_signature_envelope_is_refused():
    data = ARTIFACT.signature.encode()
    believed = changed_bytes(
        data,
        lambda spoiled: verify_bundle(signed_as(spoiled.decode("latin-1"))),
    )
    only_spelling(data, believed, MANIFEST)


def test_threat_every_changed_byte_of_a_manifest_is_refused():
    def check(spoiled):
        return verify_bundle(trust.Artifact(manifest=spoiled.decode("latin-1"), signature=ARTIFACT.signature))

    assert changed_bytes(ARTIFACT.manifest.encode(), check) == []


@pytest.mark.parametrize("key", ["RELEASE_KEY", "ROOT_KEY", "STRANGER_KEY"])
def test_threat_only_the_director_assigns(key):
    refused(lambda: verify(assign(key=getattr(samples, key))), Reason.UNTRUSTED)


@pytest.mark.parametrize("key", ["DIRECTOR_KEY", "ROOT_KEY", "STRANGER_KEY"])
def test_threat_only_the_release_key_makes_a_bundle(key):
    refused(lambda: verify_bundle(release(key=getattr(samples, key))), Reason.UNTRUSTED)


def test_threat_an_assignment_is_no_signature_of_a_manifest_and_vice_versa():
    refused(lambda: verify(ARTIFACT.signature.encode()), Reason.UNTRUSTED)
    refused(
        lambda: verify_bundle(signed_as(DESIRED.decode())),
        Reason.UNTRUSTED,
    )


@pytest.mark.parametrize(("late_s", "good"), [(-1, True), (0, False), (1, False)])
def test_threat_expiry(late_s, good):
    now = EXPIRES + timedelta(seconds=late_s)
    if good:
        assert verify(DESIRED, now=now) == ASSIGNMENT
        assert verify_bundle(ARTIFACT, now=now) == MANIFEST
    else:
        refused(lambda: verify(DESIRED, now=now), Reason.UNTRUSTED)
        refused(lambda: verify_bundle(ARTIFACT, now=now), Reason.UNTRUSTED)


@pytest.mark.parametrize("other", ["kitchen-2", "kitchen-10", "kitchen-1/manifest.json", "", "."])
def test_threat_another_devices_assignment(other):
    refused(lambda: verify(DESIRED, device=other), Reason.UNTRUSTED)


def test_threat_an_assignment_that_names_two_devices():
    document = json.loads(DESIRED)
    document["signed"]["targets"][f"{DEVICE}/manifest.json"]["custom"]["device"] = "kitchen-2"
    refused(lambda: verify(resign(document, samples.DIRECTOR_KEY)), Reason.UNTRUSTED)


def test_threat_another_bundle_of_the_same_key():
    refused(lambda: verify_bundle(ARTIFACT, digest="0" * 64), Reason.DIGEST_MISMATCH)
    other = msgspec.structs.replace(MANIFEST, lineage={})
    signature = trust.sign_manifest(encode_manifest(other), samples.RELEASE_KEY, EXPIRES).decode()
    refused(
        lambda: verify_bundle(signed_as(signature)),
        Reason.UNTRUSTED,
    )


@pytest.mark.parametrize("version", [True, 2**53 + 1, 1.5, "3", None])
def test_threat_a_signed_sequence_out_of_range(version):
    document = json.loads(DESIRED)
    document["signed"]["version"] = version
    try:
        payload = resign(document, samples.DIRECTOR_KEY)
    except FormatError:  # canonical JSON has no fractions: it cannot be signed
        payload = to_json(document)
    assert refusal(verify, payload)


def test_oversize():
    for check, limit in ((verify, MAX_PAYLOAD_BYTES), (trust.load_root, MAX_ROOT_BYTES)):
        with pytest.raises(WireError, match="over"):
            check(b" " * (limit + 1))
    with pytest.raises(WireError, match="over"):
        verify_bundle(signed_as(ARTIFACT.signature.ljust(16 * 1024 + 1)))


@pytest.mark.parametrize("key", ["rsa", "dsa", "eddsa"])
@pytest.mark.parametrize("headers", [{}, {"other_headers": "04"}, {"other_headers": 1}])
def test_threat_openpgp_keys_in_a_root(key, headers):
    scheme = {"rsa": "pgp+rsa-pkcsv1.5", "dsa": "pgp+dsa-fips-180-2", "eddsa": "pgp+eddsa-ed25519"}[key]
    document = json.loads(samples.IMAGE_ROOT)
    document["signed"]["keys"][samples.ROOT_KEY.public_key.keyid].update(keytype=key, scheme=scheme)
    document["signatures"][0].update(headers)
    refused(lambda: trust.load_root(to_json(document)), Reason.UNTRUSTED)


def test_threat_a_root_signed_by_another_key():
    document = json.loads(samples.IMAGE_ROOT)
    refused(lambda: trust.load_root(resign(document, samples.STRANGER_KEY)), Reason.UNTRUSTED)


@pytest.mark.parametrize("data", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
def test_a_bad_key_file(data):
    with pytest.raises(InputError):
        trust.load_key(data)


def test_a_new_key_signs():
    key = trust.load_key(trust.new_key())
    root = trust.load_root(trust.make_root(key, key.public_key, EXPIRES))
    assert trust.verify_assignment(root, assign(key=key), DEVICE, NOW) == ASSIGNMENT


CHECKS = {
    "assignment": (DESIRED, verify, samples.DIRECTOR_KEY),
    "bundle": (
        ARTIFACT.signature.encode(),
        lambda data: verify_bundle(signed_as(data.decode("utf-8", "replace"))),
        samples.RELEASE_KEY,
    ),
    "root": (samples.IMAGE_ROOT, trust.load_root, samples.ROOT_KEY),
}
every_check = pytest.mark.parametrize("what", CHECKS)


@every_check
@given(data=st.data())
def test_threat_any_bytes_are_refused_in_words(what, data):
    good, check, _ = CHECKS[what]
    in_words(check, data.draw(st.binary(max_size=300) | spoiled_bytes(good)))


@every_check
@given(data=st.data())
def test_threat_any_document_is_refused_in_words(what, data):
    good, check, _ = CHECKS[what]
    in_words(check, to_json(data.draw(spoiled_json(good))))


@every_check
@given(data=st.data())
def test_threat_any_document_of_the_right_key_is_refused_in_words(what, data):
    good, check, key = CHECKS[what]
    document = copy.deepcopy(data.draw(spoiled_json(good)))
    try:
        payload = resign(document, key)
    except (FormatError, KeyError, TypeError, ValueError, AttributeError):
        return  # not even its owner can sign this
    in_words(check, payload)


@every_check
@pytest.mark.parametrize("depth", [200, 900, 5000, 7000])
def test_threat_deep_nesting_is_refused_in_words(what, depth):
    good, check, _ = CHECKS[what]
    in_words(check, nested(depth))
    in_words(check, good.replace(b'"signed":{', b'"signed":{"x":' + nested(depth) + b","))
    in_words(check, good.replace(b'"signatures":[{', b'"x":' + nested(depth) + b',"signatures":[{'))


def refused(check, reason):
    with pytest.raises(TrustError) as caught:
        check()
    assert caught.value.code is reason
    assert "\n" not in str(caught.value)


def in_words(check, data):
    error = refusal(check, data)
    assert error is None or (error.message and "\n" not in str(error))


def changed_bytes(data, check):
    """Where and as what ``data`` is believed although one of its bytes is another."""
    believed = []
    for at, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 0x20, byte ^ 0x80, 0x20, 0x30} - {byte}:
            try:
                believed.append((at, check(data[:at] + bytes([other]) + data[at + 1 :])))
            except FleetError:
                continue
    return believed


def only_spelling(data, believed, meaning):
    """TUF signs what the JSON means, not its bytes: the case of a signature's hex digits and a blank for
    the leading zero of a day are nothing to it. Whatever is believed must mean what was signed.
    """
    free = [span_of(before, data) for before in (b'"sig":"', b'"expires":"')]
    assert all(any(start <= at < end for start, end in free) for at, _ in believed)
    assert all(result == meaning for _, result in believed)


def span_of(before, data):
    """Where the JSON string after ``before`` is."""
    start = data.index(before) + len(before)
    return start, data.index(b'"', start)
