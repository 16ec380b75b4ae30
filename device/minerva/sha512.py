"""SHA-512 (FIPS 180-4), which MicroPython's hashlib lacks; Ed25519 needs it. Pure.

For short texts: big integers in Python, some milliseconds a block of 128 bytes.
"""

from binascii import unhexlify

_MASK = (1 << 64) - 1

# The first 64 bits of the fractions of the cube roots of the first 80 primes, and of the square roots of the
# first 8. As bytes they take a fifth of the memory of so many big integers.
_K = unhexlify(
    "428a2f98d728ae227137449123ef65cdb5c0fbcfec4d3b2fe9b5dba58189dbbc3956c25bf348b53859f111f1b605d019"
    "923f82a4af194f9bab1c5ed5da6d8118d807aa98a303024212835b0145706fbe243185be4ee4b28c550c7dc3d5ffb4e2"
    "72be5d74f27b896f80deb1fe3b1696b19bdc06a725c71235c19bf174cf692694e49b69c19ef14ad2efbe4786384f25e3"
    "0fc19dc68b8cd5b5240ca1cc77ac9c652de92c6f592b02754a7484aa6ea6e4835cb0a9dcbd41fbd476f988da831153b5"
    "983e5152ee66dfaba831c66d2db43210b00327c898fb213fbf597fc7beef0ee4c6e00bf33da88fc2d5a79147930aa725"
    "06ca6351e003826f142929670a0e6e7027b70a8546d22ffc2e1b21385c26c9264d2c6dfc5ac42aed53380d139d95b3df"
    "650a73548baf63de766a0abb3c77b2a881c2c92e47edaee692722c851482353ba2bfe8a14cf10364a81a664bbc423001"
    "c24b8b70d0f89791c76c51a30654be30d192e819d6ef5218d69906245565a910f40e35855771202a106aa07032bbd1b8"
    "19a4c116b8d2d0c81e376c085141ab532748774cdf8eeb9934b0bcb5e19b48a8391c0cb3c5c95a634ed8aa4ae3418acb"
    "5b9cca4f7763e373682e6ff3d6b2b8a3748f82ee5defb2fc78a5636f43172f6084c87814a1f0ab728cc702081a6439ec"
    "90befffa23631e28a4506cebde82bde9bef9a3f7b2c67915c67178f2e372532bca273eceea26619cd186b8c721c0c207"
    "eada7dd6cde0eb1ef57d4f7fee6ed17806f067aa72176fba0a637dc5a2c898a6113f9804bef90dae1b710b35131c471b"
    "28db77f523047d8432caab7b40c724933c9ebe0a15c9bebc431d67c49c100d4c4cc5d4becb3e42b6597f299cfc657e2a"
    "5fcb6fab3ad6faec6c44198c4a475817"
)
_H = unhexlify(
    "6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1510e527fade682d19b05688c2b3e6c1f"
    "1f83d9abfb41bd6b5be0cd19137e2179"
)


def _words(data: bytes, at: int, count: int) -> "list[int]":
    return [int.from_bytes(data[i : i + 8], "big") for i in range(at, at + 8 * count, 8)]


def _rotated(x: int, n: int) -> int:
    """`x` rotated right, with the surplus bits still above the 64: what is added up is masked once."""
    return x >> n | x << (64 - n)


def _schedule(data: bytes, at: int) -> "list[int]":
    """The 80 words of a block."""
    w = _words(data, at, 16)
    for i in range(16, 80):
        x = w[i - 15]
        y = w[i - 2]
        x = _rotated(x, 1) ^ _rotated(x, 8) ^ x >> 7
        y = _rotated(y, 19) ^ _rotated(y, 61) ^ y >> 6
        w.append(w[i - 16] + w[i - 7] + (x & _MASK) + (y & _MASK) & _MASK)
    return w


def sha512(data: bytes) -> bytes:
    """The hash of `data`: 64 bytes."""
    size = len(data)
    data = bytes(data) + b"\x80" + bytes((111 - size) % 128) + (size * 8).to_bytes(16, "big")
    state = _words(_H, 0, 8)
    for at in range(0, len(data), 128):
        w = _schedule(data, at)
        a, b, c, d, e, f, g, h = state
        for i in range(80):
            k = int.from_bytes(_K[8 * i : 8 * i + 8], "big")
            t = (_rotated(e, 14) ^ _rotated(e, 18) ^ _rotated(e, 41)) & _MASK
            t += h + (g ^ (e & (f ^ g))) + k + w[i]
            h = g
            g = f
            f = e
            e = d + t & _MASK
            u = (_rotated(a, 28) ^ _rotated(a, 34) ^ _rotated(a, 39)) & _MASK
            u += (a & b) ^ (a & c) ^ (b & c)
            d = c
            c = b
            b = a
            a = t + u & _MASK
        after = (a, b, c, d, e, f, g, h)
        state = [state[i] + after[i] & _MASK for i in range(8)]
    return b"".join([x.to_bytes(8, "big") for x in state])
