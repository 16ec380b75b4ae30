// The form that starts a rollout: which release, to whom, who is first, and when it goes on or stops.

import { post } from "./api.js";
import { fill, h, say } from "./dom.js";
import { count, sentence } from "./format.js";
import { DevicePicker } from "./picker.js";

// The hub's own defaults (GET /api/openapi.json, Plan).
const CANARY_PERCENT = 10;
const SUCCESS_PERCENT = 75;
const ERROR_PERCENT = 20;
const MOST_DEVICES = 5000;

/** `started(rollout)` is called with the hub's answer, `closed()` when the form is left. */
export class RolloutForm {
  #hub;
  #started;
  #closed;
  #groups = [];
  #release = h("select", { id: "rollout-release", required: true });
  #target = select("rollout-target", [["all", "All devices"], ["group", "A group"], ["devices", "Devices by name"]]);
  #group = select("rollout-group", []);
  #groupRow = row("Group", this.#group);
  #picker = new DevicePicker("rollout-device", "Which devices", () => this.#explain());
  #canary = select("rollout-canary", [["percent", "A share, in percent"], ["count", "A number of devices"], ["group", "A group"]]);
  #canaryNumber = number("rollout-canary-number", CANARY_PERCENT, 100);
  #canaryNumberRow = row("Share that is first (%)", this.#canaryNumber);
  #canaryGroup = select("rollout-canary-group", []);
  #canaryGroupRow = row("Group that is first", this.#canaryGroup);
  #success = number("rollout-success", SUCCESS_PERCENT, 100);
  #errors = number("rollout-errors", ERROR_PERCENT, 100);
  #words = h("p", { class: "facts", id: "rollout-words" });
  #trouble = h("p", { class: "trouble", role: "alert" });

  element = h("form", { class: "panel", hidden: true, "aria-label": "Start a rollout", on: { submit: (event) => this.#submit(event), input: () => this.#explain() } },
    row("Release", this.#release),
    h("div", { class: "fields" }, row("To", this.#target), this.#groupRow),
    this.#picker.element,
    h("div", { class: "fields" }, row("Who is first", this.#canary), this.#canaryNumberRow, this.#canaryGroupRow),
    h("div", { class: "fields" }, row("Goes on when updated (%)", this.#success), row("Stops when failed (%)", this.#errors)),
    this.#words,
    h("div", { class: "actions" }, h("button", { type: "submit", "aria-describedby": "rollout-words" }, "Start the rollout"),
      h("button", { type: "button", on: { click: () => this.close() } }, "Leave it")),
    this.#trouble);

  constructor(hub, started, closed) {
    this.#hub = hub;
    this.#started = started;
    this.#closed = closed;
    this.#canary.addEventListener("change", () => {
      say(this.#canaryNumberRow.querySelector("label"), this.#canary.value === "percent" ? "Share that is first (%)" : "How many are first");
      this.#canaryNumber.max = this.#canary.value === "percent" ? 100 : MOST_DEVICES;
      this.#canaryNumber.value = this.#canary.value === "percent" ? CANARY_PERCENT : 1;
    });
  }

  update({ releases, groups }) {
    this.#groups = groups;
    const valid = releases.filter((one) => one.expires_s * 1000 > Date.now());
    options(this.#release, valid.map((one) => [one.id, `${one.name} ${one.version}, ${one.variant} on ${one.boards.join(", ")}`]));
    const names = groups.map((group) => [group.name, `${group.name} (${group.devices.length})`]);
    options(this.#group, names);
    options(this.#canaryGroup, names);
    this.showDevices();
  }

  showDevices() {
    this.#picker.update(this.#hub);
    this.#explain();
  }

  /** Show it, with a release chosen. */
  open(releaseId) {
    this.element.hidden = false;
    if (releaseId !== undefined) this.#release.value = String(releaseId);
    this.#explain();
    this.#release.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.element.hidden = true;
    say(this.#trouble, "");
    this.#closed();
  }

  #explain() {
    const target = this.#target.value;
    const canary = this.#canary.value;
    show(this.#groupRow, target === "group");
    this.#picker.element.hidden = target !== "devices";
    show(this.#canaryNumberRow, canary !== "group");
    show(this.#canaryGroupRow, canary === "group");
    const group = this.#groups.find((one) => one.name === this.#group.value);
    const size = { all: this.#hub.devices.size, group: group?.devices.length ?? 0, devices: this.#picker.value.length }[target];
    const some = Number(this.#canaryNumber.value) || 0;
    const first = {
      percent: `${some} % of ${count(size, "device")}, at least one,`,
      count: count(Math.min(some, size), "device"),
      group: `the group ${this.#canaryGroup.value || "(there is none yet)"}`,
    }[canary];
    if (!size) {
      say(this.#words, target === "devices" ? "Tick the devices that are to get it." : "No device would get it.");
      return;
    }
    say(this.#words, `First ${first} ${canary === "percent" || (canary === "count" && some !== 1) ? "get" : "gets"} it; when ${this.#success.value || "?"} % of these run it and passed its health gate, the others do; `
      + `when ${this.#errors.value || "?"} % failed, the rollout stops by itself.`);
  }

  async #submit(event) {
    event.preventDefault();
    say(this.#trouble, "");
    const plan = { success_percent: Number(this.#success.value), error_percent: Number(this.#errors.value) };
    const canary = this.#canary.value;
    plan[`canary_${canary}`] = canary === "group" ? this.#canaryGroup.value : Number(this.#canaryNumber.value);
    const target = { all: {}, group: { group: this.#group.value }, devices: { devices: this.#picker.value } }[this.#target.value];
    if (target.devices?.length === 0) {
      say(this.#trouble, "Tick at least one device.");
      return;
    }
    try {
      this.#started(await post("/api/rollouts", { release: Number(this.#release.value), target, plan }));
    } catch (error) {
      say(this.#trouble, sentence(error.message));
    }
  }
}

const row = (label, field) => h("div", { class: "field" }, h("label", { for: field.id }, label), field);
const number = (id, value, max) => h("input", { type: "number", id, value, min: 1, max, step: 1, required: true, inputmode: "numeric" });

function select(id, pairs) {
  const element = h("select", { id });
  options(element, pairs);
  return element;
}

// What is not shown is not asked for either.
function show(one, on) {
  one.hidden = !on;
  const field = one.querySelector("select, input");
  field.disabled = !on;
  field.required = on;
}

function options(element, pairs) {
  const key = JSON.stringify(pairs);
  if (element.dataset.pairs === key) return;
  element.dataset.pairs = key;
  const chosen = element.value;
  fill(element, pairs.map(([value, text]) => h("option", { value }, text)));
  if (pairs.some(([value]) => String(value) === chosen)) element.value = chosen;
}
