"""Carries out what the update rules decide: persists the state, then executes the actions."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from device_agent import update_state as u
from device_agent.answering import Answering
from device_agent.download import Patience, fetch_artifact, fetch_chunks
from device_agent.failure import reason_of
from device_agent.link import Link
from device_agent.loaded_model import LoadedModel
from device_agent.selftest import check_golden
from device_agent.storage import Content, Storage
from device_agent.updater import step
from runtimes import Opener, open_model
from wire.errors import FleetError, RefusedError, StoreError, TrustError, WireError
from wire.fit import check_schema, why_not_beside
from wire.manifest import Manifest
from wire.messages import AttemptId, Hardware, ModelRef, SlotName
from wire.part import check_fits, part_of
from wire.states import Reason
from wire.trust import Artifact, verify_manifest

if TYPE_CHECKING:
    from tuf.api.metadata import Root

log = logging.getLogger("tinyfleet.device")


class Setting(NamedTuple):
    """What a device was provisioned with."""

    device: str
    hardware: Hardware
    image_root: Root
    director_root: Root
    now: Callable[[], datetime]
    patience: Patience = Patience()
    open_model: Opener = open_model
    """How this device runs a model."""


class Updates:
    """The update of one device; ``report`` publishes how an attempt stands."""

    def __init__(
        self,
        setting: Setting,
        store: Storage,
        link: Link,
        answering: Answering,
        counters: Counter[str],
        report: Callable[[u.Attempt | None], None],
    ) -> None:
        self.state = store.load()
        self._saved = self.state
        self._setting = setting
        self._store = store
        self._link = link
        self._answering = answering
        self._counters = counters
        self._report = report
        self._events: deque[u.Event] = deque()
        self._handling = False
        self._task: asyncio.Task[None] | None = None
        self._awaited: tuple[AttemptId, int] | None = None
        """Attempt and sequence whose time is waited for, or was since the boot."""

    def post(self, event: u.Event) -> None:
        """Handle an event, after those that are being handled."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self._handling = False

    def fail(self, attempt: AttemptId, error: FleetError, size_bytes: int | None = None) -> None:
        """End an attempt, or its trial, with the reason that ``error`` stands for."""
        self.post(u.Failed(attempt, reason_of(error), error.message, size_bytes))

    async def stop(self) -> None:
        """Leave the work as it is; the next boot resumes it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _handle(self, event: u.Event) -> None:
        before = self.state
        self.state, actions = step(before, event)
        if not self._save():
            actions = self._unsaved(before, event, actions)
        for action in actions:
            self._execute(action)
        self._save()  # again, where the actions have freed the space that there was too little of

    def _save(self) -> bool:
        if self.state == self._saved:
            return True
        try:
            self._store.save(self.state)
        except StoreError as error:
            self._counters["store_errors"] += 1
            log.error("%s: the update's state cannot be kept: %s", self._setting.device, error)
            return False
        self._saved = self.state
        return True

    def _unsaved(self, before: u.State, event: u.Event, actions: list[u.Action]) -> list[u.Action]:
        """Nothing may be done on the strength of a state that a reboot would not know.

        So the attempt fails here for want of storage, and the confirmed model goes on answering;
        the disk still holds what it held, and no slot is erased that it says is valid.
        """
        if not isinstance(event, u.SlotLost):
            base = self.state if isinstance(event, u.Assigned) else before
            if base.attempt is not None and base.attempt.settled:
                return actions  # they only stop work
            attempt = base.attempt.id if base.attempt else ""
            failure = u.Failed(attempt, Reason.STORAGE, "the update's state cannot be kept")
            self.state, actions = step(base, failure)
        return [a for a in actions if not (isinstance(a, u.Erase) and self._saved.slots.get(a.slot))]

    def _execute(self, action: u.Action) -> None:
        try:
            self._dispatch(action)
        except FleetError as error:
            self._counters["failed_actions"] += 1
            log.warning("%s: %s: %s", self._setting.device, type(action).__name__.lower(), error)
            if isinstance(action, u.Verify | u.Install):
                self.fail(action.attempt.id, error)

    def _dispatch(self, action: u.Action) -> None:
        match action:
            case u.Report(attempt):
                self._report(attempt)
            case u.Wait(attempt):
                self._wait(attempt)
            case u.Download(attempt):
                self._start(attempt, self._download)
            case u.Verify(attempt):
                self._verify(attempt)
            case u.Install(attempt):
                self._store.slot(attempt.slot).install()
                self.post(u.Installed(attempt.id))
            case u.StartTrial(attempt):
                self.post(u.TrialStarted(attempt.id))
            case u.RunTrial(attempt):
                self._start(attempt, self._trial)
            case u.Activate(slot):
                self._activate(slot)
            case u.Erase(slot):
                self._store.slot(slot).erase()
            case u.Abort():
                if self._task is not None:
                    self._task.cancel()
            case u.Ignore(counter):
                self._counters[counter] += 1
                log.warning("%s: assignment ignored: %s", self._setting.device, counter)

    def _start(self, attempt: u.Attempt, work: Callable[[u.Attempt], Awaitable[None]]) -> None:
        """Do ``work`` once the task before it has really ended, for they share slot and topics."""
        before = self._task

        async def run() -> None:
            if before is not None:
                before.cancel()
                await asyncio.gather(before, return_exceptions=True)
            try:
                await work(attempt)
            except FleetError as error:
                self.fail(attempt.id, error)
            except Exception as error:  # noqa: BLE001 - a runtime may raise anything over a broken model
                self.fail(attempt.id, RefusedError(Reason.RUNTIME_REFUSED, f"internal error: {error!r}"))

        self._task = asyncio.create_task(run())

    def _wait(self, attempt: u.Attempt) -> None:
        """Once for each wish: that it is received again moves neither its opening nor its end."""
        wish = (attempt.id, attempt.sequence)
        if wish != self._awaited:
            self._awaited = wish
            self._start(attempt, self._open)

    async def _open(self, attempt: u.Attempt) -> None:
        """Begin in time and with a link, or not before the wish is renewed."""
        clock, policy = asyncio.get_running_loop().time, attempt.policy
        opens_s = clock() + policy.begin_in_s
        closes_s = opens_s + policy.begin_for_s if policy.begin_for_s else None
        await asyncio.sleep(policy.begin_in_s)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(closes_s):
                await self._link.up.wait()
            if closes_s is None or clock() < closes_s:
                self.post(u.Opened(attempt.id))
                return
        log.warning("%s: %s: the time to begin has passed", self._setting.device, attempt.id)

    async def _download(self, attempt: u.Attempt) -> None:
        digest = attempt.bundle.digest
        artifact = await fetch_artifact(self._link, digest, self._setting.patience)
        manifest = self._acceptable(artifact, attempt)
        slot = self._store.slot(attempt.slot)
        part = part_of(manifest, self._setting.hardware)
        missing = part.length - min(part.length, slot.held_bytes(digest))
        if (free := self._store.free_bytes()) < missing:
            raise StoreError(Reason.STORAGE, f"{free} bytes free for a download of {missing}")
        held = slot.begin(artifact, part)
        self.post(u.DownloadStarted(attempt.id, held))
        try:
            chunks = fetch_chunks(self._link, digest, manifest, part, held, self._setting.patience)
            async with aclosing(chunks):
                async for data in chunks:
                    slot.append(data)
                    held += len(data)
                    self._counters["downloaded_bytes"] += len(data)
            slot.finish()
        except FleetError as error:
            self.fail(attempt.id, error, held)
        else:
            self.post(u.Downloaded(attempt.id, held))

    def _acceptable(self, artifact: Artifact, attempt: u.Attempt) -> Manifest:
        """The manifest, when a release key vouches for it and it fits; both are needed to go on."""
        setting, bundle = self._setting, attempt.bundle
        manifest = verify_manifest(setting.image_root, artifact, bundle.digest, setting.now())
        if manifest.ref(bundle.digest) != bundle:
            raise TrustError(
                Reason.UNTRUSTED,
                f"the bundle is {manifest.model} v{manifest.version}",
                "assign it by its name",
            )
        check_fits(manifest, setting.hardware)
        confirmed = self._answering.confirmed
        if confirmed is not None and not attempt.policy.new_schema:
            check_schema(confirmed.manifest, manifest)
        return manifest

    def _verify(self, attempt: u.Attempt) -> None:
        artifact, _content = self._store.slot(attempt.slot).partial(attempt.bundle.digest)
        self._acceptable(artifact, attempt)
        self.post(u.Verified(attempt.id))

    async def _trial(self, attempt: u.Attempt) -> None:
        model, content = self._load(attempt.slot, attempt.bundle)
        for _ in check_golden(model, content.files):
            await asyncio.sleep(0)
        if attempt.policy.shadow_inferences:
            confirmed = self._answering.confirmed
            old = None if confirmed is None else confirmed.manifest
            why_not = why_not_beside(old, model.manifest, self._setting.hardware)
            if not why_not:
                self._answering.shadow(attempt.id, model, attempt.policy)
                return
            self.post(u.ShadowSkipped(attempt.id, f"no shadow: {why_not}"))
            await asyncio.sleep(0)  # ends here when that could not be kept, which ends the attempt
        self._answering.try_out(attempt.id, model, attempt.policy.trial_inferences)

    def _activate(self, slot: SlotName | None) -> None:
        ref = None if slot is None else self.state.slots.get(slot)
        if slot is None or ref is None:
            self._answering.activate(None)
            return
        try:
            model = self._answering.holds(ref.digest) or self._load(slot, ref)[0]
        except (TrustError, WireError, StoreError) as error:
            self._answering.activate(None)
            if isinstance(error, StoreError) and error.code != Reason.STORAGE:
                raise  # cannot be read now, which does not say that it is damaged
            log.error("%s: slot %s is damaged: %s", self._setting.device, slot, error)
            self.post(u.SlotLost(slot))
        else:
            self._answering.activate(model)

    def _load(self, slot: SlotName, ref: ModelRef) -> tuple[LoadedModel, Content]:
        content = self._store.slot(slot).load(ref.digest)
        setting = self._setting
        model = LoadedModel(ref, content.manifest, content.files, setting.hardware, setting.open_model)
        return model, content
