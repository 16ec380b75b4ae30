"""The manifest of a release: what it is, for whom, and its files. docs/ota.md is the specification. Pure."""

from minerva.errors import UpdateError
from minerva.fixed_json import Reader
from minerva.port import const

FORMAT = 1
MAX_BYTES = 16384  # 128 files with the longest usual paths; a device holds it in memory
MAX_FILES = 128
MAX_FILE = 262144  # of an application: the largest of its files has 20 kB
_MAX_TOTAL = const(1 << 20)  # of an application: two slots fit the smallest flash, 4 MB
MAX_IMAGE = 16 << 20  # the largest flash on these boards
MAX_BOARDS = 16
MAX_KEYS = 8
MAX_PATH = 64
MAX_SECURITY = (1 << 31) - 1
MAX_TIME = 253402300799  # the last second of the year 9999
KEY_ID = 8  # bytes

KINDS = ("application", "image")
VARIANTS = ("micropython", "rust")
SOURCE = "source"
IMAGE_PATH = "firmware.bin"
RESERVED = ("manifest.json", "manifest.sig")  # a slot's own

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = "0123456789"
_NAME = _LOWER + _DIGITS + "-"
_WORD = _LOWER + _DIGITS + "_"
_VERSION = _DIGITS + _UPPER + _LOWER + ".+-"
_ABI = _DIGITS + _LOWER + ".-"
_PATH = _UPPER + _LOWER + _DIGITS + "_./-"


class Manifest:
    """A checked manifest; attributes named as its keys.

    `keys` are ids as hex, `files` are (path, size, sha256 as bytes) in the order of the bundle.
    """

    def __init__(self, reader: Reader):
        r = reader
        r.key("name")
        self.name: str = r.text(32, _NAME)
        r.key("version")
        self.version: str = r.text(32, _VERSION)
        r.key("security_version")
        self.security_version: int = r.number(0, MAX_SECURITY)
        r.key("kind")
        self.kind: str = _one_of(r, KINDS)
        r.key("variant")
        self.variant: str = _one_of(r, VARIANTS)
        if self.kind == "application" and self.variant != "micropython":
            raise r.fail("an application is for micropython; rust has images only")
        r.key("boards")
        self.boards: "list[str]" = _list(r, MAX_BOARDS, "boards", lambda: r.text(32, _WORD))
        r.key("abi")
        self.abi: str = r.text(32, _ABI)
        r.key("created")
        self.created: int = r.number(0, MAX_TIME)
        r.key("expires")
        self.expires: int = r.number(self.created + 1, MAX_TIME)
        r.key("keys")
        self.keys: "list[str]" = _list(r, MAX_KEYS, "keys", lambda: r.hex(KEY_ID).hex())
        r.key("files")
        self.files: "list[tuple[str, int, bytes]]" = _files(r, self.kind)
        self.total: int = sum([f[1] for f in self.files])  # bytes in the bundle
        if self.kind == "application" and self.total > _MAX_TOTAL:
            raise r.fail(
                "the files have %d bytes; at most %d are taken" % (self.total, _MAX_TOTAL), "bad_size"
            )

    def offsets(self) -> "list[int]":
        """Where each file begins in the bundle."""
        out = []
        at = 0
        for _, size, _ in self.files:
            out.append(at)
            at += size
        return out


def _one_of(r: Reader, words) -> str:
    word = r.text(32)
    if word not in words:
        raise r.fail("%r is not one of %s" % (word, ", ".join(words)))
    return word


def _list(r: Reader, most: int, what: str, read) -> list:
    """1 to `most` items, none of them twice."""
    out = []
    r.begin("[")
    while r.more():
        item = read()
        if item in out:
            raise r.fail("%r is there twice" % item)
        if len(out) == most:
            raise r.fail("more than %d %s" % (most, what))
        out.append(item)
    if not out:
        raise r.fail("at least one of %s is due" % what)
    return out


def is_path(path: str) -> bool:
    """Whether a file of a slot may be called so: relative, nowhere up, no name that the slot itself uses."""
    if not 1 <= len(path) <= MAX_PATH or path.strip(_PATH) or path in RESERVED or path.endswith(".part"):
        return False
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return False
    return True


def _files(r: Reader, kind: str) -> "list[tuple[str, int, bytes]]":
    image = kind == "image"
    most, least, largest = (1, 1, MAX_IMAGE) if image else (MAX_FILES, 0, MAX_FILE)
    out = []
    kinds = {}  # of every path: "file" or "folder"
    r.begin("[")
    while r.more():
        if len(out) == most:
            raise r.fail("more than %d files" % most)
        r.begin("[")
        r.item()
        path = r.text(MAX_PATH, _PATH, "bad_path")
        if not is_path(path) or (image and path != IMAGE_PATH):
            raise r.fail("%r is no path that a release may have" % path, "bad_path")
        folder, slash, _ = path.rpartition("/")
        while slash:
            if kinds.get(folder) == "file":
                raise r.fail("%r is a file and a folder" % folder, "bad_path")
            kinds[folder] = "folder"
            folder, slash, _ = folder.rpartition("/")
        if path in kinds:
            raise r.fail("%r is there twice" % path, "bad_path")
        kinds[path] = "file"
        r.item()
        size = r.number(least, largest, "bad_size")
        r.item()
        out.append((path, size, r.hex(32)))
        r.end("]")
    if not out:
        raise r.fail("at least one file is due")
    return out


def parse(data: bytes) -> Manifest:
    """The bytes of manifest.json -> Manifest; UpdateError too_long, unknown_format or bad_…."""
    if len(data) > MAX_BYTES:
        raise UpdateError(
            "too_long", "manifest.json has %d bytes; at most %d are read" % (len(data), MAX_BYTES)
        )
    r = Reader(data, "bad_manifest")
    begin(r)
    manifest = Manifest(r)
    r.end("}")
    r.finish()
    return manifest


def security_version_of(data: bytes) -> int:
    """The security version of a manifest that was checked before; the rest is not read."""
    r = Reader(data, "bad_manifest")
    begin(r)
    r.key("name")
    r.text(32)
    r.key("version")
    r.text(32)
    r.key("security_version")
    return r.number(0, MAX_SECURITY)


def begin(r: Reader) -> None:
    """Read `{"format":1`; every text that is signed begins so. UpdateError unknown_format: another number."""
    r.begin("{")
    r.key("format")
    r.number(FORMAT, FORMAT, "unknown_format")


def check_for(
    manifest: Manifest, *, variant: str, board: str, abi: str, security_version: int, utc_s: "int | None"
) -> None:
    """UpdateError unless it is for this device and this time (None: not known).

    `abi` is what the device takes of this kind: of applications the code it loads, of images its chip. Every
    MicroPython device takes source.
    """
    if manifest.variant != variant:
        raise UpdateError("wrong_variant", "it is for %s; this is %s" % (manifest.variant, variant))
    if board not in manifest.boards:
        raise UpdateError("wrong_board", "it is for %s; this is %s" % (", ".join(manifest.boards), board))
    if manifest.abi != abi and (manifest.kind != "application" or manifest.abi != SOURCE):
        raise UpdateError("wrong_abi", "it is made for %s; this takes %s" % (manifest.abi, abi))
    if manifest.security_version < security_version:
        raise UpdateError(
            "lower_security_version",
            "its security version is %d; here it is %d" % (manifest.security_version, security_version),
        )
    if utc_s is not None and utc_s >= manifest.expires:
        raise UpdateError("expired", "it expired at %d; now it is %d" % (manifest.expires, utc_s))
