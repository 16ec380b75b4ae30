// Live: what is being said in all rooms, newest at the bottom.

import { get } from "./api.js";
import { fill, h, put, say } from "./dom.js";
import { count } from "./format.js";
import { listen } from "./hub.js";
import { notesPanel } from "./notes.js";
import { Rooms } from "./rooms.js";
import { Transcript } from "./transcript.js";

const RECENT = 100; // lines fetched at the start and after an interruption
const SHOWN = 300; // rows kept
const RECENT_MS = 12 * 3_600_000; // sounds older than this are for the timeline
const BOTTOM_PX = 120; // so near to the end, new lines keep the end in view

/** Show the place in `root`; returns what ends it. */
export function show(root, hub) {
  const rooms = new Rooms();
  const notes = notesPanel();
  const transcript = new Transcript({ limit: SHOWN, room: (id, room) => hub.room(id, room) });
  const log = h("div", { role: "log", "aria-label": "Live transcript", "aria-live": "off" }, transcript.element);
  const empty = h("div", { class: "empty" });
  const trouble = h("p", { class: "trouble", role: "status", hidden: true });
  const saying = new Saying();
  const now = h("button", { type: "button", class: "to-now", hidden: true, on: { click: toEnd } });
  const earlier = h("p", { class: "earlier", hidden: true }, h("a", { href: "#/timeline" }, "Earlier lines are in the timeline"));
  let unread = 0;
  let follow = true;
  let fetching = null;

  fill(
    root,
    h("div", { class: "live" }, h("h1", { class: "hidden" }, "Live"), h("div", { class: "top" }, rooms.element, notes.element), trouble, earlier, log, empty,
      saying.element, h("div", { class: "now-row" }, now)),
  );

  function toEnd() {
    follow = true;
    unread = 0;
    scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    showNow();
  }

  function showNow() {
    now.hidden = follow;
    say(now, unread ? `Now · ${count(unread, "new line")}` : "Now");
    now.setAttribute("aria-label", unread ? `To now, ${count(unread, "new line")}` : "To now");
  }

  // The reader scrolls away or back; our own growth never counts as scrolling away.
  function scrolled() {
    const rest = document.documentElement.scrollHeight - innerHeight - scrollY;
    follow = rest < BOTTOM_PX;
    if (follow) unread = 0;
    showNow();
  }

  function keepEnd() {
    if (follow) toEnd();
    else showNow();
  }

  function refresh() {
    rooms.update(hub);
    notes.update(hub.health);
    saying.update(hub);
    put(empty, "hidden", transcript.size > 0 || !hub.health);
    put(earlier, "hidden", transcript.size < RECENT);
    if (!transcript.size && hub.health) nothingYet(empty, hub);
    keepEnd();
  }

  // After every (re)connection: whatever the stream could not bring, the store has.
  async function catchUp() {
    fetching?.abort();
    fetching = new AbortController();
    const { signal } = fetching;
    try {
      const since = Date.now() - RECENT_MS;
      const [lines, sounds, gaps] = await Promise.all([
        get("/api/utterances", { limit: RECENT }, signal),
        get("/api/sounds", { limit: RECENT, since }, signal),
        get("/api/gaps", { limit: RECENT, since }, signal),
      ]);
      lines.items.forEach((one) => transcript.line(one));
      // Sounds and gaps older than the oldest line would stand alone at the top.
      const oldest = lines.items[0]?.start_ms ?? since;
      sounds.items.filter((one) => one.start_ms >= oldest).forEach((one) => transcript.sound(one));
      gaps.items.filter((one) => one.start_ms >= oldest).forEach((one) => transcript.gap(one));
      trouble.hidden = true;
    } catch (error) {
      if (error.name === "AbortError") return;
      say(trouble, `The last lines could not be fetched: ${error.message}`);
      trouble.hidden = false;
    }
    refresh();
    log.setAttribute("aria-live", "polite"); // from here on new lines are read out
  }

  function added(isNew) {
    if (isNew && !follow) unread += 1;
    refresh();
  }

  const unlisten = listen(hub, {
    snapshot: catchUp,
    dropped: catchUp,
    change: refresh,
    level: (event) => rooms.level(event),
    utterance: (event) => added(transcript.line(event.utterance, event.late_s)),
    sound: (event) => added(transcript.sound(event.sound)),
    gap: (event) => added(transcript.gap(event.gap)),
    speakers: (event) => transcript.relabel(event.speakers),
    session_removed: (event) => transcript.removeSession(event.id),
  });
  addEventListener("scroll", scrolled, { passive: true });
  refresh();
  if (hub.connected) catchUp();
  return () => {
    unlisten();
    fetching?.abort();
    removeEventListener("scroll", scrolled);
  };
}

// Who speaks right now, below the last line: words that stay, and lighter those that may change yet. Not a live
// region: the finished line is read out instead.
class Saying {
  element = h("ul", { class: "saying", "aria-label": "Being said now" });

  #rows = new Map();

  update(hub) {
    const now = saidNow(hub);
    for (const [key, row] of this.#rows) {
      if (now.has(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
    for (const [key, { event, state, wait }] of now) {
      let row = this.#rows.get(key);
      if (!row) {
        const [room, partial, tail] = ["room", "partial", "tail"].map((name) => h("span", { class: name }));
        row = { room, partial, tail, element: h("li", {}, dots(), h("p", {}, room, " ", partial, " ", tail)) };
        this.#rows.set(key, row);
        this.element.append(row.element);
      }
      say(row.room, hub.room(event.device, event.room));
      say(row.partial, event.committed ?? "");
      say(row.tail, event.tail ?? wait);
      put(row.element, "data-state", state);
    }
  }
}

// key -> what to show: the partials, and who speaks without one yet.
function saidNow(hub) {
  const now = new Map();
  for (const [key, event] of hub.partials) {
    const speaking = hub.speaking.get(event.device);
    const on = speaking?.state === "speaking" && speaking.since_ms === event.since_ms;
    now.set(key, { event, state: on ? "speaking" : "transcribing" });
  }
  for (const [device, event] of hub.speaking) {
    const mine = [...hub.partials.values()].filter((one) => one.device === device);
    if (event.state === "speaking" ? mine.some((one) => one.since_ms === event.since_ms) : mine.length) continue;
    const wait = event.state === "speaking" ? "someone is speaking…" : "writing it down…";
    now.set(device, { event, state: event.state, wait });
  }
  return now;
}

const dots = () => h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));

// What a new owner does next.
function nothingYet(element, hub) {
  const devices = hub.sorted();
  const online = devices.filter((device) => device.online);
  const listening = online.filter((device) => device.mute === "off" && device.mode !== "mute");
  const names = (list) => list.map((device) => hub.room(device.id)).join(", ");
  if (devices.length === 0) {
    fill(element, h("h2", {}, "No device yet"), h("p", {}, "Give your first microphone a name and get its settings:"),
      h("pre", {}, h("code", {}, "minerva device add kitchen")),
      h("p", {}, "Without hardware, see a conversation now: ", h("code", {}, "make demo")));
  } else if (online.length === 0) {
    fill(element, h("h2", {}, "Waiting for a device"),
      h("p", {}, `${names(devices)}: not connected yet. Power it and give it a minute; a device that still stays away may lack the hub's address or its token, which `, h("code", {}, "minerva device add"), " prints."));
  } else if (listening.length === 0) {
    fill(element, h("h2", {}, "Everything is muted"), h("p", {}, `Nothing is heard in ${names(online)}. `, h("a", { href: "#/devices" }, "Devices"), " shows how to end it."));
  } else {
    fill(element, h("h2", {}, "Listening"), h("p", {}, `Say something in ${names(listening)}: what is said appears here, and stays on this hub.`));
  }
}
