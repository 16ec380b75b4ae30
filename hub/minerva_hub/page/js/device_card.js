// One device's card. It is updated in place, so that focus and a half-read sentence survive each health message.

import { DeviceUpdates } from "./device_updates.js";
import { h, put, say } from "./dom.js";
import { clock, count, duration, kilobytes } from "./format.js";
import { doing } from "./sentences.js";

// From most to least private; what the owner lets leave the device.
const MODES = [
  ["events", "Sounds only", "labels and levels leave the device, no audio"],
  ["features", "Features", "no audio as such, but speech can be reconstructed from this; no words are made of it yet"],
  ["speech", "Speech", "audio while someone speaks or something sounds"],
  ["full", "Everything", "audio all the time"],
];
const ORDER = ["mute", ...MODES.map(([mode]) => mode)];
const KINDS = { ima_adpcm: "compressed 4:1", pcm_s16le: "uncompressed", logmel_u8: "of features" };
const BARS_DBM = [-82, -74, -66, -56]; // each reached adds a bar

/** `command(id, name, body)` asks the hub and throws its problem. */
export class DeviceCard {
  constructor(id, command) {
    this.id = id;
    this.command = command;
    this.title = h("h2", { id: `device-${id}` });
    this.state = h("p", { class: "state" });
    this.facts = new Map();
    this.list = h("dl", {});
    this.why = h("p", { class: "why", id: `why-${id}`, role: "status" });
    this.updates = new DeviceUpdates(id);
    this.mute = h("button", { type: "button", class: "mute", on: { click: () => this.#toggle() } });
    this.modes = new Map();
    this.modeSet = h("fieldset", {}, h("legend", {}, "What may leave this device"),
      MODES.map(([mode, name, text]) => this.#mode(mode, name, text)));
    this.element = h("li", {}, h("article", { class: "card", "aria-labelledby": `device-${id}` },
      h("header", {}, h("div", {}, this.title, this.state), this.mute),
      this.why, this.list, this.updates.element, this.modeSet));
  }

  update(device, room, speaking) {
    this.device = device;
    const { key, text } = doing(device, speaking);
    say(this.title, room);
    say(this.state, text);
    put(this.state, "data-state", key);
    this.#showMute(device);
    this.#showModes(device);
    this.#showFacts(device);
    this.updates.update(device);
  }

  #showMute(device) {
    const muted = device.mute !== "off" || device.mode === "mute";
    say(this.mute, muted ? "Unmute" : "Mute");
    put(this.mute, "aria-label", `${muted ? "Unmute" : "Mute"} ${this.title.textContent}`);
    put(this.mute, "data-muted", String(muted));
    this.mute.disabled = !device.online || device.mute === "button" || Boolean(this.busy);
    put(this.mute, "aria-describedby", `why-${this.id}`);
    let why = this.refusal ?? "";
    if (!why && device.mute === "button") why = "Muted at its button. Only the button ends that, not this page.";
    if (!why && device.mute === "hub") why = "Muted from the hub: the microphone is stopped.";
    if (!why && device.online && device.problem) why = device.problem;
    say(this.why, why);
    this.why.hidden = !why;
    put(this.why, "data-level", this.refusal ? "bad" : null);
  }

  #mode(mode, name, text) {
    const id = `mode-${this.id}-${mode}`;
    const input = h("input", {
      type: "radio", name: `mode-${this.id}`, id, value: mode, "aria-labelledby": `${id}-name`, "aria-describedby": `${id}-note`,
      on: { change: () => this.#ask("mode", { mode }) },
    });
    const note = h("small", { id: `${id}-note` });
    this.modes.set(mode, { input, note, text });
    return h("div", { class: "mode" }, input, h("label", { for: id }, h("b", { id: `${id}-name` }, name), note));
  }

  #showModes(device) {
    const ceiling = device.ceiling ? ORDER.indexOf(device.ceiling) : ORDER.length;
    for (const [mode, { input, note, text }] of this.modes) {
      const above = ORDER.indexOf(mode) > ceiling;
      const lacking = device.modes.length > 0 && !device.modes.includes(mode);
      input.disabled = !device.online || above || lacking || Boolean(this.busy);
      input.checked = (this.wished ?? device.mode) === mode; // while the hub is asked, the choice stays where it was made
      const because = lacking ? "this firmware lacks it" : "above the limit set on the device";
      say(note, above || lacking ? because : text);
    }
    this.modeSet.hidden = !device.mode && device.modes.length === 0;
  }

  #showFacts(device) {
    const drops = Object.entries(device.drops).filter(([, value]) => value > 0);
    const known = (value, write) => (value === null || value === undefined || value === "" ? null : write(value));
    this.#fact("Signal", device.online ? known(device.rssi_dbm, signal) : null);
    this.#fact("Free memory", device.online ? known(device.heap_free || null, kilobytes) : null);
    this.#fact("Running for", device.online ? known(device.uptime_s, duration) : null);
    this.#fact("Room noise", device.online ? known(device.noise_db, (db) => minus(Math.round(db), "dB")) : null);
    this.#fact("Last seen", known(device.last_seen_ms, lastSeen));
    this.#fact("Firmware", known([device.firmware, device.variant].filter(Boolean).join(", "), String));
    this.#fact("Slot", known(device.slot, slot));
    this.#fact("Board", known(device.board, String));
    this.#fact("Audio", known(device.kind, (kind) => KINDS[kind] ?? kind));
    this.#fact("Features", known(device.self_test, (found) => (found === "ok" ? "as this hub computes them" : "other than this hub's: update this device")));
    this.#fact("Received", Object.entries(device.received).map(([kind, got]) => `${count(got.packets, "packet")} ${KINDS[kind] ?? kind}`).join(", ") || null);
    this.#fact("Slowed", device.slowed ? `${count(device.slowed, "time")}: it sends faster than it is read` : null);
    this.#fact("Address", known(device.address, String));
    this.#fact("Dropped", drops.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ") || (device.firmware ? "nothing" : null));
    this.#fact("Gaps", device.firmware || device.gaps ? (device.gaps ? count(device.gaps, "gap") : "none") : null);
    this.list.hidden = [...this.facts.values()].every((row) => row.element.hidden);
  }

  #fact(term, value) {
    let row = this.facts.get(term);
    if (!row) {
      const dd = h("dd", {});
      row = { dd, element: h("div", {}, h("dt", {}, term), dd) };
      this.facts.set(term, row);
      this.list.append(row.element);
    }
    row.element.hidden = value === null;
    if (value instanceof Node) {
      if (row.dd.textContent !== value.textContent) row.dd.replaceChildren(value);
    } else say(row.dd, value ?? "");
  }

  #toggle() {
    const muted = this.device.mute !== "off" || this.device.mode === "mute";
    return this.#ask("mute", { on: !muted });
  }

  async #ask(name, body) {
    this.busy = true;
    this.wished = body.mode;
    this.refusal = null;
    const focused = document.activeElement;
    this.#refresh();
    try {
      await this.command(this.id, name, body);
    } catch (error) {
      this.refusal = error.message;
    }
    this.busy = false;
    this.wished = undefined;
    this.#refresh();
    if (this.element.contains(focused)) focused.focus();
  }

  #refresh() {
    this.#showMute(this.device);
    this.#showModes(this.device);
  }
}

function signal(dbm) {
  const bars = BARS_DBM.filter((least) => dbm >= least).length;
  const word = ["very weak", "weak", "fair", "good", "very good"][bars];
  return h("span", {}, h("span", { class: "signal", "aria-hidden": "true", data: { bars } }, h("i"), h("i"), h("i"), h("i")), word, " ", h("small", {}, minus(dbm, "dBm")));
}

// What lies in "dev" was put there by USB, and nobody signed it.
function slot(name) {
  return name === "dev" ? h("span", {}, "dev ", h("span", { class: "tag" }, "unsigned")) : name;
}

const minus = (number, unit) => `${String(number).replace("-", "−")} ${unit}`;

function lastSeen(ms) {
  const ago = (Date.now() - ms) / 1000;
  if (ago < 15) return "just now";
  return ago < 3600 ? `${duration(ago < 60 ? Math.round(ago / 10) * 10 : Math.floor(ago / 60) * 60)} ago` : clock(ms);
}
