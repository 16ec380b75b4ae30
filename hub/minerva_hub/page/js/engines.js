// The engines: each stage's, with its state and why, and the models that would make it better.

import { get, post, remove } from "./api.js";
import { fill, h, say } from "./dom.js";
import { count, sentence, stopped } from "./format.js";
import { ModelRow } from "./model_row.js";
import { STAGES } from "./sentences.js";

const STATES = { loading: "Loading", ready: "Ready", rough: "Ready, rough", error: "Failed", off: "Off" };

/** A section's content: `update(health)`, `take(model)` as the stream tells one, `refresh()` asks for all. */
export class EnginePanel {
  #stages = new Map();
  #rows = new Map();
  #started = 0;
  #trouble = h("p", { class: "trouble", role: "alert" });
  #told = h("p", { class: "hidden", role: "status" });
  #list = h("ul", { class: "engines" });
  #where = h("p", { class: "facts" });

  element = h("div", { class: "engine-panel" }, this.#trouble, this.#list, this.#where, this.#told);

  update(health) {
    this.#started = health.started_ms;
    for (const engine of health.engines) this.#stage(engine.stage).engine(engine);
    for (const row of this.#rows.values()) row.hubStarted(this.#started);
  }

  async refresh() {
    try {
      const { folder, items } = await get("/api/models");
      say(this.#trouble, "");
      for (const model of items) this.#show(model);
      fill(this.#where, "Models are fetched only when you pull one; then they are in ", h("code", {}, folder), " on the hub.");
    } catch (error) {
      say(this.#trouble, sentence(error.message));
    }
  }

  take(model) {
    this.#show(model);
    const job = model.job;
    if (job && job.state !== "running") say(this.#told, `${model.name}: ${ended(model)}`);
  }

  #show(model) {
    const row = this.#row(model);
    row.update(model, this.#started);
    this.#stage(model.stage).count();
  }

  #row(model) {
    let row = this.#rows.get(model.name);
    if (!row) {
      row = new ModelRow(model.name, (wish) => this.#ask(model.name, wish));
      this.#rows.set(model.name, row);
      this.#stage(model.stage).add(row);
    }
    return row;
  }

  #stage(name) {
    let stage = this.#stages.get(name);
    if (!stage) {
      stage = new Stage(name);
      this.#stages.set(name, stage);
      this.#list.append(stage.element);
    }
    return stage;
  }

  async #ask(name, wish) {
    say(this.#trouble, "");
    try {
      const path = `/api/models/${encodeURIComponent(name)}`;
      // What comes of it the stream tells, and in order: an answer may come later than the end it began.
      if (wish === "remove") await remove(path);
      else await post(`${path}/${wish}`);
    } catch (error) {
      say(this.#trouble, sentence(error.message));
    }
  }
}

const ended = (model) => ({ done: "Done.", failed: stopped(model.job.message), cancelled: "Stopped." })[model.job.state];

// A stage: what is in use for it, and the models for it, folded away.
class Stage {
  #rows = [];
  #state = h("p", { class: "state" });
  #what = h("p", { class: "what" });
  #why = h("p", { class: "facts" });
  #summary = h("summary", {});
  #models = h("ul", { class: "models" });
  #details = h("details", { hidden: true }, this.#summary, this.#models);

  constructor(name) {
    this.title = STAGES[name] ?? name;
    this.element = h("li", {}, h("h3", {}, this.title), this.#state, this.#what, this.#why, this.#details);
    this.#state.hidden = true;
    say(this.#why, "No engine is in use for this yet.");
  }

  engine(engine) {
    this.#state.hidden = false;
    this.#state.dataset.state = engine.state;
    say(this.#state, STATES[engine.state]);
    say(this.#what, [engine.name, engine.model].filter(Boolean).join(", "));
    say(this.#why, sentence(engine.reason));
  }

  add(row) {
    this.#rows.push(row);
    this.#models.append(row.element);
  }

  count() {
    const here = this.#rows.filter((row) => row.here).length;
    say(this.#summary, `${count(this.#rows.length, "model")} for ${this.title.toLowerCase()}, ${here || "none"} here`);
    this.#details.hidden = false;
    if (this.#rows.some((row) => row.busy)) this.#details.open = true;
  }
}
