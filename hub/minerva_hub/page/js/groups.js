// Groups of devices: made, changed and forgotten.

import { put, remove } from "./api.js";
import { confirm } from "./confirm.js";
import { h, refill, say } from "./dom.js";
import { sentence } from "./format.js";
import { DevicePicker } from "./picker.js";

/** A section's content. `update(groups)`; `changed()` is called when the hub has other groups. */
export class GroupsPanel {
  #hub;
  #changed;
  #groups = [];
  #list = h("ul", { class: "entries" });
  #trouble = h("p", { class: "trouble", role: "alert" });
  #name = h("input", { type: "text", id: "group-name", required: true, pattern: "[a-z0-9][a-z0-9\\-]{0,31}", autocomplete: "off", spellcheck: "false", "aria-describedby": "group-name-note" });
  #picker = new DevicePicker("group-device", "Devices of the group");
  #new = h("button", { type: "button", on: { click: () => this.#edit(null) } }, "New group…");
  #form = h("form", { hidden: true, "aria-label": "A group of devices", on: { submit: (event) => this.#save(event) } },
    h("label", { for: "group-name" }, "Name of the group"), this.#name,
    h("p", { class: "facts", id: "group-name-note" }, "Small letters, digits and hyphens."),
    this.#picker.element,
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Keep this group"),
      h("button", { type: "button", on: { click: () => this.#close() } }, "Leave it")));

  element = h("div", { class: "panel" },
    h("p", { class: "facts" }, "Devices that you name together, to update them first or alone."),
    this.#list, h("div", { class: "actions" }, this.#new), this.#form, this.#trouble);

  constructor(hub, changed) {
    this.#hub = hub;
    this.#changed = changed;
  }

  update(groups) {
    this.#groups = groups;
    this.showDevices();
  }

  showDevices() {
    this.#picker.update(this.#hub);
    const key = this.#groups.map((group) => [group.name, this.#members(group)]).flat().join("\n");
    if (this.#list.dataset.shown === key) return;
    this.#list.dataset.shown = key;
    this.#list.hidden = this.#groups.length === 0;
    refill(this.#list, this.#groups.map((group) => h("li", {},
      h("div", {}, h("b", {}, group.name), h("p", { class: "facts" }, this.#members(group))),
      h("div", { class: "actions" },
        h("button", { type: "button", "aria-label": `Change the group ${group.name}`, on: { click: () => this.#edit(group) } }, "Change…"),
        h("button", { type: "button", class: "danger", "aria-label": `Forget the group ${group.name}`, on: { click: () => this.#forget(group) } }, "Forget…")))));
  }

  #members(group) {
    return group.devices.map((id) => this.#hub.room(id)).join(", ") || "no device";
  }

  #edit(group) {
    say(this.#trouble, "");
    this.#form.reset();
    this.#picker.value = group?.devices ?? [];
    this.#name.value = group?.name ?? "";
    this.#name.readOnly = Boolean(group);
    this.#form.hidden = false;
    this.#new.hidden = true;
    if (group) this.#form.querySelector("input[type=checkbox]")?.focus();
    else this.#name.focus();
  }

  #close() {
    this.#form.hidden = true;
    this.#new.hidden = false;
    this.#new.focus();
  }

  async #save(event) {
    event.preventDefault();
    const done = await this.#try(() => put(`/api/groups/${encodeURIComponent(this.#name.value)}`, { devices: this.#picker.value }));
    if (done) this.#close();
  }

  async #forget(group) {
    const yes = await confirm({
      title: `Forget the group ${group.name}?`,
      text: "Its devices stay, and so do rollouts that went to it.",
      yes: "Forget it",
    });
    if (yes && (await this.#try(() => remove(`/api/groups/${encodeURIComponent(group.name)}`)))) this.#new.focus();
  }

  async #try(ask) {
    say(this.#trouble, "");
    try {
      await ask();
    } catch (error) {
      say(this.#trouble, sentence(error.message));
      return false;
    }
    await this.#changed();
    return true;
  }
}
