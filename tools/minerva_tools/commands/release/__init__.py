"""`minerva release`: keys, and releases that are built, signed, checked and given to the hub."""

import typer

from minerva_tools.commands.release import hub, keys, making

app = typer.Typer(help="Make keys; build, sign, check and publish releases.", no_args_is_help=True)
app.command()(keys.keygen)
app.add_typer(keys.keysets, name="keyset")
app.command()(making.build)
app.command()(making.sign)
app.command()(making.verify)
app.command()(hub.publish)
app.command()(hub.trust)
app.command(name="list")(hub.list_)
