"""Ed25519 verification, RFC 8032, as strict as ed25519-dalek's `verify_strict`. Pure.

The equation is checked without the cofactor; what has more than one encoding, and points of small order, are
refused, so that every implementation of Minerva answers alike. Everything here is public, so nothing has to
take constant time.
"""

from minerva.port import const
from minerva.sha512 import sha512

_PUBLIC_BYTES = const(32)
_SIGNATURE_BYTES = const(64)

_P = (1 << 255) - 19  # the field
_L = (1 << 252) + 27742317777372353535851937790883648493  # the order of the base point
_D = const(37095705934669439343138083508754565189542113879843219016388785533085940283555)  # -121665 / 121666
_ROOT = const(19681161376707505956807079304988542015446066515923890162744021073123829784752)  # of -1
_TOP = 1 << 255

# The y of the points of order 1, 2, 4 and 8. RFC 8032 allows them as keys; such a key signs anything.
_Y8 = const(2707385501144840649318225287225658788936804267575313519463743609750303402022)
_SMALL = (0, 1, _P - 1, _Y8, _P - _Y8)

# Points are (x, y, z, t) with x/z, y/z on the curve and t = xy/z; in tables (y - x, y + x, 2z, 2dt).


def _add(p, q):
    """A point and one in a table's form -> their sum."""
    x, y, z, t = p
    a = (y - x) * q[0] % _P
    b = (y + x) * q[1] % _P
    c = t * q[3] % _P
    d = z * q[2] % _P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(p, with_t: bool):
    """Twice a point; its t is needed only where an addition follows."""
    x, y, z, _ = p
    a = x * x % _P
    b = y * y % _P
    h = a + b
    e = h - (x + y) * (x + y) % _P
    g = a - b
    f = 2 * z * z % _P + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P if with_t else 0


def _cached(p):
    x, y, z, t = p
    return (y - x) % _P, (y + x) % _P, 2 * z % _P, 2 * t * _D % _P


def _odd_multiples(p):
    """1, 3, 5, 7 times a point, in a table's form."""
    out = [_cached(p)]
    twice = _cached(_double(p, True))
    for _ in range(3):
        p = _add(p, twice)
        out.append(_cached(p))
    return out


def _digits(k: int) -> bytearray:
    """`k` < 2^253 as 254 signed digits, the lowest first, each plus 8.

    A digit is 0, or odd from -7 to 7 and followed by three zeros at least.
    """
    out = bytearray(b"\x08" * 254)
    at = 0
    while k:
        if k & 1:
            digit = (k & 15) - 16 if k & 8 else k & 15
            k -= digit
            out[at] = digit + 8
        k >>= 1
        at += 1
    return out


def _point(y: int, odd: int):
    """The point of `y` (not of small order) whose x is odd or even as said; None where there is none."""
    u = (y * y - 1) % _P
    v = (_D * y % _P * y + 1) % _P
    v3 = v * v % _P * v % _P
    x = u * v3 % _P * pow(u * v3 % _P * v3 % _P * v % _P, (_P - 5) // 8, _P) % _P
    w = v * x % _P * x % _P
    if w != u:
        if w != _P - u:
            return None
        x = x * _ROOT % _P
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _is_point(encoded: bytes) -> bool:
    """Whether 32 bytes could be a point: the one encoding of its y, and that of no small order."""
    y = int.from_bytes(encoded, "little") & (_TOP - 1)
    return y < _P and y not in _SMALL


def well_formed(public: bytes, signature: bytes) -> bool:
    """Whether key and signature keep the rules of their encoding; the equation is not looked at.

    Libraries differ in these rules; who verifies with one asks this too, and then answers as `verify` does.
    """
    if len(public) != _PUBLIC_BYTES or len(signature) != _SIGNATURE_BYTES:
        return False
    return _is_point(public) and _is_point(signature[:32]) and int.from_bytes(signature[32:], "little") < _L


def _combined(s: int, k: int, a) -> tuple:
    """The base point `s` times, plus `a` `k` times."""
    tables = (_BASE, _odd_multiples(a))
    digits = (_digits(s), _digits(k))
    sum = (0, 1, 1, 0)
    for i in range(253, -1, -1):
        due = [j for j in (0, 1) if digits[j][i] != 8]
        sum = _double(sum, bool(due))
        for j in due:
            digit = digits[j][i] - 8
            q = tables[j][abs(digit) >> 1]
            if digit < 0:
                q = (q[1], q[0], q[2], _P - q[3])
            sum = _add(sum, q)
    return sum


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` is by the key `public` (32 bytes)."""
    if not well_formed(public, signature):
        return False
    encoded = int.from_bytes(public, "little")
    a = _point(encoded & (_TOP - 1), encoded >> 255)
    if a is None:
        return False
    r = bytes(signature[:32])
    k = int.from_bytes(sha512(r + public + message), "little") % _L
    s = int.from_bytes(signature[32:], "little")
    x, y, z, t = a
    x, y, z, _ = _combined(s, k, (_P - x, y, z, _P - t))
    inverse = pow(z, _P - 2, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little") == r


_BASE = _odd_multiples(
    _point(46316835694926478169428394003475163141307993866256225615783033603165251855960, 0)
)
