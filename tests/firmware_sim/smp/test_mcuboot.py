"""MCUboot images by imgtool: what is read of them, and that no damaged one passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpclient.mcuboot import IMAGE_TLV, ImageInfo

from firmware_sim.smp import mcuboot
from firmware_sim.smp.key import read_public_key
from tests.firmware_sim.smp.wrapping import imgtool, wrap
from wire.errors import InputError, TrustError, WireError

CONTENT = bytes(range(256)) * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mcuboot")


@pytest.fixture(scope="module")
def signed(folder):
    return wrap(folder, CONTENT, "3.4.5+6")


@pytest.fixture(scope="module")
def key(folder):
    private, public = folder / "key.pem", folder / "public.pem"
    imgtool("keygen", "-k", private, "-t", "ecdsa-p256")
    imgtool("getpub", "-k", private, "-e", "pem", "-o", public)
    return private, public


def test_an_image_by_imgtool_is_read_as_smpclient_reads_it(signed):
    data = signed.read_bytes()
    found, theirs = mcuboot.read(data), ImageInfo.load_file(str(signed))
    assert found.version == "3.4.5.6"
    assert found.sha256 == theirs.get_tlv(IMAGE_TLV.SHA256).value
    assert (found.content_at, found.content_bytes) == (theirs.header.hdr_size, theirs.header.img_size)
    assert data[found.content_at :][: found.content_bytes] == CONTENT
    assert found.total_bytes == len(data)


def test_erased_flash_behind_the_image_does_not_matter(signed):
    data = signed.read_bytes()
    assert mcuboot.read(data + b"\xff" * 4096) == mcuboot.read(data)


def test_protected_tags_are_part_of_the_hash(folder):
    file = wrap(folder, CONTENT, "1.0.0", "--custom-tlv", "0xa0", "0x1234")
    data = bytearray(file.read_bytes())
    found = mcuboot.read(bytes(data))
    data[found.content_at + found.content_bytes + 8] ^= 1
    with pytest.raises(WireError, match="SHA-256"):
        mcuboot.read(bytes(data))


def test_a_bit_that_flipped_in_header_or_content_is_found(signed):
    data = signed.read_bytes()
    hashed = mcuboot.read(data).content_at + len(CONTENT)
    for bit in range(hashed * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            mcuboot.read(bytes(damaged))


def test_an_image_that_is_cut_off_anywhere_is_found(signed):
    data = signed.read_bytes()
    for length in range(len(data)):
        with pytest.raises(WireError):
            mcuboot.read(data[:length])


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_magic_are_refused_in_words(tail):
    with pytest.raises(WireError):
        mcuboot.read(mcuboot.MAGIC.to_bytes(4, "little") + tail)


def test_a_threat_an_image_of_another_key_is_not_trusted(folder, key, signed):
    private, public = key
    trusted = read_public_key(public)
    mcuboot.check_signature(mcuboot.read(wrap(folder, CONTENT, "1.0.0", "-k", private).read_bytes()), trusted)
    stranger = folder / "stranger.pem"
    imgtool("keygen", "-k", stranger, "-t", "ecdsa-p256")
    forged = wrap(folder, CONTENT, "1.0.0", "-k", stranger)
    for file in (forged, signed):
        with pytest.raises(TrustError, match="not signed by this board's key"):
            mcuboot.check_signature(mcuboot.read(file.read_bytes()), trusted)


def test_a_key_of_another_kind_is_refused(folder):
    private, public = folder / "rsa.pem", folder / "rsa-public.pem"
    imgtool("keygen", "-k", private, "-t", "ed25519")
    imgtool("getpub", "-k", private, "-e", "pem", "-o", public)
    with pytest.raises(InputError, match="not a P-256 key"):
        read_public_key(public)
    public.write_text("no key")
    with pytest.raises(InputError, match="not a public key"):
        read_public_key(public)
