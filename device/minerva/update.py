"""The updater as a state machine: what to ask the update server next, and what its answers mean. Pure.

    order = updater.next(now_ms, quiet)
    (WAIT, ms)  (GET, path, limit)  (SEND, method, path, body)  (PREPARE,)  (FETCH,)  (INSTALL,)  (RESTART,)

Whoever carries an order out tells `answered(now_ms, body)` of GET and SEND, `carried_out(now_ms)` of the
others, or `failed(now_ms, error)`; or nothing, when it was broken off because somebody speaks: then it comes
again. docs/ota.md has the states; `state` is what the hub is told.
"""

import hashlib
from binascii import hexlify

from minerva import ddi
from minerva.errors import LinkError, TryLaterError, UpdateError
from minerva.port import const

if False:  # for the type checker: neither is needed here, and memory is short
    from minerva.manifest import Manifest
    from minerva.ranges import Filling

WAIT, GET, SEND, PREPARE, FETCH, INSTALL, RESTART = (
    "wait",
    "get",
    "send",
    "prepare",
    "fetch",
    "install",
    "restart",
)

_MAX_TRIES = const(8)  # in a row without _MIN_GAIN bytes, before the server is told that it does not go
_MIN_GAIN = const(4096)  # more than a trickling server gives before it is left
_LOOK_MS = const(1000)  # how often to look whether it is quiet
_MAX_MANIFEST = const(16384)
_MAX_SIGNATURE = const(16384)

# Steps: what is under way.
_IDLE = const(0)
_POLL = const(1)
_CONFIGURE = const(2)
_DEPLOYMENT = const(3)
_ACCEPT = const(4)
_MANIFEST = const(5)
_SIGNATURE = const(6)
_PREPARE = const(7)
_FETCH = const(8)
_PROGRESS = const(9)
_LOOK = const(10)
_INSTALL = const(11)
_RESTART = const(12)
_REFUSE = const(13)
_REPORT = const(14)
_CANCEL = const(15)
_CANCELLED = const(16)

# What the hub is told; a step that is missing changes nothing of it.
_STATES = {
    _IDLE: "idle",
    _POLL: "checking",
    _DEPLOYMENT: "downloading",
    _INSTALL: "installing",
    _RESTART: "restarting",
    _REFUSE: "failed",
}
# Steps that serve an action which trouble may end.
_SERVING = (_DEPLOYMENT, _ACCEPT, _MANIFEST, _SIGNATURE, _PREPARE, _FETCH, _PROGRESS, _LOOK, _INSTALL)
# Steps that wait for quiet even on a board whose link stays open meanwhile.
_LOUD = (_DEPLOYMENT, _ACCEPT, _MANIFEST, _SIGNATURE, _PREPARE, _FETCH, _INSTALL, _RESTART)


class Updater:
    """One device's updates. `base` is the path of its DDI resource, `attributes` is what it tells of itself.

    `verify(manifest_bytes, signature_bytes)` gives the manifest of a release that may be installed here, or
    raises UpdateError. `running` is the SHA-256 of the running manifest, b"" where there is none.
    `exclusive`: the link is closed while this talks, so it waits for quiet before that too. `past`
    (updating.Past) is what outlives this object. `random(n)` gives 0 <= r < n.
    """

    def __init__(self, base: str, attributes: dict, verify, running: bytes, exclusive: bool, past, random):
        self.state = "idle"
        self.code = ""  # of the failure, in state "failed"
        self.version = ""
        self.past = past
        # Of the release under way; they are set one after the other.
        self.deployment: ddi.Deployment = None  # type: ignore - set by _DEPLOYMENT
        self.manifest: "Manifest" = None  # type: ignore - set by _SIGNATURE
        self.filling: "Filling" = None  # type: ignore - set by whoever carries out PREPARE
        self.manifest_bytes = b""
        self.signature_bytes = b""
        self._base = base
        self._attributes = attributes
        self._verify = verify
        self._running = running
        self._exclusive = exclusive
        self._random = random
        self._step = _IDLE
        self.due_ms = 0  # nothing is done before
        self._poll = ddi.Poll(ddi.USUAL_SLEEP_S, "", "", "")
        self._path = ""  # of the deployment or cancel action under way
        self._action = 0
        self._cancel = (0, False)  # (own id, whether it came too late)
        self._tries = 0
        self._gained = 0
        self._reason = ""

    # --- what to do -----------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do before the next poll, which is due at `due_ms`."""
        return self._step == _IDLE

    @property
    def progress(self) -> int:
        """Percent of what was missing that is there; 0 to 100."""
        filling = self.filling
        return 0 if filling is None or not filling.wanted else 100 * filling.got // filling.wanted

    def next(self, now_ms: int, quiet: bool) -> tuple:
        """The next order. `quiet`: nobody speaks, nor did a moment ago."""
        if now_ms < self.due_ms:
            return (WAIT, self.due_ms - now_ms)
        if not quiet and (self._exclusive or self._step in _LOUD):
            return (WAIT, _LOOK_MS)
        if self._step == _IDLE:
            self._go(_POLL if self.past.outcome is None else _REPORT)
        return self._order()

    def _order(self) -> tuple:
        step = self._step
        if step == _POLL or step == _LOOK:
            return (GET, self._base, ddi.MAX_POLL)
        if step == _CONFIGURE:
            return (SEND, "PUT", self._path, ddi.config_data(self._attributes))
        if step == _DEPLOYMENT:
            return (GET, self._path, ddi.MAX_DEPLOYMENT)
        if step == _MANIFEST:
            return (GET, self.deployment.manifest.path, _MAX_MANIFEST)
        if step == _SIGNATURE:
            return (GET, self.deployment.signature.path, _MAX_SIGNATURE)
        if step == _CANCEL:
            return (GET, self._path, ddi.MAX_CANCEL)
        if step in (_PREPARE, _FETCH, _INSTALL, _RESTART):
            return ({_PREPARE: PREPARE, _FETCH: FETCH, _INSTALL: INSTALL, _RESTART: RESTART}[step],)
        return (SEND, "POST") + self._feedback(step)

    def _feedback(self, step: int) -> "tuple[str, bytes]":
        """(path, body) of what a step has to tell."""
        if step == _CANCELLED:
            own, late = self._cancel
            body = ddi.feedback(
                own,
                "rejected" if late else "closed",
                "none" if late else "success",
                ("installed before it came",) if late else (),
            )
            return "%s/cancelAction/%d/feedback" % (self._base, own), body
        action = self._action
        if step == _REPORT:
            action, finished, text = self.past.outcome
            body = ddi.feedback(action, "closed", finished, (text,))
        elif step == _REFUSE:
            body = ddi.feedback(action, "closed", "failure", (self.code, self._reason))
        elif step == _PROGRESS:
            body = ddi.feedback(action, "proceeding", cnt=self.filling.got, of=self.filling.wanted)
        else:
            body = ddi.feedback(action, "proceeding")
        return "%s/deploymentBase/%d/feedback" % (self._base, action), body

    def _go(self, step: int) -> None:
        self._step = step
        self.state = _STATES.get(step, self.state)

    def _rest(self, now_ms: int) -> None:
        """Nothing more to do until the next poll."""
        self._drop()
        self._go(_IDLE)
        self.due_ms = now_ms + ddi.jittered_ms(self._poll.sleep_s, self._random)

    def _drop(self) -> None:
        """Let go of the release under way; what of it is on the flash stays."""
        if self.filling is not None:
            self.filling.stop()
        self.filling = self.manifest = self.deployment = None  # type: ignore - as in __init__
        self.manifest_bytes = self.signature_bytes = b""

    # --- what came of it ------------------------------------------------------------------------------

    def answered(self, now_ms: int, body: "bytes | bytearray") -> None:
        """The answer to GET or SEND; a body that is not what it must be counts as failed."""
        try:
            self._answered(now_ms, body)
        except UpdateError as e:
            self.failed(now_ms, e)
            return
        self._went_well()

    def _went_well(self) -> None:
        self.past.backoff.reset()
        self._tries = 0
        self._gained = 0 if self.filling is None else self.filling.got

    def _answered(self, now_ms: int, body: "bytes | bytearray") -> None:
        step = self._step
        if step == _POLL or step == _LOOK:
            self.past.asked_s = now_ms // 1000
            self._poll = ddi.read_poll(body)
            self._polled(now_ms, self._poll)
        elif step == _CONFIGURE:
            self.past.configured = True
            self._polled(now_ms, self._poll)
        elif step == _DEPLOYMENT:
            self._deployed(now_ms, ddi.read_deployment(body))
        elif step == _ACCEPT:
            self._go(_MANIFEST)
        elif step == _MANIFEST:
            self.manifest_bytes = self._whole(body, self.deployment.manifest, ddi.MANIFEST)
            self._go(_SIGNATURE)
            if hashlib.sha256(self.manifest_bytes).digest() == self._running:
                # Installed already: nothing to do but to say so.
                self.past.outcome = (self._action, "success", "this release runs already")
                self._drop()
                self._go(_REPORT)
        elif step == _SIGNATURE:
            self.signature_bytes = self._whole(body, self.deployment.signature, ddi.SIGNATURE)
            self.manifest = self._verify(self.manifest_bytes, self.signature_bytes)
            self.version = self.manifest.version
            if self.deployment.files.size != self.manifest.total:
                raise UpdateError(
                    "bad_size",
                    "files.bin has %d bytes; the manifest's files %d"
                    % (self.deployment.files.size, self.manifest.total),
                )
            self._go(_PREPARE)
        elif step == _PROGRESS:
            self._go(_LOOK)
        elif step == _CANCEL:
            self._stop(ddi.read_cancel(body, self._path))
        elif step == _REPORT:
            self._reported()
            self._go(_POLL)
        else:  # _REFUSE, _CANCELLED
            self._rest(now_ms)

    def _whole(self, body: "bytes | bytearray", artifact: ddi.Artifact, name: str) -> bytes:
        if len(body) != artifact.size:
            raise UpdateError(
                "bad_size", "%s has %d bytes; %d were announced" % (name, len(body), artifact.size)
            )
        if artifact.sha256 and hexlify(hashlib.sha256(body).digest()).decode() != artifact.sha256:
            raise UpdateError("bad_hash", "%s is not what was announced" % name)
        return bytes(body)

    def _polled(self, now_ms: int, poll: ddi.Poll) -> None:
        if poll.cancel:
            self._path = poll.cancel
            self._go(_CANCEL)
        elif self._step == _LOOK and poll.action == self._action:
            self._go(_INSTALL if self.filling.done else _FETCH)
        elif poll.config and not self.past.configured:
            self._path = poll.config
            self._go(_CONFIGURE)
        elif poll.deployment:
            self._drop()
            self._path = poll.deployment
            self._action = poll.action or 0
            self._go(_DEPLOYMENT)
        else:
            self._rest(now_ms)

    def _deployed(self, now_ms: int, deployment: ddi.Deployment) -> None:
        if deployment.action != self._action:
            raise UpdateError(
                "bad_answer", "deployment %d where %d was linked" % (deployment.action, self._action)
            )
        if not deployment.now:
            self._rest(now_ms)
            return
        self.deployment = deployment
        self._go(_ACCEPT)

    def _stop(self, cancel: "tuple[int, int]") -> None:
        """A cancel action: nothing of it was installed, or it is too late."""
        own, stop = cancel
        self._cancel = (own, stop == self.past.told)
        self._drop()
        self._go(_CANCELLED)

    def carried_out(self, now_ms: int) -> None:
        """PREPARE (`filling` is set), FETCH (one range of it) or INSTALL was carried out."""
        self._went_well()
        if self._step == _INSTALL:
            self._drop()
            self._go(_RESTART)
        elif self.filling.done:
            self._go(_LOOK)  # the last moment in which the server may say that it is to stop
        else:
            self._go(_FETCH if self._step == _PREPARE else _PROGRESS)

    def failed(self, now_ms: int, error) -> None:
        """An order failed: LinkError or UpdateError. Try later, or tell the server that it cannot be."""
        passing = isinstance(error, (LinkError, TryLaterError))
        code = "no_network" if isinstance(error, LinkError) else error.code
        self._reason = str(error)
        step = self._step
        if step == _CONFIGURE and not passing:
            # It does not want to know what this is; what it offers counts all the same.
            self.past.configured = True
            self._polled(now_ms, self._poll)
        elif step in _SERVING and (not passing or self._tired()):
            self._refuse(code)
        elif not passing and step != _POLL:
            if step == _REPORT:
                self._reported()
            self._rest(now_ms)  # the server does not want to know: the action is over for it
        else:
            self.due_ms = now_ms + self.past.backoff.next_ms()
            if step == _POLL or step == _CONFIGURE:
                self._go(_IDLE)

    def _reported(self) -> None:
        if self.past.outcome is not None:
            self.past.told = self.past.outcome[0]
            self.past.outcome = None

    def _tired(self) -> bool:
        got = 0 if self.filling is None else self.filling.got
        if got - self._gained >= _MIN_GAIN:
            self._tries = 0
            self._gained = got
        self._tries += 1
        return self._tries >= _MAX_TRIES

    def _refuse(self, code: str) -> None:
        self._drop()
        self.code = code
        self._go(_REFUSE)
