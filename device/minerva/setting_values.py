"""What settings.json said, checked: minerva.settings makes these. Pure.

They stand apart because they stay in memory while the device runs, and what checks them does not.
"""


class UpdateServer:
    """Where updates come from: the DDI resource's address in parts, and how its server is known."""

    def __init__(self, values: dict, address: "tuple[str, str, int, str]"):
        self.server_name: str = values["server_name"]
        self.ca: str = values["ca"]
        self.token: str = values["token"]
        self.scheme, self.host, self.port, path = address
        self.path = path.rstrip("/")


class Settings:
    """Attributes named as the keys; `scheme`, `host`, `port`, `path` are the `address` in `url`."""

    def __init__(self, values: dict, address: "tuple[str, str, int, str]"):
        self.device: str = values["device"]
        self.board: str = values["board"]
        self.url: str = values["url"]
        self.server_name: str = values["server_name"]
        self.ca: str = values["ca"]
        self.token: str = values["token"]
        self.wifi: "dict | None" = values["wifi"]
        self.ceiling: str = values["ceiling"]
        self.gain_db: float = values["gain_db"]
        self.ring_bytes: int = values["ring_bytes"]
        self.update: "UpdateServer | None" = values["update"]
        self.scheme, self.host, self.port, self.path = address
