// A device's update on its card: how far it is, and what became of those before.

import { get } from "./api.js";
import { fill, h, put, say } from "./dom.js";
import { seconds, sentence, when } from "./format.js";
import { actionWord, feedbackWords, reason, remark, updateWords } from "./update_words.js";

const FIRST = 5; // updates shown before one asks for the older ones; the hub gives at most 100
const AGAIN_MS = 2000; // an open history is asked for no more often than this

/** `element` goes on the card; `update(device)` brings it up to date. */
export class DeviceUpdates {
  #id;
  #line = h("p", { class: "what" });
  #bar = h("progress", { max: 100, "aria-label": "Progress of the update" });
  #why = h("p", { class: "why" });
  #now = h("div", { class: "now" }, this.#line, this.#bar, this.#why);
  #list = h("ol", { class: "events" });
  #older = h("button", { type: "button", class: "plain", on: { click: () => this.#showAll() } }, "Older updates");
  #summary = h("summary", {}, "Updates of this device");
  #history = h("details", { on: { toggle: () => this.#load() } }, this.#summary, this.#list, this.#older);
  #shown = "";
  #all = false;
  #found = null;
  #timer = 0;

  element = h("section", { class: "device-updates" }, this.#now, this.#history);

  constructor(id) {
    this.#id = id;
    this.#summary.id = `updates-${id}`;
    this.#older.hidden = true;
  }

  update(device) {
    const key = JSON.stringify(device.update);
    if (key === this.#shown) return;
    this.#shown = key;
    const words = updateWords(device.update);
    this.#now.hidden = !words;
    this.#showNow(words ?? { text: "" }, device.update);
    if (this.#history.open) this.#timer ||= setTimeout(() => this.#load(), AGAIN_MS);
  }

  #showNow(words, update) {
    const known = words.going && update.progress !== null;
    say(this.#line, known ? `${words.text}, ${update.progress} %` : words.text);
    this.#bar.hidden = !known;
    if (known) this.#bar.value = update.progress;
    const why = words.bad ? reason(update.detail) : "";
    say(this.#why, why);
    this.#why.hidden = !why;
    put(this.#why, "data-level", words.bad ? "bad" : null);
  }

  #showAll() {
    this.#all = true;
    this.#show();
    this.#summary.focus();
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#history.open) return;
    try {
      this.#found = await get(`/api/devices/${encodeURIComponent(this.#id)}/updates`);
    } catch (error) {
      fill(this.#list, h("li", { class: "trouble" }, sentence(error.message)));
      return;
    }
    this.#show();
  }

  #show() {
    const { actions, feedback } = this.#found;
    const shown = this.#all ? actions : actions.slice(0, FIRST);
    this.#older.hidden = shown.length === actions.length;
    fill(this.#list, actions.length === 0 && h("li", { class: "facts" }, "None yet."),
      shown.map((action) => this.#action(action, feedback.filter((said) => said.action === action.id))));
  }

  #action(action, said) {
    const failed = action.state === "failure";
    const detail = said.length ? "" : remark(action.detail); // else it is the last of what was said
    return h("li", {},
      h("p", {}, h("b", {}, action.version), ` ${actionWord(action.state)} `, h("span", { class: "facts" }, when(action.changed_ms))),
      detail && h("p", { class: failed ? "why" : "facts", data: failed ? { level: "bad" } : {} }, detail),
      said.length > 0 && h("ul", { "aria-label": `What the device said of ${action.version}` }, said.map((one) => h("li", { class: "facts" },
        [seconds(one.at_ms), feedbackWords(one), one.progress === null ? null : `${one.progress} %`, ...one.details.map(reason)].filter(Boolean).join(" · ")))));
  }
}
