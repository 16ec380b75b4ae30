// Releases: what the hub keeps, whose it takes, what it refused; and the form that uploads one.

import { remove } from "./api.js";
import { confirm } from "./confirm.js";
import { fill, h, refill, say } from "./dom.js";
import { bytes, count, longDay, sentence, when } from "./format.js";
import { refusal } from "./update_words.js";
import { UploadForm } from "./upload.js";

/** A section's content. `update({releases, refused, trusted})`; `rollOut(release)` is asked for. */
export class ReleasesPanel {
  #rollOut;
  #keys = h("div", {});
  #upload = new UploadForm();
  #list = h("ul", { class: "releases" });
  #trouble = h("p", { class: "trouble", role: "alert" });
  #refusedSummary = h("summary", {});
  #refusedList = h("ol", { class: "events" });
  #refused = h("details", {}, this.#refusedSummary, this.#refusedList);
  #shown = "";

  element = h("div", { class: "panel" }, this.#keys, this.#list, this.#trouble, this.#upload.element, this.#refused);

  constructor(rollOut) {
    this.#rollOut = rollOut;
  }

  update(state) {
    const key = JSON.stringify(state);
    if (key === this.#shown) return;
    this.#shown = key;
    fill(this.#keys, trustedKeys(state.trusted));
    refill(this.#list, state.releases.map((release) => this.#release(release)));
    this.#list.hidden = state.releases.length === 0;
    this.#refused.hidden = state.refused.length === 0;
    say(this.#refusedSummary, `${count(state.refused.length, "upload")} refused`);
    fill(this.#refusedList, state.refused.map(refusedUpload));
  }

  #release(release) {
    const name = `${release.name} ${release.version}`;
    const expired = release.expires_s * 1000 <= Date.now();
    return h("li", { "aria-label": name },
      h("div", {},
        h("h3", {}, name),
        h("p", {}, `${release.kind === "image" ? "Whole image" : "Application"} for ${release.variant} on ${release.boards.join(", ")}`),
        h("p", { class: "facts" }, `${count(release.files, "file")}, ${bytes(release.size)}, security version ${release.security_version}, ${release.abi}`),
        h("p", { class: "facts" }, `Signed by ${release.signers.join(", ")}; here since ${when(release.added_ms)}; in ${count(release.rollouts, "rollout")}`),
        h("p", expired ? { class: "why" } : { class: "facts" }, `${expired ? "Expired since" : "Valid until"} ${longDay(release.expires_s * 1000)}`)),
      h("div", { class: "actions" },
        h("button", { type: "button", hidden: release.abi.endsWith("-full"), disabled: expired, "aria-label": `Roll out ${name}`, on: { click: () => this.#rollOut(release) } }, "Roll out…"),
        h("button", { type: "button", class: "danger", "aria-label": `Delete ${name}`, on: { click: () => this.#delete(release, name) } }, "Delete…")));
  }

  async #delete(release, name) {
    say(this.#trouble, "");
    const yes = await confirm({
      title: `Delete ${name}?`,
      text: "Its files and its ended rollouts go with it. Devices that run it go on running it.",
      yes: "Delete",
    });
    if (!yes) return;
    try {
      await remove(`/api/releases/${release.id}`); // the stream tells that it is gone
      this.#upload.focus();
    } catch (error) {
      say(this.#trouble, sentence(error.message));
    }
  }
}

function trustedKeys(trusted) {
  if (!trusted) {
    return h("p", { class: "note warn" }, h("span", {}, "No keys are trusted yet, so every release is refused. On the hub's machine: ", h("code", {}, "minerva release trust keys.json")));
  }
  return h("p", { class: "facts" }, `Releases must be signed by ${trusted.threshold} of ${count(trusted.keys.length, "key")} (key set ${trusted.version}): `,
    trusted.keys.flatMap((key, index) => [index ? ", " : "", h("code", {}, key)]));
}

function refusedUpload(one) {
  const claimed = [one.name, one.version].filter(Boolean).join(" ");
  const words = refusal(one.code);
  return h("li", {},
    h("p", {}, h("b", {}, claimed || "Not a release"), words ? `: ${words} (` : ": (", h("code", {}, one.code), ") ", h("span", { class: "facts" }, when(one.at_ms))),
    h("p", { class: "facts" }, sentence(one.message)));
}
