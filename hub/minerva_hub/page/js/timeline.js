// The timeline: a day's conversations on a time axis per room, and search over all days.

import { get, getAll } from "./api.js";
import { fill, h, put, say } from "./dom.js";
import { clock, count, dayOf, dayStart, duration, isDay, longDay } from "./format.js";
import { listen } from "./hub.js";
import { results } from "./search.js";
import { mark } from "./speakers.js";
import { Axis, axisRow, lanes, place } from "./stretches.js";

const MOST_LINES = 3000; // of a day, drawn as stretches
const MOST_SESSIONS = 500; // of a day
const TYPING_MS = 250;
const RELOAD_MS = 3000; // today's chart follows the stream no faster

/** Show the place in `root`; `params` are {day, q, room, only}; returns what ends it. */
export function show(root, hub, params) {
  const today = dayOf(Date.now());
  const state = {
    day: isDay(params.day) ? params.day : today,
    q: params.q ?? "",
    room: params.room ?? "",
    only: params.only === "1",
  };
  let abort = new AbortController();
  let typing = 0;
  let reload = 0;

  const search = h("input", {
    type: "search", id: "q", name: "q", maxlength: 200, placeholder: "Search all that was said", autocomplete: "off",
    on: { input: typed },
  });
  search.value = state.q;
  const room = h("select", { id: "room", on: { change: () => change({ room: room.value }) } });
  const only = h("input", { type: "checkbox", id: "only", on: { change: () => change({ only: only.checked }) } });
  only.checked = state.only;
  const date = h("input", {
    type: "date", id: "day", "aria-label": "Day", max: today,
    on: { change: () => isDay(date.value) && change({ day: date.value }) },
  });
  const next = h("button", { type: "button", "aria-label": "Next day", on: { click: () => step(1) } }, "›");
  const heading = h("h2", { id: "what" });
  const status = h("p", { class: "facts" });
  const body = h("div", { class: "day" });

  fill(
    root,
    h("div", { class: "timeline" },
      h("h1", { tabindex: "-1" }, "Timeline"),
      h("form", { role: "search", class: "search", on: { submit: (event) => { event.preventDefault(); apply(); } } },
        h("label", { class: "hidden", for: "q" }, "Search all that was said"), search,
        h("label", { class: "hidden", for: "room" }, "Room"), room,
        h("span", { class: "check" }, only, h("label", { for: "only" }, "This day only"))),
      h("div", { class: "days", role: "group", "aria-label": "Day" },
        h("button", { type: "button", "aria-label": "Previous day", on: { click: () => step(-1) } }, "‹"),
        date, next,
        h("button", { type: "button", class: "today", on: { click: () => change({ day: today, q: "" }) } }, "Today")),
      h("section", { "aria-labelledby": "what" }, heading, status, body)),
  );

  function typed() {
    clearTimeout(typing);
    typing = setTimeout(apply, TYPING_MS);
  }

  function apply() {
    clearTimeout(typing);
    if (search.value.trim() !== state.q) change({ q: search.value.trim() });
  }

  function step(days) {
    change({ day: dayOf(dayStart(state.day, days)), q: state.only ? state.q : "" });
  }

  // The address follows, so that a search can be kept as a bookmark; the place itself stays.
  function change(changed) {
    Object.assign(state, changed);
    if (changed.q === "") search.value = "";
    const kept = new URLSearchParams();
    if (state.day !== today || state.only) kept.set("day", state.day);
    if (state.q) kept.set("q", state.q);
    if (state.room) kept.set("room", state.room);
    if (state.only) kept.set("only", "1");
    history.replaceState(null, "", `#/timeline${kept.size ? `?${kept}` : ""}`);
    load();
  }

  function rooms() {
    const wanted = hub.sorted().map((device) => [device.id, hub.room(device.id)]);
    if (state.room && !hub.devices.has(state.room)) wanted.push([state.room, state.room]);
    const now = JSON.stringify(wanted);
    if (room.dataset.shown === now) return;
    room.dataset.shown = now;
    fill(room, h("option", { value: "" }, "All rooms"), wanted.map(([id, name]) => h("option", { value: id }, name)));
    room.value = state.room;
  }

  async function load() {
    clearTimeout(reload);
    reload = 0;
    abort.abort();
    abort = new AbortController();
    date.value = state.day;
    next.disabled = state.day >= today;
    rooms();
    put(status, "role", state.q && "status"); // a search's outcome is read out, a growing day is not
    try {
      await (state.q ? find(abort.signal) : showDay(abort.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      say(status, error.message);
      fill(body);
    }
  }

  async function find(signal) {
    const [since, until] = state.only ? [dayStart(state.day), dayStart(state.day, 1)] : [];
    const query = { q: state.q, device: state.room, since, until };
    const found = await results(query, (id, name) => hub.room(id, name), signal);
    say(heading, `“${state.q}”`);
    say(status, found.text);
    fill(body, found.element);
  }

  async function showDay(signal) {
    const range = { since: dayStart(state.day), until: dayStart(state.day, 1), device: state.room };
    say(heading, longDay(range.since));
    const [sessions, lines, sounds] = await Promise.all([
      get("/api/sessions", { ...range, limit: MOST_SESSIONS }, signal),
      getAll("/api/utterances", range, MOST_LINES, signal),
      get("/api/sounds", { ...range, limit: 500 }, signal),
    ]);
    const shown = sessions.items.toReversed().filter((one) => one.utterances > 0 || one.end_ms === null);
    if (shown.length === 0 && sounds.items.length === 0) {
      const last = await get("/api/sessions", { until: range.since, device: state.room, limit: 1 }, signal);
      say(status, state.day === today ? "Nothing was said yet today." : "Nothing was said on this day.");
      fill(body, nothing(last.items[0], hub, state.room));
      return;
    }
    const partly = lines.complete ? "" : ` The chart shows the newest ${lines.items.length}.`;
    const total = count(shown.reduce((sum, one) => sum + one.utterances, 0), "line");
    say(status, `${count(shown.length, "session")}, ${total}.${partly}`);
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    fill(body, chart(hub, range, shown, lines.items, sounds.items), list(hub, shown));
    refocus(body, focused);
  }

  function soon() {
    if (state.day === today && !state.q && !reload) reload = setTimeout(load, RELOAD_MS);
  }

  const unlisten = listen(hub, {
    snapshot: load, utterance: soon, session: soon, session_removed: soon, speakers: soon, sound: soon,
    device: rooms, device_removed: rooms,
  });
  load();
  return () => {
    unlisten();
    abort.abort();
    clearTimeout(typing);
    clearTimeout(reload);
  };
}

// The day is drawn anew while people talk; whoever stood on a session by keyboard stays on it.
function refocus(body, before) {
  if (!before) return;
  const same = (one) => one.className === before.className && one.getAttribute("href") === before.getAttribute("href");
  [...body.querySelectorAll("a")].find(same)?.focus({ preventScroll: true });
}

function nothing(last, hub, room) {
  if (!last) {
    const where = room ? " in this room" : "";
    return h("div", { class: "empty" }, h("h3", {}, `No conversation yet${where}`),
      h("p", {}, "Once a device hears people talk, each conversation is kept here by day. ",
        h("a", { href: "#/devices" }, "Devices"), " shows which microphones are connected."));
  }
  const day = dayOf(last.start_ms);
  return h("div", { class: "empty" }, h("p", {}, `The last conversation before it was in ${hub.room(last.device, last.room)} on `,
    h("a", { href: `#/timeline?day=${day}` }, longDay(last.start_ms)), "."));
}

const ending = (session, lines) =>
  session.end_ms ?? Math.max(session.start_ms, ...lines.filter((one) => one.session_id === session.id).map((one) => one.end_ms));

function chart(hub, range, sessions, lines, sounds) {
  const ends = new Map(sessions.map((one) => [one.id, ending(one, lines)]));
  const times = [...sessions.flatMap((one) => [one.start_ms, ends.get(one.id)]), ...sounds.map((one) => one.start_ms)];
  const inDay = (ms) => Math.min(range.until, Math.max(range.since, ms));
  const axis = new Axis(inDay(Math.min(...times)), inDay(Math.max(...times)));
  const bySession = Map.groupBy(lines, (one) => one.session_id);
  const rooms = new Map();
  for (const one of [...sessions, ...sounds]) rooms.set(one.device, hub.room(one.device, one.room));
  const rows = [...rooms].sort((a, b) => a[1].localeCompare(b[1])).map(([device, name]) => {
    const own = sessions.filter((one) => one.device === device);
    const most = Math.max(1, ...own.map((one) => one.speakers.length));
    return h("div", { class: "row" },
      h("h3", {}, name),
      h("div", { class: "track", style: { "--lanes": String(most) } },
        own.map((one) => h("a", {
          class: "span", href: `#/session/${one.id}`, style: place(axis, one.start_ms, ends.get(one.id)),
          "aria-label": `${name}, ${clock(one.start_ms)}, ${count(one.utterances, "line")}, ${one.speakers.join(", ")}`,
        })),
        own.map((one) => lanes(axis, one.id, bySession.get(one.id) ?? [], [...one.speakers].sort())),
        sounds.filter((one) => one.device === device).map((one) => h("i", {
          class: "pip", style: { left: place(axis, one.start_ms, one.start_ms).left }, title: `${one.label}, ${clock(one.start_ms)}`,
        }))));
  });
  return h("div", { class: "chart" }, rows, axisRow(axis, 6));
}

function list(hub, sessions) {
  return h("ol", { class: "sessions" }, sessions.map((one) => {
    const going = one.end_ms === null;
    const long = going ? "going on" : duration((one.end_ms - one.start_ms) / 1000);
    return h("li", {}, h("a", { href: `#/session/${one.id}` },
      h("span", { class: "when" }, `${clock(one.start_ms)} – ${going ? "now" : clock(one.end_ms)}`),
      h("b", {}, hub.room(one.device, one.room)),
      h("span", { class: "marks" }, [...one.speakers].sort().map((speaker) => mark(one.id, speaker, true))),
      h("span", { class: "facts" }, `${count(one.utterances, "line")} · ${long}`)));
  }));
}
