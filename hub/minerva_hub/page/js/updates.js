// Updates: rollouts as they go, the releases they are made of, and groups of devices.

import { get } from "./api.js";
import { fill, h, say } from "./dom.js";
import { sentence } from "./format.js";
import { GroupsPanel } from "./groups.js";
import { listen } from "./hub.js";
import { ReleasesPanel } from "./releases.js";
import { RolloutCard } from "./rollout_card.js";
import { RolloutForm } from "./rollout_form.js";

const FIRST = 5; // ended rollouts shown before one asks for the older ones

/** Show the place in `root`; returns what ends it. */
export function show(root, hub) {
  const cards = new Map();
  const rollouts = new Map();
  let state = null; // releases, refused, trusted, groups; null before the first answer
  let all = false;
  let told = new Set(); // rollouts that the stream told of while their list was asked for
  let asking = false;
  let again = false;

  const grid = h("ul", { class: "cards" });
  const none = h("p", { class: "facts", hidden: true }, "No rollout yet. A release goes to a few devices first, and to the rest when it works there.");
  const trouble = h("p", { class: "trouble", role: "alert" });
  const form = new RolloutForm(hub, started, () => {
    start.hidden = false;
    start.focus();
  });
  const start = h("button", { type: "button", on: { click: () => openForm() } }, "Start a rollout…");
  const older = h("button", { type: "button", hidden: true, on: { click: () => {
    const before = cards.size;
    all = true;
    showRollouts();
    [...cards.values()][before]?.focus();
  } } }, "Older rollouts");
  const releases = new ReleasesPanel((release) => openForm(release.id));
  const groups = new GroupsPanel(hub, refresh);
  fill(
    root,
    h("div", { class: "devices updates" },
      h("h1", { tabindex: "-1" }, "Updates"), trouble,
      h("section", { "aria-labelledby": "rollouts" }, h("h2", { id: "rollouts" }, "Rollouts"), none,
        h("div", { class: "actions" }, start), form.element, grid, h("div", {}, older)),
      h("section", { "aria-labelledby": "releases" }, h("h2", { id: "releases" }, "Releases"), releases.element),
      h("section", { "aria-labelledby": "groups" }, h("h2", { id: "groups" }, "Groups"), groups.element)),
  );

  function openForm(release) {
    start.hidden = true;
    form.open(release);
  }

  function started(rollout) {
    take(rollout);
    form.close();
    cards.get(rollout.id).focus();
    refresh(); // the release counts its rollouts
  }

  function take(rollout) {
    rollouts.set(rollout.id, rollout);
    told.add(rollout.id);
    showRollouts();
  }

  async function refresh() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    told = new Set();
    try {
      const [list, refused, keys, named, running] = await Promise.all(
        ["/api/releases", "/api/releases/refused", "/api/keyset", "/api/groups", "/api/rollouts"].map((path) => get(path)));
      state = { releases: list.items, refused: refused.items, trusted: keys.trusted, groups: named.items };
      const listed = new Set(running.items.map((one) => one.id));
      for (const id of rollouts.keys()) if (!listed.has(id) && !told.has(id)) rollouts.delete(id);
      for (const one of running.items) if (!told.has(one.id)) rollouts.set(one.id, one);
      say(trouble, "");
      showAll();
    } catch (error) {
      say(trouble, sentence(error.message));
    }
    asking = false;
    if (again) {
      again = false;
      await refresh();
    }
  }

  function showAll() {
    releases.update(state);
    groups.update(state.groups);
    form.update(state);
    start.disabled = state.releases.length === 0;
    showRollouts();
  }

  function showRollouts() {
    const open = (one) => one.state === "running" || one.state === "paused";
    const sorted = [...rollouts.values()].sort((a, b) => open(b) - open(a) || b.id - a.id);
    const ended = sorted.filter((one) => !open(one)).length;
    const shown = all ? sorted : sorted.slice(0, sorted.length - ended + FIRST);
    for (const [id, card] of cards) {
      if (shown.some((one) => one.id === id)) continue;
      card.element.remove();
      cards.delete(id);
    }
    shown.forEach((one, index) => {
      if (!cards.has(one.id)) cards.set(one.id, new RolloutCard(one.id, hub, take));
      const card = cards.get(one.id);
      card.update(one);
      if (grid.children[index] === card.element) return;
      const focused = document.activeElement;
      grid.insertBefore(card.element, grid.children[index] ?? null);
      if (card.element.contains(focused)) focused.focus();
    });
    grid.hidden = shown.length === 0;
    none.hidden = shown.length > 0 || !state;
    older.hidden = shown.length === sorted.length;
  }

  function showDevices() {
    form.showDevices();
    groups.showDevices();
    for (const card of cards.values()) card.showDevices();
  }

  const names = new Set([...hub.devices.values()].map((one) => `${one.id} ${one.room}`));
  const unlisten = listen(hub, {
    rollout: (event) => take(event.rollout),
    releases: refresh,
    dropped: refresh,
    snapshot: () => {
      showDevices();
      refresh();
    },
    device: (event) => {
      const known = `${event.device.id} ${event.device.room}`;
      if (names.has(known)) return;
      names.add(known);
      showDevices();
    },
    device_removed: showDevices,
  });
  showDevices();
  refresh();
  return unlisten;
}
