"""The JSON Schemas of docs/schemas/, made from the bounds that the device checks; `--check` compares.

python -m minerva_tools.release.schema
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from minerva import keyset, manifest

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "schemas"
_NOTE: Final = (
    "Beyond this schema, docs/ota.md wants the keys in this order, each once, and no escapes in strings."
)


def _text(pattern: str, most: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^[{pattern}]{{1,{most}}}$"}


def _number(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _hex(size: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^[0-9a-f]{{{2 * size}}}$"}


def _list(items: dict[str, Any], low: int, high: int, *, unique: bool = True) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high, "uniqueItems": unique}


def _tuple(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": list(items), "items": False, "minItems": len(items)}


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": _NOTE,
        **_part(properties),
    }


def _part(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def schemas() -> dict[str, dict[str, Any]]:
    """By file name."""
    signatures = _list(_tuple(_hex(manifest.KEY_ID), _hex(64)), 0, manifest.MAX_KEYS, unique=False)
    rotation = _part({"keyset": {"type": "string", "maxLength": keyset.MAX_BYTES}, "signatures": signatures})
    of_image = {"prefixItems": [{"const": manifest.IMAGE_PATH}, _number(1, manifest.MAX_IMAGE)]}
    of_application = {"prefixItems": [{}, _number(0, manifest.MAX_FILE)]}
    described = _object(
        "manifest.json of a release",
        {
            "format": {"const": manifest.FORMAT},
            "name": _text("a-z0-9-", 32),
            "version": _text("0-9A-Za-z.+-", 32),
            "security_version": _number(0, manifest.MAX_SECURITY),
            "kind": {"enum": list(manifest.KINDS)},
            "variant": {"enum": list(manifest.VARIANTS)},
            "boards": _list(_text("a-z0-9_", 32), 1, manifest.MAX_BOARDS),
            "abi": _text("a-z0-9.-", 32),
            "created": _number(0, manifest.MAX_TIME - 1),
            "expires": _number(1, manifest.MAX_TIME),
            "keys": _list(_hex(manifest.KEY_ID), 1, manifest.MAX_KEYS),
            "files": _list(
                _tuple(_text("A-Za-z0-9_./-", manifest.MAX_PATH), _number(0, manifest.MAX_IMAGE), _hex(32)),
                1,
                manifest.MAX_FILES,
            ),
        },
    )
    described["if"] = {"properties": {"kind": {"const": "image"}}}
    described["then"] = {"properties": {"files": {"maxItems": 1, "items": of_image}}}
    described["else"] = {
        "properties": {"variant": {"const": "micropython"}, "files": {"items": of_application}}
    }
    return {
        "manifest.schema.json": described,
        "signature.schema.json": _object(
            "manifest.sig of a release",
            {
                "format": {"const": manifest.FORMAT},
                "signatures": signatures,
                "keysets": _list(rotation, 0, keyset.MAX_ROTATIONS, unique=False),
            },
        ),
        "keyset.schema.json": _object(
            "A key set",
            {
                "format": {"const": manifest.FORMAT},
                "version": _number(1, keyset.MAX_VERSION),
                "threshold": _number(1, manifest.MAX_KEYS),
                "keys": _list(_hex(32), 1, manifest.MAX_KEYS),
            },
        ),
    }


def files() -> dict[Path, str]:
    """The text of each file."""
    return {FOLDER / name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas().items()}


def main(arguments: list[str]) -> int:
    """Write the files, or compare them."""
    for path, text in files().items():
        if arguments != ["--check"]:
            path.write_text(text)
        elif path.read_text() != text:
            print(f"{path.name} is stale: python -m minerva_tools.release.schema", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
