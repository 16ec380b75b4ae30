// One model: what it is, how it stands on the hub, and what can be done with it.

import { confirm } from "./confirm.js";
import { h, put, say } from "./dom.js";
import { stopped, when } from "./format.js";

const PULL = { absent: "Pull…", partial: "Go on…", damaged: "Pull again…" };

/** `ask(wish)` is called with "pull", "cancel", "verify" or "remove". */
export class ModelRow {
  #model = null;
  #ask;
  #state = h("p", { class: "state" });
  #facts = h("p", { class: "facts" });
  #note = h("p", { class: "facts" });
  #bar = h("progress", {});
  #job = h("p", { class: "facts" });
  #why = h("p", { class: "why", hidden: true });
  #buttons;

  constructor(name, ask) {
    this.#ask = ask;
    const button = (wish, text, act, danger) => h("button", {
      type: "button", class: danger ? "danger" : null, "aria-label": `${text} ${name}`, hidden: true, on: { click: act },
    }, text);
    this.#buttons = {
      pull: button("pull", "Pull…", () => this.#pull()),
      cancel: button("cancel", "Stop", () => this.#ask("cancel")),
      verify: button("verify", "Verify", () => this.#ask("verify")),
      remove: button("remove", "Remove…", () => this.#remove(), true),
    };
    this.#bar.setAttribute("aria-label", `Progress of ${name}`);
    this.element = h("li", { "aria-label": name },
      h("div", {}, h("h4", {}, name), this.#state, this.#note, this.#facts, this.#bar, this.#job, this.#why),
      h("div", { class: "actions" }, Object.values(this.#buttons)));
  }

  get here() {
    return this.#model?.state === "ready";
  }

  get busy() {
    return this.#model?.job?.state === "running";
  }

  hubStarted(ms) {
    if (this.#model) this.update(this.#model, ms);
  }

  update(model, startedMs) {
    this.#model = model;
    const busy = this.busy;
    this.#state.dataset.state = { ready: "ready", damaged: "error", partial: "rough", unverified: "rough" }[model.state] ?? "off";
    say(this.#state, standing(model, startedMs));
    say(this.#note, model.note);
    say(this.#facts, facts(model));
    this.#bar.hidden = !busy;
    say(this.#job, busy ? progress(this.#bar, model) : "");
    this.#job.hidden = !busy;
    const why = busy ? "" : trouble(model);
    say(this.#why, why);
    this.#why.hidden = !why;
    put(this.#why, "data-level", model.state === "damaged" ? "bad" : null);
    this.#offer({
      pull: !busy && !model.gated && model.state in PULL,
      cancel: busy,
      verify: !busy && !model.gated && ["ready", "unverified", "damaged"].includes(model.state),
      remove: !busy && model.bytes > 0,
    });
    say(this.#buttons.pull, PULL[model.state] ?? "Pull…");
    put(this.#buttons.pull, "aria-label", `${PULL[model.state] ?? "Pull…"} ${model.name}`);
  }

  // A button that goes takes no focus with it.
  #offer(offered) {
    const focused = Object.entries(this.#buttons).find(([, button]) => button === document.activeElement)?.[0];
    for (const [wish, button] of Object.entries(this.#buttons)) button.hidden = !offered[wish];
    if (focused && !offered[focused]) Object.values(this.#buttons).find((button) => !button.hidden)?.focus();
  }

  async #pull() {
    const model = this.#model;
    const site = new URL(model.source).hostname;
    const yes = await confirm({
      title: `Pull ${model.name}?`,
      text: `The hub downloads about ${size(model.size_mb * 1e6)} from ${site}, which sees the hub's address. The model's licence is ${model.licence}. After that it works without the internet.`,
      yes: "Pull it",
      no: "Not now",
      danger: false,
    });
    this.#buttons.pull.focus();
    if (yes) this.#ask("pull");
  }

  async #remove() {
    const yes = await confirm({
      title: `Remove ${this.#model.name}?`,
      text: `${size(this.#model.bytes)} on the hub become free. An engine that uses it goes on until the hub is restarted.`,
      yes: "Remove it",
    });
    this.#buttons.remove.focus();
    if (yes) this.#ask("remove");
  }
}

function standing(model, startedMs) {
  if (model.state === "ready" && model.pulled_ms > startedMs) return "Here; engines are chosen at the hub's next start";
  if (model.state === "absent" && model.gated) return "Only you can fetch it";
  return { absent: "Not here", partial: "A part is here", unverified: "Here, not verified", ready: "Here", damaged: "Damaged" }[model.state];
}

function facts(model) {
  const large = model.state === "ready" ? size(model.bytes) : `about ${size(model.size_mb * 1e6)}`;
  const trust = { stated: "hashes stated upstream", recorded: "hashes recorded when it first came" }[model.trust];
  const verified = model.state === "ready" && model.verified_ms ? `verified ${when(model.verified_ms)}` : null;
  return [large, model.licence, new URL(model.source).hostname, trust, verified].filter(Boolean).join(", ");
}

function progress(bar, model) {
  const { action, file, done_bytes: done, total_bytes: total } = model.job;
  if (total) {
    put(bar, "max", total);
    put(bar, "value", Math.min(done, total));
  } else {
    put(bar, "value", null);
  }
  const doing = action === "pull" ? "Pulling" : "Verifying";
  if (!file) return `${doing}…`;
  return `${doing} ${file}: ${size(done)}${total ? ` of ${size(total)}` : ""}`;
}

function trouble(model) {
  if (model.job?.state === "failed") return stopped(model.job.message);
  if (model.gated && model.state === "absent") return "Its source asks for an account and your consent: docs/models.md says how to get it.";
  return ["damaged", "partial"].includes(model.state) ? stopped(model.reason) : "";
}

// As upstream counts them: a megabyte is a million bytes.
function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return `${(bytes / 1e6).toFixed(bytes % 1e6 && bytes < 10e6 ? 1 : 0)} MB`;
}
