// The strip of rooms above the live transcript: what each is doing, and its level.

import { h, put, say } from "./dom.js";
import { doing } from "./sentences.js";

const FLOOR_DB = -72; // an empty strip; quiet rooms lie around -60 dBFS after the board's gain
const TOP_DB = -12; // a full one
const STALE_MS = 1500; // a level older than this says nothing about now

/** An element with a cell per device, current by `update(hub)` and `level(event)`. */
export class Rooms {
  element = h("ul", { class: "rooms", "aria-label": "Rooms" });

  #cells = new Map();

  update(hub) {
    const devices = hub.sorted().sort((a, b) => Number(b.online) - Number(a.online));
    for (const [id, cell] of this.#cells) {
      if (hub.devices.has(id)) continue;
      cell.element.remove();
      this.#cells.delete(id);
    }
    devices.forEach((device, index) => {
      let cell = this.#cells.get(device.id);
      if (!cell) {
        cell = makeCell();
        this.#cells.set(device.id, cell);
      }
      if (this.element.children[index] !== cell.element) {
        this.element.insertBefore(cell.element, this.element.children[index] ?? null);
      }
      const state = doing(device, hub.speaking.get(device.id));
      say(cell.name, hub.room(device.id));
      say(cell.state, state.text);
      put(cell.element, "data-state", state.key);
      if (state.key === "offline" || state.key === "muted") setLevel(cell, 0);
    });
    this.element.hidden = devices.length === 0;
  }

  level(event) {
    const cell = this.#cells.get(event.device);
    if (!cell) return;
    setLevel(cell, (event.rms_db - FLOOR_DB) / (TOP_DB - FLOOR_DB));
    clearTimeout(cell.timer);
    cell.timer = setTimeout(() => setLevel(cell, 0), STALE_MS);
  }
}

function makeCell() {
  const name = h("h2", {});
  const state = h("p", {});
  const fill = h("i", {});
  const element = h("li", {}, name, state, h("div", { class: "level", "aria-hidden": "true" }, fill));
  return { element, name, state, fill, timer: 0 };
}

function setLevel(cell, share) {
  cell.fill.style.setProperty("--level", Math.min(1, Math.max(0, share)).toFixed(3));
}
