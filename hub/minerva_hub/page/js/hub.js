// What the page knows of the hub, kept current by /api/events. Places listen to it; it knows no elements.

import { checkLogin } from "./api.js";

const TYPES = [
  "utterance", "speaking", "partial", "level", "sound", "session", "session_removed", "speakers",
  "device", "device_removed", "gap", "health", "rollout", "releases", "model", "dropped",
];
const RETRY_MS = 3000;
const MISSED_MS = 2000; // a page too slow for the stream fetches what it missed no more often than this

/** Emits each event of the stream under its type, then "change"; and "snapshot", "link". */
export class Hub extends EventTarget {
  devices = new Map();
  speaking = new Map();
  /** The words so far of who is speaking: "device/since_ms" -> event; there until the utterance is. */
  partials = new Map();
  health = null;
  /** null before the first answer, then whether the stream is open. */
  connected = null;

  #source = null;
  #missed = 0;

  start() {
    this.#source?.close();
    const source = new EventSource("/api/events");
    this.#source = source;
    source.addEventListener("snapshot", (message) => this.#snapshot(JSON.parse(message.data)));
    for (const type of TYPES) source.addEventListener(type, (message) => this.#take(JSON.parse(message.data)));
    source.addEventListener("error", () => {
      this.#link(false);
      // The browser gives up by itself only when the hub refused; then we ask again.
      if (source.readyState !== EventSource.CLOSED) return;
      checkLogin().catch(() => {}); // no answer: `start` tries again
      setTimeout(() => source === this.#source && this.start(), RETRY_MS);
    });
  }

  /** Leave the stream until `start`: a browser has only six connections for all tabs of a hub. */
  stop() {
    this.#source?.close();
    this.#source = null;
  }

  /** The room of a device, told apart from another device's of the same name. */
  room(id, otherwise = id) {
    const device = this.devices.get(id);
    const room = device?.room || otherwise;
    const twins = [...this.devices.values()].filter((one) => one.room === room);
    return twins.length > 1 ? `${room} (${id})` : room;
  }

  /** Devices by room, for steady places on the page. */
  sorted() {
    return [...this.devices.values()].sort((a, b) => a.room.localeCompare(b.room) || a.id.localeCompare(b.id));
  }

  /** A device as the hub just answered it. */
  accept(device) {
    this.#take({ type: "device", device });
  }

  #snapshot(event) {
    this.devices = new Map(event.devices.map((device) => [device.id, device]));
    this.speaking = new Map(event.speaking.map((one) => [one.device, one]));
    this.partials = new Map(event.partials.map((one) => [partialKey(one), one]));
    this.health = event.health;
    this.#link(true);
    this.#emit("snapshot", event);
    this.#emit("change", event);
  }

  #take(event) {
    switch (event.type) {
      case "device":
        this.devices.set(event.device.id, event.device);
        if (!event.device.online) this.#silent(event.device.id);
        break;
      case "device_removed":
        this.devices.delete(event.id);
        this.#silent(event.id);
        break;
      case "speaking":
        if (event.state === "idle") this.#silent(event.device);
        else this.speaking.set(event.device, event);
        break;
      case "partial":
        this.partials.set(partialKey(event), event);
        break;
      case "utterance":
        this.#heardOut(event.utterance.device, event.utterance.end_ms);
        break;
      case "dropped":
        this.#missed ||= setTimeout(() => {
          this.#missed = 0;
          this.#emit("dropped", event);
        }, MISSED_MS);
        return;
      case "health":
        this.health = event.health;
        break;
    }
    this.#emit(event.type, event);
    if (event.type !== "level") this.#emit("change", event);
  }

  #silent(device) {
    this.speaking.delete(device);
    this.#heardOut(device, Infinity);
  }

  // What began before then is written down.
  #heardOut(device, end) {
    for (const [key, one] of this.partials) if (one.device === device && one.since_ms <= end) this.partials.delete(key);
  }

  #link(up) {
    if (this.connected === up) return;
    this.connected = up;
    if (!up) {
      this.speaking.clear();
      this.partials.clear();
    }
    this.#emit("link", up);
    this.#emit("change", null);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const partialKey = (event) => `${event.device}/${event.since_ms}`;

/** Listen to several events until the returned function is called. */
export function listen(hub, listeners) {
  const control = new AbortController();
  for (const [type, listener] of Object.entries(listeners)) {
    hub.addEventListener(type, (event) => listener(event.detail), { signal: control.signal });
  }
  return () => control.abort();
}
