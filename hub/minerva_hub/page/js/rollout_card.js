// One rollout: its stages with counts, its failures with their reasons, and pause, resume, emergency stop.

import { get, post } from "./api.js";
import { confirm } from "./confirm.js";
import { fill, h, put, say } from "./dom.js";
import { count, sentence, when } from "./format.js";
import { actionWord, counts, remark, ROLLOUT_STATES, stageName } from "./update_words.js";

const MOST_ROWS = 100; // devices listed at once: the others are counted
const AGAIN_MS = 2000; // its devices are asked for no more often than this
const WISHES = { running: ["pause", "Pause"], paused: ["resume", "Resume"] };

/** Updated in place, so that focus survives each event; `accept(rollout)` takes the hub's answer. */
export class RolloutCard {
  #hub;
  #accept;
  #rollout = null;
  #actions = null;
  #timer = 0;
  #loading = false;
  #stale = true; // whether its devices may have gone on since they were asked for
  #title = h("h3", { tabindex: "-1" });
  #state = h("p", { class: "state", role: "status" });
  #change = h("button", { type: "button", on: { click: () => this.#wish(WISHES[this.#rollout.state][0]) } });
  #stop = h("button", { type: "button", class: "danger", on: { click: () => this.#emergency() } }, "Emergency stop…");
  #buttons = h("div", { class: "actions" }, this.#change, this.#stop);
  #trouble = h("p", { class: "trouble", role: "alert" });
  #stages = h("ol", { class: "stages" });
  #silent = h("p", { class: "why" });
  #rules = h("p", { class: "facts" });
  #failures = h("ul", { class: "events failures" });
  #skippedSummary = h("summary", {});
  #skippedList = h("ul", { class: "events" });
  #skipped = h("details", {}, this.#skippedSummary, this.#skippedList);
  #devicesList = h("ul", { class: "events" });
  #devices = h("details", { on: { toggle: () => this.#wantDevices() } }, h("summary", {}, "Its devices"), this.#devicesList);
  #article;

  constructor(id, hub, accept) {
    this.#hub = hub;
    this.#accept = accept;
    this.#title.id = `rollout-${id}`;
    put(this.#failures, "aria-label", "Devices that failed");
    this.#article = h("article", { class: "card rollout", "aria-labelledby": this.#title.id },
      h("header", {}, h("div", {}, this.#title, this.#state), this.#buttons),
      this.#trouble, this.#stages, this.#silent, this.#failures, this.#rules, this.#skipped, this.#devices);
    this.element = h("li", {}, this.#article);
  }

  update(rollout) {
    this.#rollout = rollout;
    this.#stale = true;
    const name = `${rollout.version} to ${rollout.target}`;
    say(this.#title, name);
    say(this.#state, [ROLLOUT_STATES[rollout.state] ?? rollout.state, rollout.reason].filter(Boolean).join(": "));
    put(this.#state, "data-state", rollout.state);
    const wish = WISHES[rollout.state];
    const focused = this.#buttons.contains(document.activeElement);
    this.#buttons.hidden = !wish;
    if (wish) {
      say(this.#change, wish[1]);
      put(this.#change, "aria-label", `${wish[1]} the rollout of ${name}`);
      put(this.#stop, "aria-label", `Emergency stop of the rollout of ${name}`);
    } else if (focused) this.#title.focus();
    fill(this.#stages, rollout.stages.map((stage) => stageRow(stage, rollout)));
    say(this.#silent, rollout.silent ? `${count(rollout.silent, "device")} said nothing for ${Math.round(rollout.silent_s / 60)} min or more. That is not taken for a failure.` : "");
    this.#silent.hidden = !rollout.silent;
    say(this.#rules, `Goes on when ${rollout.success_percent} % of a stage are updated; stops when ${rollout.error_percent} % of one failed. Started ${when(rollout.created_ms)}.`);
    this.#showSkipped(rollout.skipped);
    this.#wantDevices();
    this.showDevices();
  }

  focus() {
    this.#title.focus();
  }

  /** Bring rooms' names up to date. */
  showDevices() {
    const failed = (this.#actions ?? []).filter((action) => action.state === "failure");
    this.#failures.hidden = failed.length === 0;
    fill(this.#failures, this.#rows(failed));
    fill(this.#devicesList, this.#rows(this.#actions ?? []));
  }

  #rows(actions) {
    const rows = actions.slice(0, MOST_ROWS).map((action) => [action, remark(action.detail), action.state === "failure"]).map(([action, detail, failed]) => h("li", {},
      h("p", {}, h("b", {}, this.#hub.room(action.device)), ` ${actionWord(action.state)}`,
        action.state === "running" && action.progress !== null && `, ${action.progress} %`,
        action.silent && ", says nothing"),
      detail && h("p", { class: failed ? "why" : "facts", data: failed ? { level: "bad" } : {} }, detail)));
    if (actions.length > MOST_ROWS) rows.push(h("li", { class: "facts" }, `and ${actions.length - MOST_ROWS} more: minerva rollout show ${this.#rollout.id}`));
    return rows;
  }

  #showSkipped(skipped) {
    const all = Object.entries(skipped);
    this.#skipped.hidden = all.length === 0;
    say(this.#skippedSummary, `${count(all.length, "device")} left out`);
    fill(this.#skippedList, all.slice(0, MOST_ROWS).map(([id, why]) => h("li", {}, h("b", {}, this.#hub.room(id)), ` ${why}`)));
  }

  // Failures are always told, the other devices when somebody looks.
  #wantDevices() {
    const wanted = this.#devices.open || this.#rollout.stages.some((stage) => stage.devices.failure);
    if (!wanted || !this.#stale || this.#loading) return;
    this.#timer ||= setTimeout(() => this.#load(), this.#actions ? AGAIN_MS : 0);
  }

  async #load() {
    this.#timer = 0;
    if (!this.element.isConnected) return;
    this.#loading = true;
    this.#stale = false;
    try {
      this.#actions = (await get(`/api/rollouts/${this.#rollout.id}`)).devices;
    } catch (error) {
      say(this.#trouble, sentence(error.message));
    }
    this.#loading = false;
    this.showDevices();
    this.#wantDevices();
  }

  async #emergency() {
    const { version } = this.#rollout;
    const yes = await confirm({
      title: `Stop the rollout of ${version} for good?`,
      text: "Nobody else is offered it, and devices that have begun are asked to give it up. Devices that run it keep it. It cannot be resumed.",
      yes: "Stop it now",
      no: "Let it go on",
    });
    if (yes) await this.#wish("stop");
  }

  async #wish(wish) {
    say(this.#trouble, "");
    try {
      this.#accept(await post(`/api/rollouts/${this.#rollout.id}/${wish}`));
    } catch (error) {
      say(this.#trouble, sentence(error.message));
    }
  }
}

function stageRow(stage, rollout) {
  const total = Object.values(stage.devices).reduce((sum, number) => sum + number, 0);
  const share = (state) => `${(100 * (stage.devices[state] ?? 0)) / (total || 1)}%`;
  const open = stage.stage <= rollout.stage;
  return h("li", open ? {} : { class: "later" },
    h("p", {}, h("b", {}, stageName(stage.stage)), ` of ${count(total, "device")}: ${counts(stage.devices) || "none left"}`),
    h("div", { class: "share", "aria-hidden": "true" },
      h("i", { data: { of: "success" }, style: { width: share("success") } }),
      h("i", { data: { of: "failure" }, style: { width: share("failure") } })));
}
