"""Which keys are accepted, and that a private one stays private."""

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from swarm_ray.attestation.keys import PublicKey, SigningKey, load_signing_key
from swarm_ray.errors import UsageError
from swarm_ray.values.digests import sha256

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493


def add(one, two):
    (x1, y1), (x2, y2) = one, two
    k = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
    )


def times(factor, point):
    result = (0, 1)
    while factor:
        if factor & 1:
            result = add(result, point)
        point, factor = add(point, point), factor >> 1
    return result


def some_points():
    """Curve points found by trying small y, as RFC 8032 decodes them."""
    y = 1
    while True:
        y += 1
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        if x * x % P != square:
            x = x * pow(2, (P - 1) // 4, P) % P
        if x * x % P == square:
            yield (x, y)


def low_order_encodings():
    """All byte strings that decode to a point of order 1, 2, 4 or 8: multiply points by the
    prime order until the eight points of the small subgroup are found."""
    points = set()
    for point in some_points():
        points.add(times(ORDER, point))
        if len(points) == 8:
            break
    found = set()
    for _, y in points:
        for value in (y, y + P):
            if value < 2**255:
                found |= {(value | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    return found


def test_the_fourteen_low_order_encodings_are_refused():
    encodings = low_order_encodings()
    assert len(encodings) == 14
    for raw in encodings:
        with pytest.raises(UsageError) as caught:
            PublicKey(raw)
        assert caught.value.code == "key.low_order"


def test_the_check_is_needed_because_openssl_accepts_a_forgery_under_such_a_key():
    identity = (1).to_bytes(32, "little")
    signature = identity + bytes(32)  # R = identity, S = 0
    Ed25519PublicKey.from_public_bytes(identity).verify(signature, b"pay 1000 USD")


def test_bytes_that_are_no_curve_point_are_refused():
    off_curve = (2).to_bytes(32, "little")
    unreduced = (P + 3).to_bytes(32, "little")
    for raw in (off_curve, unreduced, b"\xff" * 32, b"", bytes(31), bytes(33)):
        with pytest.raises(UsageError) as caught:
            PublicKey(raw)
        assert caught.value.code == "key.malformed"


def test_good_keys_are_accepted():
    for seed in range(20):
        key = SigningKey.from_seed(bytes([seed]) * 32)
        assert PublicKey(key.public.raw) == key.public
        assert key.keyid == sha256(key.public.raw)


def test_the_first_vector_of_rfc_8032_is_reproduced():
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = SigningKey.from_seed(seed)
    assert key.public.raw.hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b"
    )


def test_a_signature_counts_only_for_its_data_and_key():
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"data")
    assert key.public.verifies(signature, b"data")
    assert not key.public.verifies(signature, b"other")
    assert not other.public.verifies(signature, b"data")
    assert not key.public.verifies(signature[:-1], b"data")


def test_a_private_key_neither_shows_nor_pickles():
    seed = b"\x07" * 32
    key = SigningKey.from_seed(seed)
    assert repr(key) == f"SigningKey({key.keyid[:16]})" == str(key)
    with pytest.raises(UsageError) as caught:
        pickle.dumps(key)
    assert caught.value.code == "key.not_portable"
    assert pickle.loads(pickle.dumps(key.public)) == key.public


def test_a_key_file_is_read_back_with_its_passphrase_only(tmp_path):
    key = SigningKey.generate()
    path = tmp_path / "host.pem"
    path.write_bytes(key.to_pem(b"secret"))
    path.chmod(0o600)
    assert load_signing_key(path, b"secret").keyid == key.keyid
    for passphrase in (b"wrong", None):
        with pytest.raises(UsageError) as caught:
            load_signing_key(path, passphrase)
        assert caught.value.code == "key.malformed"


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "host.pem"
    path.write_bytes(SigningKey.generate().to_pem())
    path.chmod(0o640)
    with pytest.raises(UsageError) as caught:
        load_signing_key(path)
    assert caught.value.code == "key.exposed"
    with pytest.raises(UsageError) as caught:
        load_signing_key(tmp_path / "none.pem")
    assert caught.value.code == "key.not_found"


def test_another_kind_of_key_is_refused():
    pem = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(UsageError) as caught:
        SigningKey.from_pem(pem)
    assert caught.value.code == "key.wrong_kind"
