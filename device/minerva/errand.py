"""One errand to the update server: from a poll until there is nothing to do before the next one.

It is loaded when an errand is due and, on a board without PSRAM, dropped afterwards: an updater and a device
that listens do not fit its heap together. minerva.updating is what stays.
"""

import sys

from minerva import update
from minerva.errors import LinkError, UpdateError
from minerva.hw.fetch import Fetcher, Interrupted
from minerva.memory import unload
from minerva.port import const, sleep_ms

if False:  # for the type checker
    from minerva.slots import Slots

_SHORT_MS = const(5000)  # for a shorter wait the connection is kept, and the link stays closed
_NAP_MS = const(500)
_ARCHITECTURES = (
    "",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
    "rv64imc",
)
_CHECKERS = (  # needed for one moment only
    "minerva.acceptance",
    "minerva.keyset",
    "minerva.ed25519",
    "minerva.sha512",
)


def abi() -> str:
    """The compiled code that this interpreter loads, as `mpy6.3-xtensawin`; "source" when it loads none."""
    mpy = getattr(sys.implementation, "_mpy", 0)
    if not mpy:
        return "source"
    arch = mpy >> 10 & 0x3F
    return "mpy%d.%d-%s" % (
        mpy & 0xFF,
        mpy >> 8 & 3,
        _ARCHITECTURES[arch] if arch < len(_ARCHITECTURES) else arch,
    )


class Errand:
    """`device` is the minerva.updating.Updating that it is for."""

    def __init__(self, device):
        self._device = device
        self._target: "Slots" = None  # type: ignore - set by _here
        self._fetch = Fetcher(device.server, device.alive)
        self._updater = update.Updater(
            device.server.path,
            device.attributes(abi()),
            self._verify,
            device.running_manifest(),
            device.exclusive,
            device.past,
            device.random,
        )

    async def run(self) -> int:
        """Until nothing is to do; returns the device time in seconds of the next poll."""
        device = self._device
        updater = self._updater
        try:
            while True:
                order = updater.next(device.now_ms(), device.quiet)
                device.tell(updater.state, updater.code, updater.version, updater.progress)
                if order[0] != update.WAIT:
                    outcome = device.past.outcome
                    await self._do(order)
                    if outcome is not None and device.past.outcome is None:
                        device.reported(outcome)
                    continue
                if updater.idle:
                    return (updater.due_ms + 999) // 1000
                if order[1] > _SHORT_MS or not device.quiet:
                    self._fetch.close()
                    device.leave_network()
                device.alive()
                await sleep_ms(min(order[1], _NAP_MS))
        finally:
            self._fetch.close()

    async def _do(self, order: tuple) -> None:
        device = self._device
        try:
            await device.take_network()
            if device.exclusive and not device.quiet:
                return  # somebody began to speak while the link was being closed
            await self._carry_out(order)
        except Interrupted:
            print("update: broken off, somebody speaks")
        except (LinkError, UpdateError) as e:
            self._failed(e)
        except OSError as e:
            self._failed(UpdateError("no_space", "the flash cannot be written: %s" % e))
        except MemoryError as e:
            self._failed(UpdateError("no_space", "memory is short: %s" % e))

    def _failed(self, error) -> None:
        print("update:", error)
        self._fetch.close()
        self._updater.failed(self._device.now_ms(), error)

    async def _carry_out(self, order: tuple) -> None:
        updater = self._updater
        device = self._device
        now_ms = device.now_ms
        name = order[0]
        if name == update.GET:
            updater.answered(now_ms(), await self._fetch.get(order[1], order[2]))
        elif name == update.SEND:
            updater.answered(now_ms(), await self._fetch.send(order[1], order[2], order[3]))
        elif name == update.RESTART:
            self._fetch.close()
            await device.restart()
        else:
            if name == update.PREPARE:
                await self._prepare()
            elif name == update.FETCH:
                await self._fetch_range()
            else:
                updater.manifest = updater.filling = None  # type: ignore - memory is short, and all is on the flash
                await self._steps(self._target.install(updater.deployment.action))
            updater.carried_out(now_ms())

    async def _steps(self, generator) -> None:
        """Run a generator to its end, with the microphone heard between its steps."""
        for _ in generator:
            self._device.alive()
            await sleep_ms(0)

    def _verify(self, manifest_bytes: bytes, signature_bytes: bytes):
        """The manifest of a release for this device; a key set that it brings is in force then."""
        from minerva.acceptance import accept

        try:
            return accept(manifest_bytes, signature_bytes, self._device.keys(), self._here)
        finally:
            unload(*_CHECKERS)

    def _here(self, kind: str) -> dict:
        """What this device is, for a release of that kind."""
        device = self._device
        self._target = device.target(kind)
        return {
            "variant": device.variant,
            "board": device.board,
            "abi": abi() if kind == "application" else device.chip,
            "security_version": self._target.security_version,
            "utc_s": device.utc_s(),
        }

    async def _prepare(self) -> None:
        updater = self._updater
        release = updater.manifest
        print("update: %s %s, %d files" % (release.kind, release.version, len(release.files)))
        await self._steps(self._target.begin(release, updater.manifest_bytes, updater.signature_bytes))
        updater.manifest_bytes = updater.signature_bytes = b""  # they are on the flash
        from minerva.ranges import Filling

        updater.filling = Filling(self._target.missing, self._target.writer)

    async def _fetch_range(self) -> None:
        device = self._device
        filling = self._updater.filling
        files = self._updater.deployment.files
        await self._steps(filling.begin())
        wanted = filling.next_range()
        if wanted is not None:
            stop = (lambda: not device.quiet) if device.exclusive else None
            await self._fetch.range(files.path, wanted[0], wanted[1], files.size, filling.write, stop)
