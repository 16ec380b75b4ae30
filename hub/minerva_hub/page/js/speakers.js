// A speaker's mark and colour. Labels live in a session, so do colours: the same one wherever a session shows.

import { h } from "./dom.js";

const COLOURS = 8; // --speaker-0 to --speaker-7 in base.css
const SHIFT = 3; // sessions begin elsewhere in the palette, so that rooms side by side rarely share a colour

/** The letter that stands for a speaker: the label's last word's first letter, "?" where there is none. */
export function letter(label) {
  const words = label.trim().split(/\s+/);
  return (Array.from(words[words.length - 1] ?? "")[0] ?? "?").toUpperCase();
}

/** Which of the palette's colours, 0 to 7. */
export function colour(session, label) {
  const place = /^Speaker ([A-Z])$/.exec(label)?.[1].charCodeAt(0) - 65;
  const order = Number.isNaN(place) ? [...label].reduce((sum, c) => sum * 31 + c.codePointAt(0), 7) : place;
  return (((session * SHIFT + order) % COLOURS) + COLOURS) % COLOURS;
}

/** The round mark with the speaker's letter; decoration beside the name, or named itself. */
export function mark(session, label, named = false) {
  const props = { class: "mark", data: { colour: colour(session, label) } };
  if (named) Object.assign(props, { role: "img", "aria-label": label, title: label });
  else props["aria-hidden"] = "true";
  return h("span", props, letter(label));
}
