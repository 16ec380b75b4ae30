// Devices to choose among: a list of boxes to tick, which keeps its ticks while devices come and go.

import { h, say } from "./dom.js";

/** `value` are the ids of the devices ticked, `changed()` is called when that changes. */
export class DevicePicker {
  #boxes = new Map();
  #list = h("ul", { class: "picks" });
  #empty = h("p", { class: "facts" }, "There is no device yet.");
  #name;
  #changed;

  constructor(name, legend, changed = () => {}) {
    this.#name = name;
    this.#changed = changed;
    this.element = h("fieldset", {}, h("legend", {}, legend), this.#list, this.#empty);
  }

  get value() {
    return [...this.#boxes].filter(([, box]) => box.input.checked).map(([id]) => id);
  }

  set value(ids) {
    for (const [id, box] of this.#boxes) box.input.checked = ids.includes(id);
  }

  update(hub) {
    for (const [id, box] of this.#boxes) {
      if (hub.devices.has(id)) continue;
      box.element.remove();
      this.#boxes.delete(id);
    }
    hub.sorted().forEach((device, index) => {
      if (!this.#boxes.has(device.id)) this.#boxes.set(device.id, this.#box(device.id));
      const box = this.#boxes.get(device.id);
      say(box.label, hub.room(device.id));
      if (this.#list.children[index] !== box.element) this.#list.insertBefore(box.element, this.#list.children[index] ?? null);
    });
    this.#empty.hidden = this.#boxes.size > 0;
  }

  #box(id) {
    const input = h("input", { type: "checkbox", name: this.#name, value: id, id: `${this.#name}-${id}`, on: { change: () => this.#changed() } });
    const label = h("label", { for: input.id });
    return { input, label, element: h("li", {}, input, label) };
  }
}
