// The transcript: lines, sounds and gaps in the order of their times, bounded, updated in place.

import { h, say } from "./dom.js";
import { clock, duration, iso, seconds } from "./format.js";
import { letter, colour } from "./speakers.js";
import { toneWords } from "./tone.js";

const SAME_TURN_MS = 60_000; // a longer pause shows the speaker again
const GAP_REASONS = {
  lost: "lost on the way",
  overwritten: "the device was cut off for longer than it can remember",
  hub_overload: "the hub could not keep up",
};

/** A list element that takes records in any order. `limit` bounds the rows (oldest go), 0 keeps all. */
export class Transcript {
  element = h("ol", { class: "transcript" });

  #rows = new Map(); // key -> row: {key, at, element, utterance?}
  #limit;
  #room;
  #showRoom;

  /** `room(device, fallback)` names rooms; `showRoom` says whether lines carry them. */
  constructor({ limit = 0, room = (_, fallback) => fallback, showRoom = true } = {}) {
    this.#limit = limit;
    this.#room = room;
    this.#showRoom = showRoom;
  }

  get size() {
    return this.#rows.size;
  }

  /** Whether an utterance is shown. */
  has(id) {
    return this.#rows.has(`u${id}`);
  }

  /** Add a line, or bring a shown one up to date; true when it is new. `late`: seconds that it came too late. */
  line(utterance, late = 0) {
    const shown = this.#rows.get(`u${utterance.id}`);
    if (shown) {
      shown.utterance = utterance;
      say(shown.text, utterance.text);
      this.#dress(shown);
      this.#dress(this.#after(shown));
      return false;
    }
    const row = {
      key: `u${utterance.id}`,
      at: utterance.start_ms,
      utterance,
      mark: h("span", { class: "mark", "aria-hidden": "true" }),
      name: h("span", { class: "name" }),
      text: h("span", {}, utterance.text),
      tone: h("span", { class: "tone" }),
    };
    row.element = h(
      "li", { class: "line", id: row.key, tabindex: "-1" },
      h("time", { datetime: iso(utterance.start_ms) }, seconds(utterance.start_ms)),
      row.mark,
      h(
        "div", { class: "who" },
        row.name,
        this.#showRoom && h("span", { class: "room" }, this.#room(utterance.device, utterance.room)),
        late > 0 && h("span", { class: "late" }, `${duration(late)} late`),
      ),
      h("p", { class: "text" }, row.text, row.tone),
    );
    return this.#insert(row);
  }

  /** Add a sound as a small chip between the lines. */
  sound(sound) {
    const level = Math.round(sound.score * 100);
    return this.#insert({
      key: `s${sound.id}`,
      at: sound.start_ms,
      element: h(
        "li", { class: "aside" },
        h(
          "span", { class: "chip", title: `${level} % sure, ${duration((sound.end_ms - sound.start_ms) / 1000)}` },
          h("span", { "aria-hidden": "true" }, "♪ "),
          h("span", { class: "hidden" }, "Sound: "),
          h("b", {}, sound.label),
          this.#showRoom && ` · ${this.#room(sound.device, sound.room)}`,
          h("time", { datetime: iso(sound.start_ms) }, ` ${clock(sound.start_ms)}`),
        ),
      ),
    });
  }

  /** Add a stretch that was lost. */
  gap(gap) {
    const room = this.#room(gap.device, gap.device);
    const long = duration(Math.max(1, (gap.end_ms - gap.start_ms) / 1000));
    const where = this.#showRoom ? ` of ${room}` : "";
    return this.#insert({
      key: `g${gap.device}/${gap.start_ms}`,
      at: gap.start_ms,
      element: h(
        "li", { class: "aside" },
        h("span", { class: "chip gap" }, `${long}${where} missing: ${GAP_REASONS[gap.reason] ?? gap.reason}`),
      ),
    });
  }

  /** Give lines of a session other speakers: {utterance id: label}. */
  relabel(speakers) {
    for (const [id, speaker] of Object.entries(speakers)) {
      const row = this.#rows.get(`u${id}`);
      if (row && row.utterance.speaker !== speaker) this.line({ ...row.utterance, speaker });
    }
  }

  /** Take a session's lines away. */
  removeSession(session) {
    for (const row of [...this.#rows.values()]) {
      if (row.utterance?.session_id === session) this.#remove(row);
    }
  }

  /** The utterances shown, oldest first. */
  utterances() {
    return [...this.element.children].map((one) => this.#rows.get(one.dataset.key)?.utterance).filter(Boolean);
  }

  #insert(row) {
    if (this.#rows.has(row.key)) return false;
    row.element.dataset.key = row.key;
    let next = null;
    for (let last = this.element.lastElementChild; last; last = last.previousElementSibling) {
      if (this.#rows.get(last.dataset.key).at <= row.at) break;
      next = last;
    }
    this.#rows.set(row.key, row);
    this.element.insertBefore(row.element, next);
    this.#dress(row);
    this.#dress(this.#after(row));
    while (this.#limit && this.#rows.size > this.#limit) {
      this.#remove(this.#rows.get(this.element.firstElementChild.dataset.key));
    }
    return this.#rows.has(row.key);
  }

  #remove(row) {
    const next = this.#after(row);
    this.#rows.delete(row.key);
    row.element.remove();
    this.#dress(next);
  }

  #after(row) {
    return this.#rows.get(row.element.nextElementSibling?.dataset.key);
  }

  // A line's speaker and whether it continues the turn of the line above.
  #dress(row) {
    if (!row?.utterance) return;
    const { session_id: session, speaker, start_ms: start } = row.utterance;
    const above = this.#rows.get(row.element.previousElementSibling?.dataset.key)?.utterance;
    const same = above && above.session_id === session && above.speaker === speaker;
    say(row.mark, letter(speaker));
    say(row.name, speaker);
    const tone = toneWords(row.utterance.tone);
    say(row.tone, tone && ` · ${tone}`);
    row.element.dataset.colour = colour(session, speaker);
    row.element.classList.toggle("on", Boolean(same && start - above.end_ms < SAME_TURN_MS));
  }
}
