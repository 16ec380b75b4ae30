// One session: its transcript, who spoke when, exports, and its end.

import { exportUrl, get, getAll, post, remove } from "./api.js";
import { confirm } from "./confirm.js";
import { fill, h, put, say } from "./dom.js";
import { clock, count, dayOf, duration, longDay } from "./format.js";
import { listen } from "./hub.js";
import { mark } from "./speakers.js";
import { Axis, axisRow, lanes } from "./stretches.js";
import { Transcript } from "./transcript.js";

const MOST = 2000; // lines shown at once; exports have all
const FORMATS = [
  ["txt", "Text to read"], ["srt", "Subtitles for players"], ["vtt", "Subtitles for the web"],
  ["json", "Everything, for programs"], ["rttm", "Who spoke when, for evaluation"],
];

/** Show session `params.id` in `root`; returns what ends it. */
export function show(root, hub, params) {
  const id = Number(params.id);
  const abort = new AbortController();
  const transcript = new Transcript({ showRoom: false });
  const title = h("h1", { tabindex: "-1" }, `Session ${id}`);
  const facts = h("p", { class: "facts" });
  const people = h("ul", { class: "people", "aria-label": "Speakers" });
  const chart = h("div", { class: "chart one", "aria-hidden": "true" });
  const status = h("p", { class: "trouble", role: "status", hidden: true });
  const end = h("button", { type: "button", hidden: true, on: { click: endNow } }, "End now");
  const back = h("a", { class: "back", href: "#/timeline" }, "Timeline");
  const note = h("p", { class: "facts", hidden: true });
  let session = null;

  fill(
    root,
    h("div", { class: "session" },
      h("nav", { "aria-label": "Back" }, back),
      h("header", {}, title, facts, people),
      chart,
      h("div", { class: "tools" },
        h("div", { class: "exports", role: "group", "aria-label": "Export" },
          h("span", { "aria-hidden": "true" }, "Export"),
          FORMATS.map(([format, what]) => h("a", {
            href: exportUrl(id, format), download: true, title: what, "aria-label": `Export as ${format.toUpperCase()}: ${what}`,
          }, format.toUpperCase()))),
        end,
        h("button", { type: "button", class: "danger", on: { click: deleteIt } }, "Delete…")),
      status, note,
      h("section", { "aria-label": "Transcript" }, transcript.element)),
  );

  function fail(error) {
    if (error.name === "AbortError") return;
    say(status, error.message);
    status.hidden = false;
  }

  function describe() {
    const going = session.end_ms === null;
    const until = going ? "now" : clock(session.end_ms);
    const lines = transcript.utterances();
    const last = session.end_ms ?? lines[lines.length - 1]?.end_ms ?? session.start_ms;
    const room = hub.room(session.device, session.room);
    const speakers = [...new Set([...session.speakers, ...lines.map((one) => one.speaker)])].sort();
    document.title = `${room}, ${clock(session.start_ms)} · Minerva`;
    say(title, room);
    say(facts, [longDay(session.start_ms), `${clock(session.start_ms)} – ${until}`,
      duration((last - session.start_ms) / 1000), count(Math.max(session.utterances, lines.length), "line")].join(" · "));
    back.href = `#/timeline?day=${dayOf(session.start_ms)}`;
    end.hidden = !going;
    fill(people, speakers.map((speaker) => h("li", {}, mark(id, speaker), h("span", {}, speaker))));
    const axis = new Axis(session.start_ms, last);
    put(chart, "hidden", lines.length === 0);
    chart.style.setProperty("--lanes", String(Math.max(1, speakers.length)));
    fill(chart, h("div", { class: "track" }, lanes(axis, id, lines, speakers)), axisRow(axis, 6));
    if (lines.length === 0) {
      say(note, going ? "Nothing was written down yet." : "Nothing was written down in this session.");
      note.hidden = false;
    }
  }

  async function load() {
    try {
      const [found, lines] = await Promise.all([
        get(`/api/sessions/${id}`, {}, abort.signal),
        getAll("/api/utterances", { session: id }, MOST, abort.signal),
      ]);
      session = found;
      lines.items.forEach((one) => transcript.line(one));
      note.hidden = lines.complete;
      if (!lines.complete) say(note, `The newest ${lines.items.length} lines; an export has them all.`);
      describe();
      focusLine();
    } catch (error) {
      fail(error);
    }
  }

  function focusLine() {
    const line = params.line && document.getElementById(`u${params.line}`);
    if (!line) return;
    params.line = null;
    line.classList.add("found");
    line.scrollIntoView({ block: "center" });
    line.focus({ preventScroll: true });
  }

  async function endNow() {
    end.disabled = true;
    try {
      session = await post(`/api/sessions/${id}/end`);
      describe();
    } catch (error) {
      fail(error);
    }
    end.disabled = false;
  }

  async function deleteIt() {
    const lines = count(Math.max(session?.utterances ?? 0, transcript.size), "line");
    const sure = await confirm({
      title: "Delete this session?",
      text: `Its ${lines} go from this hub for good. There is no copy and no way back.`,
      yes: "Delete",
    });
    if (!sure) return;
    try {
      await remove(`/api/sessions/${id}`);
      location.hash = back.getAttribute("href");
    } catch (error) {
      fail(error);
    }
  }

  function changed(found) {
    if (found.id !== id || !session) return;
    session = found;
    describe();
  }

  const unlisten = listen(hub, {
    snapshot: load,
    dropped: load,
    utterance: ({ utterance }) => {
      if (utterance.session_id !== id || !session) return;
      transcript.line(utterance);
      note.hidden = true;
      describe();
    },
    speakers: (event) => {
      if (event.session_id !== id || !session) return;
      transcript.relabel(event.speakers);
      // Labels that nobody carries any more go with the lines that carried them.
      session = { ...session, speakers: [...new Set(transcript.utterances().map((one) => one.speaker))] };
      describe();
    },
    session: (event) => changed(event.session),
    session_removed: (event) => {
      if (event.id === id) location.hash = back.getAttribute("href");
    },
  });
  load();
  return () => {
    unlisten();
    abort.abort();
  };
}
