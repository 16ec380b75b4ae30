// Search results: lines with what was looked for marked, each leading into its session.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { clock, count, dayOf, iso, longDay } from "./format.js";
import { mark } from "./speakers.js";

const PAGE = 50;

/** {text, element} of a search; `element` fetches older results when asked to. */
export async function results(query, room, signal) {
  const element = h("div", { class: "results" });
  const first = await get("/api/utterances", { ...query, limit: PAGE }, signal);
  const more = h("button", { type: "button", on: { click: older } }, "Older results");
  let before = first.before;
  let list = null;
  let day = "";

  function add(items) {
    for (const one of items.toReversed()) {
      if (dayOf(one.start_ms) !== day) {
        day = dayOf(one.start_ms);
        list = h("ol", { class: "hits" });
        element.append(h("h3", {}, longDay(one.start_ms)), list);
      }
      list.append(hit(one, room(one.device, one.room), query.q));
    }
    if (before) element.append(more);
    else more.remove();
  }

  async function older() {
    more.disabled = true;
    try {
      const page = await get("/api/utterances", { ...query, limit: PAGE, before }, signal);
      before = page.before;
      add(page.items);
    } catch (error) {
      if (error.name !== "AbortError") fill(more, `${error.message} Try again`);
    }
    more.disabled = false;
  }

  add(first.items);
  if (first.items.length === 0) {
    return { text: "Nothing found.", element: h("p", { class: "empty" }, "All words must occur in one line; the last may be a beginning.") };
  }
  return { text: before ? `The newest ${count(first.items.length, "line")} that fit.` : `${count(first.items.length, "line")}.`, element };
}

function hit(one, room, q) {
  return h("li", {}, h("a", { href: `#/session/${one.session_id}?line=${one.id}` },
    mark(one.session_id, one.speaker),
    h("span", { class: "who" }, h("span", { class: "name" }, one.speaker), h("span", { class: "room" }, room),
      h("time", { datetime: iso(one.start_ms) }, clock(one.start_ms))),
    h("span", { class: "text" }, marked(one.text, q))));
}

/** `text` as nodes, with each word of `q` where a word of the text begins with it in a <mark>. */
export function marked(text, q) {
  const words = q.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (words.length === 0) return [text];
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${words.join("|")})`, "giu");
  return text.split(pattern).map((part, index) => (index % 2 ? h("mark", {}, part) : part));
}
