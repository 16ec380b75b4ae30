"""`minerva device pair`: registers a device and writes its settings onto it by USB."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.commands.device_usb import FirmwareOption, PortOption, port_of
from minerva_tools.options import Loaded, with_settings
from minerva_tools.pairing import BOARD, Wifi, device_id, room_of

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig

NO_WIFI = ("virtual",)


@with_settings("server", "store")
def pair(
    name: Annotated[str, typer.Argument(help="The device's name.", show_default=False)],
    loaded: Loaded,
    port: PortOption = None,
    room: Annotated[
        str | None, typer.Option(help="The room it hears; else its name.", show_default=False)
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(help=f"Its board; else {BOARD}, or the DevKit with its chip.", show_default=False),
    ] = None,
    firmware: FirmwareOption = "auto",
    host: Annotated[
        str | None,
        typer.Option(
            help="The hub's address or name for the device; else this machine's.", show_default=False
        ),
    ] = None,
    wifi: Annotated[
        str | None, typer.Option(help="The network's name; else asked.", show_default=False)
    ] = None,
    wifi_password_file: Annotated[
        Path | None,
        typer.Option(help="File whose first line is the network's password; else asked.", show_default=False),
    ] = None,
    ceiling: Annotated[
        str, typer.Option(help="The most it may ever send: mute, events, features, speech or full.")
    ] = "speech",
    again: Annotated[
        bool, typer.Option("--again", help="Pair one that is registered: a new token, the old one is void.")
    ] = False,
) -> None:
    """Register a device and write its settings onto it: hub, certificate, token, Wi-Fi, privacy ceiling."""
    from minerva_tools.usb import finding, provisioning

    device = device_id(name)
    wishes = provisioning.Wishes(
        device=device,
        room=room_of(name if room is None else room),
        board=board,
        host=_host(loaded.config) if host is None else host,
        ceiling=ceiling,
        wifi=None if board in NO_WIFI and wifi is None else _network(wifi, wifi_password_file),
        again=again,
    )
    with finding.device(port_of(port), firmware) as there:
        trusts = provisioning.pair(loaded.config, wishes, provisioning.target_of(there))
        there.restart()
    more = " It trusts the releases that this hub trusts." if trusts else ""
    print(
        f"Device {device} is paired for the room {wishes.room!r}: it links to {wishes.host}, and sends "
        f"{ceiling} at most.{more} It restarts; minerva device logs shows how that goes.",
        file=sys.stderr,
    )


def _host(config: HubConfig) -> str:
    """The address on the network that devices find this hub at; asked where there are several."""
    from minerva_hub.auth.names import lan_addresses

    if config.server.tls_host and config.server.tls_host not in ("0.0.0.0", "::"):  # noqa: S104 - compared
        return config.server.tls_host
    found = lan_addresses()
    if not found:
        raise UserError("this machine has no address on a network now; say where devices find it with --host")
    if len(found) == 1 or not sys.stdin.isatty():
        return found[0]
    picked: str = typer.prompt(f"This hub's address for devices ({', '.join(found)})", found[0], err=True)
    return picked


def _network(ssid: str | None, password_file: Path | None) -> Wifi:
    from minerva_tools.commands.release.common import first_line

    interactive = sys.stdin.isatty()
    if ssid is None:
        if not interactive:
            raise UserError("the device needs a network: --wifi NAME and --wifi-password-file FILE")
        ssid = str(typer.prompt("Wi-Fi network", err=True))
    if password_file is not None:
        return Wifi(ssid=ssid, password=first_line(password_file))
    if not interactive:
        raise UserError(f"the password of {ssid!r} is asked at a terminal; else --wifi-password-file FILE")
    return Wifi(ssid=ssid, password=getpass.getpass(f"Password of {ssid}: "))
