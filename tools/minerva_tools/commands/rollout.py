"""`minerva rollout`: bring a release to devices, in stages."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any, Literal

import typer
from minerva_hub.errors import UserError

from minerva_tools.commands.hub_options import (
    HUB,
    CaOption,
    HubOption,
    JsonOption,
    PasswordOption,
    address,
    print_json,
)

app = typer.Typer(help="Bring a release to devices, in stages.", no_args_is_help=True)
_Id = Annotated[int, typer.Argument(min=1, metavar="ROLLOUT", help="Its number.", show_default=False)]


@app.command()
def start(
    release: Annotated[str, typer.Argument(help="Number or version of a release.", show_default=False)],
    group: Annotated[
        str | None, typer.Option(help="The devices of this group; else all.", show_default=False)
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="This device; may be given often.", show_default=False)
    ] = None,
    canary: Annotated[
        str, typer.Option(help="Who is first: a count (3), a share (10%) or the name of a group.")
    ] = "10%",
    steps: Annotated[
        str, typer.Option(help="Shares of all devices that the next stages reach, in percent.")
    ] = "100",
    success: Annotated[
        int, typer.Option(min=1, max=100, help="Percent of a stage that must run it before the next.")
    ] = 75,
    errors: Annotated[
        int, typer.Option(min=1, max=100, help="Percent of a stage that fail before all is stopped.")
    ] = 20,
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a rollout: the canaries first, then the rest as they succeed."""
    from minerva_tools.rollouts import asking, showing

    target: dict[str, Any] = {}
    if group is not None:
        target["group"] = group
    if device:
        target["devices"] = device
    plan = {**_canary(canary), "steps": _steps(steps), "success_percent": success, "error_percent": errors}
    made = asyncio.run(asking.start(address(hub, ca, password_file), release, target, plan))
    if as_json:
        print_json(made)
        return
    print(showing.one_line(made))
    print(f"minerva rollout watch {made.id} follows it", file=sys.stderr)


@app.command(name="list")
def list_(
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rollouts, newest first."""
    from minerva_tools.rollouts import asking, showing

    found = asyncio.run(asking.listing(address(hub, ca, password_file)))
    if as_json:
        print_json(found)
    else:
        showing.show_rollouts(found)


@app.command()
def show(
    rollout: _Id,
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a rollout and each of its devices."""
    from minerva_tools.rollouts import asking, showing

    found = asyncio.run(asking.details(address(hub, ca, password_file), rollout))
    if as_json:
        print_json(found)
    else:
        showing.show_details(found)


@app.command()
def pause(
    rollout: _Id, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Offer the release to nobody else for now; devices that began go on."""
    _change(rollout, "pause", hub, ca, password_file)


@app.command()
def resume(
    rollout: _Id, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Go on with a paused rollout."""
    _change(rollout, "resume", hub, ca, password_file)


@app.command()
def stop(
    rollout: _Id, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Stop a rollout for good; devices that began are asked to give it up."""
    _change(rollout, "stop", hub, ca, password_file)


@app.command()
def watch(
    rollout: _Id, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Print how a rollout goes until it ends: exit 0 when it is finished, 1 when it was stopped."""
    if asyncio.run(_watch(address(hub, ca, password_file), rollout)) != "finished":
        raise typer.Exit(1)


async def _watch(where: Any, rollout: int) -> str:
    from minerva_tools.rollouts import asking, showing

    state = ""
    async for now in asking.watch(where, rollout):
        state = now.state
        print(showing.one_line(now), flush=True)
    return state


def _change(
    rollout: int, wish: Literal["pause", "resume", "stop"], hub: str | None, ca: Any, password_file: Any
) -> None:
    from minerva_tools.rollouts import asking, showing

    print(showing.one_line(asyncio.run(asking.change(address(hub, ca, password_file), rollout, wish))))


def _canary(text: str) -> dict[str, Any]:
    """`3`, `10%` or a group's name, as the plan has it."""
    number = text.removesuffix("%")
    if not number.isdecimal():
        return {"canary_group": text}
    if text.endswith("%"):
        if not 1 <= int(number) <= 100:
            raise UserError(f"--canary {text}: a share is 1% to 100%")
        return {"canary_percent": int(number)}
    if int(number) < 1:
        raise UserError(f"--canary {text}: at least one device is first")
    return {"canary_count": int(number)}


def _steps(text: str) -> list[int]:
    parts = text.replace("%", "").replace(" ", "").split(",")
    if not all(part.isdecimal() and 1 <= int(part) <= 100 for part in parts):
        raise UserError(f"--steps {text}: shares in percent that rise to 100, as 25,50,100")
    return [int(part) for part in parts]
