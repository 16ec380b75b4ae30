"""Section `signatures`: Ed25519 as docs/ota.md wants it. {public, message, signature: hex, valid}."""

from __future__ import annotations

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
BASE: Point = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)
ZERO: Point = (0, 1)


def add(p: Point, q: Point) -> Point:
    x, y = p[0] * q[1] + p[1] * q[0], p[1] * q[1] + p[0] * q[0]
    d = D * p[0] * p[1] * q[0] * q[1] % P
    return x * pow(1 + d, -1, P) % P, y * pow(1 - d, -1, P) % P


def times(k: int, p: Point) -> Point:
    out = ZERO
    for bit in bin(k)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, p)
    return out


def encoded(p: Point) -> bytes:
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def decoded(y: int) -> Point:
    """The point of that y with an even x."""
    u, v = y * y - 1, D * y * y + 1
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert v * x * x % P == u % P
    return x if x % 2 == 0 else P - x, y


EIGHTH = decoded(2707385501144840649318225287225658788936804267575313519463743609750303402022)  # of order 8
SECRET = 0x1F2E3D4C5B6A79880123456789ABCDEF0F1E2D3C4B5A69788796A5B4C3D2E1F0 % L


def digest(r: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


def signed(message: bytes, secret: int, a: Point, r: int, point: Point | None = None) -> tuple[bytes, int]:
    """(R, s) with the equation of RFC 8032 for the secret, whatever R's or the key's encoding holds."""
    big_r = encoded(times(r, BASE) if point is None else point)
    return big_r, (r + digest(big_r, encoded(a), message) * secret) % L


def vector(
    name: str, public: bytes, message: bytes, signature: bytes, valid: bool, by: str = "generator"
) -> dict:
    hexes = {"public": public.hex(), "message": message.hex(), "signature": signature.hex()}
    return {"name": name, "by": by, **hexes, "valid": valid}


def of_rfc8032() -> list[dict]:
    """Section 7.1, literally."""
    tests = {
        "TEST 1": (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b",
        ),
        "TEST 2": (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00",
        ),
        "TEST 3": (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a",
        ),
        "TEST SHA(abc)": (
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
            "454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
            "3dca179c138ac17ad9bef1177331a704",
        ),
    }
    out = []
    for name, (public, message, signature) in tests.items():
        public_key, text, sig = (bytes.fromhex(part) for part in (public, message, signature))
        out.append(vector(f"RFC 8032 {name}", public_key, text, sig, True, "hand"))
    return out


def crafted() -> list[dict]:
    """What libraries answer differently, and plain forgeries."""
    message = b"minerva-ota-v1" + bytes(range(32))
    a = times(SECRET, BASE)
    public = encoded(a)
    r, s = signed(message, SECRET, a, 12345)

    def sig(r: bytes, s: int) -> bytes:
        return r + s.to_bytes(32, "little")

    out = [
        vector("an ordinary signature", public, message, sig(r, s), True),
        vector("another message", public, message[:-1] + b"x", sig(r, s), False),
        vector("another key", encoded(times(SECRET + 1, BASE)), message, sig(r, s), False),
        vector("the key's sign bit", public[:31] + bytes([public[31] ^ 128]), message, sig(r, s), False),
        vector("R's sign bit", public, message, sig(r[:31] + bytes([r[31] ^ 128]), s), False),
        vector("s + L", public, message, sig(r, s + L), False),
        vector("s = L", public, message, sig(r, L), False),
        vector("s = 0", public, message, sig(r, 0), False),
        vector("s + 1", public, message, sig(r, (s + 1) % L), False),
        vector("a signature of zeros", public, message, bytes(64), False),
        vector("a signature of 63 bytes", public, message, sig(r, s)[:63], False),
        vector("a signature of 65 bytes", public, message, sig(r, s) + b"\0", False),
        vector("a key of 31 bytes", public[:31], message, sig(r, s), False),
    ]
    # A key of small order "signs" without a secret: R = rB, s = r, for each message whose k times it is zero.
    free = encoded(times(4321, BASE))
    zero = encoded(ZERO)
    minus_zero = zero[:31] + b"\x80"  # x = 0 has no odd form
    for name, point, key in (
        ("of order 1", ZERO, zero),
        ("of order 2", (0, P - 1), encoded((0, P - 1))),
        ("of order 4", times(2, EIGHTH), encoded(times(2, EIGHTH))),
        ("of order 8", EIGHTH, encoded(EIGHTH)),
        ("with x = 0 and its sign", ZERO, minus_zero),
        ("of order 1, written as y = p + 1", ZERO, (P + 1).to_bytes(32, "little")),
        ("of order 4, written as y = p", decoded(0), P.to_bytes(32, "little")),
    ):
        for i in range(64):
            text = message + bytes([i])
            if times(digest(free, key, text), point) == ZERO:
                out.append(vector(f"a key {name}", key, text, sig(free, 4321), False))
                break
        else:
            raise AssertionError("no message for it")
    big_r, small_s = signed(message, SECRET, a, 0, ZERO)
    out.append(vector("R of order 1", public, message, sig(big_r, small_s), False))
    out.append(
        vector("R not canonical", public, message, sig((P + 1).to_bytes(32, "little"), small_s), False)
    )
    out.append(vector("a key not canonical", (P + 3).to_bytes(32, "little"), message, sig(r, s), False))
    out.append(vector("a key that is no point", (2).to_bytes(32, "little"), message, sig(r, s), False))
    # A key with a part of small order: the plain equation holds for one message in eight; with the cofactor
    # it would hold for all.
    mixed = add(a, EIGHTH)
    found: dict[bool, dict] = {}
    for i in range(64):
        text = message + bytes([i])
        big_r, s = signed(text, SECRET, mixed, 777)
        right = digest(big_r, encoded(mixed), text) % 8 == 0
        name = f"a key of mixed order, the plain equation {'holds' if right else 'does not hold'}"
        found.setdefault(right, vector(name, encoded(mixed), text, sig(big_r, s), right))
    return [*out, found[True], found[False]]


def sections() -> dict[str, list[dict]]:
    return {"signatures": of_rfc8032() + crafted()}
