// A time axis, and who spoke when on it: shared by the timeline's rooms and an open session.

import { h } from "./dom.js";
import { clock, duration, seconds } from "./format.js";
import { colour } from "./speakers.js";

const STEPS_S = [5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600];
const LEAST_MS = 60_000;
const JOIN_SHARE = 0.004; // stretches nearer than this to each other become one bar

/** A span of time as shares of its width. */
export class Axis {
  constructor(from, to) {
    const pad = Math.max((LEAST_MS - (to - from)) / 2, (to - from) * 0.02);
    this.from = from - pad;
    this.to = to + pad;
  }

  share(ms) {
    return Math.min(1, Math.max(0, (ms - this.from) / (this.to - this.from)));
  }

  /** The times to write under it: round ones, at most `most`. */
  ticks(most) {
    const span = (this.to - this.from) / 1000;
    const step = (STEPS_S.find((one) => span / one <= most) ?? 86400) * 1000;
    const zone = new Date(this.from).getTimezoneOffset() * 60_000;
    const ticks = [];
    for (let at = Math.ceil((this.from - zone) / step) * step + zone; at <= this.to; at += step) ticks.push(at);
    return { ticks, write: step < 60_000 ? seconds : clock };
  }
}

const percent = (share) => `${(share * 100).toFixed(3)}%`;

/** Where an element lies on the axis. */
export function place(axis, from, to) {
  const left = axis.share(from);
  return { left: percent(left), width: percent(Math.max(0, axis.share(to) - left)) };
}

/** The row of times under a chart: a mark at each, and its text below it, moved inwards where it would stick out. */
export function axisRow(axis, most) {
  const { ticks, write } = axis.ticks(most);
  return h(
    "div", { class: "axis", "aria-hidden": "true" },
    ticks.map((at) => {
      const left = percent(axis.share(at));
      const text = write(at);
      const style = { "--at": left, "--half": `${text.length / 2}ch` };
      return [h("i", { style: { left } }), h("span", { style }, text)];
    }),
  );
}

/** A lane per speaker with a bar for each stretch of speech; `lanes` lists the speakers from the top. */
export function lanes(axis, session, utterances, speakers) {
  return speakers.map((speaker, index) => {
    const bars = [];
    for (const one of utterances.filter((utterance) => utterance.speaker === speaker)) {
      const last = bars[bars.length - 1];
      if (last && axis.share(one.start_ms) - axis.share(last.to) < JOIN_SHARE) last.to = Math.max(last.to, one.end_ms);
      else bars.push({ from: one.start_ms, to: one.end_ms });
    }
    return bars.map((bar) => h("i", {
      class: "bar",
      data: { colour: colour(session, speaker) },
      style: { ...place(axis, bar.from, bar.to), "--lane": String(index) },
      title: `${speaker}, ${seconds(bar.from)}, ${duration((bar.to - bar.from) / 1000)}`,
    }));
  });
}
