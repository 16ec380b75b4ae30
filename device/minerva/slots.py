"""The slots of the application: filling the one that does not run, installing it, and its trial. Pure.

    slots = Slots()
    for _ in slots.begin(manifest, manifest_bytes, signature_bytes): await sleep_ms(0)
    for index, offset, size in slots.missing:
        writer = slots.writer(index)
        for _ in writer.restore(): await sleep_ms(0)
        ...                             # fetch from offset + writer.have on
        writer.write(data); writer.close()
    for _ in slots.install(action_id): await sleep_ms(0)     # and restart

Whoever calls has checked the release's signatures: nothing here does. What takes long is a generator whose
steps read or write at most 4 kB, so that the microphone is heard meanwhile. The slot that runs is not
touched, and the record is written when all the rest is on the flash: power may fail at any write.
"""

import hashlib
import os

import bootslot
from bootslot import MAIN, NO_HASH, NO_TRIAL, SLOTS, STEP, WAITING, A, B, Record, join

from minerva import trial
from minerva.errors import SlotError, UpdateError
from minerva.manifest import MAX_BYTES, RESERVED, Manifest, security_version_of
from minerva.port import const
from minerva.slot_files import PART, Writer, make_folders, no_space, remove, size_of
from minerva.trial import Facts

_SPARE_BLOCKS = const(8)  # for the record, state.json and what the file system moves about
_FOLDER_BLOCKS = const(2)  # of littlefs

# outcome of the record: (DDI's finished, what to tell)
_OUTCOMES = {
    bootslot.KEPT: ("success", "kept after its trial"),
    bootslot.NO_HEALTH: ("failure", "rolled back: the hub acknowledged no health within 15 minutes"),
    bootslot.DEAF: ("failure", "rolled back: the microphone gives nothing"),
    bootslot.NO_HUB: ("failure", "rolled back: it restarted or reached no hub, the release before it did"),
    bootslot.DAMAGED: ("failure", "its files were not whole at the start: the other slot runs"),
    bootslot.RECORD_LOST: ("failure", "the boot record was lost: a slot that is whole runs"),
}
_GIVEN_UP = {trial.NO_HEALTH: bootslot.NO_HEALTH, trial.DEAF: bootslot.DEAF}


class Order:
    """What to do about the slot that runs: `name` is one of trial's orders, `why` is text for GIVE_UP."""

    def __init__(self, name: str, why: str, turns: int):
        self.name = name
        self.why = why
        self.turns = turns


class Slots:
    """The slots under `root`; `chosen` is what `bootslot.boot` returned (None: what it last did)."""

    def __init__(self, root: str = "", chosen: "tuple[str, bool] | None" = None):
        self._root = root
        self._name, self._on_trial = bootslot.chosen if chosen is None else chosen
        self._copies, record = bootslot.load(root)
        self._record = record or Record()
        # Read now: when a trial is over, the application has taken the memory that this takes.
        self._own_security = self._security_version() if self._on_trial else 0
        self._manifest = None
        self._digest = b""
        self.missing = []  # (index, offset in the bundle, size) of the files to fetch, after begin()

    @property
    def running(self) -> "tuple[str, bool]":
        """(slot: "a", "b", "dev" or "main", whether on trial)."""
        return self._name, self._on_trial

    @property
    def security_version(self) -> int:
        """No release with a lower one may be installed."""
        return self._record.floor

    @property
    def action_id(self) -> int:
        """The update server's number for what was installed last; 0 when its outcome was reported."""
        return self._record.action

    @property
    def pending(self) -> bool:
        """Whether a trial that reached no hub waits for the judgement of the slot that runs now."""
        return not self._on_trial and self._record.turns > 0

    @property
    def target(self) -> str:
        """The slot that is filled: the one that neither runs nor is what would run in its stead."""
        running = SLOTS.index(self._name)
        kept = running if running in (A, B) else self._record.previous
        return SLOTS[B if kept == A else A]

    def _folder(self) -> str:
        return join(self._root, self.target)

    def begin(self, manifest: Manifest, manifest_bytes: bytes, sig_bytes: bytes):
        """Generator: make the other slot ready for a release; afterwards `missing` says what to fetch.

        What is of the release stays, what the running slot has is copied, the rest is removed. UpdateError
        no_space before anything is removed; SlotError on trial, when the other slot may be needed.
        """
        if self._on_trial:
            raise SlotError("slot %s is on trial: it must be kept or given up first" % self._name)
        folder = self._folder()
        self.missing = []
        yield from self._check_space(folder, manifest)
        self._forget(SLOTS.index(self.target))
        wanted = set([f[0] for f in manifest.files])
        yield from self._clear(folder, "", wanted)
        here = join(self._root, self._name) if self._name != SLOTS[MAIN] else self._root
        buffer = bytearray(STEP)
        offsets = manifest.offsets()
        missing = []
        for index, (path, size, digest) in enumerate(manifest.files):
            yield
            own = join(folder, path)
            if size_of(own) == size and (yield from bootslot.hashing(own, buffer))[1] == digest:
                remove(own + PART)
                continue
            remove(own)
            make_folders(folder, path)
            source = join(here, path)
            if size and (
                size_of(source) != size or (yield from bootslot.hashing(source, buffer))[1] != digest
            ):
                missing.append((index, offsets[index], size))
                continue
            yield from self._fill(source if size else None, own, size, digest, buffer)
        self._digest = hashlib.sha256(manifest_bytes).digest()
        self._manifest = manifest
        self._write(join(folder, RESERVED[0] + PART), manifest_bytes)
        self._write(join(folder, RESERVED[1] + PART), sig_bytes)
        self.missing = missing

    def _check_space(self, folder: str, manifest: Manifest):
        """Generator: UpdateError no_space when the release does not fit beside what stays."""
        info = os.statvfs(self._root or ".")
        block, free = info[1] or info[0], info[3]
        need = _SPARE_BLOCKS + 2 * (1 + 16384 // block)
        folders = set([""])
        wanted = set([f[0] for f in manifest.files])
        wanted.update(RESERVED)
        for path, _, _ in manifest.files:
            while "/" in path:
                path = path.rpartition("/")[0]
                folders.add(path)
        for path, size, _ in manifest.files:
            yield
            # A file that lies there needs no more than it has; what is of another size is replaced.
            if size_of(join(folder, path)) != size:
                need += 1 + size // block - max(0, size_of(join(folder, path + PART))) // block
        free += self._blocks_of_others(folder, "", wanted, block)
        for path in folders:
            try:
                os.stat(join(folder, path) if path else folder)
            except OSError:
                need += _FOLDER_BLOCKS
        if need > free:
            raise UpdateError(
                "no_space",
                "%d kB are needed in slot %s; %d kB are free"
                % (need * block // 1024, self.target, free * block // 1024),
            )

    def _blocks_of_others(self, folder: str, prefix: str, wanted: set, block: int) -> int:
        """Blocks that _clear will free at least."""
        freed = 0
        try:
            inside = bootslot.entries(join(folder, prefix[:-1]) if prefix else folder)
        except OSError:
            return 0
        for name, is_folder in inside:
            path = prefix + name
            if is_folder:
                freed += self._blocks_of_others(folder, path + "/", wanted, block)
            elif path not in wanted:
                freed += size_of(join(folder, path)) // block
        return freed

    def _forget(self, slot: int) -> None:
        """The record no longer offers a slot that is about to change."""
        r = self._record.copy()
        if r.hashes[slot] == NO_HASH and not r.turns:
            return
        r.hashes[slot] = NO_HASH
        if r.turns:  # of a trial in that slot, which gets no further
            r.turns = 0
            r.outcome = bootslot.NO_HUB
        try:
            self._keep(r)
        except OSError as e:
            raise no_space(e)

    def _keep(self, r: Record) -> None:
        """Put a record in force; OSError: the one before still is."""
        self._copies.write(r.pack())
        self._record = r

    def _clear(self, folder: str, prefix: str, wanted: set):
        """Generator: remove what is not wanted, and is no beginning of it."""
        try:
            inside = bootslot.entries(join(folder, prefix[:-1]) if prefix else folder)
        except OSError as e:
            if e.errno != 2:
                raise
            return
        for name, is_folder in inside:
            yield
            path = prefix + name
            if is_folder:
                if any([w.startswith(path + "/") for w in wanted]):
                    yield from self._clear(folder, path + "/", wanted)
                else:
                    remove(join(folder, path))
            elif path not in wanted and not (path.endswith(PART) and path[: -len(PART)] in wanted):
                os.remove(join(folder, path))

    def _fill(self, source: "str | None", own: str, size: int, digest: bytes, buffer: bytearray):
        """Generator: copy a file of the running slot, or make an empty one."""
        remove(own + PART)
        writer = Writer(own, size, digest)
        view = memoryview(buffer)
        writer.write(b"")
        if source is not None:
            with open(source, "rb") as f:
                while True:
                    n = f.readinto(buffer)
                    if not n:
                        break
                    writer.write(view[:n])
                    yield
        writer.close()

    def _write(self, path: str, data: bytes) -> None:
        try:
            with open(path, "wb") as f:
                f.write(data)
        except OSError as e:
            raise no_space(e)

    def writer(self, index: int) -> Writer:
        """Where to write the file `index` of the manifest; what is there already counts."""
        path, size, digest = self._begun().files[index]
        return Writer(join(self._folder(), path), size, digest)

    def restart_file(self, index: int) -> None:
        """Forget what is there of a file: it comes again from its beginning."""
        remove(join(self._folder(), self._begun().files[index][0]) + PART)

    def _begun(self) -> Manifest:
        if self._manifest is None:
            raise SlotError("no release was begun")
        return self._manifest

    def install(self, action_id: int):
        """Generator: check the other slot as a whole and make it the next to run, on trial. Then restart.

        UpdateError bad_hash: something in it is missing, wrong or too much; `begin` mends that.
        """
        wanted = self._begun().security_version
        folder = self._folder()
        self._manifest = None
        try:
            for name in RESERVED:
                remove(join(folder, name))
                os.rename(join(folder, name + PART), join(folder, name))
        except OSError as e:
            raise no_space(e)
        why, security = yield from bootslot.checking(folder, self._digest)
        if why or security != wanted:
            raise UpdateError("bad_hash", "slot %s: %s" % (self.target, why or "another security version"))
        if bootslot.sync:
            bootslot.sync()
        r = self._record.copy()
        slot = SLOTS.index(self.target)
        r.active, r.previous = slot, SLOTS.index(self._name)
        r.trial = WAITING
        r.turns = 0
        r.outcome = bootslot.NOTHING
        r.action = action_id
        r.hashes[slot] = self._digest
        try:
            self._keep(r)
        except OSError as e:
            raise no_space(e)

    # --- the trial ------------------------------------------------------------------------------------

    def decide(self, facts: Facts) -> Order:
        """What to do about the slot that runs; ask again and again."""
        turns = self._record.turns
        name, why = trial.decide(self._on_trial, turns, facts)
        return Order(name, why, trial.turns_after(name, turns, facts))

    def carry_out(self, order: Order) -> bool:
        """Record it; whether the device must restart now. OSError: it was not recorded, nothing changed."""
        if order.name == trial.WAIT:
            return False
        r = self._record.copy()
        r.turns = order.turns
        if order.name == trial.KEEP:
            r.trial = NO_TRIAL
            r.outcome = bootslot.KEPT
            r.floor = max(r.floor, self._own_security)
            if r.previous == MAIN:
                r.previous = r.active  # what lies in the root was never checked
        elif order.name == trial.GIVE_UP:
            bootslot.give_way(r)
            r.outcome = _GIVEN_UP.get(order.why, r.outcome)
        elif order.name == trial.TRY_AGAIN:
            r.active, r.previous = r.previous, r.active
            r.trial = WAITING
        else:
            r.outcome = bootslot.NO_HUB
        self._keep(r)
        self._on_trial = self._on_trial and order.name != trial.KEEP
        return order.name in (trial.GIVE_UP, trial.TRY_AGAIN)

    def _security_version(self) -> int:
        """Of the release that runs; its manifest has it before the files."""
        if self._name == SLOTS[MAIN]:
            return 0
        path = join(join(self._root, self._name), RESERVED[0])
        with open(path, "rb") as f:
            # Asked for more, MicroPython would make room for more, which a small heap has not.
            return security_version_of(f.read(min(os.stat(path)[6], MAX_BYTES)))

    def outcome(self) -> "tuple[int, str, str] | None":
        """(action id, "success" or "failure", text) of the last release; None: nothing to tell."""
        known = _OUTCOMES.get(self._record.outcome)
        return None if known is None else (self._record.action, known[0], known[1])

    def reported(self) -> None:
        """The outcome was told to whom it concerns."""
        r = self._record.copy()
        if r.outcome != bootslot.NOTHING:
            r.outcome = bootslot.NOTHING
            r.action = 0
            self._keep(r)
