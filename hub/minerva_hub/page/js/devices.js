// Devices: a card each, the engines in use and why, and the hub itself.

import { post } from "./api.js";
import { fill, h } from "./dom.js";
import { DeviceCard } from "./device_card.js";
import { EnginePanel } from "./engines.js";
import { clock, dayOf, duration, longDay } from "./format.js";
import { listen } from "./hub.js";
import { OwnerPanel } from "./owner.js";
import { notes } from "./sentences.js";

/** Show the place in `root`; returns what ends it. */
export function show(root, hub) {
  const cards = new Map();
  const grid = h("ul", { class: "cards" });
  const empty = h("div", { class: "empty" }, h("h3", {}, "No device yet"),
    h("p", {}, "Give your first microphone a name. The command prints the settings that go on it:"),
    h("pre", {}, h("code", {}, "minerva device add kitchen")));
  const engines = new EnginePanel();
  const facts = h("div", {});
  const owner = new OwnerPanel();
  const warnings = h("div", { class: "notes" });
  fill(
    root,
    h("div", { class: "devices" },
      h("h1", { tabindex: "-1" }, "Devices"),
      warnings, grid, empty,
      h("p", {}, h("a", { href: "/flasher" }, "Flash a new board with this browser")),
      h("section", { "aria-labelledby": "engines" }, h("h2", { id: "engines" }, "Engines and models"), engines.element),
      h("section", { "aria-labelledby": "owner" }, h("h2", { id: "owner" }, "Who may look"), owner.element),
      h("section", { "aria-labelledby": "hub" }, h("h2", { id: "hub" }, "This hub"), facts)),
  );

  // The answer is the device's new state; the stream will say the same.
  async function command(device, name, body) {
    hub.accept(await post(`/api/devices/${encodeURIComponent(device)}/${name}`, body));
  }

  function showCards() {
    for (const [id, card] of cards) {
      if (hub.devices.has(id)) continue;
      card.element.remove();
      cards.delete(id);
    }
    hub.sorted().forEach((device, index) => {
      if (!cards.has(device.id)) cards.set(device.id, new DeviceCard(device.id, command));
      const card = cards.get(device.id);
      card.update(device, hub.room(device.id), hub.speaking.get(device.id));
      if (grid.children[index] !== card.element) grid.insertBefore(card.element, grid.children[index] ?? null);
    });
    grid.hidden = hub.devices.size === 0;
    empty.hidden = hub.devices.size > 0 || !hub.health;
  }

  function showHealth() {
    const health = hub.health;
    if (!health) return;
    const serious = notes(health).filter((one) => one.level !== "info");
    fill(warnings, serious.map((one) => h("p", { class: `note ${one.level}` }, one.text)));
    warnings.hidden = serious.length === 0;
    engines.update(health);
    fill(facts, hubFacts(health));
    owner.update(health);
  }

  const unlisten = listen(hub, {
    model: (event) => engines.take(event.model),
    dropped: () => engines.refresh(),
    change: (event) => {
      showCards();
      if (event?.type === "snapshot") {
        owner.refresh();
        engines.refresh();
      }
      if (event?.type === "snapshot" || event?.type === "health") showHealth();
    },
  });
  const clockwork = setInterval(showCards, 10_000); // "seen 20 s ago" grows older by itself
  showCards();
  showHealth();
  owner.refresh();
  engines.refresh();
  return () => {
    unlisten();
    clearInterval(clockwork);
  };
}

function hubFacts(health) {
  const list = (counts) => Object.entries(counts).filter(([, value]) => value > 0)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
  const started = health.started_ms;
  const pairs = [
    ["Version", health.version],
    ["Name", health.hub_id],
    ["Running since", `${longDay(started)}, ${clock(started)} (${duration((Date.now() - started) / 1000)})`],
    ["Waiting in queues", list(health.queues) || "nothing"],
    ["Dropped", list(health.drops) || "nothing"],
    ["For programs", h("a", { href: "/api/openapi.json" }, "OpenAPI document")],
  ];
  if (dayOf(started) === dayOf(Date.now())) pairs[2][1] = `${clock(started)} (${duration((Date.now() - started) / 1000)})`;
  return h("dl", { class: "hub" }, pairs.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
}
