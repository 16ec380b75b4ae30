"""`minerva device pair`: registers a device and writes its settings onto it by USB."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.commands.device_usb import FirmwareOption, PortOption, at_terminal, picked, port_of
from minerva_tools.options import Loaded, with_settings
from minerva_tools.pairing import Wifi, device_id, room_of

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig

NO_WIFI = ("virtual",)


@with_settings("server", "store")
def pair(
    name: Annotated[str, typer.Argument(help="The device's name.", show_default=False)],
    loaded: Loaded,
    port: PortOption = None,
    room: Annotated[
        str | None,
        typer.Option(help="The room it hears; else the one it had, or its name.", show_default=False),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            help="Its board, as xiao_s3_inmp441; else the only one that its application knows, or asked.",
            show_default=False,
        ),
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
        str | None,
        typer.Option(
            help="The most it may ever send: mute, events, features, speech or full; else speech.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Pair a registered one: a new token, the old one is void; what else it is set to stays.",
        ),
    ] = False,
) -> None:
    """Register a device and write its settings onto it: hub, certificate, token, Wi-Fi, privacy ceiling."""
    from minerva_tools.usb import finding, provisioning

    device = device_id(name)
    room = None if room is None else room_of(room)
    host = _host(loaded.config) if host is None else host
    with finding.device(port_of(port), firmware) as there:
        target = provisioning.target_of(there)
        before = provisioning.before(target)
        if again and (said := before.unknown(ceiling)):
            print(said, file=sys.stderr)
        kept = before if again else provisioning.Before(None)
        board = provisioning.chosen_board(target, board, kept.board, _ask_board if at_terminal() else None)
        wishes = provisioning.Wishes(
            device=device,
            name=name,
            room=room,
            board=board,
            host=host,
            ceiling=ceiling,
            wifi=_network(wifi, wifi_password_file, kept.wifi, needed=board not in NO_WIFI),
            again=again,
        )
        done = provisioning.pair(loaded.config, wishes, target, before)
        there.restart()
    more = " It trusts the releases that this hub trusts." if done.trusts else ""
    print(
        f"Device {device} is paired for the room {done.room!r}: it links to {host}, and sends "
        f"{done.ceiling} at most.{more} It restarts; minerva device logs shows how that goes.",
        *done.notes,
        sep="\n",
        file=sys.stderr,
    )


def _ask_board(boards: Sequence[str]) -> str:
    return boards[picked(boards, "Which board is it")]


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


def _network(ssid: str | None, password_file: Path | None, kept: Wifi | None, *, needed: bool) -> Wifi | None:
    """The network said, the one that is kept (with a file: with its password), or the one asked."""
    from minerva_tools.commands.release.common import first_line

    if ssid is None and password_file is None and (kept is not None or not needed):
        return kept
    if ssid is None and kept is not None:
        ssid = kept.ssid
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
