"""Small things that must outlast a restart, in one file that is replaced whole."""

import json
import os


class State:
    """state.json. A file that cannot be read counts as muted: in doubt the more private one."""

    def __init__(self, path: str = "state.json"):
        self._path = path
        self.muted_at_button = self._load()

    def _load(self) -> bool:
        try:
            with open(self._path) as f:
                return json.loads(f.read(256))["muted_at_button"] is not False
        except OSError as e:
            return e.errno != 2  # ENOENT: the first start
        except (ValueError, KeyError, TypeError):
            return True

    def set_muted_at_button(self, muted: bool) -> None:
        """Keep whether the button muted the device; OSError when the flash cannot be written."""
        self.muted_at_button = muted
        new = self._path + ".new"
        with open(new, "w") as f:
            f.write(json.dumps({"muted_at_button": muted}))
        os.rename(new, self._path)
