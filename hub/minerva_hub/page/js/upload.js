// The form that uploads a release: three files, chosen or dropped, and what the hub says of them.

import { upload } from "./api.js";
import { fill, h, put, say } from "./dom.js";
import { bytes, sentence } from "./format.js";
import { refusal } from "./update_words.js";

const PARTS = ["manifest.json", "manifest.sig", "files.bin"]; // the hub reads them in this order

/** A form; nothing leaves the browser before "Upload" is pressed. */
export class UploadForm {
  #input = h("input", { type: "file", id: "release-files", multiple: true, "aria-describedby": "release-chosen", on: { change: () => this.#choose(this.#input.files) } });
  #chosen = h("p", { class: "facts", id: "release-chosen", role: "status" });
  #send = h("button", { type: "submit", disabled: true }, "Upload");
  #stop = h("button", { type: "button", hidden: true, on: { click: () => this.#control?.abort() } }, "Break off");
  #bar = h("progress", { max: 100, hidden: true, "aria-label": "Progress of the upload" });
  #trouble = h("p", { class: "trouble", role: "alert" });
  #files = null;
  #control = null;

  element = h("form", { class: "upload", "aria-label": "Upload a release", on: {
    submit: (event) => this.#submit(event),
    dragover: (event) => this.#over(event, true),
    dragleave: (event) => this.#over(event, false),
    drop: (event) => this.#drop(event),
  } },
  h("label", { for: "release-files" }, "Upload a release: choose its three files together, or drop them here"),
  this.#input, this.#chosen, this.#bar,
  h("div", { class: "actions" }, this.#send, this.#stop), this.#trouble);

  constructor() {
    say(this.#chosen, `${PARTS.slice(0, 2).join(", ")} and ${PARTS[2]}, as minerva release build and sign write them.`);
  }

  focus() {
    this.#input.focus();
  }

  #over(event, on) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    put(this.element, "data-over", on);
  }

  #drop(event) {
    this.#over(event, false);
    if (!this.#control) this.#choose(event.dataTransfer.files);
  }

  #choose(list) {
    const found = new Map([...list].map((file) => [file.name, file]));
    const missing = PARTS.filter((name) => !found.has(name));
    const others = [...found.keys()].filter((name) => !PARTS.includes(name));
    this.#files = missing.length || others.length ? null : PARTS.map((name) => found.get(name));
    this.#send.disabled = !this.#files;
    say(this.#trouble, "");
    if (this.#files) say(this.#chosen, this.#files.map((file) => `${file.name}, ${bytes(file.size)}`).join("; "));
    else if (found.size) {
      say(this.#chosen, "");
      say(this.#trouble, [missing.length && `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing.`,
        others.length && `${others.slice(0, 5).join(", ")}: not a part of a release.`].filter(Boolean).join(" "));
    }
  }

  async #submit(event) {
    event.preventDefault();
    if (!this.#files || this.#control) return;
    const form = new FormData();
    PARTS.forEach((name, index) => form.append(name, this.#files[index], name));
    this.#control = new AbortController();
    this.#busy(true);
    try {
      const kept = await upload("/api/releases", form, { signal: this.#control.signal, progress: (share) => {
        this.#bar.value = Math.round(100 * share);
      } });
      say(this.#chosen, `${kept.name} ${kept.version} was checked and is kept. No device is offered it before a rollout.`);
      this.#files = null;
      this.#input.value = "";
    } catch (error) {
      this.#showRefusal(error);
    }
    this.#control = null;
    this.#busy(false);
  }

  #busy(on) {
    this.#bar.hidden = !on;
    this.#bar.value = 0;
    this.#input.disabled = on;
    this.#stop.hidden = !on;
    this.#send.disabled = on || !this.#files;
    if (on) this.#stop.focus();
    else if (this.#send.disabled) this.#input.focus();
    else this.#send.focus();
  }

  #showRefusal(error) {
    const words = refusal(error.code);
    if (words) fill(this.#trouble, `Refused: ${words} (`, h("code", {}, error.code), `). ${sentence(error.message)}`);
    else say(this.#trouble, sentence(error.message));
  }
}
