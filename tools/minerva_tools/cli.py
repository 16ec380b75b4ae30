"""The `minerva` command. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from minerva_hub.errors import ConfigError, MinervaError

from minerva_tools.commands import (
    bench,
    config,
    demo,
    device,
    device_flash,
    device_pair,
    device_usb,
    emulate,
    group,
    hub,
    identity,
    models,
    owner,
    profile,
    release,
    rollout,
    transcribe,
)

app = typer.Typer(
    name="minerva",
    help="Room microphones and a hub on your LAN that write down, privately, who said what.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a plain traceback: it shows no values, so no tokens
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="hub")(hub.hub)
app.command(name="demo")(demo.demo)
app.add_typer(owner.app, name="owner")
app.add_typer(identity.app, name="identity")
device.app.command()(device_flash.flash)
device.app.command()(device_pair.pair)
for command in (device_usb.ports, device_usb.deploy, device_usb.info, device_usb.logs, device_usb.shell):
    device.app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(device.app, name="device")
app.add_typer(release.app, name="release")
app.add_typer(rollout.app, name="rollout")
app.add_typer(group.app, name="group")
app.command(name="transcribe")(transcribe.transcribe)
app.command(name="bench")(bench.bench)
app.command(name="profile")(profile.profile)
app.command(name="emulate")(emulate.emulate)
app.command(name="config")(config.config)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"minerva {version('minerva-hub')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command. An error raised on purpose is one line: exit 1, or 2 for a wrong setting."""
    try:
        app()
    except MinervaError as exc:
        print(f"minerva: {exc}", file=sys.stderr)
        sys.exit(2 if isinstance(exc, ConfigError) else 1)


if __name__ == "__main__":
    main()
