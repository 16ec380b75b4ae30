// The shell: which place is shown, and whether the hub answers.

import { say } from "./dom.js";
import { Hub } from "./hub.js";
import * as devices from "./devices.js";
import * as live from "./live.js";
import * as session from "./session.js";
import * as timeline from "./timeline.js";
import * as updates from "./updates.js";

const PLACES = {
  live: { module: live, title: "Live" },
  timeline: { module: timeline, title: "Timeline" },
  devices: { module: devices, title: "Devices" },
  updates: { module: updates, title: "Updates" },
  session: { module: session, title: "Session", nav: "timeline" },
};
const HIDDEN_MS = 60_000; // a tab out of sight for so long leaves its place at the hub to others
const LOST_MS = 1500; // an interruption shorter than this is not worth a sentence

const hub = new Hub();
const main = document.getElementById("main");
let leave = () => {};
let first = true;

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  const place = PLACES[name] ?? PLACES.live;
  leave();
  document.title = `${place.title} · Minerva`;
  for (const link of document.querySelectorAll("nav [data-place]")) {
    if (PLACES[link.dataset.place] === place || link.dataset.place === place.nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  scrollTo({ top: 0, behavior: "instant" });
  leave = place.module.show(main, hub, { ...Object.fromEntries(new URLSearchParams(query)), id });
  if (!first) (main.querySelector("h1[tabindex]") ?? main).focus({ preventScroll: true });
  first = false;
}

let lostTimer = 0;

function showLink() {
  const link = document.getElementById("link");
  const lost = document.getElementById("lost");
  say(link, { null: "Connecting", true: "Connected", false: "Reconnecting" }[hub.connected]);
  link.dataset.up = hub.connected;
  clearTimeout(lostTimer);
  if (hub.connected === false) {
    lostTimer = setTimeout(() => {
      say(lost, "The hub does not answer. This page tries again by itself; devices keep what they hear meanwhile for as long as their memory lasts.");
      lost.hidden = false;
    }, LOST_MS);
  } else {
    lost.hidden = true;
    say(lost, "");
  }
}

// Not by the address: that would look like another place.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
hub.addEventListener("link", showLink);
addEventListener("hashchange", route);

let hiddenTimer = 0;
let away = false;

function leaveStream() {
  away = true;
  hub.stop();
}

function comeBack() {
  clearTimeout(hiddenTimer);
  if (away) hub.start();
  away = false;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenTimer = setTimeout(leaveStream, HIDDEN_MS);
  else comeBack();
});
addEventListener("pagehide", leaveStream);
addEventListener("pageshow", comeBack); // also from the browser's memory of pages left
showLink();
route();
hub.start();
