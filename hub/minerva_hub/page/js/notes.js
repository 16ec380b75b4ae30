// The sentences at the top of Live; each can be hidden, and stays hidden while the tab is open.

import { fill, h } from "./dom.js";
import { notes } from "./sentences.js";

const hidden = new Set();

/** An element and a function that brings it up to date with the hub's health. */
export function notesPanel() {
  const element = h("aside", { class: "notes", "aria-label": "Notes" });
  let shown = "";
  const update = (health) => {
    const found = notes(health).filter((note) => !hidden.has(note.text));
    const now = JSON.stringify(found);
    if (now === shown) return;
    shown = now;
    element.hidden = found.length === 0;
    fill(element, found.map((note) => row(note, () => {
      hidden.add(note.text);
      update(health);
    })));
  };
  element.hidden = true;
  return { element, update };
}

function row(note, hide) {
  return h(
    "p", { class: `note ${note.level}` },
    h("span", {}, note.text),
    h("button", { type: "button", class: "plain", "aria-label": `Hide: ${note.text}`, on: { click: hide } }, "Hide"),
  );
}
