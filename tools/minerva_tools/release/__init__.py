"""Making, signing and checking releases, as docs/ota.md has them."""
